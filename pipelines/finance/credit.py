"""Trains a credit model: fits what the preset names, has the validation rows judge it, and writes the bundle.

Who learns from which rows: all that is fitted, and how much of it, from the training rows alone (cross-validation
inside them); calibration, zones, exits and validation metrics from the validation rows, which the model never saw.
"""

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from core.errors import InputError
from core.runtime.bundle import Bundle, write_bundle
from data.spec import FeatureSpec, infer_spec
from pipelines.finance.floors import check_floors
from pipelines.finance.judging import FittedModel, judge
from pipelines.finance.labels import LabelRule, find_rule
from pipelines.finance.options import KIND, CreditOptions
from pipelines.finance.rows import Labelled, fingerprint, held_out, labelled
from pipelines.finance.tree_model import fit_trees

__all__ = ["FITTERS", "CreditOptions", "train_credit", "training_record"]

Progress = Callable[[float, str], None]


def train_credit(
    train: pd.DataFrame, valid: pd.DataFrame | None, options: CreditOptions, folder: Path, progress: Progress
) -> Bundle:
    """Train and write the bundle to `folder`, which must be new or empty.

    Rows without a label and rows that the gate refuses are left out and counted. InputError: a column is absent, the
    target has one class or more than two, or too few rows. GateError: a floor was missed; nothing is written.
    """
    progress(0.0, "reading the columns")
    if options.target not in train.columns:
        raise InputError(
            f"the table has no target column {options.target!r}; it has {', '.join(map(str, train.columns))}",
            code="UNKNOWN_COLUMN",
        )
    rule = find_rule(train[options.target])
    fitting, validating = (train, valid) if valid is not None else held_out(train, rule, options)
    spec = _spec(fitting, options)
    fit_rows = labelled(fitting, spec, rule, options.group, "training", all_rows=options.preset == "full")
    valid_rows = labelled(validating, spec, rule, None, "validation")
    fitted = FITTERS[options.preset](fit_rows, valid_rows, spec, options, progress)
    progress(0.85, f"calibrating on {len(valid_rows.y_B)} rows")
    judged = judge(fitted, valid_rows, spec, options)
    check_floors(judged.metrics, options.floors)
    progress(0.95, "writing the bundle")
    about = training_record(options, rule, fitted, fit_rows, valid_rows) | {"data_sha256": fingerprint(train, valid)}
    return write_bundle(
        folder,
        kind=KIND,
        name=options.name,
        parts=fitted.parts,
        spec=spec.to_json(),
        decision=judged.policy.to_json(),
        calibration=judged.calibration,
        metrics={"validation": {name: metric.to_json() for name, metric in judged.metrics.items()}, **judged.exits},
        golden=judged.golden,
        about=about,
        combination=judged.combination,
    )


def _fit_full(
    fit_rows: Labelled, valid_rows: Labelled, spec: FeatureSpec, options: CreditOptions, progress: Progress
) -> FittedModel:
    # torch takes a second to import, and the preset `fast` needs none of it
    from pipelines.finance.full import fit_full  # noqa: PLC0415

    return fit_full(fit_rows, valid_rows, spec, options, progress)


FITTERS: dict[str, Callable[[Labelled, Labelled, FeatureSpec, CreditOptions, Progress], FittedModel]] = {
    "fast": fit_trees,
    "full": _fit_full,
}


def _spec(fitting: pd.DataFrame, options: CreditOptions) -> FeatureSpec:
    return infer_spec(
        fitting.loc[fitting[options.target].notna().to_numpy()],
        target=options.target,
        id_column=options.id_column,
        ignore=options.ignore,
        time=options.time,
        group=options.group,
    )


def training_record(
    options: CreditOptions, rule: LabelRule, fitted: FittedModel, fit_rows: Labelled, valid_rows: Labelled
) -> dict[str, Any]:
    """Say where the model comes from. No clock: the same rows and seed give the same bytes."""
    return {
        "labels": rule.to_json(),
        "rows": {"training": fit_rows.counts(), "validation": valid_rows.counts()},
        "seed": options.seed,
        "preset": options.preset,
        **fitted.about,
        "costs": {"missed": options.cost_missed, "false": options.cost_false, "review": options.cost_review},
        "target_rate": options.target_rate,
        "versions": {name: version(name) for name in ("assay", "lightgbm", "numpy", *fitted.packages)},
    }
