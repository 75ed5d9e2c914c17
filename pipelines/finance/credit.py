"""Trains a credit model: trees, calibration, zones, golden vectors; then writes the bundle.

Who learns from which rows: trees and their number from the training rows alone (cross-validation inside them);
calibration, zones and validation metrics from the validation rows, which the trees never saw.
"""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from core.errors import InputError
from core.metrics.bootstrap import Metric, binary_metrics
from core.runtime.bundle import Bundle, Golden, write_bundle
from core.runtime.calibrate import Calibrator, fit_calibrator
from core.runtime.trees import TreeRunner
from data.spec import FeatureSpec, infer_spec
from pipelines.finance.boosting import Fitted, Floats, Preset, TrainingRows, fit
from pipelines.finance.features import TABLE
from pipelines.finance.floors import check_floors, check_names
from pipelines.finance.labels import LabelRule, find_rule
from pipelines.finance.rows import Labelled, fingerprint, held_out, labelled
from pipelines.finance.scorecard import Policy, Scale
from pipelines.finance.zones import Costs, ValidationRows, choose_zones, describe

KIND = "credit"
PART = "trees"
GOLDEN_ROWS = 16


@dataclass(frozen=True, kw_only=True)
class CreditOptions:
    """What to train on and what decisions are to weigh."""

    target: str  # column of labels; see pipelines.finance.labels for what it may hold
    id_column: str | None = None
    time: str | None = None  # without validation rows: the latest fifth validates
    group: str | None = None  # without validation rows: a fifth of the groups validates; folds keep groups whole
    ignore: tuple[str, ...] = ()  # columns that are no features
    seed: int = 0
    preset: Preset = "fast"  # "full" tries several shapes of trees by cross-validation
    name: str = KIND
    cost_missed: float = 5.0  # of a bad case approved
    cost_false: float = 1.0  # of a good case declined
    cost_review: float | None = None  # of one look by a person, in the same unit
    target_rate: float | None = None  # wanted share of declines; overrules the costs
    base_score: float = 600.0
    base_odds: float = 50.0
    points_to_double: float = 20.0
    floors: Mapping[str, float] = field(default_factory=dict)  # metric on the validation rows -> least value

    def __post_init__(self) -> None:
        if self.preset not in ("fast", "full"):
            raise InputError(f"the preset is fast or full, got {self.preset!r}")
        if self.target_rate is not None and not 0 < self.target_rate < 1:
            raise InputError(f"the target rate is a share of declines between 0 and 1, got {self.target_rate:g}")
        check_names(self.floors)
        self.costs, self.scale  # noqa: B018 - both check themselves

    @property
    def costs(self) -> Costs:
        """The costs, checked."""
        return Costs(missed=self.cost_missed, false=self.cost_false, review=self.cost_review)

    @property
    def scale(self) -> Scale:
        """The scale of points, checked."""
        return Scale(base_score=self.base_score, base_odds=self.base_odds, points_to_double=self.points_to_double)


def train_credit(
    train: pd.DataFrame,
    valid: pd.DataFrame | None,
    options: CreditOptions,
    folder: Path,
    progress: Callable[[float, str], None],
) -> Bundle:
    """Train and write the bundle to `folder`, which must be new or empty.

    Rows without a label and rows that the gate refuses are left out and counted. InputError: a column is absent, the
    target has one class or more than two, or too few rows. GateError: a floor was missed; nothing is written.
    """
    progress(0.0, "reading the columns")
    if options.target not in train.columns:
        raise InputError(
            f"the table has no target column {options.target!r}; it has {', '.join(map(str, train.columns))}",
            code="UNKNOWN_COLUMN",
        )
    rule = find_rule(train[options.target])
    fitting, validating = (train, valid) if valid is not None else held_out(train, rule, options)
    spec = infer_spec(
        fitting.loc[fitting[options.target].notna().to_numpy()],
        target=options.target,
        id_column=options.id_column,
        ignore=options.ignore,
        time=options.time,
        group=options.group,
    )
    fit_rows = labelled(fitting, spec, rule, options.group, "training")
    valid_rows = labelled(validating, spec, rule, None, "validation")
    fitted = fit(
        TrainingRows(x_BF=fit_rows.x_BF, y_B=fit_rows.y_B, group_B=fit_rows.group_B),
        spec,
        seed=options.seed,
        preset=options.preset,
        progress=progress,
    )
    progress(0.85, f"calibrating on {len(valid_rows.y_B)} rows")
    with tempfile.TemporaryDirectory() as draft:
        judged = _judge(fitted, valid_rows, spec, options, Path(draft))
    check_floors(judged.metrics, options.floors)
    progress(0.95, "writing the bundle")
    about = _about(options, rule, fitted, fit_rows, valid_rows) | {"data_sha256": fingerprint(train, valid)}
    return write_bundle(
        folder,
        kind=KIND,
        name=options.name,
        parts={PART: ("lightgbm", fitted.text.encode())},
        spec=spec.to_json(),
        decision=judged.policy.to_json(),
        calibration=judged.calibrator.to_json(),
        metrics={"validation": {name: metric.to_json() for name, metric in judged.metrics.items()}},
        golden=judged.golden,
        about=about,
    )


