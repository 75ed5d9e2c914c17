import hashlib
import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.errors import AssayError, InputError
from data.check import check_table
from data.finance.transaction_dirt import Dirt, soil
from data.finance.transaction_frauds import KINDS
from data.finance.transaction_tables import History, make_fraud, make_transactions, transactions
from data.tables import read_table

DAY = np.timedelta64(1, "D")


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return make_transactions(History(rows=60_000, seed=3))


def seconds(frame: pd.DataFrame, column: str = "time") -> np.ndarray:
    return frame[column].to_numpy(dtype="datetime64[s]")


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    digests = []
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        (tmp_path / name).mkdir()
        paths = make_fraud(tmp_path / name, rows=6_000, seed=seed)
        assert [path.name for path in paths] == ["transactions.csv", "README.md"]
        digests.append([hashlib.sha256(path.read_bytes()).hexdigest() for path in paths])
    assert digests[0] == digests[1]
    assert not set(digests[0]) & set(digests[2])


def test_rows_are_as_many_as_asked_by_time_with_ids_of_their_own(frame: pd.DataFrame) -> None:
    assert len(frame) == 60_000
    assert frame["transaction_id"].is_unique
    assert (np.diff(seconds(frame)).astype(int) >= 0).all()
    assert frame["time"].iloc[0].startswith("2024-01-01T")
    assert frame["time"].value_counts().max() <= 4  # nothing piles up at midnight
    assert not frame.drop(columns=["distance_km"]).isna().any(axis=None)


def test_the_split_is_by_time_and_seven_days_lie_before_validation(frame: pd.DataFrame) -> None:
    days = seconds(frame).astype("datetime64[D]")
    parts = [days[frame["split"] == part] for part in ("train", "label_delay", "val", "test")]
    assert all(before.max() < after.min() for before, after in itertools.pairwise(parts))
    assert parts[2].min() - parts[0].max() == 8 * DAY
    assert len(np.unique(parts[1])) == 7
    assert sum(map(len, parts)) == len(frame)


@pytest.mark.parametrize(("rows", "seed", "off"), [(5_000, 0, 0.6), (5_000, 1, 0.6), (5_000, 2, 0.6), (60_000, 3, 0.2)])
def test_every_kind_of_fraud_is_there_at_about_the_rate_asked(rows: int, seed: int, off: float) -> None:
    frame = make_transactions(History(rows=rows, seed=seed))
    assert set(frame["fraud_kind"]) == {"", *KINDS}
    np.testing.assert_array_equal(frame["is_fraud"] == 1, frame["fraud_kind"] != "")
    assert frame["is_fraud"].mean() == pytest.approx(0.008, rel=off)


def test_more_frauds_can_be_asked_for() -> None:
    assert 0.024 < make_transactions(History(rows=40_000, seed=0, fraud_rate=0.03))["is_fraud"].mean() < 0.036


def test_amounts_below_zero_are_refunds_of_a_payment_before(frame: pd.DataFrame) -> None:
    refunds = frame[frame["amount"] < 0]
    assert 0.004 < len(refunds) / len(frame) < 0.02
    assert not refunds["is_fraud"].any()
    paid = frame[frame["amount"] > 0]
    for row in refunds.head(40).itertuples():
        before = paid[(paid["card_id"] == row.card_id) & (paid["terminal_id"] == row.terminal_id)]
        assert (before["time"].lt(row.time) & before["amount"].ge(-row.amount)).any()


def test_distance_is_missing_exactly_where_nobody_stood_at_the_terminal(frame: pd.DataFrame) -> None:
    np.testing.assert_array_equal(frame["distance_km"].isna(), frame["channel"].isin(["online", "phone"]))
    assert frame.groupby("terminal_id")[["category", "country", "currency"]].nunique().max(axis=None) == 1


def of_kind(frame: pd.DataFrame, kind: str) -> pd.DataFrame:
    return frame[frame["fraud_kind"] == kind]


