"""What must stay true of a channel, and the projections that make it true again after a change of values.

Kinds: `non_negative` (amounts; repaired by cutting at 0), `share` (cut to 0..1), `whole` (rounded), `cumulative` (a
running total that never falls: patterns change its increments, which are cut at 0 and added up again), `fixed` (the
value belongs to its step and is never changed, but travels with it), `calendar` (as `fixed`, and steps move by whole
periods only, so that a Monday stays a Monday). The key "time" declares a calendar where no channel holds it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.errors import InputError
from pipelines.finance.augment.series import Bools, Floats

TIME = "time"
KINDS = ("non_negative", "share", "whole", "cumulative", "fixed", "calendar")
PROJECTIONS: dict[str, Callable[[Floats], Floats]] = {
    "non_negative": lambda values: np.maximum(values, 0.0),
    "share": lambda values: np.clip(values, 0.0, 1.0),
    "whole": np.rint,
}
DEFAULT_PERIOD = 7.0  # steps: a week of daily values


@dataclass(frozen=True, kw_only=True)
class Constraint:
    """One thing that stays true of a channel; `period` (steps, or units of the times) is read of a calendar only."""

    kind: str
    period: float = DEFAULT_PERIOD

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"a constraint is one of {', '.join(KINDS)}, got {self.kind!r}")
        if not 0 < self.period < np.inf:
            raise InputError(f"the period of a calendar must lie above 0 (steps, or units of times), got {self.period}")


@dataclass(frozen=True, kw_only=True)
class Constraints:
    """The constraints of all channels: names of kinds by channel number, and the calendar's period if there is one."""

    kinds: tuple[tuple[str, ...], ...]  # one entry a channel
    period: float | None = None

    def mask(self, *kinds: str) -> Bools:
        """Which channels have one of these kinds (C,)."""
        return np.array([any(kind in own for kind in kinds) for own in self.kinds], bool)

    @property
    def all_kinds(self) -> frozenset[str]:
        found = {kind for own in self.kinds for kind in own}
        return frozenset(found | ({"calendar"} if self.period is not None else set()))

    def project(self, x_TC: Floats) -> Floats:
        """Make cut and rounded kinds true again; a channel of increments of a total is cut at 0."""
        new_TC = x_TC.copy()
        for channel, own in enumerate(self.kinds):
            for kind in ("non_negative",) if "cumulative" in own else own:
                if kind in PROJECTIONS:
                    new_TC[:, channel] = PROJECTIONS[kind](new_TC[:, channel])
        return new_TC

    def check(self, x_NTC: Floats) -> None:
        """Raise InputError where data break what was declared of them."""
        for channel, own in enumerate(self.kinds):
            for kind in own:
                _check_channel(x_NTC[:, :, channel], channel, kind)


def parse_constraints(
    declared: Mapping[Any, Any] | None, channels: int, names: Sequence[str] | None = None
) -> Constraints:
    """Read `{0: "non_negative", "hour": Constraint(kind="calendar", period=24), "time": ...}`.

    Keys are channel numbers or names, or "time"; values a kind, a Constraint, or several. Raises InputError.

    >>> parse_constraints({0: ["non_negative", "whole"]}, 2).kinds
    (('non_negative', 'whole'), ())
    """
    kinds: list[list[str]] = [[] for _ in range(channels)]
    periods: set[float] = set()
    for key, value in (declared or {}).items():
        found = [_constraint(one) for one in ([value] if isinstance(value, (str, Constraint)) else value)]
        periods |= {one.period for one in found if one.kind == "calendar"}
        if key == TIME and TIME not in (names or ()):
            if any(one.kind != "calendar" for one in found):
                raise InputError(f"the times can be declared a calendar only, got {[one.kind for one in found]}")
            continue
        kinds[_channel(key, channels, names)] += [one.kind for one in found]
    if len(periods) > 1:
        raise InputError(f"a series has one calendar, got periods {sorted(periods)}; give their common multiple")
    return Constraints(kinds=tuple(map(tuple, kinds)), period=periods.pop() if periods else None)


def to_increments(x_TC: Floats, cumulative_C: Bools) -> Floats:
    """Replace running totals by what each observed step adds; the first observed step adds nothing."""
    new_TC = x_TC.copy()
    for channel in np.flatnonzero(cumulative_C):
        seen = np.isfinite(x_TC[:, channel])
        total = x_TC[seen, channel]
        new_TC[seen, channel] = np.diff(total, prepend=total[:1])
    return new_TC


def to_totals(x_TC: Floats, before_TC: Floats, cumulative_C: Bools) -> Floats:
    """Add increments up again, from the first observed total of the series before the change."""
    new_TC = x_TC.copy()
    for channel in np.flatnonzero(cumulative_C):
        seen = np.isfinite(x_TC[:, channel])
        start = before_TC[np.isfinite(before_TC[:, channel]), channel][:1]
        new_TC[seen, channel] = np.cumsum(np.maximum(x_TC[seen, channel], 0.0)) + (start[0] if len(start) else 0.0)
    return new_TC


def _constraint(value: Any) -> Constraint:
    if isinstance(value, Constraint):
        return value
    if isinstance(value, str):
        return Constraint(kind=value)
    raise InputError(f"a constraint is one of {', '.join(KINDS)}, or a Constraint, got {value!r}")


def _channel(key: Any, channels: int, names: Sequence[str] | None) -> int:
    if names is not None and key in names:
        return list(names).index(key)
    if isinstance(key, (int, np.integer)) and not isinstance(key, bool) and 0 <= key < channels:
        return int(key)
    known = f" or {', '.join(names)}" if names else ""
    raise InputError(f"a constraint names channel {key!r}; the channels are 0..{channels - 1}{known}, or 'time'")


def _check_channel(values_NT: Floats, channel: int, kind: str) -> None:
    seen = values_NT[np.isfinite(values_NT)]
    if kind == "cumulative":
        filled = np.fmax.accumulate(values_NT, axis=1)
        broken = values_NT[values_NT < filled]
    elif kind in PROJECTIONS:
        broken = seen[PROJECTIONS[kind](seen) != seen]
    else:
        return
    if len(broken):
        raise InputError(
            f"channel {channel} was declared {kind}, but holds {len(broken)} values that break it, "
            f"such as {broken[0]:g}; correct the data or the declaration"
        )
