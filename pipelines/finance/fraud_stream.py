"""One transaction after the other: raw cells -> event -> features of the past -> gate -> engine -> decision, reasons.

Pure: no clock, no database. Whoever keeps the stream holds the past (`transactions.stream.Stream`) and the order.
F features of the model.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError
from core.runtime.engine import Engine
from data.columns import LARGEST
from data.spec import FeatureSpec, gate
from pipelines.finance.explain import Reason, RowReasons, reason_codes, strongest_reasons
from pipelines.finance.features import one_row, to_batch
from pipelines.finance.fraud_cells import read_event, read_id
from pipelines.finance.score import APPROVE, Score
from pipelines.finance.scorecard import DECISIONS, Policy
from pipelines.finance.transactions.plan import LATEST, TransactionPlan
from pipelines.finance.transactions.quantities import DAY_MS
from pipelines.finance.transactions.stream import Event

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
ReasonsFor = Literal["review", "all"]


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """A transaction that was read: its id, itself, and its other columns that the model looks at, through the gate."""

    event_id: str | None
    event: Event
    others: Floats
    warnings: Mapping[str, int]


class FraudJudge:
    """A fraud model's way with single transactions."""

    def __init__(self, engine: Engine) -> None:
        """InputError: the bundle is no fraud model."""
        manifest = engine.bundle.manifest
        self.engine = engine
        self.plan = TransactionPlan.from_json(manifest.about.get("transactions"))
        self.spec, self.policy = FeatureSpec.from_json(manifest.spec), Policy.from_json(manifest.decision)
        place = {name: at for at, name in enumerate(self.plan.names)}
        self._made = np.asarray([at for at, c in enumerate(self.spec.columns) if c.name in place], dtype=np.int64)
        self._from = np.asarray([place[self.spec.columns[at].name] for at in self._made.tolist()], dtype=np.int64)
        self._others = np.asarray([at for at, c in enumerate(self.spec.columns) if c.name not in place], dtype=np.int64)
        self._made_spec, self._other_spec = (
            replace(self.spec, columns=tuple(self.spec.columns[at] for at in part.tolist()))
            for part in (self._made, self._others)
        )
        self._ranges, self._other_ranges = Ranges(self._made_spec), Ranges(self._other_spec)
        self._codes = reason_codes(self.spec)
        self._words = [{word: float(code) for code, word in enumerate(c.categories)} for c in self._other_spec.columns]

    def read(self, raw: Mapping[str, Any], label: int = -1) -> Arrival:
        """Read raw cells. InputError, with a code: no time, key or amount, or a column that the gate refuses."""
        event = read_event(raw, self.plan, label)
        others, warnings = self._gate(raw)
        return Arrival(event_id=read_id(raw, self.plan), event=event, others=others, warnings=warnings)

    def judge(self, arrival: Arrival, features: Singles, *, reasons: int = 4, reasons_for: ReasonsFor = "all") -> Score:
        """Score a transaction by what it saw of the past (F of the plan). "review": no reasons for an approval.

        InputError: a feature lies where none may. AssayError: the model gave no number.
        """
        made = features[self._from].astype(np.float64)
        values_1F = np.empty((1, len(self.spec.columns)))
        values_1F[0, self._made], values_1F[0, self._others] = made, arrival.others
        warnings = dict(arrival.warnings) | dict.fromkeys(self._ranges.outside(made), 1)
        risk = self.engine.predict(to_batch(values_1F))
        zone = int(self.policy.zones.place(risk.probability)[0])
        return Score(
            case_id=arrival.event_id or "",
            probability=float(risk.probability[0]),
            points=float(self.policy.scale.points(risk.probability)[0]),
            decision=DECISIONS[zone],
            reasons=self._reasons(values_1F, zone, 0 if zone == APPROVE and reasons_for == "review" else reasons),
            error=None,
            warnings=warnings,
        )

    def _reasons(self, values_1F: Floats, zone: int, reasons: int) -> tuple[Reason, ...]:
        if not reasons:
            return ()
        contributions = self.engine.contributions(to_batch(values_1F))[:, :-1]
        lowering = np.asarray([zone == APPROVE])
        found = strongest_reasons(self.spec, values_1F, contributions, lowering, reasons)
        return RowReasons(self.spec, found.feature_BK, found.contribution_BK, found.value_BK, self._codes)[0]

    def _gate(self, raw: Mapping[str, Any]) -> tuple[Floats, Mapping[str, int]]:
        """The other columns, in the model's order; numbers and known words at once, all else by the gate itself."""
        columns = self._other_spec.columns
        if absent := [column.name for column in columns if column.name not in raw]:
            words = f"the transaction lacks {len(absent)} of the model's columns: {', '.join(absent)}"
            raise InputError(words, code="SCHEMA_MISSING")
        others = self._plain_cells(raw)
        if others is not None and self._other_ranges.plain(others):
            return others, {}
        gated = gate(one_row({column.name: raw[column.name] for column in columns}), self._other_spec)
        _raise_first(gated.errors)
        warnings = {told: rows for told, rows in gated.warnings.items() if not told.startswith("ALL_MISSING ")}
        return gated.values[0], warnings  # a table may lack a column's values; of one row it says nothing

    def _plain_cells(self, raw: Mapping[str, Any]) -> Floats | None:
        """Numbers, known words and missing ones; None where anything else stands."""
        cells = np.empty(len(self._words))
        for at, (column, known) in enumerate(zip(self._other_spec.columns, self._words, strict=True)):
            cell = raw[column.name]
            if cell is None:
                value: float | None = np.nan
            elif column.kind == "category":
                value = known.get(cell) if isinstance(cell, str) else None
            else:
                value = float(cell) if isinstance(cell, int | float) and not isinstance(cell, bool) else None
            if value is None:
                return None
            cells[at] = value
        return cells


