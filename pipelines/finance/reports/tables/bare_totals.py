"""Totals of a balance sheet that do not say total: "Current assets 330", as statements under IFRS print them.

Such a row counts where no other total of its part stands, and where it is the sum of the rows above or below it, or
makes up the sheet's total with the other part.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from decimal import Decimal

from pipelines.finance.reports.tables.segments import Row

_BARE = re.compile(r"\W*(?P<non>non-?\s?)?current (?P<what>assets|liabilities)\W*", re.IGNORECASE)
_WHOLE = re.compile(r"\W*total (?P<what>assets|liabilities)\W*", re.IGNORECASE)
Amounts = tuple[Decimal, ...]


def bare_totals(rows: Sequence[Row], known: Collection[str]) -> dict[int, str]:
    """The item of every such row, by its place; none for items that are `known` already."""
    bare: dict[int, str] = {}
    for place, row in enumerate(rows):
        found = _BARE.fullmatch(row.label) if row.numbers else None
        if found is not None:
            name = f"{'non' if found['non'] else ''}current_{found['what'].lower()}"
            if name not in known and name not in bare.values():
                bare[place] = name
    whole = {found["what"].lower(): row for row in rows if row.numbers and (found := _WHOLE.fullmatch(row.label))}
    return {
        place: name
        for place, name in bare.items()
        if _is_sum(rows, place) or _completes(rows, place, bare, whole.get(name.rpartition("_")[2]))
    }


def _is_sum(rows: Sequence[Row], place: int) -> bool:
    """Whether the amounts are the sums of two or more rows right above, or right below."""
    own = _amounts(rows[place])
    sides = (reversed(rows[:place]), rows[place + 1 :])
    return any(
        count > 1 and all(abs(one - total) <= _unit(one) for one, total in zip(own, totals, strict=True))
        for side in sides
        for count, totals in _sums(side, len(own))
    )


def _sums(rows: Iterator[Row] | Sequence[Row], columns: int) -> Iterator[tuple[int, Amounts]]:
    """The sums of the first one, two, three ... rows; to the first row with fewer amounts."""
    totals: Amounts = (Decimal(0),) * columns
    for count, row in enumerate(rows, start=1):
        amounts = _amounts(row)
        if not amounts and count == 1:
            continue  # a heading
        if len(amounts) < columns:
            return
        totals = tuple(total + one for total, one in zip(totals, amounts[-columns:], strict=True))
        yield count, totals


def _completes(rows: Sequence[Row], place: int, bare: dict[int, str], whole: Row | None) -> bool:
    """Whether both parts together are the total that the sheet prints."""
    what = bare[place].rpartition("_")[2]
    parts = [_amounts(rows[other]) for other, name in bare.items() if name.endswith(what)]
    if whole is None or len(parts) != 2 or len(parts[0]) != len(parts[1]):
        return False
    totals = _amounts(whole)[-len(parts[0]) :]
    sums = [one + other for one, other in zip(*parts, strict=True)]
    return len(totals) == len(sums) and all(
        abs(one - total) <= _unit(total) for one, total in zip(sums, totals, strict=True)
    )


def _amounts(row: Row) -> Amounts:
    return tuple(number.value for number in row.numbers)


def _unit(value: Decimal) -> Decimal:
    """One in the last digit that is printed: by so much rounding may move a sum."""
    return Decimal(1).scaleb(int(value.as_tuple().exponent))
