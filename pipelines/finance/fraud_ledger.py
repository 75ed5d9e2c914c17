"""A table of transactions as a ledger: who may be judged, what the rest is history for, features of any of its rows.

Legend: R rows of the table, M transactions in the order in which they came, C cases, F features made.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.errors import InputError
from pipelines.finance.labels import LabelRule, read_labels
from pipelines.finance.transactions.batch import measure_table
from pipelines.finance.transactions.events import Events, read_events
from pipelines.finance.transactions.plan import TransactionPlan

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
NO_ERRORS: Mapping[int, str] = {}
NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """All transactions of a table. Rows of `errors` are none, and nobody sees them."""

    frame: pd.DataFrame
    plan: TransactionPlan
    events: Events
    errors: Mapping[int, str]  # position -> "CODE: words"
    y_R: Floats  # 1 fraud, 0 good, NaN where there is no label

    @cached_property
    def times(self) -> Ints:
        """Times, ms; 0 for rows that are no transaction."""
        time_R = np.zeros(len(self.frame), dtype=np.int64)
        time_R[self.events.row] = self.events.time_ms
        return time_R

    @cached_property
    def sound(self) -> Bools:
        """Which rows are transactions."""
        sound_R = np.zeros(len(self.frame), dtype=np.bool_)
        sound_R[self.events.row] = True
        return sound_R

    @cached_property
    def entities(self) -> Ints | None:
        """Hashed keys of the entities; None where there is no such column."""
        if self.plan.entity is None:
            return None
        key_R = np.zeros(len(self.frame), dtype=np.int64)
        key_R[self.events.row] = self.events.key[self.plan.entity]
        return key_R

    @cached_property
    def compromised(self) -> Bools:
        """Which rows are of a card that is known to be compromised by then: an earlier fraud's label is known."""
        if self.entities is None:
            return np.zeros(len(self.frame), dtype=np.bool_)
        code_R, cards = pd.factorize(self.entities)
        known_K = np.full(len(cards), NEVER)
        fraud = np.flatnonzero(self.sound & (self.y_R == 1))
        np.minimum.at(known_K, code_R[fraud], self.times[fraud] + self.plan.delay_ms)
        return np.asarray(self.sound & (self.times >= known_K[code_R]))

    def cases(self, wanted_R: Bools) -> "Cases":
        """The rows marked, with their features; all others are there as history."""
        row_C = np.flatnonzero(wanted_R)
        looking_M = wanted_R[self.events.row]
        made_CF = measure_table(self.events, self.plan, looking_M)
        row_N = self.events.row[looking_M]
        if not np.array_equal(row_N, row_C):  # some could not be read, or came in another order
            placed_CF = np.full((len(row_C), made_CF.shape[1]), np.nan, dtype=np.float32)
            placed_CF[np.searchsorted(row_C, row_N)] = made_CF
            made_CF = placed_CF
        errors = {case: self.errors[row] for case, row in enumerate(row_C.tolist()) if row in self.errors}
        return Cases(ledger=self, row_C=row_C, made_CF=made_CF, errors=errors)


@dataclass(frozen=True, kw_only=True)
class Cases:
    """Rows that are judged or learned from, in the order of the table."""

    ledger: Ledger
    row_C: Ints  # positions in the table
    made_CF: Singles  # as `plan.names`; NaN where there is an error
    errors: Mapping[int, str]  # position among the cases -> "CODE: words"

    def __len__(self) -> int:
        return len(self.row_C)

    def table(self, part: slice = slice(None)) -> pd.DataFrame:
        """The model's frame of some cases: the features made, then the table's own columns."""
        made = pd.DataFrame(self.made_CF[part], columns=list(self.ledger.plan.names))
        own = self.ledger.frame.iloc[self.row_C[part]].reset_index(drop=True)
        return pd.concat([made, own], axis=1)


def open_ledger(
    frame: pd.DataFrame, plan: TransactionPlan, rule: LabelRule, errors: Mapping[int, str] = NO_ERRORS
) -> Ledger:
    """Read a table. `errors` are rows that could not even be read. Without a column of labels none is known.

    InputError: a column of the plan is absent, a column has the name of a feature, or a label is none.
    """
    if taken := sorted(set(plan.names) & set(map(str, frame.columns))):
        raise InputError(f"column {taken[0]!r} has the name of a feature that is made; rename it", code="NAME_TAKEN")
    y_R = np.full(len(frame), np.nan)
    if plan.target in frame.columns:
        y_R = read_labels(frame[plan.target], rule)
    labels = np.where(np.isnan(y_R), -1, y_R).astype(np.int8)
    reading = read_events(frame, plan, labels=labels, errors=errors)
    return Ledger(frame=frame, plan=plan, events=reading.events, errors=reading.errors, y_R=y_R)
