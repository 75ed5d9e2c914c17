"""What the commands of `assay train` share: their options, the folder of a run, and the way into the registry."""

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from apps.cards import metric_cells, update_words
from apps.cli.console import Progress, emit_json, emit_table, note, parse_cost, progress_bar
from apps.references import keep_reference
from apps.settings import Settings
from apps.store import models
from apps.store.database import open_database
from core.errors import InputError
from core.runtime.bundle import Bundle, sign_bundle
from core.runtime.signature import local_key

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


def run_folder(settings: Settings, name: str, resume: bool) -> Path:
    """Return where a run of this name keeps what it needs to go on; what an earlier run left is kept to resume it."""
    models.check_name(name)  # it becomes a folder, which may be removed
    run = settings.home / "runs" / name
    if not resume:
        shutil.rmtree(run, ignore_errors=True)
    return run


def costs_of(cost: str | None, target_rate: float | None, missed: float, false: float) -> tuple[float, float]:
    if cost is not None and target_rate is not None:
        raise InputError("--cost and --target-rate both set the decision; give one of them")
    return parse_cost(cost) or (missed, false)


def train_and_register(settings: Settings, name: str, make: Callable[[Path, Progress], Bundle], as_json: bool) -> None:
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
        keep_reference(settings, bundle.folder, model.name, model.version)
    seconds = round(time.monotonic() - started, 1)
    manifest = bundle.manifest
    if as_json:
        trained = {"name": model.name, "version": model.version, "kind": model.kind, "seconds": seconds}
        emit_json({**trained, "metrics": manifest.metrics, "decision": manifest.decision, "about": manifest.about})
        return
    rows = [(metric, *cells) for metric, *cells in metric_cells(manifest.metrics["validation"])]
    emit_table(f"{model.name}@{model.version}, validation", ("metric", "value", "95 % interval"), rows)
    if update := manifest.about.get("update"):
        for column, rows_unseen in update["unseen_categories"].items():
            note(f"{column}: {rows_unseen} new rows hold a category that {name} never saw; it counts as missing")
        if update["new_columns"]:
            note(f"columns that the updated model does not know were ignored: {', '.join(update['new_columns'])}")
        note(update_words(update))
    note(f"trained {model.name}@{model.version} in {seconds} s; it is the champion now (assay models rollback {name})")
    note(f"next: assay evaluate {name} --data FILE")
