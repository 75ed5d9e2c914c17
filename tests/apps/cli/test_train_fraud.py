"""`assay train fraud`, and what evaluate, score, alerts and jobs do with its models."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from apps import cli
from tests.pipelines.finance.fraud_samples import fraud_frame

KEYS = ["--target", "fraud", "--entity", "card", "--counterpart", "shop", "--time", "time", "--amount", "amount"]
ROWS = ["--where", "split=train", "--valid-where", "split=val"]
TEST = ["--where", "split=test"]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A history, in a home with a model `cards` that was trained on it."""
    folder = tmp_path_factory.mktemp("fraud")
    frame = fraud_frame(6_000, days=120, cards=300)
    frame["fraud"] *= np.random.default_rng(0).random(len(frame)) < 0.4
    time = pd.to_datetime(frame["time"])
    days = (time - time.min()).dt.days
    frame["split"] = pd.cut(days, [-1, 70, 95, 400], labels=["train", "val", "test"]).astype("str")
    path = folder / "transactions.csv"
    frame.to_csv(path, index=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_HOME", str(folder / "home"))
        patch.setenv("ASSAY_DEVICE", "cpu")
        assert cli.run(["train", "fraud", "--data", str(path), *KEYS, "--id", "id", *ROWS, "--name", "cards"]) == 0
        yield path


def told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    code = cli.run([*arguments, "--json"])
    done = capsys.readouterr()
    assert code == 0, done.err
    document: dict[str, Any] = json.loads(done.out)
    return document


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str], code: int = 2) -> str:
    capsys.readouterr()
    assert cli.run(arguments) == code
    said = capsys.readouterr().err
    assert said.startswith("assay: ")
    assert said.count("\n") == 1
    return said


def scored(table: Path, frame: pd.DataFrame, capsys: pytest.CaptureFixture[str], *more: str) -> pd.DataFrame:
    """The verdicts of another history, its ids as they are."""
    path, out = table.parent / "other.csv", table.parent / "other_scored.csv"
    frame.to_csv(path, index=False)
    told(["score", "cards", "--data", str(path), "--out", str(out), *more], capsys)
    return pd.read_csv(out, dtype={"id": "str"})


