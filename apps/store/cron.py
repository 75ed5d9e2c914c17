"""When a schedule is due, in UTC: five cron fields (minute hour day month weekday), @hourly and kin, or @every 30s."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.errors import InputError

_NAMED = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
}
_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
_EVERY = re.compile(r"@every ([1-9]\d{0,6})([smhd])")
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_HORIZON_DAYS = 366 * 8  # 29 February comes every four years, or after eight


@dataclass(frozen=True)
class Cron:
    """Either a fixed step, or the allowed values of each field; weekday 0 is Sunday."""

    step: timedelta | None
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool  # cron's old rule: with both day and weekday given, either is enough

    def next_after(self, moment: datetime) -> datetime:
        """Return the first due time later than `moment` (UTC)."""
        if self.step is not None:
            return moment + self.step
        day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        for _ in range(_HORIZON_DAYS):
            if self._runs_on(day):
                for hour in self.hours:
                    for minute in self.minutes:
                        if (due := day.replace(hour=hour, minute=minute)) > moment:
                            return due
            day += timedelta(days=1)
        raise InputError("this schedule is never due; look at its day and month")

    def _runs_on(self, day: datetime) -> bool:
        if day.month not in self.months:
            return False
        in_month, in_week = day.day in self.days, (day.weekday() + 1) % 7 in self.weekdays
        return in_month or in_week if self.either_day else in_month and in_week


def parse_cron(text: str) -> Cron:
    """Read a schedule. InputError says which field is wrong and what it may hold."""
    text = " ".join(text.split())
    if match := _EVERY.fullmatch(text):
        step = timedelta(seconds=int(match[1]) * _UNITS_S[match[2]])
        return Cron(step, (), (), frozenset(), frozenset(), frozenset(), either_day=False)
    fields = _NAMED.get(text, text).split(" ")
    if len(fields) != len(_FIELDS):
        allowed = f"five fields (minute hour day month weekday), {', '.join(_NAMED)}, or @every 30s"
        raise InputError(f"a schedule is {allowed}; got {text!r}")
    sets = [_values(field, *limits) for field, limits in zip(fields, _FIELDS, strict=True)]
    minutes, hours, days, months, weekdays = sets
    cron = Cron(
        step=None,
        minutes=tuple(sorted(minutes)),
        hours=tuple(sorted(hours)),
        days=frozenset(days),
        months=frozenset(months),
        weekdays=frozenset(day % 7 for day in weekdays),
        either_day=not fields[2].startswith("*") and not fields[4].startswith("*"),
    )
    cron.next_after(datetime(2024, 1, 1))
    return cron


def _values(field: str, name: str, low: int, high: int) -> set[int]:
    values: set[int] = set()
    for part in field.split(","):
        match = re.fullmatch(r"(?:\*|(\d{1,2})(?:-(\d{1,2}))?)(?:/(\d{1,2}))?", part)
        if match is None:
            raise InputError(
                f"the {name} of a schedule is *, a number, 1-5, */10, or several with commas; got {part!r}"
            )
        first = low if match[1] is None else int(match[1])
        last = int(match[2]) if match[2] else (high if match[1] is None or match[3] else first)
        step = int(match[3] or 1)
        if not low <= first <= last <= high or step < 1:
            raise InputError(f"the {name} of a schedule lies in {low}..{high}, got {part!r}")
        values.update(range(first, last + 1, step))
    return values
