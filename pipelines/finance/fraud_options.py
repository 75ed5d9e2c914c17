"""What a fraud model is trained on: which columns play which part, what is history alone, and the alert budget."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.errors import InputError
from pipelines.finance.fraud_queue import NAMES
from pipelines.finance.options import CreditOptions
from pipelines.finance.transactions.declaration import with_sequences
from pipelines.finance.transactions.plan import TransactionPlan, find_unit
from pipelines.finance.transactions.quantities import DAY_MS

KIND = "fraud"
WARM_UP_MS = 30 * DAY_MS
MOST_LEARNED = 150_000  # rows: all frauds, and as many of the good ones as still fit


@dataclass(frozen=True, kw_only=True)
class FraudOptions(CreditOptions):
    """What a fraud model is trained on besides. Without entity and counterparts a transaction has no past."""

    time: str  # column of the times; without validation rows the latest fifth validates
    amount: str  # column of the amounts, negative for refunds
    name: str = KIND
    entity: str | None = None  # column of the card, account or customer
    counterparts: tuple[str, ...] = ()  # columns of terminals, merchants, devices
    arrived: str | None = None  # column of the times at which transactions came in; None: in the order of their times
    delay_ms: int = 7 * DAY_MS  # after which a label is known
    unit: float | None = None  # currency of one step of the amounts; None: as fine as the amounts are
    declared: str = ""  # a table of features of one's own; empty: the default set
    warm_up_ms: int | None = None  # rows so soon after the first are history alone; None: 30 days where there is a past
    alerts_per_day: float | None = None  # cards a day that are declined; overrules costs and target rate
    most_learned: int = MOST_LEARNED

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.alerts_per_day is not None:
            if not 0 < self.alerts_per_day < np.inf:
                raise InputError(f"alerts a day must be above 0, got {self.alerts_per_day:g}")
            if self.target_rate is not None:
                raise InputError("alerts a day and a target rate both set the decision; give one of them")
        if self.warm_up_ms is not None and self.warm_up_ms < 0:
            raise InputError(f"the warm-up must be 0 or more, got {self.warm_up_ms} ms")

    @property
    def own_metrics(self) -> tuple[str, ...]:
        """Those of the queue."""
        return NAMES

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns by which transactions are joined."""
        return (*((self.entity,) if self.entity else ()), *self.counterparts)

    @property
    def parts(self) -> tuple[str, ...]:
        """All columns that play a part, and are therefore no features of their own."""
        named = (self.target, self.id_column, self.time, self.amount, self.arrived)
        return (*(column for column in named if column), *self.keys)

    @property
    def warm_up(self) -> int:
        """How long after the first transaction rows are history alone, ms: until then windows are half empty."""
        if self.warm_up_ms is None:
            return WARM_UP_MS if self.keys else 0
        return self.warm_up_ms

    def plan(self, frame: pd.DataFrame) -> TransactionPlan:
        """How the transactions of this table become features."""
        return TransactionPlan(
            time=self.time,
            amount=self.amount,
            id_column=self.id_column,
            entity=self.entity,
            counterparts=self.counterparts,
            arrived=self.arrived,
            target=self.target,
            delay_ms=self.delay_ms,
            unit=self._unit(frame) if self.unit is None else self.unit,
            declared=with_sequences(self.declared) if self.preset == "full" else self.declared,
        )

    def _unit(self, frame: pd.DataFrame) -> float:
        if self.amount not in frame or not pd.api.types.is_numeric_dtype(frame[self.amount].dtype):
            return TransactionPlan.unit
        amounts = np.unique(frame[self.amount].to_numpy(dtype=np.float64, na_value=np.nan))
        return find_unit(amounts[np.abs(amounts) < 1e12].tolist())
