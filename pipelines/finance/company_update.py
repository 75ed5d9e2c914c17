"""Updating a company model: as `pipelines.finance.update`, with statements read by the plan of the updated model.

Columns, pairs, rules and hard rules stay. Reference rows are cases as the model sees them, with their history in them,
so that they need no years before them any more.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from core.errors import InputError
from core.runtime.bundle import Bundle
from pipelines.finance.company import NO_PART_ERRORS, Draft, count_refused, find_base_rate, hold_out, rows_of, sound
from pipelines.finance.company_bagging import SEEDS
from pipelines.finance.company_frame import derive
from pipelines.finance.company_plan import CompanyOptions, CompanyPlan
from pipelines.finance.credit import UPDATERS
from pipelines.finance.floors import check_floors
from pipelines.finance.reference import Reference, set_aside, write_reference
from pipelines.finance.rows import fingerprint
from pipelines.finance.update import Base, Judges, News, find_news, reference_rows, update_trees, write_gated

Progress = Callable[[float, str], None]


def plan_of(base: Base) -> CompanyPlan:
    """How the updated model reads a table."""
    return CompanyPlan.from_json(base.about.get("company"))


def update_company(
    base: Base,
    reference: Reference,
    train: pd.DataFrame,
    valid: pd.DataFrame | None,
    options: CompanyOptions,
    folder: Path,
    progress: Progress,
    population: pd.DataFrame | None = None,
    errors: Mapping[str, Mapping[int, str]] = NO_PART_ERRORS,
    kept: Path | None = None,
) -> Bundle:
    """Let a model learn on and write the bundle to `folder`, where it did not forget the reference cases.

    InputError and GateError as in update_credit and train_company.
    """
    progress(0.0, "reading the statements")
    options, plan, spec, rule = _settled(base, options, population), plan_of(base), base.spec, base.rule
    fitting = derive(train, plan, errors.get("training"))
    validating = None if valid is None else derive(valid, plan, errors.get("validation"))
    refused = count_refused({"training": fitting, "validation": validating})
    news = _news(base, sound(fitting), options)
    old_rows = reference_rows(base, reference)
    if validating is None:
        fitting, validating = hold_out(fitting, rule, options)
    fit_rows = rows_of(fitting, spec, rule, options.group, "training")
    valid_rows = rows_of(validating, spec, rule, None, "validation")
    update = partial(update_trees, seeds=SEEDS) if options.preset == "fast" else UPDATERS["full"]
    fitted, did = update(base, fit_rows, valid_rows, options, progress)
    draft = Draft(plan, spec, rule, options, fitted, fit_rows, valid_rows)
    rate = find_base_rate(draft, population, errors.get("unlabelled"))
    judged = draft.judged(rate)
    check_floors(judged.metrics, options.floors)
    more = {"data_sha256": fingerprint(train, valid), "columns": base.about["columns"], "refused": refused}

    def write(where: Path, entries: Mapping[str, Any]) -> Bundle:
        return draft.write(where, judged, rate, {**more, **entries})

    judges = Judges(valid_rows=valid_rows, reference_rows=old_rows, reference=reference)
    bundle = write_gated(base, judges, write, folder, news.to_json() | did, seed=options.seed)
    if kept is not None:
        write_reference(kept, set_aside(sound(validating), spec, seed=options.seed, earlier=reference.kept))
    return bundle


def _settled(base: Base, options: CompanyOptions, population: pd.DataFrame | None) -> CompanyOptions:
    """The options of an update. InputError: rules are given, which are the updated model's own."""
    if options.rules is not None or options.policy is not None:
        raise InputError(
            f"an update keeps the rules of {base.words}; leave --rules and --policy out, or train without --update "
            "(assay rules adopt changes hard rules alone)"
        )
    if options.target_rate is not None and (options.base_rate is not None or population is not None):
        raise InputError("--target-rate is a share of the validation rows, which have another base rate; give --cost")
    plan, settled = plan_of(base), base.settle(options)
    assert isinstance(settled, CompanyOptions)
    before = base.about["base_rate"]
    given = options.base_rate
    if given is None and population is None and options.target_rate is None and before["source"] == "as given":
        given = float(before["assumed"])
    group = options.group or (plan.company if plan.cases == "all" else None)
    return replace(settled, group=group, base_rate=given, id_column=plan.company, period=plan.period)


def _news(base: Base, frame: pd.DataFrame, options: CompanyOptions) -> News:
    """What of the cases the base does not know; what is worked out for them is no news."""
    plan = plan_of(base)
    known = (plan.period, *plan.figures, *plan.rules.names, *options.ignore)
    return find_news(frame, base.spec, tuple(name for name in known if name is not None))
