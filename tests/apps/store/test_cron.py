"""When schedules are due."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.store.cron import parse_cron
from core.errors import InputError


@pytest.mark.parametrize(
    ("text", "after", "due"),
    [
        ("* * * * *", "2025-03-01 10:00:30", "2025-03-01 10:01"),
        ("30 2 * * *", "2025-03-01 02:30:00", "2025-03-02 02:30"),
        ("*/15 8-10 * * 1-5", "2025-03-07 10:45:00", "2025-03-10 08:00"),
        ("0 0 1 1 *", "2025-03-01 00:00:00", "2026-01-01 00:00"),
        ("0 0 29 2 *", "2025-03-01 00:00:00", "2028-02-29 00:00"),
        ("0 12 13 * 5", "2025-06-01 00:00:00", "2025-06-06 12:00"),
        ("0 0 * * 7", "2025-06-02 00:00:00", "2025-06-08 00:00"),
        ("5,50 * * * *", "2025-06-02 23:50:00", "2025-06-03 00:05"),
        ("10/20 * * * *", "2025-06-02 23:31:00", "2025-06-02 23:50"),
        ("@hourly", "2025-12-31 23:00:00", "2026-01-01 00:00"),
        ("@every 30s", "2025-12-31 23:59:45", "2026-01-01 00:00:15"),
    ],
)
def test_the_next_due_time_is_the_first_that_fits(text: str, after: str, due: str) -> None:
    moment = datetime.fromisoformat(after).replace(tzinfo=UTC)
    assert parse_cron(text).next_after(moment) == datetime.fromisoformat(due).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "* * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "a * * * *",
        "*/0 * * * *",
        "5-1 * * * *",
        "0 0 31 2 *",
        "@never",
        "@every 0s",
        "@every 5",
        "-1 * * * *",
    ],
)
def test_what_is_no_schedule_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_cron(text)


@given(
    minute=st.integers(0, 59),
    hour=st.integers(0, 23),
    weekday=st.integers(0, 6),
    moment=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)),
)
def test_a_weekly_time_comes_within_a_week_and_fits(minute: int, hour: int, weekday: int, moment: datetime) -> None:
    due = parse_cron(f"{minute} {hour} * * {weekday}").next_after(moment)
    assert timedelta(0) < due - moment <= timedelta(days=7)
    assert (due.minute, due.hour, due.isoweekday() % 7, due.second) == (minute, hour, weekday, 0)
