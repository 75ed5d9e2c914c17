"""Transactions judged one after the other get what a table of all of them would get."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.errors import InputError
from core.runtime.bundle import open_bundle
from core.runtime.engine import Engine
from pipelines.finance.fraud_stream import Arrival, FraudJudge, check_time
from pipelines.finance.score import Score, score_table
from pipelines.finance.transactions.batch import measure_table
from pipelines.finance.transactions.quantities import DAY_MS
from pipelines.finance.transactions.stream import Event, Stream
from tests.pipelines.finance.fraud_samples import (
    OTHERS,
    events_of,
    fraud_frame,
    fraud_plan,
    labels_of,
    requests_of,
    write_fraud_bundle,
)
from tests.services import small_bundle


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return Engine.open(open_bundle(write_fraud_bundle(tmp_path_factory.mktemp("cards") / "b")), device="cpu", threads=1)


def stream_through(judge: FraudJudge, frame: pd.DataFrame) -> Iterator[Score]:
    """Labels ride along: the features themselves count them only after the delay."""
    stream = Stream(judge.plan)
    for serial, (raw, label) in enumerate(zip(requests_of(frame), labels_of(frame).tolist(), strict=True)):
        arrival = judge.read(raw)
        yield judge.judge(arrival, stream.measure(arrival.event))
        stream.add(replace(arrival.event, serial=serial, label=label))


def test_a_stream_is_judged_as_a_table_is(engine: Engine) -> None:
    judge, frame, plan = FraudJudge(engine), fraud_frame(400, 1, late=0.05), fraud_plan()
    features = pd.DataFrame(measure_table(events_of(frame, plan), plan), columns=list(plan.names))
    table = pd.concat([features.astype(np.float64), frame[list(OTHERS)]], axis=1)

    whole = score_table(table, engine, ids=frame["id"].tolist(), reasons_for="all")

    for row, scored in enumerate(stream_through(judge, frame)):
        expected = whole.frame.iloc[row]
        assert (scored.case_id, scored.probability) == (expected["id"], expected["probability"])
        assert (scored.points, scored.decision) == (expected["score"], expected["decision"])
        assert scored.reasons == whole.reasons[row]


def one(judge: FraudJudge, **cells: object) -> Arrival:
    raw = requests_of(fraud_frame(1, 2))[0]
    return judge.read(raw | cells)


def test_other_columns_go_through_the_gate(engine: Engine) -> None:
    judge = FraudJudge(engine)

    assert one(judge).warnings == {}
    assert one(judge, distance_km="12.5").others.tolist()[1] == 12.5
    assert one(judge, channel="telex").warnings == {"UNSEEN_CATEGORY channel": 1}
    assert np.isnan(one(judge, channel="telex").others[0])
    assert one(judge, distance_km=1e6).warnings == {"OUTSIDE_TRAINING_RANGE distance_km": 1}


@pytest.mark.parametrize(
    ("cells", "code"),
    [
        ({"distance_km": "far"}, "NOT_A_NUMBER"),
        ({"distance_km": 1e300}, "OUT_OF_RANGE"),
        ({"channel": "a\0"}, "NUL_BYTE"),
    ],
)
def test_a_cell_that_the_gate_refuses_is_refused(engine: Engine, cells: dict[str, object], code: str) -> None:
    with pytest.raises(InputError) as caught:
        one(FraudJudge(engine), **cells)
    assert caught.value.code == code


def test_a_column_of_the_model_that_is_absent_is_named(engine: Engine) -> None:
    raw = requests_of(fraud_frame(1, 2))[0]
    del raw["channel"]
    with pytest.raises(InputError, match="channel") as caught:
        FraudJudge(engine).read(raw)
    assert caught.value.code == "SCHEMA_MISSING"


def test_a_feature_that_is_no_number_is_never_judged(engine: Engine) -> None:
    judge = FraudJudge(engine)
    features = np.zeros(len(judge.plan.names), dtype=np.float32)
    features[0] = np.inf
    with pytest.raises(InputError) as caught:
        judge.judge(one(judge), features)
    assert caught.value.code in ("NON_FINITE", "OUT_OF_RANGE")


def test_a_feature_outside_what_training_saw_is_told(engine: Engine) -> None:
    judge = FraudJudge(engine)
    features = np.full(len(judge.plan.names), np.nan, dtype=np.float32)
    features[judge.plan.names.index("transaction.amount")] = 1e9
    assert judge.judge(one(judge), features).warnings == {"OUTSIDE_TRAINING_RANGE transaction.amount": 1}


@pytest.mark.parametrize(
    ("time_ms", "code"), [(102 * DAY_MS + 1, "IN_THE_FUTURE"), (69 * DAY_MS, "TOO_LATE"), (101 * DAY_MS, None)]
)
def test_times_that_cannot_be_are_refused(time_ms: int, code: str | None) -> None:
    event = Event(time_ms=time_ms, key={}, steps=1, serial=0)
    if code is None:
        check_time(event, fraud_plan(), newest_ms=100 * DAY_MS, clock_ms=101 * DAY_MS)
        return
    with pytest.raises(InputError, match="'time'") as caught:
        check_time(event, fraud_plan(), newest_ms=100 * DAY_MS, clock_ms=101 * DAY_MS)
    assert caught.value.code == code


def test_another_bundle_is_no_fraud_model(tmp_path: Path, engine: Engine) -> None:
    other = replace(engine, bundle=open_bundle(small_bundle(tmp_path / "other")))
    with pytest.raises(InputError, match="no fraud model"):
        FraudJudge(other)
