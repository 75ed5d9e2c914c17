"""Scoring: the main path, row by row and in bulk."""

import numpy as np
import pandas as pd
import pytest

from core.errors import InputError
from data.records import LoanCase
from data.spec import FeatureSpec
from pipelines.finance.features import extract, to_batch
from pipelines.finance.score import score, score_table
from pipelines.finance.scorecard import Scale


def ids(frame: pd.DataFrame) -> list[str]:
    return frame["application_id"].tolist()


def test_a_table_gets_one_row_a_case_in_order(trained) -> None:
    scored = score_table(trained.test, trained.engine, ids=ids(trained.test))
    frame = scored.frame
    assert list(frame.columns) == [
        "id", "score", "probability", "decision", "reason_1", "reason_2", "reason_3", "reason_4", "error",
    ]  # fmt: skip
    assert frame["id"].tolist() == ids(trained.test)
    assert scored.failed == 0
    assert frame["error"].isna().all()
    assert frame["probability"].between(0, 1, inclusive="neither").all()
    np.testing.assert_array_equal(frame["score"], Scale().points(frame["probability"]))
    zones = trained.engine.bundle.manifest.decision
    assert (frame.loc[frame["decision"] == "approve", "probability"] < zones["approve_below"]).all()
    assert (frame.loc[frame["decision"] == "decline", "probability"] > zones["decline_above"]).all()
    assert set(frame["decision"]) == {"approve", "review", "decline"}


def test_reasons_are_for_what_is_reviewed_or_declined_unless_all_are_wanted(trained) -> None:
    some = score_table(trained.test, trained.engine, ids=ids(trained.test))
    approved = some.frame["decision"] == "approve"
    assert some.frame.loc[approved, "reason_1"].isna().all()
    assert some.frame.loc[~approved, "reason_1"].notna().all()
    every = score_table(trained.test, trained.engine, ids=ids(trained.test), reasons_for="all")
    assert every.frame["reason_1"].notna().all()
    pd.testing.assert_frame_equal(every.frame[~approved], some.frame[~approved])
    assert every.frame.loc[approved, "reason_1"].str.contains(r"\(-").all()
    assert every.frame.loc[~approved, "reason_1"].str.contains(r"\(\+").all()


def test_reasons_are_the_strongest_contributions_of_the_trees(trained) -> None:
    import lightgbm

    from data.spec import FeatureSpec
    from pipelines.finance.features import extract

    spec = FeatureSpec.from_json(trained.engine.bundle.manifest.spec)
    scored = score_table(trained.test, trained.engine, ids=ids(trained.test), reasons=3)
    booster = lightgbm.Booster(model_file=trained.engine.bundle.path("trees"))
    contributions = booster.predict(extract(trained.test, spec).values, pred_contrib=True)[:, :-1]
    declined = np.flatnonzero(scored.frame["decision"] == "decline")[:50]
    assert len(declined)
    for row in declined:
        expected = np.argsort(-contributions[row])[:3]
        assert [reason.feature for reason in scored.reasons[row]] == [spec.names[i] for i in expected]
        found = [reason.contribution for reason in scored.reasons[row]]
        np.testing.assert_allclose(found, contributions[row][expected], atol=1e-9)


def test_no_reasons_means_no_columns(trained) -> None:
    scored = score_table(trained.test, trained.engine, ids=ids(trained.test), reasons=0)
    assert list(scored.frame.columns) == ["id", "score", "probability", "decision", "error"]
    assert scored.reasons[0] == ()


def test_more_reasons_than_columns_leave_places_empty(trained) -> None:
    scored = score_table(trained.test[:20], trained.engine, ids=ids(trained.test[:20]), reasons=40, reasons_for="all")
    assert scored.frame["reason_40"].isna().all()


def test_one_case_is_a_table_of_one(trained) -> None:
    bulk = score_table(trained.test, trained.engine, ids=ids(trained.test), reasons_for="all")
    for row in (0, 7, 42):
        values = {k: None if pd.isna(v) else v for k, v in trained.test.iloc[row].items()}
        one = score(LoanCase(case_id=str(values["application_id"]), application=values), trained.engine)
        assert one.probability == bulk.frame["probability"][row]
        assert one.points == bulk.frame["score"][row]
        assert one.decision == bulk.frame["decision"][row]
        assert [str(r) for r in one.reasons] == [str(r) for r in bulk.reasons[row]]


