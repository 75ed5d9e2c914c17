"""What a history of transactions is: its columns, when labels are known, what is kept, which features are made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from core.errors import InputError
from pipelines.finance.transactions.declaration import (
    DEFAULT,
    OF_THE_EVENT,
    PREFIX,
    Line,
    Scope,
    make_scopes,
    read_lines,
)
from pipelines.finance.transactions.quantities import DAY_MS

MOST_EVENTS = 4_096  # of a key that are kept; a window holds no more
LATEST = 30 * DAY_MS  # how far a transaction may lie behind the newest that came before it
FEWEST_EVENTS, GREATEST_EVENTS = 32, 4_096  # beyond, sums of squares could overflow


@dataclass(frozen=True, kw_only=True)
class TransactionPlan:
    """How transactions become features; the same for a table and for a stream."""

    time: str  # column of the times
    amount: str  # column of the amounts, negative for refunds
    id_column: str | None = None
    entity: str | None = None  # column of the card, account or customer
    counterparts: tuple[str, ...] = ()  # columns of terminals, merchants, devices
    arrived: str | None = None  # column of the times at which transactions came in; None: in the order of their times
    target: str | None = None  # column of the labels, where there are any
    delay_ms: int = 7 * DAY_MS  # after which a label is known
    unit: float = 0.01  # currency of one step of the amounts; amounts are rounded to it
    most_events: int = MOST_EVENTS
    declared: str = ""  # a table of features of one's own; empty: the default set

    def __post_init__(self) -> None:
        if self.delay_ms < 0 or not 0 < self.unit <= 1e6:
            raise InputError(
                f"the delay must be 0 or more and the unit above 0, got {self.delay_ms} ms and {self.unit:g}"
            )
        if not FEWEST_EVENTS <= self.most_events <= GREATEST_EVENTS:
            raise InputError(
                f"most_events must lie in {FEWEST_EVENTS}..{GREATEST_EVENTS} (transactions), got {self.most_events}"
            )
        columns = [self.time, self.amount, *(c for c in (self.id_column, self.entity) if c), *self.counterparts]
        if twice := sorted({column for column in columns if columns.count(column) > 1}):
            raise InputError(
                f"column {twice[0]!r} has two parts; time, amount, id, entity and counterparts must differ"
            )

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """The declared features."""
        return read_lines(self.declared or DEFAULT.read_text(encoding="utf-8"), "the table of features")

    @cached_property
    def scopes(self) -> tuple[Scope, ...]:
        """The keys that transactions are joined by."""
        return make_scopes(self.lines, self.entity, self.counterparts)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All features, in their order: those of the transaction itself, then scope by scope."""
        own = tuple(f"{PREFIX}.{name}" for name in OF_THE_EVENT)
        return own + tuple(name for scope in self.scopes for name in scope.names)

    @cached_property
    def words(self) -> Mapping[str, tuple[str, str]]:
        """English and Chinese words of every feature."""
        found = {f"{PREFIX}.{name}": words for name, words in OF_THE_EVENT.items()}
        for scope in self.scopes:
            found |= scope.words()
        return found

    @cached_property
    def horizon_ms(self) -> int:
        """How far back anything is looked at, also where a window counts transactions."""
        spans = [window.span_ms for scope in self.scopes for line in scope.lines for window in line.windows]
        return max([30 * DAY_MS, *spans]) + self.delay_ms

    @property
    def keeps_ms(self) -> int:
        """How old a transaction may grow before it can be forgotten: late ones must find what they would have seen."""
        return self.horizon_ms + LATEST

    def to_json(self) -> dict[str, Any]:
        """For the bundle."""
        names = ("time", "amount", "id_column", "entity", "arrived", "target", "delay_ms", "unit", "most_events")
        return {name: getattr(self, name) for name in (*names, "declared")} | {"counterparts": list(self.counterparts)}

    @classmethod
    def from_json(cls, raw: object) -> "TransactionPlan":
        """From a bundle. InputError: the bundle holds none, or another."""
        if not isinstance(raw, Mapping):
            raise InputError("the bundle holds no plan of transactions; it is no fraud model", code="BAD_BUNDLE")
        try:
            return cls(**{**raw, "counterparts": tuple(raw["counterparts"])})
        except (TypeError, KeyError) as error:
            raise InputError(f"the bundle's plan of transactions cannot be read: {error}", code="BAD_BUNDLE") from error


def find_unit(amounts: Sequence[float]) -> float:
    """The largest of 1, 0.1 ... 0.0001 of which all these amounts are multiples; the last where none is.

    >>> find_unit([12.5, 3.25]), find_unit([100, 7])
    (0.01, 1.0)
    """
    for digits in range(5):
        if all(abs(amount * 10**digits - round(amount * 10**digits)) < 1e-6 for amount in amounts):
            break
    return float(f"1e-{digits}")
