"""Fills a home with rows as a few days of work would leave them: models, batches, cases, pictures, workers, schedules.

Everything goes through the store's own functions and tables; the same seed gives the same rows.
"""

import io
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import log
from pathlib import Path

import numpy as np
import sqlalchemy
from numpy.typing import NDArray
from PIL import Image

from apps.settings import Settings
from apps.store.database import open_database, writing
from apps.store.models import register, save_evaluation
from apps.store.objects import open_objects
from apps.store.tables import Chunk, Inspection, Job, Model, Result, Schedule, WorkerBeat
from core.runtime.bundle import write_bundle

HOSTILE_ID = "=1+1<b>[x](http://evil.test)</b>"
START = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
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


@dataclass(frozen=True)
class Seeded:
    """Ids that tests look for."""

    scored_job: str
    running_job: str
    failed_job: str
    declined_case: str
    rejected_picture: str
    unknown_picture: str


def seed(settings: Settings, *, cases: int = 3_000, pictures: int = 40, start: datetime = START) -> Seeded:
    """Fill the database and the object store of `settings`."""
    db = open_database(settings)
    rng = np.random.default_rng(7)
    credit = [_credit_model(db, settings, version, rng) for version in (1, 2)]
    surfaces = _inspection_model(db, settings, rng)
    model = credit[-1]
    scored = _job(model, "score", "done", "a1b2c3d4" + "0" * 24, start, chunks=6, rows=cases)
    running = _job(model, "score", "running", "b7c8d9e0" + "0" * 24, start + timedelta(hours=5), chunks=8, rows=40_000)
    failed = _job(model, "score", "failed", "c0ffee00" + "0" * 24, start + timedelta(hours=3), chunks=3, rows=1_500)
    failed.error = "1 of 3 chunks was given up; the out file was not written"
    looked = _job(
        surfaces, "inspect", "done", "d00d1e55" + "0" * 24, start + timedelta(hours=1), chunks=2, rows=pictures
    )
    with writing(db) as session:
        session.add_all([scored, running, failed, looked])
        session.flush()
        rows = _cases(scored.id, model.id, cases, rng, start)
        scored.summary = _summary(rows)
        session.add_all(rows)
        session.add_all(_online(model.id, credit[0].id, rng, start))
        session.add_all([*_chunks(scored), *_chunks(running), *_chunks(failed), *_chunks(looked)])
        session.add_all(_workers())
        session.add_all(_schedules())
        seen = _pictures(settings, looked, pictures, rng)
        session.add_all(seen)
    declined = next(row for row in rows if row.decision == "decline")
    return Seeded(
        scored_job=scored.id,
        running_job=running.id,
        failed_job=failed.id,
        declined_case=declined.case_id,
        rejected_picture=next(one.id for one in seen if one.verdict == "reject"),
        unknown_picture=next(one.id for one in seen if one.verdict == "unknown"),
    )


def _credit_model(db: sqlalchemy.Engine, settings: Settings, version: int, rng: np.random.Generator) -> Model:
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


def _inspection_model(db: sqlalchemy.Engine, settings: Settings, rng: np.random.Generator) -> Model:
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


def _job(model: Model, kind: str, state: str, key: str, at: datetime, *, chunks: int, rows: int) -> Job:
    over = state in ("done", "failed")
    return Job(
        id=key,
        kind=kind,
        state=state,
        model_id=model.id,
        params={"source": "loans.csv" if kind == "score" else "pictures/", "out": f"{kind}d.csv", "reasons": 4},
        chunks_total=chunks,
        rows_total=rows,
        created_at=at,
        finished_at=at + timedelta(seconds=48) if over else None,
    )


