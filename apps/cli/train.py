"""`assay train credit` and `assay train inspection`; `assay train company` and others are registered here too."""

import shutil
from pathlib import Path
from typing import Annotated, cast

import typer

from apps.cli.console import Progress, parse_floors, parse_where
from apps.cli.train_company import company
from apps.cli.train_fraud import fraud
from apps.cli.train_volatility import volatility
from apps.cli.training import (
    Cost,
    CreditPreset,
    Data,
    Floor,
    Json,
    Preset,
    Resume,
    Seed,
    TargetRate,
    Valid,
    ValidWhere,
    Where,
    costs_of,
    run_folder,
    train_and_register,
)
from apps.cli.updating import Asked, ForgetLimit, NoReference, ReferenceFile, ReferenceWhere, Update, decision_of
from apps.references import reference_draft
from apps.settings import load_settings
from core.runtime.bundle import Bundle

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Train a model and register it.")


@app.command()
def credit(
    data: Data,
    target: Annotated[str, typer.Option(help="column that says 1 for bad, 0 for good")],
    valid: Valid = None,
    where: Where = None,
    valid_where: ValidWhere = None,
    id_column: Annotated[str | None, typer.Option("--id", help="column with the id; default: the row number")] = None,
    time: Annotated[
        str | None, typer.Option(help="column to split by time, where no validation data are given")
    ] = None,
    group: Annotated[str | None, typer.Option(help="column whose values must not be split")] = None,
    ignore: Annotated[list[str] | None, typer.Option(help="column that is no feature; again for more")] = None,
    name: Annotated[str | None, typer.Option(help="name in the registry; default: credit, or the updated one")] = None,
    preset: CreditPreset = "fast",
    series: Annotated[
        bool, typer.Option("--series", help="with full: read numbered columns (BILL1 .. BILL6) as histories too")
    ] = False,
    experts: Annotated[
        str, typer.Option(help="with full: tiny (8 experts), base (32), wide (128) or grouped (128 in 16 groups)")
    ] = "tiny",
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
    """Train a credit-risk model on a table (CSV, CSV.GZ, Parquet, XLSX).

    Example: assay train credit --data loans.csv.gz --target defaulted --id loan_id --where split=train
    --valid-where split=val --name loans --preset full

    A run of the full preset that was cut off goes on with the same command and --resume.

    With --update NAME a model learns on from new rows: its columns, label rule and preset stay, and it becomes the next
    version only where it forgot little of the reference rows, else the exit code is 3.
    """
    from data.tables import read_table  # noqa: PLC0415  (pandas, only when it is needed)
    from pipelines.finance.boosting import Preset as FinancePreset  # noqa: PLC0415
    from pipelines.finance.credit import CreditOptions, train_credit, update_credit  # noqa: PLC0415
    from pipelines.finance.network_options import NetworkOptions  # noqa: PLC0415

    settings = load_settings()
    asked = Asked(update, reference, reference_where, forget_limit)
    name = asked.name(name, "credit")
    learning = asked.find(settings, "credit")
    run = run_folder(settings, name, resume)
    chosen, valid_chosen = parse_where(where or []), parse_where(valid_where or [])
    decision = decision_of(cost, target_rate, learning, (CreditOptions.cost_missed, CreditOptions.cost_false))
    options = CreditOptions(
        target=target,
        id_column=id_column,
        time=time,
        group=group,
        ignore=(*(ignore or ()), *chosen, *valid_chosen),
        seed=seed,
        preset=cast(FinancePreset, preset),
        cost_missed=decision.missed,
        cost_false=decision.false,
        target_rate=decision.target_rate,
        floors=parse_floors(floor or []),
        name=name,
        device=settings.device,
        resume=run,
        network=NetworkOptions(history=series, experts=experts),
    )
    text = [column for column in (id_column, group) if column]
    numbers: tuple[str, ...] = ()
    if learning is not None:
        text, numbers = [*text, *learning.base.spec.text], learning.base.spec.numbers
    train = read_table(data, text=text, numbers=numbers, where=chosen).frame
    held = None
    if valid is not None or valid_chosen:
        held = read_table(valid or data, text=text, numbers=numbers, where=valid_chosen).frame

    def make(folder: Path, progress: Progress) -> Bundle:
        kept = None if no_reference else reference_draft(folder)
        if learning is None:
            return train_credit(train, held, options, folder, progress, kept)
        return update_credit(learning.base, learning.reference, train, held, options, folder, progress, kept)

    train_and_register(settings, name, make, as_json)
    shutil.rmtree(run, ignore_errors=True)


@app.command()
def inspection(
    data: Data,
    valid: Valid = None,
    where: Where = None,
    valid_where: ValidWhere = None,
    boxes_per_class: Annotated[
        int | None, typer.Option(min=0, help="use the location of so many images a class")
    ] = None,
    regime: Annotated[str, typer.Option(help="auto, normal, weak, mixed or full")] = "auto",
    weights: Annotated[str, typer.Option(help="a file of weights, imagenet (torchvision's), or none")] = "none",
    name: Annotated[str, typer.Option(help="name in the registry")] = "inspection",
    preset: Preset = "fast",
    size: Annotated[int, typer.Option("--size-px", help="side of the square whose area every picture gets")] = 320,
    seed: Seed = 0,
    cost: Cost = None,
    target_rate: TargetRate = None,
    floor: Floor = None,
    unlabelled: Annotated[
        Path | None, typer.Option(help="a split file whose pictures full may look at without their labels")
    ] = None,
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Train a defect model on a split file (columns path, label, mask_or_boxes, ...).

    Example: assay train inspection --data train.csv --valid val.csv --boxes-per-class 50 --name tiles
    """
    from data.inspection.split_file import read_split  # noqa: PLC0415
    from pipelines.inspection.options import InspectionOptions, Regime  # noqa: PLC0415
    from pipelines.inspection.train import train_inspection  # noqa: PLC0415  (torch)

    settings = load_settings()
    run = run_folder(settings, name, resume)
    missed, false = costs_of(cost, target_rate, InspectionOptions.cost_missed, InspectionOptions.cost_false)
    options = InspectionOptions(
        boxes_per_class=boxes_per_class,
        regime=cast(Regime, regime),
        weights=weights,
        preset=preset,
        size_px=size,
        seed=seed,
        cost_missed=missed,
        cost_false=false,
        target_rate=target_rate,
        floors=parse_floors(floor or []),
        resume=run,
        name=name,
        device=settings.device,
    )
    train = read_split(data, where=parse_where(where or []))
    chosen = parse_where(valid_where or [])
    held = read_split(valid or data, where=chosen) if valid or chosen else ()
    more = read_split(unlabelled) if unlabelled else ()

    def make(folder: Path, progress: Progress) -> Bundle:
        return train_inspection(train, held, options, folder, progress, unlabelled=more)

    train_and_register(settings, name, make, as_json)
    shutil.rmtree(run, ignore_errors=True)


app.command()(company)
app.command()(fraud)
app.command()(volatility)
