"""What could not be read, and what contradicts itself: said in checks, never dropped in silence."""

from collections.abc import Sequence
from decimal import Decimal

from data.finance.reports import Check, Fact, plain

LONGEST_NUMBER = 200  # characters of one number as written
SHOWN = 5


def readable_check(faults: Sequence[str]) -> Check:
    """Whether every fact could be read; the first few that could not, with the reason."""
    shown = "; ".join(faults[:SHOWN]) + (f"; and {len(faults) - SHOWN} more" if len(faults) > SHOWN else "")
    return Check("every_fact_is_readable", not faults, f"{len(faults)} not readable: {shown}" if faults else "all read")


def same_value_check(facts: Sequence[Fact]) -> Check:
    """Whether facts that stand more than once (same concept, unit, period, dimensions) agree, as far as exact."""
    first: dict[tuple[object, ...], Fact] = {}
    axes: dict[int, tuple[tuple[str, str], ...]] = {}  # facts of one context share one mapping
    apart: list[str] = []
    for fact in facts:
        number = id(fact.dimensions)
        if number not in axes:
            axes[number] = tuple(sorted(fact.dimensions.items()))
        key = (fact.concept, fact.unit, fact.instant, fact.end, fact.start, axes[number])
        other = first.setdefault(key, fact)
        if other.value != fact.value and not _agree(other, fact):
            apart.append(f"{fact.concept}: {_shown(other)} and {_shown(fact)}")
    shown = "; ".join(apart[:SHOWN]) + (f"; and {len(apart) - SHOWN} more" if len(apart) > SHOWN else "")
    return Check("repeated_facts_agree", not apart, shown or "they do")


def _shown(fact: Fact) -> str:
    value = plain(fact.value) if isinstance(fact.value, Decimal) else "nil"
    return f"{value} ({fact.source.element})"


def _agree(one: Fact, other: Fact) -> bool:
    """Whether two values round to the same at the coarser of their precisions."""
    if not isinstance(one.value, Decimal) or not isinstance(other.value, Decimal):
        return False
    reaches = [_reach(fact.decimals) for fact in (one, other)]
    return abs(one.value - other.value) <= reaches[0] + reaches[1]


def _reach(decimals: str | None) -> Decimal:
    """Half a unit of the last exact digit."""
    try:
        places = int(decimals or "")
    except ValueError:  # INF, or not said: exact
        return Decimal(0)
    return Decimal(f"0.5E{-places}") if abs(places) <= LONGEST_NUMBER else Decimal(0)
