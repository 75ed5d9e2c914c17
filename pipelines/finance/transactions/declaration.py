"""Which features are made: a table of scopes, measures and windows, and their words in English and Chinese.

`features.csv` beside this file is the default set; a table of one's own has the same three columns. A scope is `entity`
(the card), `counterpart` (made for each counterpart column) or `pair` (entity and counterpart together).
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError
from pipelines.finance.transactions.measures import MEASURES, measure_words
from pipelines.finance.transactions.quantities import COUNT
from pipelines.finance.transactions.view import Asked, Pick, Seeing, View
from pipelines.finance.transactions.windows import Window, parse_window

ScopeKind = Literal["entity", "counterpart", "pair"]
SCOPES: tuple[ScopeKind, ...] = ("entity", "counterpart", "pair")
OF_EVENTS = ("since", "step", "past_log", "past_known", "known_since")  # they need windows of events
COLUMNS = ("scope", "measure", "windows")
DEFAULT = Path(__file__).parent / "features.csv"
SEQUENCES = Path(__file__).parent / "sequences.csv"  # the last transactions one by one, which networks read as events
OF_THE_EVENT = {
    "amount": ("amount of the transaction", "交易金额"),
    "hour": ("hour of the day", "交易时刻（小时）"),
    "weekday": ("day of the week, 0 for Monday", "星期（0为周一）"),
    "night": ("the transaction is at night", "夜间交易"),
    "weekend": ("the transaction is at the weekend", "周末交易"),
    "refund": ("the transaction is a refund", "退款"),
    "cents": ("part of the amount after the point", "金额的小数部分"),
}
PREFIX = "transaction"


@dataclass(frozen=True)
class Line:
    """One line of the table: a measure over windows."""

    scope: ScopeKind
    measure: str
    windows: tuple[Window, ...]

    @property
    def against(self) -> tuple[Window, ...]:
        """The window that these are compared with, if any."""
        against = MEASURES[self.measure].against
        return (parse_window(against),) if against else ()


@dataclass(frozen=True)
class Scope:
    """One key that transactions are joined by: its columns, what is measured, in the order of the features."""

    kind: ScopeKind
    columns: tuple[str, ...]
    partner: str  # the column that `distinct` counts; empty where there is none
    lines: tuple[Line, ...]

    @property
    def name(self) -> str:
        """`card_id`, or `card_id+terminal_id` of a pair."""
        return "+".join(self.columns)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the features, such as `card_id.count.7d`."""
        return tuple(f"{self.name}.{line.measure}.{window.text}" for line in self.lines for window in line.windows)

    @cached_property
    def seeing(self) -> Seeing:
        """All that the features look at."""
        windows: dict[bool, list[Window]] = {False: [], True: []}
        summed: dict[tuple[int, bool], list[Window]] = {}
        for line in self.lines:
            measure = MEASURES[line.measure]
            for window in (*line.windows, *line.against):
                windows[measure.lagged].append(window)
                for quantity in measure.needs:
                    summed.setdefault((quantity, measure.lagged), []).append(window)
        unique = {lagged: tuple(dict.fromkeys(found)) for lagged, found in windows.items()}
        rows = {key: _places(dict.fromkeys(found), unique[key[1]]) for key, found in summed.items()}
        return Seeing(windows=unique, rows=rows)

    @cached_property
    def asked(self) -> tuple[Asked, ...]:
        """What each line asks for."""
        windows, found = self.seeing.windows, []
        for line in self.lines:
            measure = MEASURES[line.measure]
            every, lagged = windows[measure.lagged], measure.lagged
            summed = {q: _picked(every, self.seeing.rows[q, lagged]) for q in measure.needs}
            found.append(
                Asked(
                    windows=line.windows,
                    lagged=lagged,
                    at=_places(line.windows, every),
                    pick={q: _places(line.windows, those) for q, those in summed.items()},
                    whole={q: those.index(one) for q, those in summed.items() for one in line.against},
                )
            )
        return tuple(found)

    @cached_property
    def quantities(self) -> tuple[int, ...]:
        """The quantities that are summed, without the count."""
        return tuple(sorted({q for line in self.lines for q in MEASURES[line.measure].needs} - {COUNT}))

    @property
    def counts_partners(self) -> bool:
        """Whether different partners are counted."""
        return any(line.measure.startswith("distinct") for line in self.lines)

    @cached_property
    def partner_windows(self) -> tuple[Window, ...]:
        """The windows over which different partners are counted."""
        return tuple(
            dict.fromkeys(w for line in self.lines if line.measure.startswith("distinct") for w in line.windows)
        )

    def measure(self, view: View, unit: float) -> NDArray[np.float32]:
        """The features (F, N) of what is seen, as `names` has them; `unit` is the currency of a step of the amounts."""
        with np.errstate(invalid="ignore", divide="ignore"):  # NaN is what cannot be said
            asking = zip(self.lines, self.asked, strict=True)
            made = [MEASURES[line.measure].make(view, asked, unit) for line, asked in asking]
        return np.concatenate(made).astype(np.float32)

    def words(self) -> Mapping[str, tuple[str, str]]:
        """English and Chinese words of every feature."""
        found = {}
        for line in self.lines:
            measure_en, measure_zh = measure_words()[line.measure]
            for window in line.windows:
                english, chinese = window.words
                key_zh = "同一" + "与".join(self.columns)
                found[f"{self.name}.{line.measure}.{window.text}"] = (
                    measure_en.format(key="same " + " and ".join(self.columns), window=english, partner=self.partner),
                    measure_zh.format(key=key_zh, window=chinese, partner=self.partner),
                )
        return found


