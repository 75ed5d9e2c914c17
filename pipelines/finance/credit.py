"""Trains a credit model: fits what the preset names, has the validation rows judge it, and writes the bundle.

Who learns from which rows: all that is fitted, and how much of it, from the training rows alone (cross-validation
inside them); calibration, zones, exits and validation metrics from the validation rows, which the model never saw.
An update does the same with new rows, from where a trained model stands (`pipelines.finance.update`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from core.errors import InputError
from core.runtime.bundle import Bundle, write_bundle
from data.spec import FeatureSpec, infer_spec
from pipelines.finance.floors import check_floors
from pipelines.finance.judging import FittedModel, Judged, judge
from pipelines.finance.labels import LabelRule, find_rule
from pipelines.finance.options import KIND, CreditOptions
from pipelines.finance.reference import Reference, set_aside, write_reference
from pipelines.finance.rows import Labelled, fingerprint, held_out, labelled
from pipelines.finance.tree_model import fit_trees
from pipelines.finance.update import Base, Judges, find_news, reference_rows, update_trees, write_gated

__all__ = ["FITTERS", "CreditOptions", "train_credit", "training_record", "update_credit"]

Progress = Callable[[float, str], None]


def train_credit(
    train: pd.DataFrame,
    valid: pd.DataFrame | None,
    options: CreditOptions,
    folder: Path,
    progress: Progress,
    kept: Path | None = None,
) -> Bundle:
    """Train and write the bundle to `folder`, which must be new or empty.

    With `kept`, a Parquet file, validation rows are set aside for later updates. Rows without a label and rows that the
    gate refuses are left out and counted. InputError: a column is absent, the target has one class or more than two, or
    too few rows. GateError: a floor was missed; nothing is written.
    """
    progress(0.0, "reading the columns")
    _check_target(train, options)
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
    if kept is not None:
        write_reference(kept, set_aside(validating, spec, seed=options.seed))
    return _Draft(options, spec, fitted, judged, about).write(folder, {})


def update_credit(
    base: Base,
    reference: Reference,
    train: pd.DataFrame,
    valid: pd.DataFrame | None,
    options: CreditOptions,
    folder: Path,
    progress: Progress,
    kept: Path | None = None,
) -> Bundle:
    """Let a model learn on from new rows and write the bundle to `folder`, where it did not forget the reference rows.

    InputError and GateError as in train_credit, and as Base and Forgetting have them.
    """
    progress(0.0, "reading the columns")
    _check_target(train, options)
    options, spec, rule = base.settle(options), base.spec, base.rule
    news = find_news(train, spec, options.ignore)
    old_rows = reference_rows(base, reference)
    fitting, validating = (train, valid) if valid is not None else held_out(train, rule, options)
    fit_rows = labelled(fitting, spec, rule, options.group, "training", all_rows=options.preset == "full")
    valid_rows = labelled(validating, spec, rule, None, "validation")
    fitted, did = UPDATERS[options.preset](base, fit_rows, valid_rows, options, progress)
    progress(0.85, f"calibrating on {len(valid_rows.y_B)} rows")
    judged = judge(fitted, valid_rows, spec, options)
    check_floors(judged.metrics, options.floors)
    progress(0.95, f"asking {len(old_rows.y_B)} reference rows")
    about = training_record(options, rule, fitted, fit_rows, valid_rows) | {"data_sha256": fingerprint(train, valid)}
    draft = _Draft(options, spec, fitted, judged, about)
    judges = Judges(valid_rows=valid_rows, reference_rows=old_rows, reference=reference)
    bundle = write_gated(base, judges, draft.write, folder, news.to_json() | did, seed=options.seed)
    if kept is not None:
        write_reference(kept, set_aside(validating, spec, seed=options.seed, earlier=reference.kept))
    return bundle


@dataclass(frozen=True)
class _Draft:
    """All that a bundle is made of."""

    options: CreditOptions
    spec: FeatureSpec
    fitted: FittedModel
    judged: Judged
    about: Mapping[str, Any]

    def write(self, folder: Path, more: Mapping[str, Any]) -> Bundle:
        """Write the bundle, with more entries of `about`."""
        metrics = {name: metric.to_json() for name, metric in self.judged.metrics.items()}
        return write_bundle(
            folder,
            kind=KIND,
            name=self.options.name,
            parts=self.fitted.parts,
            spec=self.spec.to_json(),
            decision=self.judged.policy.to_json(),
            calibration=self.judged.calibration,
            metrics={"validation": metrics, **self.judged.exits},
            golden=self.judged.golden,
            about={**self.about, **more},
            combination=self.judged.combination,
            beside=self.fitted.beside,
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


def _update_full(
    base: Base, fit_rows: Labelled, valid_rows: Labelled, options: CreditOptions, progress: Progress
) -> tuple[FittedModel, dict[str, Any]]:
    from pipelines.finance.full_update import update_full  # noqa: PLC0415 - see _fit_full

    return update_full(base, fit_rows, valid_rows, options, progress)


Updater = Callable[[Base, Labelled, Labelled, CreditOptions, Progress], tuple[FittedModel, dict[str, Any]]]
UPDATERS: dict[str, Updater] = {"fast": update_trees, "full": _update_full}


def _check_target(train: pd.DataFrame, options: CreditOptions) -> None:
    if options.target not in train.columns:
        raise InputError(
            f"the table has no target column {options.target!r}; it has {', '.join(map(str, train.columns))}",
            code="UNKNOWN_COLUMN",
        )


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