def test_a_bad_row_keeps_its_place_with_its_error_and_nothing_else(trained) -> None:
    number = trained.test.select_dtypes("float").columns[0]
    frame = trained.test.head(6).astype({number: "object"}).copy()
    frame.loc[2, number] = "abc"
    frame[number] = frame[number].astype("str")
    scored = score_table(frame, trained.engine, ids=ids(frame), row_errors={4: "RAGGED: too long"}, reasons_for="all")
    assert scored.failed == 2
    errors = scored.frame["error"]
    assert errors[2].startswith("NOT_A_NUMBER")
    assert "'abc'" in errors[2]
    assert errors[4] == "RAGGED: too long"
    rest = scored.frame.loc[[2, 4]].drop(columns=["id", "error"])
    assert rest.isna().all(axis=None)
    assert scored.frame.loc[[0, 1, 3, 5], "decision"].notna().all()
    one = score(LoanCase(case_id="x", application=dict(frame.iloc[2])), trained.engine)
    assert (one.decision, one.probability, one.points, one.reasons) == (None, None, None, ())
    assert one.error is not None


def test_the_order_of_columns_does_not_matter_and_others_are_listed(trained) -> None:
    mixed = trained.test[trained.test.columns[::-1]].assign(extra=1)
    one = score_table(trained.test, trained.engine, ids=ids(trained.test))
    other = score_table(mixed, trained.engine, ids=ids(trained.test))
    pd.testing.assert_frame_equal(one.frame, other.frame)
    assert {"extra", "default_12m"} <= set(other.extra)


def test_a_missing_column_refuses_the_table_and_the_case(trained) -> None:
    name = trained.engine.bundle.manifest.spec["columns"][0]["name"]
    frame = trained.test.drop(columns=name)
    with pytest.raises(InputError, match=name):
        score_table(frame, trained.engine, ids=ids(frame))
    with pytest.raises(InputError, match=name):
        score(LoanCase(case_id="1", application=dict(frame.iloc[0])), trained.engine)


def test_no_rows_give_an_empty_table(trained) -> None:
    scored = score_table(trained.test.head(0), trained.engine, ids=[])
    assert len(scored.frame) == 0
    assert scored.failed == 0


def test_reasons_come_in_chinese_too(trained) -> None:
    scored = score_table(
        trained.test[:50], trained.engine, ids=ids(trained.test[:50]), reasons_for="all", language="zh"
    )
    assert scored.frame["reason_1"].str.contains("为|缺失").all()
    assert scored.reasons[0][0].words_zh in scored.frame["reason_1"][0]


def test_scoring_imports_neither_torch_nor_lightgbm(trained) -> None:
    import subprocess
    import sys

    code = (
        "import sys; from pathlib import Path; from core.runtime.engine import Engine; "
        "from pipelines.finance.score import score_table; import pandas as pd; "
        f"Engine.open(Path({str(trained.engine.bundle.folder)!r})); "
        "print([m for m in ('torch', 'lightgbm', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_cascade_is_scored_and_explained_like_trees(cascade, trained) -> None:
    scored = score_table(trained.test, cascade, ids=trained.test["application_id"], reasons_for="all")
    assert scored.failed == 0
    assert scored.frame["reason_1"].notna().all()
    spec = FeatureSpec.from_json(cascade.bundle.manifest.spec)
    batch = to_batch(extract(trained.test, spec).values)
    early = cascade.predict(batch).outputs["exit"] == 0
    exact, found = trained.engine.contributions(batch), cascade.contributions(batch)
    np.testing.assert_allclose(found[early], exact[early], atol=1e-12)
    network = found[~early, :-1] - 0.9 * exact[~early, :-1]
    signs = np.nan_to_num(np.sign(batch.inputs["table"][~early]))
    np.testing.assert_allclose(network, 0.2 * signs * np.linspace(-0.2, 0.2, network.shape[1]), atol=1e-5)
