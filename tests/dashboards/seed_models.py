"""Models for the pages to show: bundles that check, and evaluations with curves."""

import numpy as np
import sqlalchemy

from apps.settings import Settings
from apps.store.models import register, save_evaluation
from apps.store.tables import Model
from core.runtime.bundle import write_bundle

FEATURES = (
    # name, English, Chinese, weight, mean, spread
    ("utilisation", "Share of credit lines used", "授信额度使用率", 1.1, 0.45, 0.28),
    ("late_30_59", "Times 30-59 days late", "逾期 30-59 天次数", 0.8, 0.4, 0.9),
    ("debt_ratio", "Debt to income", "负债收入比", 0.5, 0.38, 0.2),
    ("income", "Monthly income", "月收入", -0.6, 6400.0, 2600.0),
    ("age", "Age in years", "年龄（岁）", -0.45, 44.0, 13.0),
    ("open_lines", "Open credit lines", "在用授信数", 0.15, 8.0, 4.0),
)
APPROVE_BELOW, DECLINE_ABOVE = 0.12, 0.30


def credit_model(db: sqlalchemy.Engine, settings: Settings, version: int, rng: np.random.Generator) -> Model:
    columns = [
        {
            "name": name,
            "kind": "number",
            "words_en": english,
            "words_zh": chinese,
            "soft_low": mean - 3 * spread,
            "soft_high": mean + 3 * spread,
            "missing_rate": 0.02,
        }
        for name, english, chinese, _, mean, spread in FEATURES
    ]
    folder = settings.home / f"draft-{version}"
    write_bundle(
        folder,
        kind="credit",
        name="loans",
        parts={"trees": ("lightgbm", b"stands for trees that no page loads")},
        spec={"columns": columns},
        decision={"approve_below": APPROVE_BELOW, "decline_above": DECLINE_ABOVE, "base_score": 600, "base_odds": 50},
        calibration=None,
        metrics={"auc": 0.78 + 0.02 * version},
        golden=None,
        about={"rows": 24_000, "seed": 0, "preset": "fast", "data_sha256": "9f2c" * 16},
    )
    model = register(db, settings, folder, "loans")
    metrics, curves = _credit_evaluation(0.8 + 0.25 * version, rng)
    save_evaluation(db, model, data="loans.csv (split=test)", metrics=metrics, curves=curves)
    return model


def _credit_evaluation(strength: float, rng: np.random.Generator) -> tuple[dict[str, object], dict[str, object]]:
    """Curves of a made-up test set: margins of good and bad cases are two normals."""
    margin = rng.normal(-2.6, 1.3, 8_000)
    chance = 1 / (1 + np.exp(-margin))
    bad = rng.random(8_000) < 1 / (1 + np.exp(-(margin * strength)))
    order = np.argsort(-chance)
    tpr = np.concatenate([[0], np.cumsum(bad[order]) / bad.sum()])
    fpr = np.concatenate([[0], np.cumsum(~bad[order]) / (~bad).sum()])
    auc = float(np.trapezoid(tpr, fpr))
    kept = np.linspace(0, len(fpr) - 1, 150).astype(int)
    groups = np.array_split(np.argsort(chance), 10)
    observed = np.array([bad[group].mean() for group in groups])
    half = np.array(
        [
            1.96 * np.sqrt(max(rate * (1 - rate), 1e-4) / len(group))
            for rate, group in zip(observed, groups, strict=True)
        ]
    )
    edges = np.linspace(0, 0.8, 41)
    values = {
        "auc": auc,
        "gini": 2 * auc - 1,
        "ks": float(np.max(tpr - fpr)),
        "average_precision": 0.46,
        "brier": 0.094,
    }
    values |= {"log_loss": 0.31, "ece": 0.013, "best_f1": 0.48, "best_f1_threshold": 0.21, "recall_at_1pct_fpr": 0.14}
    metrics: dict[str, object] = {
        name: {"value": value, "low": value - 0.011, "high": value + 0.012} for name, value in values.items()
    }
    metrics |= {"n": {"value": 8_000}, "positives": {"value": int(bad.sum())}}
    curves: dict[str, object] = {
        "roc": {"fpr": fpr[kept].tolist(), "tpr": tpr[kept].tolist()},
        "calibration": {
            "predicted": [float(chance[group].mean()) for group in groups],
            "observed": observed.tolist(),
            "low": np.maximum(observed - half, 0).tolist(),
            "high": (observed + half).tolist(),
            "count": [len(group) for group in groups],
        },
        "histogram": {
            "edges": edges.tolist(),
            "good": np.histogram(chance[~bad], edges)[0].tolist(),
            "bad": np.histogram(chance[bad], edges)[0].tolist(),
        },
    }
    return metrics, curves


def company_model(db: sqlalchemy.Engine, settings: Settings) -> Model:
    """A company model whose cases are companies in a year, with hard rules."""
    folder = settings.home / "draft-firms"
    plan = {
        "company": "firm",
        "period": "year",
        "cases": "all",
        "unit": 1_000_000.0,
        "currency": "CNY",
        "figures": ["total_assets", "net_income"],
        "policy": {"rules": [{"name": "negative_equity"}, {"name": "opinion_refused"}]},
    }
    write_bundle(
        folder,
        kind="company",
        name="firms",
        parts={"trees": ("lightgbm", b"stands for trees that no page loads")},
        spec={"columns": []},
        decision={"approve_below": APPROVE_BELOW, "decline_above": DECLINE_ABOVE, "base_score": 600, "base_odds": 50},
        calibration=None,
        metrics={"validation": {"auc": {"value": 0.85, "low": 0.8, "high": 0.9}}},
        golden=None,
        about={"company": plan, "seed": 0},
    )
    return register(db, settings, folder, "firms")


def inspection_model(db: sqlalchemy.Engine, settings: Settings, rng: np.random.Generator) -> Model:
    folder = settings.home / "draft-surfaces"
    write_bundle(
        folder,
        kind="inspection",
        name="surfaces",
        parts={"network": ("onnx", b"stands for a network that no page loads")},
        spec={"size_px": 256},
        decision={"reject_above": 0.55, "review_above": 0.35, "labels": ["scratch", "pit"], "size_px": 256},
        calibration=None,
        metrics={"image_auroc": 0.94},
        golden=None,
        about={"images": 600, "seed": 0, "preset": "fast"},
    )
    model = register(db, settings, folder, "surfaces")
    threshold = np.linspace(0, 1, 101)
    curve = {
        "threshold": threshold.tolist(),
        "escape": (threshold**2.2 * 0.8).tolist(),
        "overkill": ((1 - threshold) ** 4).tolist(),
    }
    metrics = {"image_auroc": {"value": 0.941, "low": 0.912, "high": 0.965}, "escape_rate": {"value": 0.06}}
    save_evaluation(db, model, data="surfaces/test.csv", metrics=metrics, curves={"escape_overkill": curve})
    return model
