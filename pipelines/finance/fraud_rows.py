"""Which rows of a ledger a fraud model learns from, which validate, and their values.

Fraud is rare: all frauds are learned from and a share of the good rows, drawn by the seed, without weights. All
validation rows calibrate, so the probabilities are right for the share of frauds in life.

Legend: R rows of the table, B rows with values.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError
from data.spec import FeatureSpec
from pipelines.finance.features import extract
from pipelines.finance.fraud_ledger import Cases, Ledger
from pipelines.finance.fraud_options import FraudOptions
from pipelines.finance.labels import LabelRule
from pipelines.finance.rows import VALID_SHARE, Labelled
from pipelines.finance.transactions.quantities import DAY_MS

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
WEEK_MS = 7 * DAY_MS
DRAWS = 3  # models whose mean is served, each of its own draw
FEWEST_WEEKS = 4  # from which on folds keep weeks whole, so that a compromised terminal is not on both sides


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Rows of the table that are learned from, and that validate; and how many were left to be history."""

    fit_R: Bools
    more_R: tuple[Bools, ...]  # the same frauds, each with a draw of other good rows as far as there are any
    valid_R: Bools
    warm_up: int  # rows too soon after the first transaction
    unknown: int  # rows whose label was not known yet when validation began
    drawn: float  # share of the good rows that is learned from

    def to_json(self) -> dict[str, float]:
        """For the bundle."""
        return {"warm_up": self.warm_up, "label_unknown": self.unknown, "share_of_good_rows": self.drawn}


def choose_rows(ledger: Ledger, fit_R: Bools, valid_R: Bools | None, options: FraudOptions) -> Parts:
    """Choose among the rows marked. Without validation rows the latest fifth validates.

    Then rows whose labels were not known yet when validation began are not learned from.
    InputError: no row is left to learn from or to validate.
    """
    usable_R = ledger.sound & ~np.isnan(ledger.y_R)
    start_ms = int(ledger.events.time_ms.min()) if len(ledger.events) else 0
    cold_R = usable_R & fit_R & (ledger.times < start_ms + options.warm_up)
    fit_R = usable_R & fit_R & ~cold_R
    unknown = 0
    if valid_R is None:
        if fit_R.any():
            cut_ms = int(np.quantile(ledger.times[fit_R], 1 - VALID_SHARE))
            valid_R = fit_R & (ledger.times >= cut_ms)
            unknown_R = fit_R & ~valid_R & (ledger.times >= cut_ms - options.delay_ms)
            unknown, fit_R = int(unknown_R.sum()), fit_R & ~valid_R & ~unknown_R
        else:
            valid_R = fit_R
    if not fit_R.any():
        words = f"no row is left to learn from: {int(cold_R.sum())} lie within the warm-up after the first transaction"
        raise InputError(
            f"{words}, {unknown} have no known label yet; shorten --warm-up or --label-delay", code="NO_ROWS"
        )
    draws = _draw(fit_R, ledger.y_R == 1, options)
    good_R = fit_R & (ledger.y_R == 0)
    return Parts(
        fit_R=draws[0],
        more_R=draws[1:],
        valid_R=valid_R,
        warm_up=int(cold_R.sum()),
        unknown=unknown,
        drawn=float((draws[0] & good_R).sum() / max(good_R.sum(), 1)),
    )


def _draw(fit_R: Bools, fraud_R: Bools, options: FraudOptions) -> tuple[Bools, ...]:
    """DRAWS times all frauds and as many good rows as there is room for, others each time while there are any."""
    good = np.flatnonzero(fit_R & ~fraud_R)
    frauds = int((fit_R & fraud_R).sum())
    room = max(options.most_learned - frauds, frauds)
    if len(good) <= room:
        return (fit_R,) * DRAWS
    mixed = good[np.random.default_rng(options.seed).permutation(len(good))]
    found = []
    for start in range(0, DRAWS * room, room):
        chosen_R = fit_R & fraud_R
        chosen_R[mixed[(start + np.arange(room)) % len(good)]] = True
        found.append(chosen_R)
    return tuple(found)


@dataclass(frozen=True, kw_only=True)
class FraudRows:
    """Values and labels of rows, and where they stand in the table."""

    labelled: Labelled
    row_B: Ints


def rows_of(cases: Cases, spec: FeatureSpec, rule: LabelRule, what: str) -> FraudRows:
    """Gate the cases. InputError: not both classes are left."""
    gated = extract(cases.table(), spec)
    ledger = cases.ledger
    good_C = ~np.isnan(ledger.y_R[cases.row_C])
    unlabelled = int((~good_C).sum())
    refused = np.asarray(sorted({*gated.errors, *cases.errors}), dtype=np.int64)
    good_C[refused] = False
    row_B = cases.row_C[good_C]
    y_B = ledger.y_R[row_B]
    if len(np.unique(y_B)) < 2:
        only = "no row" if not len(y_B) else f"only {rule.bad if y_B[0] else rule.good!r}"
        words = f"target {spec.target!r} has {only} among the {what} rows"
        raise InputError(f"{words}; frauds and good rows are both needed there", code="ONE_CLASS")
    labelled = Labelled(
        x_BF=gated.values if good_C.all() else gated.values[good_C],
        y_B=y_B,
        group_B=_weeks(ledger.times[row_B]),
        unlabelled=unlabelled,
        refused=len(refused),
        unlabelled_UF=gated.values[:0],
    )
    return FraudRows(labelled=labelled, row_B=row_B)


def _weeks(time_B: Ints) -> Ints | None:
    """The week of each row; None where there are too few of them to make folds of."""
    week_B = np.asarray(time_B // WEEK_MS)
    return week_B if len(np.unique(week_B)) >= FEWEST_WEEKS else None
