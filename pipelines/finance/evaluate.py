"""Evaluation of a credit model on labelled rows: metrics with intervals, and curves to draw. B rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.batch import Batch
from core.errors import InputError
from core.metrics.binary import rank
from core.metrics.bootstrap import Metric, binary_metrics
from core.metrics.curves import calibration_curve, histogram, pr_curve, roc_curve
from core.runtime.engine import Engine, Prediction
from data.spec import FeatureSpec
from pipelines.finance.exits import report
from pipelines.finance.features import extract, to_batch
from pipelines.finance.labels import LabelRule, read_labels
from pipelines.finance.scorecard import DECISIONS, Policy

Floats = NDArray[np.float64]
NO_ERRORS: Mapping[int, str] = {}


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """`metrics` by the contract's names. `curves`: roc, pr (absent with one class), calibration, histogram of points.

    `rows` counts judged, failed and without_label; `decisions` has rows and bad rows of every zone.
    """

    metrics: Mapping[str, Metric]
    curves: Mapping[str, Any]
    rows: Mapping[str, int]
    decisions: Mapping[str, Mapping[str, int]]
    warnings: Mapping[str, int]
    exits: Mapping[str, Any] | None = None  # of a cascade; see pipelines.finance.exits.report

    def to_json(self, *, curves: bool = False) -> dict[str, Any]:
        """The metrics by name, then counts; the curves where asked."""
        found: dict[str, Any] = {name: metric.to_json() for name, metric in self.metrics.items()}
        found |= {"rows": dict(self.rows), "decisions": {k: dict(v) for k, v in self.decisions.items()}}
        found |= {"warnings": dict(self.warnings)}
        found |= {} if self.exits is None else {"exits": dict(self.exits)}
        return found | {"curves": dict(self.curves)} if curves else found


def evaluate_table(
    frame: pd.DataFrame,
    engine: Engine,
    *,
    seed: int = 0,
    row_errors: Mapping[int, str] = NO_ERRORS,
    groups: pd.Series | None = None,
    draws: int | None = None,
) -> Evaluation:
    """Judge the rows that have a label. `groups` (B,) are drawn whole for the intervals.

    InputError: no target column, a label that training did not know, a column is absent, or no row can be judged.
    """
    manifest = engine.bundle.manifest
    spec, policy = FeatureSpec.from_json(manifest.spec), Policy.from_json(manifest.decision)
    if spec.target is None or spec.target not in frame.columns:
        raise InputError(f"the table has no target column {spec.target!r}; evaluation needs labels", code="NO_TARGET")
    y_N = read_labels(frame[spec.target], LabelRule.from_json(manifest.about["labels"]))
    gated = extract(frame, spec)
    failed_N = np.zeros(len(frame), dtype=np.bool_)
    failed_N[[*gated.errors, *row_errors]] = True
    unlabelled_N = np.isnan(y_N) & ~failed_N
    judged_N = ~failed_N & ~unlabelled_N
    if not judged_N.any():
        raise InputError(
            f"no row can be judged: {int(failed_N.sum())} were refused, {int(unlabelled_N.sum())} have no label"
        )
    y_B = y_N[judged_N]
    batch = to_batch(gated.values[judged_N])
    came = engine.predict(batch)
    p_B = came.probability
    group_B = None if groups is None else groups.astype("str").to_numpy(dtype=object)[judged_N].astype(str)
    zone_B = policy.zones.place(p_B)
    return Evaluation(
        metrics=binary_metrics(y_B, p_B, groups=group_B, draws=draws, seed=seed),
        curves=_curves(y_B, p_B, policy),
        rows={
            "judged": int(judged_N.sum()),
            "failed": int(failed_N.sum()),
            "without_label": int(unlabelled_N.sum()),
        },
        decisions={
            name: {"rows": int((zone_B == zone).sum()), "bad": int(y_B[zone_B == zone].sum())}
            for zone, name in enumerate(DECISIONS)
        },
        warnings=gated.warnings,
        exits=_exits(engine, batch, came, y_B, policy),
    )


def _exits(engine: Engine, batch: Batch, came: Prediction, y_B: Floats, policy: Policy) -> dict[str, Any] | None:
    if engine.combination is None:
        return None
    return report(engine.combination, came, engine.patient().predict(batch), y_B, policy.zones)


def _curves(y_B: Any, p_B: Any, policy: Policy) -> dict[str, Any]:
    ranking = rank(y_B, p_B)
    bars = histogram(y_B, policy.scale.points(p_B))
    found: dict[str, Any] = {
        "calibration": calibration_curve(ranking),
        "histogram": {"edges": bars["edges"], "good": bars["negatives"], "bad": bars["positives"]},
    }
    if len(np.unique(y_B)) == 2:
        found |= {"roc": roc_curve(ranking), "pr": pr_curve(ranking)}
    return found
