"""A company model judged on cases that have a label, and how their base rate stands to the one it assumes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from core.runtime.engine import Engine
from data.spec import FeatureSpec
from pipelines.finance.company_frame import derive
from pipelines.finance.company_plan import CompanyPlan
from pipelines.finance.company_rate import RateEstimate, estimate_rate
from pipelines.finance.evaluate import Evaluation, evaluate_table
from pipelines.finance.features import extract, to_batch
from pipelines.finance.labels import LabelRule, read_labels

NO_ERRORS: Mapping[int, str] = {}


@dataclass(frozen=True, kw_only=True)
class CompanyEvaluation:
    """An evaluation, and how the base rate of the judged rows stands to the one that the model assumes."""

    evaluation: Evaluation
    base_rate: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """As an evaluation of credit, with `base_rate`."""
        return self.evaluation.to_json() | {"base_rate": dict(self.base_rate)}


def evaluate_company(
    frame: pd.DataFrame, engine: Engine, *, seed: int = 0, row_errors: Mapping[int, str] = NO_ERRORS
) -> CompanyEvaluation:
    """Judge the cases that have a label; companies with several cases are drawn whole for the intervals."""
    manifest = engine.bundle.manifest
    plan = CompanyPlan.from_json(manifest.about.get("company"))
    derived = derive(frame, plan, row_errors)
    table, errors = derived.frame, derived.errors
    groups = None if plan.company is None or plan.cases == "latest" else table[plan.company].fillna("")
    found = evaluate_table(table, engine, seed=seed, row_errors=errors, groups=groups)
    spec = FeatureSpec.from_json(manifest.spec)
    y_C = read_labels(table[spec.target], LabelRule.from_json(manifest.about["labels"]))
    gated = extract(table, spec)
    y_C[[*gated.errors, *errors]] = np.nan
    p_B = engine.predict(to_batch(gated.values[~np.isnan(y_C)])).probability
    assumed = float(manifest.about["base_rate"]["assumed"])
    estimate = estimate_rate(np.log(p_B) - np.log1p(-p_B), assumed)
    return CompanyEvaluation(evaluation=found, base_rate=_compare(assumed, estimate, float(np.nanmean(y_C)), len(p_B)))


def _compare(assumed: float, estimate: RateEstimate, seen: float, rows: int) -> dict[str, Any]:
    error = float(np.sqrt(assumed * (1 - assumed) / rows))
    return {
        "assumed": assumed,
        "seen": seen,
        "estimated": estimate.to_json(),  # without a look at the labels
        "differs": abs(seen - assumed) > 2 * error,
    }