class Ranges:
    """Hard and soft ranges of all columns at once; the gate itself is asked about what it refuses, and only then."""

    def __init__(self, spec: FeatureSpec) -> None:
        self._spec = spec
        edges = [(c.low, c.high, c.soft_low, c.soft_high) if c.kind == "number" else (None,) * 4 for c in spec.columns]
        low, high, soft_low, soft_high = np.asarray(edges, dtype=np.float64).reshape(-1, 4).T  # None becomes NaN
        self._low, self._high = np.fmax(low, -LARGEST), np.fmin(high, LARGEST)
        self._soft_low, self._soft_high = np.fmax(soft_low, -LARGEST), np.fmin(soft_high, LARGEST)

    def plain(self, value_F: Floats) -> bool:
        """Whether every value is missing, or one that is allowed and was seen in training."""
        seen_F = self._hard(value_F) & (value_F >= self._soft_low) & (value_F <= self._soft_high)
        return bool((seen_F | np.isnan(value_F)).all())

    def outside(self, value_F: Floats) -> list[str]:
        """Warnings of values that may be missing. InputError: a value that the gate refuses."""
        columns = self._spec.columns
        if refused := np.flatnonzero(~(self._hard(value_F) | np.isnan(value_F))).tolist():
            frame = one_row({columns[f].name: value_F[f] for f in refused})
            _raise_first(gate(frame, replace(self._spec, columns=tuple(columns[f] for f in refused))).errors)
        odd = np.flatnonzero((value_F < self._soft_low) | (value_F > self._soft_high)).tolist()
        return [f"OUTSIDE_TRAINING_RANGE {columns[f].name}" for f in odd if value_F[f] not in columns[f].special_codes]

    def _hard(self, value_F: Floats) -> NDArray[np.bool_]:
        return np.asarray((value_F >= self._low) & (value_F <= self._high))


def check_time(event: Event, plan: TransactionPlan, *, newest_ms: int | None, clock_ms: int) -> None:
    """InputError: a transaction lies more than a day after the clock, or too far behind the newest before it."""
    if event.time_ms > clock_ms + DAY_MS:
        words = f"column {plan.time!r} lies more than a day in the future; check the sender's clock and time zone"
        raise InputError(words, code="IN_THE_FUTURE")
    if newest_ms is not None and event.time_ms < newest_ms - LATEST:
        words = f"column {plan.time!r} lies more than {LATEST // DAY_MS} days behind the newest transaction"
        raise InputError(f"{words}; history is put in with assay stream load", code="TOO_LATE")


def _raise_first(errors: Mapping[int, str]) -> None:
    for told in errors.values():
        code, _, words = told.partition(": ")
        raise InputError(words, code=code)
