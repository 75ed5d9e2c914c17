"""Trading days: measures as defined, known at the close of their day, and bad rows told, mended or refused."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError
from pipelines.finance.volatility_days import FLOOR, WINDOW, Days, SeriesColumns, days_where, find_columns, read_days
from tests.pipelines.finance.series_samples import market

FULL = SeriesColumns(time="date", close="close", open="open", high="high", low="low", volume="volume")
PRICE = SeriesColumns(time="date", close="close")


def days_of(frame: pd.DataFrame, columns: SeriesColumns = FULL) -> Days:
    return read_days(frame, columns)


def test_measures_of_a_day_are_those_of_their_definitions() -> None:
    frame = pd.DataFrame(
        {
            "date": ["2001-01-02", "2001-01-03"],
            "open": [100.0, 101.0],
            "high": [102.0, 105.0],
            "low": [99.0, 98.0],
            "close": [100.0, 104.0],
            "volume": [10.0, 20.0],
        }
    )
    days = days_of(frame)
    assert days.x_NC[0, 0] == pytest.approx(100 * np.log(1.04))
    assert days.variance_N[0] == pytest.approx((100 * np.log(105 / 98)) ** 2 / (4 * np.log(2)))
    assert days.x_NC[0, 2] == pytest.approx(100 * np.log(1.01))
    assert days.x_NC[0, 3] == pytest.approx(np.log(2))
    assert days.squared_N[0] == pytest.approx((100 * np.log(1.04)) ** 2)
    assert days.target_N[0] == pytest.approx((days.variance_N[0] + days.squared_N[0]) / 2)
    assert days.errors == {0: "NO_HISTORY: the first day has no return"}


def test_the_future_does_not_move_what_is_known_of_the_past() -> None:
    frame = market(200)
    other = frame.copy()
    other.loc[150:, ["open", "high", "low", "close", "volume"]] *= 3.7
    whole, changed = days_of(frame), days_of(other)
    cut = days_of(frame.iloc[:150])
    assert np.array_equal(whole.x_NC[:149], changed.x_NC[:149])
    assert np.array_equal(whole.x_NC[:149], cut.x_NC)
    at = np.array([WINDOW, 148])
    assert np.array_equal(whole.windows(at), changed.windows(at))


def test_a_window_ends_with_its_own_day() -> None:
    days = days_of(market(120))
    window = days.windows(np.array([WINDOW - 1, 90]))
    assert window.shape == (2, WINDOW, 4)
    assert np.array_equal(window[1, -1], days.x_NC[90].astype(np.float32))
    assert np.array_equal(window[0, 0], days.x_NC[0].astype(np.float32))


@given(st.permutations(range(30)))
def test_the_order_of_rows_does_not_matter(order: list[int]) -> None:
    frame = market(30)
    shuffled = frame.iloc[order].reset_index(drop=True)
    days, again = days_of(frame), days_of(shuffled)
    assert np.array_equal(days.x_NC, again.x_NC)
    assert np.array_equal(shuffled["date"].to_numpy()[again.row_N], frame["date"].to_numpy()[days.row_N])
    told = any("not in order" in note for note in again.notes)
    assert told == (order != sorted(order))


@pytest.mark.parametrize("bad", [np.nan, 0.0, -3.0, np.inf])
def test_a_row_without_a_price_is_no_day_and_the_next_return_goes_over_it(bad: float) -> None:
    frame = market(10)
    frame.loc[4, "close"] = bad
    days = days_of(frame, PRICE)
    assert days.errors[4].startswith("NO_PRICE" if np.isnan(bad) else "BAD_PRICE")
    assert 4 not in days.row_N
    over = days.x_NC[list(days.row_N).index(5), 0]
    assert over == pytest.approx(100 * np.log(frame["close"][5] / frame["close"][3]))


def test_text_in_the_price_is_told_with_the_cell() -> None:
    frame = market(10).astype({"close": object})
    frame.loc[3, "close"] = "n/a"
    assert days_of(frame, PRICE).errors[3] == "BAD_PRICE: column close must be a number above 0, got n/a"


@pytest.mark.parametrize(("high", "low"), [(100.0, 100.0), (90.0, 95.0), (np.nan, 99.0), (1.0, 0.5), (110.0, -1.0)])
def test_a_range_that_cannot_be_gives_way_to_the_squared_return(high: float, low: float) -> None:
    frame = market(10)
    frame.loc[5, ["high", "low"]] = [high, low]
    days = days_of(frame)
    assert days.variance_N[4] == max(days.squared_N[4], FLOOR)
    assert any(note.startswith("1 days have no range") for note in days.notes)


def test_a_day_on_which_nothing_moved_has_the_least_variance() -> None:
    frame = market(10)
    frame.loc[5, ["open", "high", "low", "close"]] = frame["close"][4]
    assert days_of(frame).variance_N[4] == FLOOR


@pytest.mark.parametrize("volume", [0.0, np.nan, -5.0])
def test_a_volume_that_is_none_counts_as_the_usual_one(volume: float) -> None:
    frame = market(40)
    frame.loc[30, "volume"] = volume
    days = days_of(frame)
    assert days.x_NC[29, 3] == 0
    assert np.isfinite(days.x_NC).all()


def test_two_rows_of_one_time_are_refused_with_both_rows() -> None:
    frame = market(10)
    frame.loc[7, "date"] = frame["date"][2]
    with pytest.raises(InputError, match="stands in rows 3 and 8"):
        days_of(frame)


def test_a_row_without_a_time_is_told() -> None:
    frame = market(10)
    frame.loc[6, "date"] = None
    days = days_of(frame)
    assert days.errors[6] == "NO_TIME: column date is empty"
    assert len(days.row_N) == 8


def test_a_time_that_is_none_is_refused_with_its_row() -> None:
    frame = market(10)
    frame.loc[6, "date"] = "soon"
    with pytest.raises(InputError, match="row 7: 'soon' is no date"):
        days_of(frame)


@pytest.mark.parametrize("rows", [0, 1])
def test_a_table_without_a_return_has_no_days(rows: int) -> None:
    days = days_of(market(10).iloc[:rows])
    assert len(days.row_N) == 0
    assert days.x_NC.shape == (0, 4)


def test_columns_are_found_by_their_names_in_any_case() -> None:
    frame = market(5).rename(columns=str.upper)
    found = find_columns(frame, "DATE", {}, ("SPLIT",))
    assert (found.high, found.close, found.volume) == ("HIGH", "CLOSE", "VOLUME")
    assert found.has_range


def test_the_one_column_of_numbers_is_the_price() -> None:
    frame = market(5)[["date", "close", "split"]].rename(columns={"close": "dcoilwtico"})
    assert find_columns(frame, "date", {}, ("split",)) == SeriesColumns(time="date", close="dcoilwtico")


def test_a_column_of_prices_may_hold_marks_for_missing_ones() -> None:
    frame = market(8)[["date", "close"]].astype({"close": "str"})
    frame.loc[3, "close"] = "."
    columns = find_columns(frame, "date", {})
    assert columns.close == "close"
    frame = frame.rename(columns={"close": "price_usd"})
    columns = find_columns(frame, "date", {})
    assert columns.close == "price_usd"
    assert days_of(frame, columns).errors[3] == "BAD_PRICE: column price_usd must be a number above 0, got ."


def test_columns_that_nobody_can_tell_are_refused_with_the_way_out() -> None:
    frame = market(5)
    with pytest.raises(InputError, match=r"columns of numbers are a, b\); name it with --close"):
        find_columns(pd.DataFrame({"date": ["2001"], "a": [1.0], "b": [2.0]}), "date", {})
    with pytest.raises(InputError, match="no column holds numbers"):
        find_columns(pd.DataFrame({"date": ["2001"]}), "date", {})
    with pytest.raises(InputError, match="there is no column 'top' for --high"):
        find_columns(frame, "date", {"high": "top"})
    with pytest.raises(InputError, match="needs both --high and --low"):
        find_columns(frame.drop(columns="low"), "date", {})


def test_columns_survive_json() -> None:
    assert SeriesColumns.from_json(FULL.to_json()) == FULL


def test_days_are_chosen_by_their_rows_and_need_a_whole_window() -> None:
    frame = market(200)
    days = days_of(frame)
    chosen = days_where(days, frame, {"split": "train"})
    assert (frame["split"].to_numpy()[days.row_N[chosen]] == "train").all()
    assert chosen[0] == WINDOW
    with pytest.raises(InputError, match="there is no column 'part'"):
        days_where(days, frame, {"part": "train"})
    with pytest.raises(InputError, match="split=never: none of 0 rows"):
        days_where(days, frame, {"split": "never"})
    with pytest.raises(InputError, match="all rows: none of 50 rows"):
        days_where(days_of(frame.iloc[:50]), frame.iloc[:50], {})