def with_sequences(declared: str = "") -> str:
    """A table of features (the default set) and the last transactions one by one beside it."""
    own = declared or DEFAULT.read_text(encoding="utf-8")
    return own.rstrip("\n") + "\n" + SEQUENCES.read_text(encoding="utf-8").partition("\n")[2]


def read_lines(text: str, where: str) -> tuple[Line, ...]:
    """Read a table of features. InputError: other columns, an unknown scope, measure or window, or a line twice."""
    rows = list(csv.reader(io.StringIO(text)))
    if not rows or tuple(rows[0]) != COLUMNS:
        raise InputError(
            f"{where}: the columns must be {', '.join(COLUMNS)}, got {', '.join(rows[0]) if rows else 'none'}"
        )
    lines = tuple(_line(row, f"{where}, line {number}") for number, row in enumerate(rows[1:], 2) if row)
    seen = [(line.scope, line.measure, window.text) for line in lines for window in line.windows]
    if twice := sorted({one for one in seen if seen.count(one) > 1}):
        raise InputError(f"{where}: {' '.join(twice[0])} is declared twice; leave one out")
    if not lines:
        raise InputError(f"{where}: no feature is declared")
    return lines


def _line(row: Sequence[str], where: str) -> Line:
    if len(row) != len(COLUMNS):
        raise InputError(f"{where}: three cells are needed ({', '.join(COLUMNS)}), got {len(row)}")
    scope, measure, windows = (cell.strip() for cell in row)
    if scope not in SCOPES:
        raise InputError(f"{where}: the scope is {', '.join(SCOPES)}, got {scope!r}")
    if measure not in MEASURES:
        raise InputError(f"{where}: no measure {measure!r}; there is {', '.join(MEASURES)}")
    if scope == "pair" and measure.startswith("distinct"):
        raise InputError(f"{where}: a pair has no partner to count; use the scope entity or counterpart")
    try:
        parsed = tuple(parse_window(window) for window in windows.split())
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    if not parsed or (measure in OF_EVENTS and not all(window.events for window in parsed)):
        raise InputError(
            f"{where}: {measure} needs windows{' of events, such as 3n' if parsed else ''}; got {windows!r}"
        )
    return Line(scope, measure, parsed)


def make_scopes(lines: Sequence[Line], entity: str | None, counterparts: Sequence[str]) -> tuple[Scope, ...]:
    """The scopes of these columns, in the order entity, counterparts, pairs; those without a line are left out."""
    own = {kind: tuple(line for line in lines if line.scope == kind) for kind in SCOPES}
    found: list[Scope] = []
    if entity is not None:
        partner = counterparts[0] if counterparts else ""
        mine = tuple(line for line in own["entity"] if partner or not line.measure.startswith("distinct"))
        found.append(Scope("entity", (entity,), partner, mine))
    for column in counterparts:
        mine = tuple(line for line in own["counterpart"] if entity or not line.measure.startswith("distinct"))
        found.append(Scope("counterpart", (column,), entity or "", mine))
    if entity is not None:
        found += [Scope("pair", (entity, column), "", own["pair"]) for column in counterparts]
    return tuple(scope for scope in found if scope.lines)


def _places(windows: Iterable[Window], among: Sequence[Window]) -> Pick:
    places = [among.index(window) for window in windows]
    if places == list(range(places[0], places[0] + len(places))):
        return slice(places[0], places[0] + len(places))
    return np.asarray(places)


def _picked(windows: Sequence[Window], pick: Pick) -> list[Window]:
    return list(windows[pick]) if isinstance(pick, slice) else [windows[place] for place in pick.tolist()]
