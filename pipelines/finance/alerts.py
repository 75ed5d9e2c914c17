"""The queue of each day: which cards are looked at, the transaction that put them there, why, and what caused that.

A card stands where its most suspicious transaction of the day puts it. Cards known to be compromised have left the
queue: there is nothing to find out about them.

Legend: R rows of the table, B rows judged, K cards of the queue.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.errors import InputError
from core.runtime.engine import Engine
from data.spec import FeatureSpec
from pipelines.finance.explain import Language, RowReasons, strongest_reasons
from pipelines.finance.features import extract, to_batch
from pipelines.finance.fraud_evidence import Evidence
from pipelines.finance.fraud_ledger import Cases, Ledger
from pipelines.finance.fraud_queue import CardDays, Judgements, card_days
from pipelines.finance.score import APPROVE
from pipelines.finance.scorecard import DECISIONS, Policy
from pipelines.finance.transactions.quantities import DAY_MS

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
ROWS_AT_ONCE = 50_000


@dataclass(frozen=True, kw_only=True)
class Alerts:
    """One row a card and day, the most urgent of a day first, and what was left out.

    The frame has day, place, card, transactions, id, time, amount, probability, decision, reason_1 .., evidence_1 ...
    """

    frame: pd.DataFrame
    judged: int  # rows
    failed: int  # rows that could not be judged
    known: int  # rows of cards that had left the queue
    days: int
    labelled: bool  # whether any label is known: without one no card can be known to be compromised
    reasons: RowReasons = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """Counts, for the command line."""
        per_day = len(self.frame) / self.days if self.days else 0.0
        rows = self.judged + self.failed
        counts = {"rows": rows, "failed": self.failed, "of_known_cards": self.known, "days": self.days}
        return {**counts, "alerts": len(self.frame), "alerts_per_day": per_day}


def make_alerts(
    ledger: Ledger,
    wanted_R: Bools,
    engine: Engine,
    *,
    ids: Sequence[str],
    per_day: int | None = None,
    keep_known: bool = False,
    reasons: int = 4,
    language: Language = "en",
) -> Alerts:
    """Queue the rows marked: so many cards a day, or where `per_day` is None those whose decision is not to approve.

    InputError: the model knows no entity, or no row can be judged.
    """
    if ledger.entities is None:
        raise InputError("alerts are cards of a day, and the model was trained without --entity", code="NO_ENTITY")
    cases = ledger.cases(wanted_R)
    p_C = _probabilities(cases, engine)
    judged_C = ~np.isnan(p_C)
    if not judged_C.any():
        raise InputError(f"not one of {len(cases)} rows can be judged; assay score says why, row by row")
    known_C = ledger.compromised[cases.row_C] & judged_C
    queued_C = judged_C if keep_known else judged_C & ~known_C
    policy = Policy.from_json(engine.bundle.manifest.decision)
    row_B, p_B = cases.row_C[queued_C], p_C[queued_C]
    queue = card_days(_judgements(ledger, row_B, p_B))
    chosen_K = queue.places < per_day if per_day is not None else policy.zones.place(queue.p_K) != APPROVE
    table = _Queue(ledger, queue, chosen_K, row_B[queue.row_K[chosen_K]], policy)
    found = _reasons(ledger, table.top_K, engine, reasons)
    return Alerts(
        frame=table.frame(found, ids, language),
        judged=int(judged_C.sum()),
        failed=int((~judged_C).sum()),
        known=int(known_C.sum()),
        days=len(np.unique(ledger.times[cases.row_C[judged_C]] // DAY_MS)),
        labelled=bool((ledger.events.label >= 0).any()),
        reasons=found,
    )


@dataclass(frozen=True)
class _Queue:
    """The chosen cards and days, and the row of the table that put each there (K,)."""

    ledger: Ledger
    queue: CardDays
    chosen_K: Bools
    top_K: Ints
    policy: Policy

    def frame(self, reasons: RowReasons, ids: Sequence[str], language: Language) -> pd.DataFrame:
        plan, own = self.ledger.plan, self.ledger.frame.iloc[self.top_K]
        days = pd.to_datetime(self.queue.day_K[self.chosen_K] * DAY_MS, unit="ms").strftime("%Y-%m-%d")
        p_K = self.queue.p_K[self.chosen_K]
        found = {
            "day": pd.Series(days, dtype="str"),
            "place": self.queue.places[self.chosen_K] + 1,
            "card": own[str(plan.entity)].astype("str").to_numpy(),
            "transactions": self.queue.rows_K[self.chosen_K],
            "id": pd.Series([ids[row] for row in self.top_K.tolist()], dtype="str"),
            "time": own[plan.time].to_numpy(),
            "amount": own[plan.amount].to_numpy(),
            "probability": p_K,
            "decision": np.asarray(DECISIONS, dtype=object)[self.policy.zones.place(p_K)],
        }
        found |= {f"reason_{k + 1}": text for k, text in enumerate(reasons.texts(language))}
        behind = Evidence(self.ledger).texts(self.top_K, reasons, ids)
        found |= {f"evidence_{k + 1}": text for k, text in enumerate(behind)}
        return pd.DataFrame(found)


def _probabilities(cases: Cases, engine: Engine) -> Floats:
    """Of every case (C,); NaN where it cannot be judged."""
    spec = FeatureSpec.from_json(engine.bundle.manifest.spec)
    p_C = np.full(len(cases), np.nan)
    for start in range(0, len(cases), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        gated = extract(cases.table(part), spec)
        p_C[part] = engine.predict(to_batch(gated.values)).probability
        p_C[[start + case for case in gated.errors]] = np.nan
    p_C[list(cases.errors)] = np.nan
    return p_C


def _judgements(ledger: Ledger, row_B: Ints, p_B: Floats) -> Judgements:
    assert ledger.entities is not None
    return Judgements(
        time_B=ledger.times[row_B],
        card_B=ledger.entities[row_B],
        known_B=ledger.compromised[row_B],
        y_B=np.zeros(len(row_B)),
        p_B=p_B,
    )


def _reasons(ledger: Ledger, row_K: Ints, engine: Engine, reasons: int) -> RowReasons:
    """What raised the suspicion of each row, also of those that would be approved."""
    spec = FeatureSpec.from_json(engine.bundle.manifest.spec)
    wanted_R = np.zeros(len(ledger.frame), dtype=np.bool_)
    wanted_R[row_K] = True
    cases = ledger.cases(wanted_R)
    values = extract(cases.table(), spec).values[np.searchsorted(cases.row_C, row_K)]
    contributions = np.zeros(values.shape)
    if reasons and len(values):
        contributions = engine.contributions(to_batch(values))[:, :-1]
    return strongest_reasons(spec, values, contributions, np.zeros(len(values), dtype=np.bool_), reasons)
