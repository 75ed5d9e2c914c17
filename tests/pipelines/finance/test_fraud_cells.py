"""Cells of one transaction are read as a table of one row would be."""

from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.errors import InputError
from pipelines.finance.features import one_row
from pipelines.finance.fraud_cells import read_event, read_id
from pipelines.finance.transactions.events import read_events
from pipelines.finance.transactions.stream import Event
from tests.pipelines.finance.fraud_samples import fraud_plan

PLAN = replace(fraud_plan(), id_column=None, target=None)
GOOD = {"time": "2024-05-03 13:45:10", "amount": 12.5, "card": "4711", "shop": 77}

odd_words = ["", " ", "4711", "4711.0", "0815", " 77 ", "nan", "None", "€", "1,234.50"]
odd_times = ["2024-02-30 00:00:00", "2024-05-03", "03.05.2024 10:00", "2024-05-03 24:00:00", "1969-12-31 23:59:59.999"]
words = st.text(max_size=12) | st.sampled_from(odd_words)
cells = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | words
times = (
    st.datetimes().map(str)
    | st.datetimes().map(lambda at: at.isoformat(timespec="milliseconds") + "Z")
    | st.datetimes().map(lambda at: at.isoformat(sep=" ", timespec="seconds") + "+05:30")
    | st.sampled_from(odd_times)
    | st.floats(-1e12, 1e12)
    | cells
)


def by_table(raw: dict[str, object]) -> Event | str:
    reading = read_events(one_row(raw), PLAN)
    if reading.errors:
        return reading.errors[0]
    events = reading.events
    key = {column: int(hashed[0]) for column, hashed in events.key.items()}
    return Event(time_ms=int(events.time_ms[0]), key=key, steps=int(events.steps[0]), serial=0)


def directly(raw: dict[str, object]) -> Event | str:
    try:
        return read_event(raw, PLAN)
    except InputError as error:
        return f"{error.code}: {error}"


@settings(max_examples=400, deadline=None)
@given(time=times, amount=cells, card=cells, shop=cells)
@example(time="0999-01-01 00:00:00", amount=1, card="a", shop="b")
@example(time="2024-05-03 13:45:10.123456", amount=0.145, card=4711.0, shop=True)
@example(time=1714744000.0005, amount=-3, card="4711", shop=" x ")
def test_one_transaction_is_read_as_a_table_of_one_row(time, amount, card, shop) -> None:
    raw = {"time": time, "amount": amount, "card": card, "shop": shop}
    assert directly(raw) == by_table(raw)


@pytest.mark.parametrize(
    ("column", "cell", "code"),
    [
        ("time", None, "NOT_A_TIME"),
        ("time", "yesterday", "NOT_A_TIME"),
        ("amount", None, "NOT_AN_AMOUNT"),
        ("amount", "much", "NOT_AN_AMOUNT"),
        ("amount", 1e30, "NOT_AN_AMOUNT"),
        ("card", "", "NO_KEY"),
        ("shop", None, "NO_KEY"),
    ],
)
def test_what_is_no_transaction_has_one_code(column: str, cell: object, code: str) -> None:
    with pytest.raises(InputError) as caught:
        read_event(GOOD | {column: cell}, PLAN)
    assert caught.value.code == code
    assert repr(column) in str(caught.value)


def test_an_absent_column_is_named() -> None:
    with pytest.raises(InputError, match="'shop'") as caught:
        read_event({name: cell for name, cell in GOOD.items() if name != "shop"}, PLAN)
    assert caught.value.code == "SCHEMA_MISSING"


@pytest.mark.parametrize(("cell", "known"), [(17, "17"), (17.0, "17"), (" a ", "a"), ("", None), (None, None)])
def test_an_id_is_text_as_keys_are(cell: object, known: str | None) -> None:
    assert read_id({"id": cell}, fraud_plan()) == known


@pytest.mark.parametrize("cell", ["x" * 201, "a\x00b"])
def test_an_id_that_cannot_be_kept_is_refused(cell: str) -> None:
    with pytest.raises(InputError) as caught:
        read_id({"id": cell}, fraud_plan())
    assert caught.value.code == "BAD_ID"
