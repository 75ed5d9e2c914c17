"""`assay train company`: failure or loss of companies, from tables of their statements."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from apps.cli.console import Progress, note, parse_floors, parse_where
from apps.cli.training import (
    Cost,
    CreditPreset,
    Data,
    Floor,
    Json,
    Resume,
    Seed,
    TargetRate,
    Valid,
    ValidWhere,
    Where,
    run_folder,
    train_and_register,
)
from apps.cli.updating import Asked, ForgetLimit, NoReference, ReferenceFile, ReferenceWhere, Update, decision_of
from apps.references import reference_draft
from apps.settings import load_settings
from core.runtime.bundle import Bundle

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.finance.update import Base


def company(
    data: Data,
    target: Annotated[str, typer.Option(help="column that says 1 for bad (failed, loss), 0 for good")],
    id_column: Annotated[
        str | None, typer.Option("--id", help="column with the company; default: one row each")
    ] = None,
    period: Annotated[str | None, typer.Option(help="column with the year or day; default: one row a company")] = None,
    valid: Valid = None,
    where: Where = None,
    valid_where: ValidWhere = None,
    cases: Annotated[str, typer.Option(help="latest row of each company, all rows, or auto: by the labels")] = "auto",
    unit: Annotated[float, typer.Option(help="currency units that an amount of 1 stands for, 1e6 for millions")] = 1.0,
    currency: Annotated[str | None, typer.Option(help="of the amounts, such as USD: reports in others fail")] = None,
    rules: Annotated[Path | None, typer.Option(help="a table of further feature rules")] = None,
    policy: Annotated[Path | None, typer.Option(help="a table of hard rules that stand beside the model")] = None,
    base_rate: Annotated[
        float | None, typer.Option(help="share of bad ones where it will be used; default: as in validation")
    ] = None,
    unlabelled: Annotated[
        Path | None, typer.Option(help="rows as they will be scored: the base rate is estimated from them")
    ] = None,
    unlabelled_where: Annotated[list[str] | None, typer.Option(help="COLUMN=VALUE for those rows")] = None,
    time: Annotated[str | None, typer.Option(help="column to split by, where no validation data are given")] = None,
    group: Annotated[str | None, typer.Option(help="column whose values must not be split")] = None,
    ignore: Annotated[list[str] | None, typer.Option(help="column that is no feature; again for more")] = None,
    name: Annotated[str | None, typer.Option(help="name in the registry; default: company, or the updated one")] = None,
    preset: CreditPreset = "fast",
    seed: Seed = 0,
    cost: Cost = None,
    target_rate: TargetRate = None,
    floor: Floor = None,
    resume: Resume = False,
    update: Update = None,
    reference: ReferenceFile = None,
    reference_where: ReferenceWhere = None,
    forget_limit: ForgetLimit = None,
    no_reference: NoReference = False,
    as_json: Json = False,
) -> None:
    """Train a model of company failure or loss on statements, one row a company and year; earlier years are history.

    Example: assay train company --data firms.csv.gz --target failed --id company_id --period fyear --unit 1e6
    --where split=train --valid-where split=val --base-rate 0.03 --name firms

    With --update NAME a model learns on from new years: columns, rules, unit and preset stay, and it becomes the next
    version only where it forgot little of the reference cases, else the exit code is 3.
    """
    from apps.cases import future_errors  # noqa: PLC0415  (pandas, only when it is needed)
    from data.tables import read_table  # noqa: PLC0415
    from pipelines.finance.boosting import Preset  # noqa: PLC0415
    from pipelines.finance.company import train_company  # noqa: PLC0415
    from pipelines.finance.company_plan import CompanyOptions, has_items  # noqa: PLC0415
    from pipelines.finance.company_update import update_company  # noqa: PLC0415

    settings = load_settings()
    asked = Asked(update, reference, reference_where, forget_limit)
    name = asked.name(name, "company")
    learning = asked.find(settings, "company", _reference_cases)
    refused: dict[str, dict[str, int]] = {}
    run = run_folder(settings, name, resume)
    chosen, valid_chosen = parse_where(where or []), parse_where(valid_where or [])
    other_chosen = parse_where(unlabelled_where or [])
    unused = (*(ignore or ()), *chosen, *valid_chosen, *other_chosen)
    decision = decision_of(cost, target_rate, learning, (CompanyOptions.cost_missed, CompanyOptions.cost_false))
    options = CompanyOptions(
        target=target,
        id_column=id_column,
        period=period,
        cases=cases,
        unit=unit,
        currency=currency,
        rules=rules,
        policy=policy,
        base_rate=base_rate,
        time=time,
        group=group,
        ignore=tuple(column for column in unused if column not in (period, id_column)),
        seed=seed,
        preset=cast(Preset, preset),
        cost_missed=decision.missed,
        cost_false=decision.false,
        target_rate=decision.target_rate,
        floors=parse_floors(floor or []),
        name=name,
        device=settings.device,
        resume=run,
    )
    text = [column for column in (id_column, group) if column]
    errors: dict[str, dict[int, str]] = {}

    def read(part: str, path: Path, rows: dict[str, str]) -> "pd.DataFrame":
        table = read_table(path, text=text, where=rows)
        errors[part] = future_errors(table.frame, period) | dict(table.errors)
        return table.frame

    train = read("training", data, chosen)
    held = read("validation", valid or data, valid_chosen) if valid or valid_chosen else None
    other = read("unlabelled", unlabelled or data, other_chosen) if unlabelled or other_chosen else None
    if not has_items(train, options):
        note("no column is a known statement item; rules cannot be used; see assay rules list")

    def make(folder: Path, progress: Progress) -> Bundle:
        kept = None if no_reference else reference_draft(folder)
        if learning is None:
            bundle = train_company(train, held, options, folder, progress, other, errors, kept)
        else:
            base, rows = learning.base, learning.reference
            bundle = update_company(base, rows, train, held, options, folder, progress, other, errors, kept)
        refused.update(bundle.manifest.about["refused"])
        return bundle

    train_and_register(settings, name, make, as_json)
    for part, causes in refused.items():
        if causes:
            listed = ", ".join(f"{code} {cases}" for code, cases in causes.items())
            note(f"{part}: {sum(causes.values())} cases were refused and not learned from: {listed}")
    shutil.rmtree(run, ignore_errors=True)


def _reference_cases(base: "Base", path: Path, where: dict[str, str]) -> "pd.DataFrame":
    """Read statements of the old kind as the cases that the updated model sees."""
    from data.tables import read_table  # noqa: PLC0415  (pandas, only when it is needed)
    from pipelines.finance.company import sound  # noqa: PLC0415
    from pipelines.finance.company_frame import derive  # noqa: PLC0415
    from pipelines.finance.company_update import plan_of  # noqa: PLC0415

    plan = plan_of(base)
    table = read_table(path, text=[plan.company] if plan.company else [], where=where)
    return sound(derive(table.frame, plan, dict(table.errors)))
