"""A fraud model judged on transactions that have a label: the metrics of credit, and those of the day's queue."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from core.runtime.engine import Engine
from data.spec import FeatureSpec
from pipelines.finance.evaluate import Evaluation, evaluate_table
from pipelines.finance.features import to_batch
from pipelines.finance.fraud import judgements_of
from pipelines.finance.fraud_ledger import Ledger
from pipelines.finance.fraud_queue import queue_metrics
from pipelines.finance.fraud_rows import rows_of
from pipelines.finance.labels import LabelRule

Bools = NDArray[np.bool_]


def evaluate_fraud(ledger: Ledger, wanted_R: Bools, engine: Engine, *, seed: int = 0) -> Evaluation:
    """Judge the rows marked that have a label; intervals draw single rows, those of the queue whole days.

    InputError as evaluate_table has it, and where not both classes are among the rows.
    """
    manifest = engine.bundle.manifest
    cases = ledger.cases(wanted_R)
    found = evaluate_table(cases.table(), engine, seed=seed, row_errors=cases.errors)
    spec = FeatureSpec.from_json(manifest.spec)
    rows = rows_of(cases, spec, LabelRule.from_json(manifest.about["labels"]), "evaluated")
    p_B = engine.predict(to_batch(rows.labelled.x_BF)).probability
    of_queue = queue_metrics(judgements_of(ledger, rows, p_B), seed=seed)
    return replace(found, metrics={**found.metrics, **of_queue})