def test_the_model_knows_frauds_and_says_how_well(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    judged = told(["evaluate", "cards", "--data", str(table), *TEST], capsys)
    assert judged["auc"]["value"] > 0.75
    assert 0 < judged["card_precision_at_100"]["value"] <= judged["card_precision_at_100_ceiling"]["value"]
    assert judged["card_precision_at_100_new_cards"]["value"] < judged["card_precision_at_100"]["value"]
    shown = told(["models", "show", "cards"], capsys)
    assert shown["kind"] == "fraud"


def test_rows_are_scored_in_their_order_with_evidence_before_the_error(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pd.read_csv(table, dtype={"id": "str"})
    found = scored(table, frame, capsys, *TEST)
    test = frame[frame["split"] == "test"]
    assert list(found["id"]) == list(test["id"])
    assert found["error"].isna().all()
    assert found["probability"][test["fraud"].to_numpy() == 1].mean() > 2 * found["probability"].mean()
    evidence = [f"evidence_{place}" for place in range(1, 5)]
    assert list(found.columns) == [
        *("id", "score", "probability", "decision"),
        *(f"reason_{place}" for place in range(1, 5)),
        *evidence,
        *("model", "model_version", "error"),
    ]
    named = found[evidence].stack().dropna()
    assert len(named)
    assert {one for cell in named for one in cell.split(" ")} <= set(frame["id"])
    assert found.loc[found["reason_1"].isna(), "evidence_1"].isna().all()


def test_the_order_of_the_file_does_not_matter(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv(table, dtype={"id": "str"})
    sure = frame[~frame["time"].duplicated(keep=False)]  # of equal times the first row of the file is first
    mixed = scored(table, sure.sample(frac=1, random_state=0), capsys, *TEST).set_index("id")
    plain = scored(table, sure, capsys, *TEST).set_index("id")
    pd.testing.assert_frame_equal(mixed.loc[plain.index], plain)


def test_rows_that_are_no_transactions_keep_their_place_with_an_error(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pd.read_csv(table, dtype="str")
    at = frame.index[frame["split"] == "test"]
    frame.loc[at[0], "time"] = "2150-01-01 00:00:00"
    frame.loc[at[1], "time"] = "soon"
    frame.loc[at[2], "time"] += "+02:00"
    frame.loc[at[3], "id"] = frame["id"][0]
    frame.loc[at[4], "card"] = ""
    frame.loc[at[5], "amount"] = "much"
    frame.loc[at[6], "amount"] = "-12.5"  # a refund
    frame.loc[at[7], "card"] = "one event only"
    frame.loc[at[8], "distance_km"] = "far"
    found = scored(table, frame, capsys, *TEST)
    codes = found["error"].str.partition(":")[0].dropna()
    assert dict(zip(codes.index, codes, strict=True)) == {
        0: "IN_THE_FUTURE",
        1: "NOT_A_TIME",
        2: "MIXED_ZONES",
        3: "DUPLICATE_ID",
        4: "NO_KEY",
        5: "NOT_AN_AMOUNT",
        8: "NOT_A_NUMBER",
    }
    assert found["probability"].isna().sum() == len(codes)
    assert found["decision"][[6, 7]].notna().all()


def test_alerts_are_the_queue_of_each_day(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = table.parent / "alerts.csv"
    asked = ["alerts", "cards", "--data", str(table), *TEST, "--per-day", "2", "--out", str(out)]
    summary = told([*asked, "--keep-known"], capsys)
    alerts = pd.read_csv(out, dtype={"id": "str"})
    assert len(alerts) == summary["alerts"] == 2 * summary["days"]
    assert (alerts.groupby("day")["place"].agg(list).map(tuple) == (1, 2)).all()
    assert alerts["reason_1"].notna().all()
    assert alerts[[f"evidence_{place}" for place in range(1, 5)]].notna().any(axis=None)
    fewer = told(asked, capsys)
    assert fewer["of_known_cards"] > 0
    assert fewer["alerts"] <= summary["alerts"]
    runs = told(["jobs", "list"], capsys)
    assert "alerts" in json.dumps(runs)


def test_what_needs_the_whole_past_is_no_job_for_workers(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(table.parent / "x.csv")
    words = refused(["score", "cards", "--data", str(table), "--out", out, "--workers"], capsys)
    assert "without --workers" in words
    planned = ["jobs", "add", "nightly", "--cron", "0 3 * * *", "--model", "cards", "--data", str(table)]
    assert "without --workers" in refused([*planned, "--out", out], capsys)


@pytest.mark.parametrize(
    ("wrong", "code", "words"),
    [
        (["--warm-up", "900d"], 2, "shorten --warm-up"),
        (["--alerts-per-day", "5", "--cost", "5:1"], 2, "give one of them"),
        (["--label-delay", "7n"], 2, "span of time"),
        (["--floor", "card_precision_at_100=0.9"], 3, "card_precision_at_100"),
        (["--floor", "cards=0.9"], 2, "card_precision_at_100_new_cards"),
        (["--id", "number"], 2, "no column 'number'"),
        (["--ignore", "colour"], 2, "no column 'colour'"),
        (["--where", "split=tain"], 2, "split=tain"),
    ],
)
def test_a_wrong_option_is_one_line(
    table: Path, wrong: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [] if "--where" in wrong else ROWS
    assert words in refused(["train", "fraud", "--data", str(table), *KEYS, *rows, *wrong, "--name", "x"], capsys, code)


def test_alerts_a_day_need_cards(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = ["--target", "fraud", "--time", "time", "--amount", "amount", "--ignore", "id", *ROWS, "--name", "x"]
    words = refused(["train", "fraud", "--data", str(table), *plain, "--alerts-per-day", "5"], capsys)
    assert "--entity" in words


def test_alerts_a_day_set_the_threshold(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["train", "fraud", "--data", str(table), *KEYS, "--id", "id", *ROWS, "--name", "budget"]
    trained = told([*asked, "--alerts-per-day", "2"], capsys)
    assert trained["about"]["alerts_per_day"] == 2
    threshold = trained["decision"]["threshold"]
    out = table.parent / "budget.csv"
    told(["score", "budget", "--data", str(table), "--where", "split=val", "--out", str(out)], capsys)
    frame = pd.read_csv(table, dtype={"id": "str"}).set_index("id")
    time = pd.to_datetime(frame["time"])
    first = time[frame["fraud"] == 1].groupby(frame["card"]).min()
    new = ~(time >= frame["card"].map(first) + pd.Timedelta(days=7))
    flagged = pd.read_csv(out, dtype={"id": "str"}).set_index("id")["probability"] >= threshold
    rows = frame.assign(day=time.dt.date, new=new).loc[flagged.index]
    days = rows["day"].nunique()
    queued = rows[flagged & rows["new"]].groupby("day")["card"].nunique().sum() / days
    assert queued == pytest.approx(2, abs=0.3)


def test_without_an_entity_the_other_columns_are_learned_from(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = ["--target", "fraud", "--time", "time", "--amount", "amount", "--ignore", "id", *ROWS, "--name", "plain"]
    trained = told(["train", "fraud", "--data", str(table), *plain, "--ignore", "card", "--ignore", "shop"], capsys)
    assert trained["metrics"]["validation"]["card_precision_at_100"] == {"value": None, "missing": "no --entity"}
    assert trained["about"]["learned_rows"]["warm_up"] == 0
    assert "without --entity" in refused(
        ["alerts", "plain", "--data", str(table), "--out", str(table.parent / "a.csv")], capsys
    )


@pytest.mark.slow
def test_validation_rows_of_another_file_share_the_history(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv(table, dtype={"id": "str"})
    before, after = table.parent / "before.csv", table.parent / "after.csv"
    frame[frame["split"] == "train"].to_csv(before, index=False)
    frame[frame["split"] == "val"].to_csv(after, index=False)
    asked = ["train", "fraud", *KEYS, "--id", "id", "--ignore", "split", "--name", "two"]
    two = told([*asked, "--data", str(before), "--valid", str(after)], capsys)
    one = told([*asked[:-1], "one", "--data", str(table), *ROWS], capsys)
    assert two["metrics"] == one["metrics"]
    assert two["about"]["rows"] == one["about"]["rows"]


def test_the_card_says_what_it_is(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = table.parent / "card.html"
    assert cli.run(["models", "card", "cards", "--out", str(out)]) == 0
    page = out.read_text("utf-8")
    assert "fraud model" in page
    assert "same card in the last" in page
    assert "card_precision_at_100" in page
