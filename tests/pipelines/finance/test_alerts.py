"""Alerts: cards by day, known ones gone, each with its transaction, reasons and evidence."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.errors import InputError
from core.runtime.bundle import open_bundle
from core.runtime.engine import Engine
from pipelines.finance.alerts import make_alerts
from pipelines.finance.fraud import ledger_of, score_fraud
from pipelines.finance.fraud_ledger import Ledger
from tests.pipelines.finance.fraud_samples import fraud_frame, fraud_plan, write_fraud_bundle

DAY = pd.Timedelta(days=1)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return Engine.open(open_bundle(write_fraud_bundle(tmp_path_factory.mktemp("bundle") / "cards")), device="cpu")


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return fraud_frame(1_500, 3, cards=60)


@pytest.fixture(scope="module")
def ledger(frame: pd.DataFrame, engine: Engine) -> Ledger:
    return ledger_of(frame, engine)


@pytest.fixture(scope="module")
def late(frame: pd.DataFrame) -> np.ndarray:
    time = pd.to_datetime(frame["time"])
    return np.asarray(time > time.min() + 40 * DAY)


def test_the_queue_of_a_day_is_that_of_a_plain_loop(
    ledger: Ledger, engine: Engine, frame: pd.DataFrame, late: np.ndarray
) -> None:
    ids = frame["id"].tolist()
    found = make_alerts(ledger, late, engine, ids=ids, per_day=3, keep_known=True).frame
    scored = pd.concat(s.frame for s in score_fraud(ledger, late, engine, ids=ids)).set_index("id")
    rows = frame.set_index("id").assign(p=scored["probability"]).loc[scored.index]
    rows["day"] = pd.to_datetime(rows["time"]).dt.strftime("%Y-%m-%d")
    for day, of_day in rows.groupby("day"):
        top = of_day.groupby("card")["p"].max().sort_values(ascending=False).head(3)
        queued = found[found["day"] == day]
        assert queued["place"].tolist() == list(range(1, len(queued) + 1))
        np.testing.assert_allclose(queued["probability"], top.to_numpy())
        for _, alert in queued.iterrows():
            of_card = of_day[of_day["card"].astype(str) == alert["card"]]
            assert alert["probability"] == of_card["p"].max()
            assert alert["id"] in of_card.index[of_card["p"] == of_card["p"].max()]
            assert alert["transactions"] == len(of_card)
    assert found["day"].nunique() == rows["day"].nunique()


def test_known_cards_leave_the_queue_a_delay_after_their_fraud(
    ledger: Ledger, engine: Engine, frame: pd.DataFrame, late: np.ndarray
) -> None:
    ids = frame["id"].tolist()
    kept = make_alerts(ledger, late, engine, ids=ids, per_day=1_000, keep_known=True)
    left = make_alerts(ledger, late, engine, ids=ids, per_day=1_000)
    time = pd.to_datetime(frame["time"])
    first = time[frame["fraud"] == 1].groupby(frame["card"]).min()
    known = frame["card"].map(first) + 7 * DAY <= time
    assert left.known == kept.known == int((known & late).sum()) > 0
    by_id = known.to_numpy()[[ids.index(one) for one in left.frame["id"]]]
    assert not by_id.any()
    assert len(left.frame) < len(kept.frame)


def test_without_a_budget_those_are_queued_that_the_model_does_not_approve(
    ledger: Ledger, engine: Engine, frame: pd.DataFrame, late: np.ndarray
) -> None:
    found = make_alerts(ledger, late, engine, ids=frame["id"].tolist(), keep_known=True).frame
    assert set(found["decision"]) <= {"review", "decline"}
    assert (found["probability"] >= 0.2).all()
    assert len(found)


def test_reasons_say_what_raised_the_suspicion_and_evidence_what_caused_it(
    ledger: Ledger, engine: Engine, frame: pd.DataFrame, late: np.ndarray
) -> None:
    found = make_alerts(ledger, late, engine, ids=frame["id"].tolist(), per_day=5, keep_known=True).frame
    assert (found["decision"] == "approve").any()
    reasons = found.filter(like="reason_").stack().dropna()
    assert reasons.str.contains(r"\(\+").all()  # also where the card would be approved
    time = pd.to_datetime(frame.set_index("id")["time"])
    seen = 0
    for _, alert in found.iterrows():
        for place in range(1, 5):
            if pd.notna(alert[f"evidence_{place}"]):
                behind = time[alert[f"evidence_{place}"].split(" ")]
                assert (behind <= pd.Timestamp(alert["time"])).all()
                assert behind.is_monotonic_decreasing
                assert len(behind) <= 5
                seen += 1
    assert seen > len(found) / 2


def test_rows_that_cannot_be_judged_are_counted_and_not_queued(
    frame: pd.DataFrame, engine: Engine, late: np.ndarray
) -> None:
    broken = frame.copy()
    broken["time"] = broken["time"].astype(object)
    last = int(np.flatnonzero(late)[-1])
    broken.loc[last, "time"] = "yesterday"
    found = make_alerts(ledger_of(broken, engine), late, engine, ids=frame["id"].tolist(), per_day=1_000)
    assert found.failed == 1
    assert frame["id"][last] not in set(found.frame["id"])
    with pytest.raises(InputError, match="not one of 1 rows"):
        make_alerts(ledger_of(broken, engine), np.arange(len(frame)) == last, engine, ids=frame["id"].tolist())


def test_a_model_without_an_entity_has_no_cards_to_queue(tmp_path: Path, frame: pd.DataFrame) -> None:
    plan = fraud_plan(entity=None)
    bundle = open_bundle(write_fraud_bundle(tmp_path / "b", plan=plan))
    alone = Engine.open(bundle, device="cpu")
    with pytest.raises(InputError, match="without --entity"):
        make_alerts(ledger_of(frame, alone), np.ones(len(frame), dtype=bool), alone, ids=[])
