"""Tables of steps to arrays and back; what cannot be read is named."""

import numpy as np
import pandas as pd
import pytest

from core.errors import InputError
from pipelines.finance.augment.augmentor import TimeSeriesAugmentor
from pipelines.finance.augment.long_table import (
    SeriesColumns,
    class_numbers,
    read_series,
    split_series,
    to_frame,
    with_times,
)

COLUMNS = SeriesColumns(id="card", time="at", values=("amount",), label="fraud")


def daily(cards: int = 4, steps: int = 5) -> pd.DataFrame:
    days = pd.date_range("2024-02-27", periods=steps).strftime("%Y-%m-%d")
    return pd.DataFrame([
        {"card": f"c{card}", "at": day, "amount": card * 10.0 + step, "fraud": card % 2}
        for card in range(cards) for step, day in enumerate(days)
    ])  # fmt: skip


def test_equal_series_at_even_times_are_a_grid() -> None:
    table = read_series(daily(), COLUMNS)
    assert table.ids == ("c0", "c1", "c2", "c3")
    assert table.even
    assert table.times is None
    assert table.x_NTC[2, :, 0].tolist() == [20, 21, 22, 23, 24]
    assert table.y_N is not None
    assert table.y_N.tolist() == [0, 1, 0, 1]


def test_series_of_unequal_length_are_events_with_room_in_front_and_the_last_steps_are_kept() -> None:
    table = read_series(daily().drop(index=[0, 1]), COLUMNS)
    assert not table.even
    assert table.x_NTC[0, :, 0] == pytest.approx([np.nan, np.nan, 2, 3, 4], nan_ok=True)
    short = read_series(daily().drop(index=[0, 1]), SeriesColumns(id="card", time="at", values=("amount",), length=3))
    assert short.x_NTC[:, 0, 0].tolist() == [2, 12, 22, 32]
    assert with_times(table).shape == (4, 5, 2)


def test_rows_of_different_series_may_be_mixed_as_long_as_each_is_in_order() -> None:
    mixed = daily().sort_values("at", kind="stable")
    assert np.array_equal(read_series(mixed, COLUMNS).x_NTC, read_series(daily(), COLUMNS).x_NTC)


def test_labels_that_change_within_series_are_of_steps() -> None:
    frame = daily().assign(fraud=lambda f: (f["amount"] == 12).astype(int))
    table = read_series(frame, COLUMNS)
    assert table.y_N is None
    assert table.points_NT is not None
    assert np.argwhere(table.points_NT).tolist() == [[1, 2]]


def test_what_was_read_is_written_with_new_ids_and_the_same_dates() -> None:
    table = read_series(daily(), COLUMNS)
    augmentor = TimeSeriesAugmentor(["jitter"], random_state=0).fit(table.x_NTC, table.y_N)
    frame = to_frame(augmentor.augment(table.x_NTC, table.y_N, copies=2), table)
    assert list(frame.columns) == ["card", "at", "amount", "fraud", "source", "patterns"]
    assert frame["card"].unique().tolist() == [*(f"c{n}~1" for n in range(4)), *(f"c{n}~2" for n in range(4))]
    assert frame["at"].tolist() == daily()["at"].tolist() * 2
    assert frame["fraud"].tolist() == daily()["fraud"].tolist() * 2
    again = read_series(frame, COLUMNS)
    assert again.even
    assert len(again.ids) == 8


def test_events_keep_their_seconds() -> None:
    frame = daily().assign(at=lambda f: f["at"] + "T12:30:05")
    frame.loc[1, "at"] = "2024-02-28T07:00:00"
    table = read_series(frame, COLUMNS)
    augmentor = TimeSeriesAugmentor(["jitter"], random_state=0).fit(table.x_NTC, table.y_N, times=table.times)
    made = to_frame(augmentor.augment(table.x_NTC, table.y_N, times=table.times), table)
    assert made["at"].tolist() == frame["at"].tolist()


def test_class_one_is_the_rarer_and_a_split_holds_both_classes() -> None:
    numbers, names = class_numbers(np.array(["ok", "bad", "ok", "ok"]))
    assert numbers.tolist() == [0, 1, 0, 0]
    assert names == ("ok", "bad")
    fit, held = split_series(np.array([0] * 9 + [1] * 2), 1 / 3, seed=0)
    assert sorted([*fit, *held]) == list(range(11))
    assert len(held) == 4
    assert 9 in held or 10 in held
    assert 9 in fit or 10 in fit


@pytest.mark.parametrize(
    ("change", "columns", "words"),
    [
        ({}, SeriesColumns(id="card", time="at", values=()), "give --value"),
        ({}, SeriesColumns(id="card", time="at", values=("sum",)), "no column 'sum'; the columns are card, at"),
        ({}, SeriesColumns(id="card", time="at", values=("at",)), "'at' is named twice"),
        ({}, SeriesColumns(id="card", time="at", values=("amount",), length=0), "at least 1 step"),
        ({"amount": ["a"] * 20}, COLUMNS, "'amount' is no column of numbers"),
        ({"at": ["2024-01-01"] * 3 + ["2023-01-01"] * 17}, COLUMNS, "series 'c0': at falls; sort the table"),
        ({"at": ["soon"] * 20}, COLUMNS, "'soon' is no date"),
        ({"at": [None, *range(19)]}, COLUMNS, "row 1: a step needs a time"),
        ({"card": [None] + ["c"] * 19}, COLUMNS, "row 1: a step without id"),
        ({"fraud": [None] * 2 + [0.0] * 18}, COLUMNS, "2 steps have no label"),
        ({"fraud": list("ab") * 10}, COLUMNS, "its labels are of steps: give numbers"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(change: dict, columns: SeriesColumns, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_series(daily().assign(**change), columns)