def _chunks(job: Job) -> list[Chunk]:
    size = -(-job.rows_total // job.chunks_total)
    states = {
        "done": ["done"] * job.chunks_total,
        "failed": ["done", "dead", "done"],
        "running": ["done"] * 3 + ["running"] * 2 + ["queued"] * 3,
    }[job.state]
    return [
        Chunk(
            job_id=job.id,
            number=number,
            payload={},
            first_row=number * size,
            rows=min(size, job.rows_total - number * size),
            state=state,
            attempt={"queued": 0, "dead": 3}.get(state, 2 if number == 1 else 1),
            worker=None if state == "queued" else f"line-{number % 2 + 1}:4{number}1",
            heartbeat_at=None if state == "queued" else job.created_at + timedelta(seconds=9 * number),
            error="the worker was killed while it did this chunk (3 times)" if state == "dead" else None,
        )
        for number, state in enumerate(states)
    ]


def _scored(
    model_id: int, case_id: str, margin: float, pushes: NDArray[np.float64], raw: NDArray[np.float64]
) -> Result:
    probability = float(1 / (1 + np.exp(-margin)))
    decision = "approve" if probability < APPROVE_BELOW else "decline" if probability > DECLINE_ABOVE else "review"
    strongest = np.argsort(-np.abs(pushes))[:4] if decision != "approve" else []
    reasons = [
        {
            "code": f"R{place + 1:02d}",
            "words": FEATURES[place][1],
            "words_zh": FEATURES[place][2],
            "feature": FEATURES[place][0],
            "contribution": float(pushes[place]),
            "value": round(float(raw[place]), 2),
        }
        for place in strongest
    ]
    score = 600 + 20 / log(2) * (-margin - log(50))
    return Result(
        case_id=case_id, model_id=model_id, score=score, probability=probability, decision=decision, reasons=reasons
    )


def _draw(model_id: int, names: list[str], rng: np.random.Generator) -> list[Result]:
    normal = rng.normal(size=(len(names), len(FEATURES)))
    weights = np.array([feature[3] for feature in FEATURES])
    pushes = normal * weights * 0.8
    raw = np.array([feature[4] for feature in FEATURES]) + normal * np.array([feature[5] for feature in FEATURES])
    margins = -2.7 + pushes.sum(axis=1)
    return [
        _scored(model_id, name, float(margin), push, values)
        for name, margin, push, values in zip(names, margins, pushes, np.maximum(raw, 0), strict=True)
    ]


def _cases(job_id: str, model_id: int, cases: int, rng: np.random.Generator, start: datetime) -> list[Result]:
    names = [f"L{100_000 + place}" for place in range(cases)]
    rows = _draw(model_id, names, rng)
    for place, row in enumerate(rows):
        row.job_id, row.row, row.created_at = job_id, place, start + timedelta(seconds=place / 100)
        if place % 400 == 17:
            row.score = row.probability = row.decision = None
            row.reasons, row.error = [], "NOT_A_NUMBER: column 'income' holds 'n/a'; a number is allowed"
    rows[3].case_id = HOSTILE_ID
    return rows


def _online(model_id: int, older_id: int, rng: np.random.Generator, start: datetime) -> list[Result]:
    """Single requests, one of them of a case that the batch and the older model scored too."""
    rows = [
        *_draw(model_id, ["L100008", *(f"W{place}" for place in range(20))], rng),
        *_draw(older_id, ["L100008"], rng),
    ]
    for place, row in enumerate(rows):
        row.created_at = start + timedelta(hours=2, minutes=place)
    return rows


def _summary(rows: list[Result]) -> dict[str, object]:
    scored = [row for row in rows if row.score is not None]
    scores = [row.score for row in scored]
    edges = np.arange(np.floor(min(scores) / 10) * 10, max(scores) + 10, 10)
    histogram: dict[str, list[float]] = {"edges": edges.tolist()}
    decisions = {}
    for decision in ("approve", "review", "decline"):
        of_one = [row.score for row in scored if row.decision == decision]
        decisions[decision] = len(of_one)
        histogram[decision] = np.histogram(of_one, edges)[0].tolist()
    failed = len(rows) - len(scored)
    return {"rows": len(rows), "scored": len(scored), "failed": failed, "decisions": decisions, "histogram": histogram}


def _workers() -> list[WorkerBeat]:
    now = datetime.now(UTC)
    return [
        WorkerBeat(name="line-1:4121", started_at=now - timedelta(hours=7), seen_at=now - timedelta(seconds=4)),
        WorkerBeat(name="line-2:4377", started_at=now - timedelta(hours=7), seen_at=now - timedelta(minutes=42)),
    ]


def _schedules() -> list[Schedule]:
    now = datetime.now(UTC)
    rows = []
    for name, due, enabled in (("nightly", 9, True), ("hourly-line-2", -1, True), ("month-end", 200, False)):
        rows.append(
            Schedule(
                name=name,
                cron="0 2 * * *",
                kind="score",
                params={},
                enabled=enabled,
                next_due_at=now + timedelta(hours=due),
                last_due_at=now - timedelta(hours=15),
                created_at=now,
            )
        )
    return rows


def _pictures(settings: Settings, job: Job, count: int, rng: np.random.Generator) -> list[Inspection]:
    store = open_objects(settings)
    rows = []
    for place in range(count):
        pixels, heat, box, score = _surface(rng, defective=place % 3 == 0)
        verdict = "reject" if score >= 0.55 else "review" if score >= 0.35 else "pass"
        broken = place == 5
        label = "scratch" if box is not None and place % 2 else "pit"
        region = {"box": box, "score": score, "label": label, "area_px": 412} if box is not None else None
        key = f"{place:032x}"
        answer = {
            "id": key,
            "path": f"line-2/lot-07/part_{place:04d}.png",
            "verdict": "unknown" if broken else verdict,
            "score": None if broken else score,
            "threshold": 0.55,
            "label": label,
            "labels": {label: score},
            "regions": [region] if region and not broken and score > 0.3 else [],
            "latency_ms": {"decode": 1.1, "queue": 0.4, "model": 6.2, "total": 8.0},
            "error": "BAD_IMAGE: the picture ends early; send it again" if broken else None,
        }
        rows.append(
            Inspection(
                id=key,
                job_id=job.id,
                row=place,
                model_id=job.model_id,
                path=answer["path"],
                verdict=answer["verdict"],
                score=answer["score"],
                answer=answer,
                image_key=None if broken else store.put(_png(pixels), suffix=".png"),
                heatmap_key=None if broken else store.put(_png(heat), suffix=".png"),
                created_at=job.created_at + timedelta(seconds=place),
            )
        )
    return rows


def _surface(
    rng: np.random.Generator, *, defective: bool
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], list[int] | None, float]:
    """A brushed plate of 320 x 240 px, perhaps with a scratch; its heatmap of 40 x 30; the box and the score."""
    height, width = 240, 320
    rows = np.cumsum(rng.normal(0, 1, (height, 1)), axis=0) * 1.2
    light = np.linspace(-18, 18, width)[None, :] * rng.uniform(-1, 1)
    grey = 150 + rows + light + rng.normal(0, 7, (height, width))
    heat = np.clip(rng.normal(0.04, 0.03, (30, 40)), 0, 1)
    box = None
    score = float(np.clip(rng.beta(1.5, 9), 0, 1))
    if defective:
        x, y, length = int(rng.integers(40, 200)), int(rng.integers(40, 160)), int(rng.integers(40, 80))
        for step in range(length):
            grey[y + step // 2 : y + step // 2 + 3, x + step : x + step + 2] -= rng.uniform(35, 70)
        box = [x - 4, y - 4, x + length + 6, y + length // 2 + 8]
        score = float(rng.beta(6, 2.2))
        centre_y, centre_x = (box[1] + box[3]) / 16, (box[0] + box[2]) / 16
        ys, xs = np.mgrid[0:30, 0:40]
        blob = np.exp(-(((xs - centre_x) / 5) ** 2 + ((ys - centre_y) / 3) ** 2))
        heat = np.clip(np.maximum(heat, score * blob), 0, 1)
    colour = np.clip(grey, 0, 255)[..., None] * np.array([0.96, 1.0, 1.04])
    return np.clip(colour, 0, 255).astype(np.uint8), np.rint(heat * 255).astype(np.uint8), box, score


def _png(pixels: NDArray[np.uint8]) -> bytes:
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, "PNG")
    return held.getvalue()


def seed_folder(home: Path) -> Seeded:
    """Seed a home given as a folder: for looking at the pages by hand."""
    return seed(Settings(_env_file=None, home=home), start=datetime.now(UTC) - timedelta(hours=5, minutes=3))
