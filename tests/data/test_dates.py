import numpy as np
import pandas as pd
import pytest

from core.errors import InputError
from data.dates import looks_like_dates, parse_dates


@pytest.mark.parametrize(
    ("cell", "moment"),
    [
        ("2024-01-31", "2024-01-31T00:00:00"),
        ("2024/1/5", "2024-01-05T00:00:00"),
        ("2024.01.05", "2024-01-05T00:00:00"),
        ("2024年1月5日", "2024-01-05T00:00:00"),
        ("2024-03", "2024-03-01T00:00:00"),
        ("2024年3月", "2024-03-01T00:00:00"),
        ("20240131", "2024-01-31T00:00:00"),
        ("2019", "2019-01-01T00:00:00"),
        ("45293", "2024-01-02T00:00:00"),
        ("45293.5", "2024-01-02T12:00:00"),
        ("2024-01-31 08:15", "2024-01-31T08:15:00"),
        ("2024-01-31T08:15:30.5Z", "2024-01-31T08:15:30"),
        ("2024-01-31T08:00:00+08:00", "2024-01-31T00:00:00"),
    ],
)
def test_dates_are_read_in_every_known_form(cell: str, moment: str) -> None:
    assert parse_dates(pd.Series([cell, "2020-01-01"]))[0] == np.datetime64(moment)


def test_missing_dates_are_not_a_time() -> None:
    assert np.isnat(parse_dates(pd.Series(["2024-01-31", None, ""]))).tolist() == [False, True, True]


@pytest.mark.parametrize("cell", ["soon", "2024-13-01", "2024-02-30", "31.12.2024", "99999", "123"])
def test_what_is_no_date_is_named_by_row(cell: str) -> None:
    with pytest.raises(InputError, match="row 2") as caught:
        parse_dates(pd.Series(["2024-01-31", cell], name="opened"))
    assert caught.value.code == "NOT_A_DATE"


def test_number_and_datetime_columns_are_read() -> None:
    assert str(parse_dates(pd.Series([2019, 2020]))[1]) == "2020-01-01T00:00:00"
    assert str(parse_dates(pd.Series([45293.0, np.nan]))[0]) == "2024-01-02T00:00:00"
    zoned = pd.Series(pd.to_datetime(["2024-01-31T08:00:00+08:00"]))
    assert str(parse_dates(zoned)[0]) == "2024-01-31T00:00:00"


def test_columns_of_dates_are_told_from_columns_of_numbers() -> None:
    assert looks_like_dates(["2024-01-31", "2024-02-01", "45293"])
    assert not looks_like_dates(["45293", "45294"])
    assert not looks_like_dates(["2024-01-31", "a", "b"])
    assert not looks_like_dates([])
