"""What formulas can do: operators and functions on columns, all vectorised. R rows.

NaN is "missing" everywhere: it passes through arithmetic, and logic is three-valued (false and missing is false).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from pipelines.finance.rules.columns import Floats, Panel

ROUNDING = 1e-12  # of the operands: a difference below it is a rounding rest of zero
LARGEST_RATIO = 1e13  # of an amount to a plain number; beyond it the denominator is a rounding rest of zero
Compute = Callable[..., Floats]


@dataclass(frozen=True, slots=True)
class Function:
    """`compute(panel, *columns, *options)`; `options` are whole numbers written last, with their defaults."""

    compute: Compute
    least: int
    most: int | None = None  # None: as `least`; -1: any number
    options: tuple[int, ...] = ()
    fault: str = "undefined"  # the reason where every argument is present and the answer is missing
    whole_options: tuple[int, int] = (1, 40)

    @property
    def largest(self) -> int | None:
        """How many arguments there may be; None: any number."""
        return self.least if self.most is None else None if self.most < 0 else self.most


def prior(panel: Panel, x: Floats, n: int = 1) -> Floats:
    """The value n years before."""
    for _ in range(n):
        x = np.where(panel.has_prior, np.broadcast_to(x, panel.rows)[panel.prior_R], np.nan)
    return x


def add(_: Panel, a: Floats, b: Floats) -> Floats:
    """a + b; zero where they cancel but for rounding."""
    total = a + b
    return np.where(np.abs(total) <= ROUNDING * np.abs(a), total * 0, total)


def subtract(panel: Panel, a: Floats, b: Floats) -> Floats:
    """a - b; zero where they cancel but for rounding."""
    return add(panel, a, -b)


def divide(_: Panel, a: Floats, b: Floats) -> Floats:
    """a / b; missing where b is zero, or nothing beside a."""
    return np.where((b == 0) | (np.abs(a) > LARGEST_RATIO * np.abs(b)), np.nan, a / b)


def power(_: Panel, a: Floats, b: Floats) -> Floats:
    """a to the power of b, missing where that is no finite number."""
    result = np.power(a, b)
    return np.where(np.isfinite(result) & ~np.isnan(a) & ~np.isnan(b), result, np.nan)


def positive_only(function: Callable[[Floats], Floats], *, zero: bool) -> Compute:
    """`function` of x, missing where x is negative (or zero, unless allowed)."""

    def compute(_: Panel, x: Floats) -> Floats:
        good = x >= 0 if zero else x > 0
        return np.where(good, function(np.where(good, x, 1.0)), np.nan)

    return compute


def compare(operator: Callable[[Floats, Floats], Floats]) -> Compute:
    """1 or 0; missing where either side is."""

    def compute(_: Panel, a: Floats, b: Floats) -> Floats:
        return np.where(np.isnan(a) | np.isnan(b), np.nan, operator(a, b))

    return compute


def every(_: Panel, *conditions: Floats) -> Floats:
    """0 where one is false, else missing where one is missing, else 1."""
    none_false = np.logical_and.reduce(np.broadcast_arrays(*[c != 0 for c in conditions]))
    unknown = np.logical_or.reduce(np.broadcast_arrays(*[np.isnan(c) for c in conditions]))
    return np.where(none_false, np.where(unknown, np.nan, 1.0), 0.0)


def some(panel: Panel, *conditions: Floats) -> Floats:
    """1 where one is true, else missing where one is missing, else 0."""
    return negate(panel, every(panel, *[negate(panel, c) for c in conditions]))


def negate(_: Panel, condition: Floats) -> Floats:
    """1 for false, 0 for true."""
    return np.where(np.isnan(condition), np.nan, condition == 0)


def if_(_: Panel, condition: Floats, a: Floats, b: Floats) -> Floats:
    """`a` where the condition is true, `b` where it is false, missing where it is missing."""
    return np.where(np.isnan(condition), np.nan, np.where(condition != 0, a, b))


def only(_: Panel, condition: Floats, x: Floats) -> Floats:
    """`x` where the condition is true, missing elsewhere: a return on negative equity means nothing."""
    return np.where(condition == 1, x, np.nan)


def first(_: Panel, *choices: Floats) -> Floats:
    """The first that is present."""
    result = choices[0]
    for choice in choices[1:]:
        result = np.where(np.isnan(result), choice, result)
    return result


def sum0(_: Panel, *parts: Floats) -> Floats:
    """The sum of those that are present, missing where none is."""
    stack = np.broadcast_arrays(*parts)
    there = np.logical_or.reduce([~np.isnan(part) for part in stack])
    total: Floats = np.add.reduce([np.nan_to_num(part, nan=0.0) for part in stack])
    return np.where(there, total, np.nan)


def share(_: Panel, *conditions: Floats) -> Floats:
    """The share that is true of the conditions that are known; missing where fewer than half are."""
    stack = np.stack(np.broadcast_arrays(*conditions))
    known = ~np.isnan(stack)
    count = known.sum(axis=0)
    enough = count * 2 >= len(conditions)
    return np.where(enough, np.where(known, stack != 0, False).sum(axis=0) / np.maximum(count, 1), np.nan)


def absent(_: Panel, x: Floats) -> Floats:
    """1 where missing, else 0: never missing itself."""
    return np.isnan(x).astype(np.float64)


def known(function: Callable[[Floats, Floats], Floats]) -> Compute:
    """min or max of several, missing where one is missing."""

    def compute(_: Panel, *columns: Floats) -> Floats:
        result = columns[0]
        for column in columns[1:]:
            result = function(result, column)
        return result

    return compute


def clip(_: Panel, x: Floats, low: Floats, high: Floats) -> Floats:
    """x, at least low and at most high."""
    return np.minimum(np.maximum(x, low), high)


def exponential(_: Panel, x: Floats) -> Floats:
    """e to the x; missing where that is no finite number."""
    return np.where(np.abs(x) < 700, np.exp(np.clip(x, -700, 700)), np.nan)


BASIC: Mapping[str, Function] = {
    "+": Function(add, 2),
    "-": Function(subtract, 2),
    "*": Function(lambda _, a, b: a * b, 2),
    "/": Function(divide, 2, fault="zero"),
    "**": Function(power, 2),
    "negative": Function(lambda _, a: -a, 1),
    "<": Function(compare(np.less), 2),
    "<=": Function(compare(np.less_equal), 2),
    ">": Function(compare(np.greater), 2),
    ">=": Function(compare(np.greater_equal), 2),
    "==": Function(compare(np.equal), 2),
    "!=": Function(compare(np.not_equal), 2),
    "not": Function(negate, 1),
    "all": Function(every, 1, -1),
    "any": Function(some, 1, -1),
    "if_": Function(if_, 3),
    "only": Function(only, 2, fault="unless"),
    "first": Function(first, 1, -1),
    "sum0": Function(sum0, 1, -1),
    "share": Function(share, 1, -1, fault="half"),
    "missing": Function(absent, 1),
    "log": Function(positive_only(np.log, zero=False), 1, fault="not_positive"),
    "log1p": Function(lambda _, x: np.log1p(np.where(x > -1, x, np.nan)), 1, fault="not_positive"),
    "exp": Function(exponential, 1),
    "sqrt": Function(positive_only(np.sqrt, zero=True), 1, fault="negative"),
    "abs": Function(lambda _, x: np.abs(x), 1),
    "sign": Function(lambda _, x: np.sign(x), 1),
    "min": Function(known(np.minimum), 2, -1),
    "max": Function(known(np.maximum), 2, -1),
    "clip": Function(clip, 3),
    "prior": Function(prior, 1, options=(1,)),
}
