"""`assay train credit` and `assay train inspection`."""

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, cast

import typer

from apps.cards import metric_cells
from apps.cli.console import (
    Progress,
    emit_json,
    emit_table,
    note,
    parse_cost,
    parse_floors,
    parse_where,
    progress_bar,
)
from apps.settings import Settings, load_settings
from apps.store import models
from apps.store.database import open_database
from core.errors import InputError
from core.runtime.bundle import Bundle, sign_bundle
from core.runtime.signature import local_key

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Train a model and register it.")

Data = Annotated[Path, typer.Option(help="the training data")]
Valid = Annotated[Path | None, typer.Option(help="validation data; default: a part of the training data")]
Where = Annotated[list[str] | None, typer.Option(help="COLUMN=VALUE: keep only these rows; again for more")]
ValidWhere = Annotated[list[str] | None, typer.Option(help="COLUMN=VALUE for the validation rows")]
Preset = Annotated[str, typer.Option(help="fast or full")]
CreditPreset = Annotated[
    str, typer.Option(help="fast: boosted trees; full: trees stacked with a mixture-of-experts network, minutes")
]
Seed = Annotated[int, typer.Option(help="seed of everything random")]
Cost = Annotated[str | None, typer.Option(help="MISSED:FALSE, what a missed bad one costs against a false alarm")]
TargetRate = Annotated[float | None, typer.Option(help="share to decline or reject, instead of costs")]
Floor = Annotated[list[str] | None, typer.Option(help="METRIC=VALUE on validation; below it exit code 3")]
Resume = Annotated[bool, typer.Option("--resume", help="go on with a run that was cut off")]
Json = Annotated[bool, typer.Option("--json", help="print one JSON document")]


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
    name: Annotated[str, typer.Option(help="name in the registry")] = "credit",
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
    as_json: Json = False,
) -> None:
    """Train a credit-risk model on a table (CSV, CSV.GZ, Parquet, XLSX).

    Example: assay train credit --data loans.csv.gz --target defaulted --id loan_id --where split=train
    --valid-where split=val --name loans --preset full

    A run of the full preset that was cut off goes on with the same command and --resume.
    """
    from data.tables import read_table  # noqa: PLC0415  (pandas, only when it is needed)
    from pipelines.finance.boosting import Preset as FinancePreset  # noqa: PLC0415
    from pipelines.finance.credit import CreditOptions, train_credit  # noqa: PLC0415
    from pipelines.finance.network_options import NetworkOptions  # noqa: PLC0415

    settings = load_settings()
    run = _run_folder(settings, name, resume)
    chosen, valid_chosen = parse_where(where or []), parse_where(valid_where or [])
    missed, false = _costs(cost, target_rate, CreditOptions.cost_missed, CreditOptions.cost_false)
    options = CreditOptions(
        target=target,
        id_column=id_column,
        time=time,
        group=group,
        ignore=(*(ignore or ()), *chosen, *valid_chosen),
        seed=seed,
        preset=cast(FinancePreset, preset),
        cost_missed=missed,
        cost_false=false,
        target_rate=target_rate,
        floors=parse_floors(floor or []),
        name=name,
        device=settings.device,
        resume=run,
        network=NetworkOptions(history=series, experts=experts),
    )
    text = [column for column in (id_column, group) if column]
    train = read_table(data, text=text, where=chosen)
    held = None
    if valid is not None or valid_chosen:
        held = read_table(valid or data, text=text, where=valid_chosen)

    def make(folder: Path, progress: Progress) -> Bundle:
        return train_credit(train.frame, None if held is None else held.frame, options, folder, progress)

    _train(settings, name, make, as_json)
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
    run = _run_folder(settings, name, resume)
    missed, false = _costs(cost, target_rate, InspectionOptions.cost_missed, InspectionOptions.cost_false)
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

    _train(settings, name, make, as_json)
    shutil.rmtree(run, ignore_errors=True)


def _run_folder(settings: Settings, name: str, resume: bool) -> Path:
    """Return where a run of this name keeps what it needs to go on; what an earlier run left is kept to resume it."""
    models.check_name(name)  # it becomes a folder, which may be removed
    run = settings.home / "runs" / name
    if not resume:
        shutil.rmtree(run, ignore_errors=True)
    return run


def _costs(cost: str | None, target_rate: float | None, missed: float, false: float) -> tuple[float, float]:
    if cost is not None and target_rate is not None:
        raise InputError("--cost and --target-rate both set the decision; give one of them")
    return parse_cost(cost) or (missed, false)


def _train(settings: Settings, name: str, make: Callable[[Path, Progress], Bundle], as_json: bool) -> None:
    """Make a bundle, sign it, register it as the champion of its name, and say how good it is."""
    models.check_name(name)
    db = open_database(settings)
    settings.home.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="training-", dir=settings.home) as scratch:
        with progress_bar(f"training {name}") as progress:
            bundle = make(Path(scratch) / "bundle", progress)
        sign_bundle(bundle, local_key(settings.home / "keys"))
        model = models.register(db, settings, bundle.folder, name)
    seconds = round(time.monotonic() - started, 1)
    manifest = bundle.manifest
    if as_json:
        trained = {"name": model.name, "version": model.version, "kind": model.kind, "seconds": seconds}
        emit_json({**trained, "metrics": manifest.metrics, "decision": manifest.decision, "about": manifest.about})
        return
    rows = [(metric, *cells) for metric, *cells in metric_cells(manifest.metrics["validation"])]
    emit_table(f"{model.name}@{model.version}, validation", ("metric", "value", "95 % interval"), rows)
    note(f"trained {model.name}@{model.version} in {seconds} s; it is the champion now (assay models rollback {name})")
    note(f"next: assay evaluate {name} --data FILE")
