"""Which transactions caused a reason: those inside the window of its feature, or the one that the feature speaks of.

The same views that make the features say where their windows begin and end, so a reason and its evidence cannot differ.

Legend: N cases of one feature, W windows, E places of evidence.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pipelines.finance.explain import RowReasons
from pipelines.finance.fraud_ledger import Ledger
from pipelines.finance.transactions.declaration import Scope
from pipelines.finance.transactions.measures import MEASURES
from pipelines.finance.transactions.quantities import is_night, weekday
from pipelines.finance.transactions.sorted_scope import SortedPast, SortedScope
from pipelines.finance.transactions.view import View

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
MOST = 5  # transactions a reason
NONE = -1
OLDEST = frozenset({"age", "first_fraud"})  # speak of the first of their window
NEWEST = frozenset({"last_fraud", "good_since"})  # of the last
BEFORE = frozenset({"since", "step", "past_log", "past_known", "known_since"})  # of the one so many before
RUN = frozenset({"run", "run_age"})  # of frauds after the last known good one
FRAUDS = frozenset({"frauds", "risk", "fraud_size", "last_fraud", "first_fraud", "good_since", *RUN})


@dataclass(frozen=True)
class _Feature:
    """Where a feature is made."""

    scope: int
    line: int
    window: int


@dataclass
class Evidence:
    """Finds the transactions behind features; sorts the table once for every scope that is asked for."""

    ledger: Ledger
    _tables: dict[int, SortedScope] = field(default_factory=dict)

    @cached_property
    def features(self) -> Mapping[str, _Feature]:
        """Scope, line and window of every feature that looks at the past."""
        found: dict[str, _Feature] = {}
        for number, scope in enumerate(self.ledger.plan.scopes):
            places = [(line, at) for line, of in enumerate(scope.lines) for at in range(len(of.windows))]
            found |= {name: _Feature(number, *place) for name, place in zip(scope.names, places, strict=True)}
        return found

    @cached_property
    def number_of_row(self) -> Ints:
        """Number of each row's transaction, as they came; NONE where it is none."""
        number_R = np.full(len(self.ledger.frame), NONE)
        number_R[self.ledger.events.row] = np.arange(len(self.ledger.events))
        return number_R

    def find(self, row_B: Ints, name_BK: Sequence[Sequence[str | None]]) -> Ints:
        """Rows (B, K, MOST) of the table behind each reason, the newest first; NONE where there are fewer.

        `row_B` are the rows judged, `name_BK` the features of their reasons. A feature that looks at no past has none.
        """
        reasons = max(map(len, name_BK), default=0)
        found = np.full((len(row_B), reasons, MOST), NONE)
        asked: dict[str, list[tuple[int, int]]] = {}
        for case, names in enumerate(name_BK):
            for place, name in enumerate(names):
                if name in self.features:
                    asked.setdefault(str(name), []).append((case, place))
        for name, places in asked.items():
            case_N, place_N = np.asarray(places).T
            number_NE = self._behind(self.features[name], self.number_of_row[row_B[case_N]])
            row_NE = np.where(number_NE == NONE, NONE, self.ledger.events.row[number_NE])
            found[case_N, place_N] = row_NE
        return found

    def texts(self, row_B: Ints, reasons: RowReasons, ids: Sequence[str]) -> list[NDArray[np.object_]]:
        """K columns of B texts: ids, with spaces between, of the transactions behind each reason; None where none is.

        `row_B` are the rows judged, `ids` those of all rows of the table.
        """
        names = np.asarray([*reasons.spec.names, None], dtype=object)
        case_N, place_N = np.nonzero(reasons.feature_BK >= 0)
        words_K = [np.full(len(reasons), None, dtype=object) for _ in range(reasons.feature_BK.shape[1])]
        explained, short_N = np.unique(case_N, return_inverse=True)
        row_NKE = self.find(row_B[explained], names[reasons.feature_BK[explained]].tolist())
        for case, short, place in zip(case_N.tolist(), short_N.tolist(), place_N.tolist(), strict=True):
            rows = row_NKE[short, place]
            if rows[0] != NONE:
                words_K[place][case] = " ".join(ids[row] for row in rows[rows != NONE].tolist())
        return words_K

    def _behind(self, feature: _Feature, number_N: Ints) -> Ints:
        """Numbers (N, MOST) of the transactions behind one feature."""
        table = self._table(feature.scope)
        place_M = np.empty(len(table.order_M), dtype=np.int64)
        place_M[table.order_M] = np.arange(len(place_M))
        place_N = place_M[number_N]
        sorted_N = ~table.disordered_M[place_N]
        found = np.full((len(number_N), MOST), NONE)
        if sorted_N.any():
            view = table.view(place_N[sorted_N])
            marks = _Marks(table.time_M, table.steps_M, table.label_M)
            found[sorted_N] = _placed(_pick(view, table.scope, feature, marks), table.order_M)
        if not sorted_N.all():
            for at, numbers in self._one_by_one(table, feature, number_N[~sorted_N]):
                found[np.flatnonzero(~sorted_N)[at]] = numbers
        return found

    def _one_by_one(self, table: SortedScope, feature: _Feature, number_N: Ints) -> Iterator[tuple[Ints, Ints]]:
        """The same for keys that came out of order."""
        looks_M = np.zeros(len(self.ledger.events), dtype=np.bool_)
        looks_M[number_N] = True
        events = self.ledger.events
        for number, view in table.one_by_one(looks_M):
            assert not isinstance(view.past, SortedPast)
            history = view.past.history  # type: ignore[attr-defined]
            serial = history.serial[: history.stop].copy()
            kept = np.clip(serial, 0, len(events) - 1)
            marks = _Marks(events.time_ms[kept], events.steps[kept], events.label[kept])
            yield np.flatnonzero(number_N == number), _placed(_pick(view, table.scope, feature, marks), serial)

    def _table(self, scope: int) -> SortedScope:
        if scope not in self._tables:
            plan = self.ledger.plan
            self._tables[scope] = SortedScope.of(plan.scopes[scope], self.ledger.events, plan)
        return self._tables[scope]


