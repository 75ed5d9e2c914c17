"""Reading transactions: what is refused, row by row, and in which order they stand."""

import numpy as np
import pandas as pd
import pytest

from core.errors import InputError
from pipelines.finance.transactions.batch import measure_table
from pipelines.finance.transactions.events import hash_keys, key_text, read_events
from tests.pipelines.finance.transactions.streams import make_plan

GOOD = {"time": "2024-03-01 10:00:00", "card": "c1", "shop": "s1", "amount": 12.5}


def frame_of(*changes: dict[str, object]) -> pd.DataFrame:
    rows = [GOOD | {"id": f"t{number}"} | change for number, change in enumerate(changes)]
    return pd.DataFrame(rows)


def plan_of(**changes: object):
    return make_plan(**({"arrived": None, "id_column": "id"} | changes))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"time": "yesterday"}, "NOT_A_TIME: column 'time' holds 'yesterday'; write 2024-01-31 13:45:00"),
        ({"time": None}, "NOT_A_TIME"),
        ({"card": ""}, "NO_KEY: column 'card' is empty"),
        ({"shop": None}, "NO_KEY: column 'shop' is empty"),
        ({"amount": "many"}, "NOT_AN_AMOUNT: column 'amount' holds 'many'"),
        ({"amount": np.inf}, "NOT_AN_AMOUNT"),
        ({"amount": np.nan}, "NOT_AN_AMOUNT"),
        ({"amount": 1e300}, "NOT_AN_AMOUNT"),
        ({"id": "t0"}, "DUPLICATE_ID: column 'id' holds 't0' a second time; the first is kept"),
        ({"time": "2024-01-01 10:00:00", "came": "2024-03-01 10:00:01"}, "TOO_LATE: column 'time'"),
    ],
)
def test_a_bad_row_is_named_and_the_others_go_on(change: dict[str, object], words: str) -> None:
    late = {"came": "2024-03-01 10:00:00"}
    plan = plan_of(arrived="came" if "came" in change else None)

    reading = read_events(frame_of(late, late | change, late), plan)

    assert reading.errors[1].startswith(words)
    assert reading.events.row.tolist() == [0, 2]


def test_rows_out_of_order_are_sorted_by_time_and_measured_in_that_order() -> None:
    frame = frame_of({"time": "2024-03-03"}, {"time": "2024-03-01"}, {"time": "2024-03-02"})
    plan = plan_of()

    events = read_events(frame, plan).events

    assert events.row.tolist() == [1, 2, 0]
    assert measure_table(events, plan)[:, plan.names.index("card.count.7d")].tolist() == [0, 1, 2]


def test_times_with_zones_become_utc_and_a_mixed_column_refuses_those_with_a_zone() -> None:
    zoned = read_events(frame_of({"time": "2024-03-01T10:00:00+02:00"}, {"time": "2024-03-01T08:00:00Z"}), plan_of())
    mixed = read_events(frame_of({"time": "2024-03-01T10:00:00+02:00"}, {"time": "2024-03-01 08:00:00"}), plan_of())

    assert zoned.errors == {}
    assert len(set(zoned.events.time_ms.tolist())) == 1
    assert list(mixed.errors) == [0]
    assert mixed.errors[0].startswith("MIXED_ZONES: ")


def test_a_refund_counts_and_spends_nothing() -> None:
    frame = frame_of({"amount": 10}, {"amount": -4, "time": "2024-03-01 11:00:00"}, {"time": "2024-03-01 12:00:00"})
    plan = plan_of()

    made = measure_table(read_events(frame, plan).events, plan)

    last = dict(zip(plan.names, made[2].tolist(), strict=True))
    assert (last["card.count.1d"], last["card.sum.1d"], last["card.refunds.7d"]) == (2, 10, 1)
    assert made[1, plan.names.index("transaction.refund")] == 1


def test_a_card_with_one_transaction_has_zeros_and_missing_values() -> None:
    plan = plan_of()

    only = dict(zip(plan.names, measure_table(read_events(frame_of({}), plan).events, plan)[0].tolist(), strict=True))

    assert only["card.count.90d"] == 0
    assert only["card+shop.first.90d"] == 1
    assert np.isnan([only["card.mean.30d"], only["shop.risk.30d"], only["card.since.1n"]]).all()


def test_no_transaction_at_all_gives_no_row() -> None:
    plan = plan_of()

    reading = read_events(frame_of({"amount": "x"}), plan)

    assert measure_table(reading.events, plan).shape == (0, len(plan.names))


def test_seconds_from_any_beginning_are_times() -> None:
    frame = frame_of({"time": 0}, {"time": 3600.5})
    frame["time"] = frame["time"].astype(float)

    assert read_events(frame, plan_of()).events.time_ms.tolist() == [0, 3_600_500]


def test_a_column_that_is_absent_refuses_the_table() -> None:
    with pytest.raises(InputError, match="no column 'shop'; it has time, card"):
        read_events(frame_of({}).drop(columns="shop"), plan_of())


def test_keys_are_the_same_as_text_number_or_category() -> None:
    text, number = pd.Series(["7", "8"]), pd.Series([7, 8])
    frames = [frame_of({}, {}).assign(card=column) for column in (text, number, number.astype(float))]
    frames.append(frame_of({}, {}).assign(card=text.astype("category")))

    found = [read_events(frame, plan_of()).events.key["card"].tolist() for frame in frames]

    assert found[0] == found[1] == found[2] == found[3]
    assert hash_keys(np.asarray([key_text(7)], dtype=object))[0] == found[0][0]
