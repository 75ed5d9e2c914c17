"""Evaluation: the contract's numbers over the rows that can be judged."""

import json

import numpy as np
import pytest

from core.errors import InputError
from core.metrics.binary import auc
from core.runtime.engine import Engine
from pipelines.finance.evaluate import evaluate_table
from pipelines.finance.score import score_table


def test_the_metrics_are_those_of_the_scored_probabilities(trained) -> None:
    found = evaluate_table(trained.test, trained.engine, draws=50)
    scored = score_table(trained.test, trained.engine, ids=trained.test["application_id"], reasons=0)
    assert found.metrics["auc"].value == auc(trained.test["default_12m"], scored.frame["probability"])
    counts = scored.frame["decision"].value_counts()
    assert {zone: kept["rows"] for zone, kept in found.decisions.items()} == counts.to_dict()
    assert sum(kept["bad"] for kept in found.decisions.values()) == trained.test["default_12m"].sum()


def test_the_answer_is_json_with_at_most_two_hundred_points_a_curve(trained) -> None:
    found = evaluate_table(trained.test, trained.engine, draws=20)
    written = json.loads(json.dumps(found.to_json(curves=True), allow_nan=False))
    assert {"auc", "ece", "n", "positives", "curves", "rows"} <= set(written)
    assert all(len(column) <= 200 for curve in written["curves"].values() for column in curve.values())
    assert "curves" not in found.to_json()


def test_rows_without_label_and_bad_rows_are_counted_apart(trained) -> None:
    frame = trained.test.astype({"default_12m": "float64"}).copy()
    number = trained.engine.bundle.manifest.spec["columns"][0]["name"]
    frame.loc[:4, "default_12m"] = np.nan
    frame[number] = frame[number].astype("float64")
    frame.loc[10:11, number] = np.inf
    found = evaluate_table(frame, trained.engine, row_errors={20: "RAGGED: x"}, draws=20)
    assert found.rows == {"judged": len(frame) - 8, "failed": 3, "without_label": 5}
    assert found.metrics["n"].value == len(frame) - 8


def test_one_class_names_what_is_missing(trained) -> None:
    good = trained.test[trained.test["default_12m"] == 0]
    found = evaluate_table(good, trained.engine, draws=20)
    assert found.to_json()["auc"] == {"value": None, "missing": "one class"}
    assert found.metrics["brier"].value > 0
    assert "roc" not in found.curves


def test_without_a_target_or_rows_there_is_a_clear_word(trained) -> None:
    with pytest.raises(InputError, match="no target column 'default_12m'"):
        evaluate_table(trained.test.drop(columns="default_12m"), trained.engine)
    with pytest.raises(InputError, match="no row can be judged"):
        evaluate_table(trained.test.assign(default_12m=np.nan), trained.engine)
    with pytest.raises(InputError, match="'7'"):
        evaluate_table(trained.test.assign(default_12m=7), trained.engine)


def test_a_cascade_shows_what_its_exits_save_and_cost(cascade: Engine, trained) -> None:
    found = json.loads(json.dumps(evaluate_table(trained.test, cascade, draws=20).to_json(), allow_nan=False))
    exits = found["exits"]
    rows = [stage["rows"] for stage in exits["stages"]]
    assert [stage["part"] for stage in exits["stages"]] == ["trees", "network"]
    assert sum(rows) == len(trained.test)
    assert 0 < rows[0] < len(trained.test)
    assert exits["operations"]["saved"] == pytest.approx(0.9 * exits["stages"][0]["share"])
    assert exits["with_exits"]["auc"] == found["auc"]["value"]
    assert exits["with_exits"]["log_loss"] == pytest.approx(found["log_loss"]["value"])
    patient = evaluate_table(trained.test, cascade.patient(), draws=20)
    assert exits["without"]["auc"] == patient.metrics["auc"].value
    assert patient.exits is not None
    assert patient.exits["operations"]["saved"] == 0
    zones = [evaluate_table(trained.test, engine, draws=20).decisions for engine in (cascade, cascade.patient())]
    assert exits["decisions_changed"] >= abs(zones[0]["decline"]["rows"] - zones[1]["decline"]["rows"])


def test_trees_alone_show_no_exits_and_one_class_has_no_ranking(cascade: Engine, trained) -> None:
    assert "exits" not in evaluate_table(trained.test, trained.engine, draws=20).to_json()
    good = trained.test[trained.test["default_12m"] == 0]
    exits = evaluate_table(good, cascade, draws=20).exits
    assert exits is not None
    assert exits["without"]["auc"] is None