@dataclass(frozen=True, kw_only=True)
class _Judged:
    calibrator: Calibrator
    policy: Policy
    metrics: dict[str, Metric]
    golden: Golden


def _judge(fitted: Fitted, rows: Labelled, spec: FeatureSpec, options: CreditOptions, draft: Path) -> _Judged:
    """All that the validation rows are asked, through the runner that will serve."""

    def runner(text: str) -> TreeRunner:
        path = draft / "trees.txt"
        path.write_bytes(text.encode())
        return TreeRunner(path)

    trees = runner(fitted.text)
    margin_B = _margin(trees, rows.x_BF)
    folds = [_margin(runner(text), rows.x_BF) for text in fitted.fold_texts]
    fold_margin_MB = np.stack(folds) if folds else np.empty((0, len(margin_B)))
    calibrator = fit_calibrator(margin_B, rows.y_B)
    seen = ValidationRows(margin_B=margin_B, fold_margin_MB=fold_margin_MB)
    zones = choose_zones(calibrator, seen, options.costs, options.target_rate)
    table = _golden_table(spec, options.seed)
    golden_margin = _margin(trees, table)
    return _Judged(
        calibrator=calibrator,
        policy=Policy(scale=options.scale, zones=zones, rule=describe(zones, options.costs, options.target_rate)),
        metrics=binary_metrics(rows.y_B, _crossed(margin_B, rows.y_B, calibrator), seed=options.seed),
        golden=Golden(
            inputs={TABLE: table}, outputs={"margin": golden_margin, "probability": calibrator(golden_margin)}
        ),
    )


def _margin(trees: TreeRunner, x_BF: Floats) -> Floats:
    return np.asarray(trees.run({TABLE: x_BF})["margin"], dtype=np.float64)


def _crossed(margin_B: Floats, y_B: Floats, calibrator: Calibrator) -> Floats:
    """Probabilities of the validation rows, each half calibrated on the other: no row judges its own calibration."""
    half_B = np.empty(len(y_B), dtype=np.int64)
    half_B[np.lexsort((margin_B, y_B))] = np.arange(len(y_B)) % 2
    p_B = calibrator(margin_B)
    for half in (0, 1):
        own = half_B == half
        if len(np.unique(y_B[~own])) == 2:
            p_B[own] = fit_calibrator(margin_B[~own], y_B[~own])(margin_B[own])
    return p_B


def _golden_table(spec: FeatureSpec, seed: int) -> Floats:
    """Made-up rows from the spec, with gaps and codes: real rows of customers do not belong in a bundle."""
    rng = np.random.default_rng(seed)
    table = np.full((GOLDEN_ROWS, len(spec.columns)), np.nan)
    for place, column in enumerate(spec.columns):
        if column.kind == "category":
            choice = np.arange(len(column.categories), dtype=np.float64)
        else:
            edges = [column.soft_low, *column.bins, column.soft_high, *column.special_codes]
            choice = np.asarray([edge for edge in edges if edge is not None], dtype=np.float64)
        table[1:, place] = rng.choice(np.append(choice, np.nan), GOLDEN_ROWS - 1)
    return table


def _about(
    options: CreditOptions, rule: LabelRule, fitted: Fitted, fit_rows: Labelled, valid_rows: Labelled
) -> dict[str, Any]:
    """Where the model comes from. No clock: the same rows and seed give the same bytes."""
    return {
        "labels": rule.to_json(),
        "rows": {"training": fit_rows.counts(), "validation": valid_rows.counts()},
        "seed": options.seed,
        "preset": options.preset,
        "rounds": fitted.rounds,
        "trees": fitted.options,
        "cross_validated_log_loss": fitted.left_out_log_loss,
        "gain": list(fitted.gain_F),
        "costs": {"missed": options.cost_missed, "false": options.cost_false, "review": options.cost_review},
        "target_rate": options.target_rate,
        "versions": {name: version(name) for name in ("assay", "lightgbm", "numpy")},
    }