def test_each_fraud_leaves_its_trace_in_the_past(frame: pd.DataFrame) -> None:
    genuine = frame[frame["is_fraud"] == 0]
    stolen = of_kind(frame, "stolen_card").assign(at=lambda rows: seconds(rows).astype(int))
    assert stolen.groupby("card_id")["at"].diff().median() < 1_800  # bursts
    ratio = genuine.loc[genuine["amount"] > 0].groupby("card_id")["amount"].median()
    leaked = of_kind(frame, "leaked_details")
    assert (leaked["amount"] / leaked["card_id"].map(ratio)).median() > 2.5
    assert leaked["channel"].isin(["online", "phone"]).all()
    testing = of_kind(frame, "card_testing")
    tiny = testing[testing["amount"] < 10]
    assert tiny.groupby("terminal_id")["card_id"].nunique().min() > 4
    assert set(testing.loc[testing["amount"] >= 10, "card_id"]) <= set(tiny["card_id"])
    mule = of_kind(frame, "mule_merchant")
    first = genuine.groupby("terminal_id")["time"].min()
    spans = mule.groupby("terminal_id")["time"].agg(lambda time: np.ptp(time.to_numpy(dtype="datetime64[s]")))
    assert spans.max() < 16 * DAY
    assert first.reindex(mule["terminal_id"].unique()).fillna("9").gt("2024-01-02").all()
    terminals = of_kind(frame, "compromised_terminal").groupby("terminal_id")["time"]
    assert (terminals.max().to_numpy("datetime64[s]") - terminals.min().to_numpy("datetime64[s]")).max() < 41 * DAY


def hours_of(times: pd.Series) -> np.ndarray:
    return pd.to_datetime(times).dt.hour.to_numpy()


def test_a_taken_account_is_used_at_other_hours_than_its_owners(frame: pd.DataFrame) -> None:
    taken = of_kind(frame, "account_takeover")
    genuine = frame[frame["is_fraud"] == 0]
    gaps = []
    for card, rows in taken.groupby("card_id"):
        turn = 2j * np.pi / 24
        own, other = (
            np.exp(turn * hours_of(part)).mean()
            for part in (genuine.loc[genuine["card_id"] == card, "time"], rows["time"])
        )
        gaps.append(abs(np.angle(own / other)) * 12 / np.pi)
    assert np.median(gaps) > 6


@pytest.mark.parametrize("rows", [-1, 0, 4_999, 100_000_001])
def test_too_few_or_too_many_rows_are_refused(rows: int) -> None:
    with pytest.raises(InputError, match=r"must lie in 5,000\.\.100,000,000"):
        History(rows=rows)
    with pytest.raises(InputError, match="fraud_rate"):
        History(rows=5_000, fraud_rate=0.5)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(AssayError, match="does not exist"):
        make_fraud(tmp_path / "gone", rows=5_000, seed=0)


def test_a_check_finds_nothing_but_the_kind_of_fraud(tmp_path: Path) -> None:
    table = read_table(make_fraud(tmp_path, rows=20_000, seed=0)[0])
    findings = check_table(table, target="is_fraud", id_column="transaction_id").findings
    assert {(found.code, found.column) for found in findings} == {
        ("LEAKAGE_SUSPECT", "fraud_kind"),
        ("MOSTLY_MISSING", "fraud_kind"),
    }


def test_dirt_comes_late_and_twice_and_loses_nothing() -> None:
    history = History(rows=6_000, seed=1)
    dirty = pd.concat(soil(transactions(history), Dirt(late=0.1, doubled=0.02, seed=4)), ignore_index=True)
    clean = make_transactions(history)
    wait = seconds(dirty, "arrived_at") - seconds(dirty)
    assert wait.astype(int).min() >= 0
    assert 0.07 < (wait > np.timedelta64(60, "s")).mean() < 0.15
    doubles = dirty["transaction_id"].duplicated()
    assert 0.01 < doubles.sum() / len(clean) < 0.03
    pd.testing.assert_frame_equal(dirty[~doubles].drop(columns="arrived_at").reset_index(drop=True), clean)
    arrival = dirty.sort_values("arrived_at", kind="stable")
    assert (np.diff(seconds(arrival)).astype(int) < 0).any()
    with pytest.raises(InputError, match="late"):
        Dirt(late=0.7)


def test_with_the_usual_rows_no_large_part_lacks_a_kind() -> None:
    frame = make_transactions(History(rows=200_000, seed=7))
    for part in ("train", "test"):
        assert set(frame.loc[frame["split"] == part, "fraud_kind"]) == {"", *KINDS}