@dataclass(frozen=True)
class _Marks:
    """What transactions at some places are."""

    time: Ints
    steps: Ints
    label: NDArray[np.int8]

    def of(self, measure: str) -> Bools | None:
        """Which places a measure counts; None: all of them."""
        if measure in FRAUDS:
            return np.asarray(self.label == 1)
        if measure == "labelled":
            return np.asarray(self.label >= 0)
        if measure == "refunds":
            return np.asarray(self.steps < 0)
        if measure == "night":
            return is_night(self.time)
        return np.asarray(weekday(self.time) >= 5) if measure == "weekend" else None


def _pick(view: View, scope: Scope, feature: _Feature, marks: _Marks) -> Ints:
    """Places (N, MOST) behind a feature."""
    measure, asked = scope.lines[feature.line].measure, scope.asked[feature.line]
    start_N, end_N = view.starts(asked)[feature.window], view.end(MEASURES[measure].lagged)
    if measure in BEFORE:
        return _alone(view.back(asked)[feature.window])
    if measure in RUN:
        start_N = np.maximum(start_N, _last(marks.label == 0, start_N, end_N) + 1)
    marked = marks.of(measure)
    if measure in OLDEST:
        return _alone(_first(marked, start_N, end_N))
    return _newest(marked, start_N, end_N, 1 if measure in NEWEST else MOST)


def _alone(place_N: Ints) -> Ints:
    found = np.full((len(place_N), MOST), NONE)
    found[:, 0] = place_N
    return found


def _newest(marked: Bools | None, start_N: Ints, end_N: Ints, most: int) -> Ints:
    """The last marked places from start to before end, the newest first."""
    found = np.full((len(start_N), MOST), NONE)
    places = None if marked is None else np.flatnonzero(marked)
    last_N = end_N - 1 if places is None else np.searchsorted(places, end_N, side="left") - 1
    for at in range(most):
        back_N = last_N - at
        place_N = (
            back_N if places is None else np.where(back_N >= 0, np.append(places, NONE)[np.maximum(back_N, -1)], NONE)
        )
        found[:, at] = np.where(place_N >= start_N, place_N, NONE)
    return found


def _last(marked: Bools, start_N: Ints, end_N: Ints) -> Ints:
    """The last marked place from start to before end; NONE where there is none."""
    places = np.flatnonzero(marked)
    at_N = np.searchsorted(places, end_N, side="left") - 1
    found_N = np.append(places, NONE)[at_N]  # -1 is the last entry, NONE
    return np.where((at_N >= 0) & (found_N >= start_N), found_N, NONE)


def _first(marked: Bools | None, start_N: Ints, end_N: Ints) -> Ints:
    """The first one."""
    if marked is None:
        return np.where(start_N < end_N, start_N, NONE)
    places = np.flatnonzero(marked)
    at_N = np.searchsorted(places, start_N, side="left")
    found_N = np.append(places, NONE)[at_N]
    return np.where((found_N != NONE) & (found_N < end_N), found_N, NONE)


def _placed(place_NE: Ints, number_M: Ints) -> Ints:
    """Numbers of the transactions at these places."""
    return np.where(place_NE == NONE, NONE, number_M[np.maximum(place_NE, 0)]) if len(number_M) else place_NE
