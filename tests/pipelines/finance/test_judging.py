"""Judging: what validation rows say of a model, be it trees alone or a cascade."""

from dataclasses import replace

import numpy as np
import pytest

from core.runtime.engine import Engine
from data.spec import FeatureSpec
from pipelines.finance.exits import StageDraft
from pipelines.finance.features import extract, to_batch
from pipelines.finance.judging import FittedModel, Judged, judge
from pipelines.finance.options import CreditOptions
from pipelines.finance.rows import Labelled

OPTIONS = CreditOptions(target="default_12m", exit_tolerance=0.05)


def test_trees_alone_keep_the_calibration_that_the_bundle_has(trained, rows: Labelled, spec: FeatureSpec) -> None:
    trees = trained.engine.bundle.path("trees").read_bytes()
    alone = FittedModel(
        parts={"trees": ("lightgbm", trees)},
        stages=(StageDraft(part="trees", weights=(1.0,)),),
        fold_margin_MB=np.empty((0, len(rows.y_B))),
        about={},
    )
    found = judge(alone, rows, spec, OPTIONS)
    assert found.combination is None
    assert found.calibration == trained.engine.bundle.manifest.calibration
    assert found.exits == {}
    assert {name: m.to_json() for name, m in found.metrics.items()} == trained.engine.bundle.manifest.metrics[
        "validation"
    ]


def test_a_cascade_answers_from_its_bundle_as_it_was_judged(cascade: Engine, judged: Judged, rows: Labelled) -> None:
    came = cascade.predict(to_batch(rows.x_BF))
    leaving = np.bincount(came.outputs["exit"], minlength=2) / len(rows.y_B)
    assert 0 < leaving[0] < 1
    assert came.probability.mean() == pytest.approx(rows.y_B.mean(), abs=0.01)
    assert judged.calibration is None
    shown = {cost["tolerance"]: cost for cost in judged.exits["exits"]}
    assert shown[5e-4]["leaving"][0] <= shown[2e-3]["leaving"][0] <= leaving[0]
    assert abs(judged.metrics["auc"].value - 0.5) > 0.2


def test_nobody_leaves_early_from_the_review_zone(cascade: Engine, judged: Judged, trained, spec: FeatureSpec) -> None:
    values = extract(trained.test, spec).values
    came, last = cascade.predict(to_batch(values)), cascade.patient().predict(to_batch(values))
    zones = judged.policy.zones
    early = came.outputs["exit"] == 0
    assert early.any()
    assert (zones.place(came.probability[early]) != 1).all()
    assert np.array_equal(came.probability[~early], last.probability[~early])


def test_without_tolerance_every_row_goes_to_the_last_stage(
    fitted: FittedModel, rows: Labelled, spec: FeatureSpec
) -> None:
    found = judge(fitted, rows, spec, replace(OPTIONS, exit_tolerance=0.0)).combination
    assert found is not None
    assert found == found.without_exits()


def test_golden_rows_lie_clear_of_the_edges(judged: Judged) -> None:
    assert judged.combination is not None
    first = judged.combination.stages[0]
    outputs = judged.golden.arrays()[1]
    early = outputs["exit"] == 0
    for edge in (first.low, first.high):
        if edge is not None:
            assert (np.abs(outputs["margin"][early] - edge) > 0.01).all()
    assert len(early) >= 8
