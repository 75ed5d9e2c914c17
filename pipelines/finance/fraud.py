"""Fraud in a history of transactions: trains and scores, the main path of the kind `fraud`.

Features are made of what was known at the time of each transaction (`transactions`), label delay included; from there
on a transaction is a case like any other: calibration, zones, reasons and bundle are those of credit.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.errors import InputError
from core.metrics.bootstrap import Metric
from core.runtime.bundle import Bundle, write_bundle
from core.runtime.engine import Engine
from core.runtime.manifest import Manifest
from data.spec import FeatureSpec
from pipelines.finance.credit import training_record
from pipelines.finance.explain import Language
from pipelines.finance.floors import check_floors
from pipelines.finance.fraud_evidence import Evidence
from pipelines.finance.fraud_fit import FITTERS, Learning
from pipelines.finance.fraud_ledger import NO_ERRORS, Ledger, open_ledger
from pipelines.finance.fraud_options import KIND, FraudOptions
from pipelines.finance.fraud_queue import Judgements, alert_rate, queue_metrics
from pipelines.finance.fraud_rows import FraudRows, Parts, choose_rows, rows_of
from pipelines.finance.fraud_spec import make_spec
from pipelines.finance.judging import FittedModel, Judged, judge
from pipelines.finance.labels import LabelRule, find_rule
from pipelines.finance.rows import fingerprint
from pipelines.finance.score import Scored, score_table
from pipelines.finance.transactions.plan import TransactionPlan

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Progress = Callable[[float, str], None]
ROWS_AT_ONCE = 50_000


def train_fraud(
    frame: pd.DataFrame,
    fit_R: Bools,
    valid_R: Bools | None,
    options: FraudOptions,
    folder: Path,
    progress: Progress,
    errors: Mapping[int, str] = NO_ERRORS,
) -> Bundle:
    """Train and write the bundle to `folder`, which must be new or empty.

    `frame` is the whole history; `fit_R` and `valid_R` mark the rows that are learned from and that validate, all
    others are history alone. Without `valid_R` the latest fifth validates. `errors` are rows (by position) that could
    not be read. InputError and GateError as in train_credit.
    """
    progress(0.0, "reading the transactions")
    ledger, rule = _open(frame, options, errors)
    parts = choose_rows(ledger, fit_R, valid_R, options)
    learning, valid_rows = _measure(ledger, parts, rule, options, progress)
    fitted = FITTERS[options.preset](learning, progress)
    progress(0.85, f"calibrating on {len(valid_rows.row_B)} rows")
    seen = _Seen(ledger, valid_rows)
    judged = judge(fitted, valid_rows.labelled, learning.spec, options, seen.rate(options))
    metrics = {**judged.metrics, **queue_metrics(seen.judgements(judged.probability_B), seed=options.seed)}
    check_floors(metrics, options.floors)
    progress(0.95, "writing the bundle")
    about = training_record(options, rule, fitted, learning.rows, valid_rows.labelled)
    about |= {
        "transactions": ledger.plan.to_json(),
        "learned_rows": parts.to_json(),
        "history": {"rows": len(frame), "refused": _causes(ledger.errors)},
        "alerts_per_day": options.alerts_per_day,
        "data_sha256": fingerprint(frame),
    }
    return _write(folder, options, learning.spec, fitted, judged, metrics, about)


def _measure(
    ledger: Ledger, parts: Parts, rule: LabelRule, options: FraudOptions, progress: Progress
) -> tuple[Learning, FraudRows]:
    """What is fitted from, and the validation rows."""
    progress(0.02, f"measuring {int(parts.fit_R.sum())} transactions to learn from")
    fitting = ledger.cases(parts.fit_R)
    spec = make_spec(fitting, options)
    fit_rows = rows_of(fitting, spec, rule, "training")
    progress(0.06, f"measuring {int(parts.valid_R.sum())} transactions to validate on")
    valid_rows = rows_of(ledger.cases(parts.valid_R), spec, rule, "validation")
    learning = Learning(
        rows=fit_rows.labelled,
        more=lambda: (rows_of(ledger.cases(rows_R), spec, rule, "training").labelled for rows_R in parts.more_R),
        valid_rows=valid_rows.labelled,
        plan=ledger.plan,
        spec=spec,
        options=options,
    )
    return learning, valid_rows


def score_fraud(
    ledger: Ledger,
    wanted_R: Bools,
    engine: Engine,
    *,
    ids: Sequence[str],
    reasons: int = 4,
    reasons_for: Literal["review", "all"] = "review",
    language: Language = "en",
    at_once: int = ROWS_AT_ONCE,
) -> Iterator[Scored]:
    """Score the rows marked, so many at a time, in the order of the table; `ids` are of all its rows.

    Beside every reason the frame has `evidence_k`: the ids of the transactions that caused it, the newest first.
    """
    cases, evidence = ledger.cases(wanted_R), Evidence(ledger)
    spec = FeatureSpec.from_json(engine.bundle.manifest.spec)
    unused = set(map(str, ledger.frame.columns)) - {*spec.names, *columns_of(ledger.plan)}
    extra = tuple(str(name) for name in ledger.frame.columns if str(name) in unused)
    for start in range(0, len(cases), at_once):
        part = slice(start, start + at_once)
        end = start + at_once
        scored = score_table(
            cases.table(part),
            engine,
            ids=[ids[row] for row in cases.row_C[part].tolist()],
            row_errors={case - start: words for case, words in cases.errors.items() if start <= case < end},
            reasons=reasons,
            reasons_for=reasons_for,
            language=language,
        )
        add_evidence(scored.frame, evidence.texts(cases.row_C[part], scored.reasons, ids))
        yield replace(scored, extra=extra)


def add_evidence(frame: pd.DataFrame, texts: Sequence[NDArray[np.object_]]) -> None:
    """Put the columns of evidence before that of the errors."""
    for number, text_B in enumerate(texts, 1):
        column = pd.Series(text_B, index=frame.index, dtype="str")
        frame.insert(frame.columns.get_loc("error"), f"evidence_{number}", column)


def ledger_of(frame: pd.DataFrame, engine: Engine, errors: Mapping[int, str] = NO_ERRORS) -> Ledger:
    """Read a table as the model does. InputError: a column is absent, or the bundle is no fraud model."""
    return ledger_by(frame, engine.bundle.manifest, errors)


def ledger_by(frame: pd.DataFrame, manifest: Manifest, errors: Mapping[int, str] = NO_ERRORS) -> Ledger:
    """The same, where no model needs to run."""
    about = manifest.about
    plan = TransactionPlan.from_json(about.get("transactions"))
    return open_ledger(frame, plan, LabelRule.from_json(about["labels"]), errors)


def columns_of(plan: TransactionPlan) -> tuple[str, ...]:
    """The columns that features are made of."""
    named = (plan.time, plan.amount, plan.id_column, plan.entity, *plan.counterparts, plan.arrived, plan.target)
    return tuple(column for column in named if column)


def _open(frame: pd.DataFrame, options: FraudOptions, errors: Mapping[int, str]) -> tuple[Ledger, LabelRule]:
    if options.target not in frame.columns:
        columns = ", ".join(map(str, frame.columns))
        raise InputError(f"the table has no target column {options.target!r}; it has {columns}", code="UNKNOWN_COLUMN")
    rule = find_rule(frame[options.target])
    return open_ledger(frame, options.plan(frame), rule, errors), rule


@dataclass(frozen=True)
class _Seen:
    """The validation rows as a queue."""

    ledger: Ledger
    rows: FraudRows

    def judgements(self, p_B: Floats) -> Judgements:
        return judgements_of(self.ledger, self.rows, p_B)

    def rate(self, options: FraudOptions) -> Callable[[Floats], float] | None:
        """What finds the share to decline, where alerts a day are asked for. InputError: there is no entity."""
        if options.alerts_per_day is None:
            return None
        if options.entity is None:
            raise InputError(
                "alerts a day are counted in cards: name their column with --entity, or give --target-rate"
            )
        wanted = options.alerts_per_day
        return lambda margin_B: alert_rate(self.judgements(margin_B), wanted)


def judgements_of(ledger: Ledger, rows: FraudRows, p_B: Floats) -> Judgements:
    """Rows of the table with what was said of them."""
    return Judgements(
        time_B=ledger.times[rows.row_B],
        card_B=None if ledger.entities is None else ledger.entities[rows.row_B],
        known_B=ledger.compromised[rows.row_B],
        y_B=rows.labelled.y_B,
        p_B=p_B,
    )


def _causes(errors: Mapping[int, str]) -> dict[str, int]:
    codes: dict[str, int] = {}
    for words in errors.values():
        code = words.partition(":")[0]
        codes[code] = codes.get(code, 0) + 1
    return dict(sorted(codes.items(), key=lambda item: -item[1]))


def _write(
    folder: Path,
    options: FraudOptions,
    spec: FeatureSpec,
    fitted: FittedModel,
    judged: Judged,
    metrics: Mapping[str, Metric],
    about: Mapping[str, Any],
) -> Bundle:
    return write_bundle(
        folder,
        kind=KIND,
        name=options.name,
        parts=fitted.parts,
        spec=spec.to_json(),
        decision=judged.policy.to_json(),
        calibration=judged.calibration,
        metrics={"validation": {name: metric.to_json() for name, metric in metrics.items()}, **judged.exits},
        golden=judged.golden,
        about=about,
        combination=judged.combination,
        beside=fitted.beside,
    )
