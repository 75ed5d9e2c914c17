"""`assay models`: the registry."""

import shutil
from pathlib import Path
from typing import Annotated

import typer

from apps.cards import metric_cells, model_card
from apps.cli.console import emit_json, emit_table, rounded, tell
from apps.settings import load_settings
from apps.store import models
from apps.store.database import open_database
from apps.store.tables import Model
from core.errors import InputError
from core.runtime.attribute import attribution
from core.runtime.bundle import open_bundle
from core.runtime.canary import check_in_canary
from core.runtime.signature import known_keys

app = typer.Typer(add_completion=False, no_args_is_help=True, help="The model registry.")

Name = Annotated[str, typer.Argument(help="NAME (its champion) or NAME@VERSION")]
Json = Annotated[bool, typer.Option("--json", help="print one JSON document")]

LONGEST_CELL = 160
HEADLINES = {
    "credit": ("auc", "ks", "ece"),
    "company": ("auc", "ks", "ece"),
    "fraud": ("average_precision", "auc", "card_precision_at_100"),
    "inspection": ("image_auroc", "aupro", "f1"),
    "volatility": ("qlike", "mse", "skill"),
}


@app.command(name="list")
def list_all(as_json: Json = False) -> None:
    """List all versions of all models.

    Example: assay models list
    """
    rows = models.list_models(open_database(load_settings()))
    if as_json:
        emit_json([_as_json(model) for model in rows])
        return
    cells = [(m.name, m.version, m.kind, m.state, f"{m.created_at:%Y-%m-%d %H:%M}", _headline(m)) for m in rows]
    emit_table("models (times are UTC)", ("name", "version", "kind", "state", "created", "on validation"), cells)


@app.command()
def show(name: Name, as_json: Json = False) -> None:
    """Show what a model's bundle says: metrics, decision zones, what it was made from.

    Example: assay models show loans@2
    """
    settings = load_settings()
    model = models.resolve(open_database(settings), name)
    manifest = open_bundle(models.model_folder(settings, model)).manifest
    if as_json:
        emit_json({**_as_json(model), "attribution": attribution(manifest), "manifest": manifest.to_json()})
        return
    rows: list[tuple[str, object]] = list(_as_json(model).items())
    rows = [row for row in rows if row[0] != "metrics"]
    rows += [(metric, " ".join(cells)) for metric, *cells in metric_cells(manifest.metrics.get("validation", {}))]
    rows.append(("reasons", attribution(manifest)))
    for part in ("decision", "about"):
        rows += [(f"{part}.{key}", _cell(value)) for key, value in getattr(manifest, part).items()]
    emit_table(f"{model.name}@{model.version}", ("what", "value"), rows)


@app.command()
def promote(name: Name, as_json: Json = False) -> None:
    """Make a version the champion: the one that answers to its plain name.

    Example: assay models promote loans@3
    """
    model = models.promote(open_database(load_settings()), name)
    tell(f"{model.name}@{model.version} is the champion", _as_json(model), as_json)


@app.command()
def rollback(name: Annotated[str, typer.Argument(help="NAME")], as_json: Json = False) -> None:
    """Go back to the champion before the present one.

    Example: assay models rollback loans
    """
    model = models.rollback(open_database(load_settings()), name)
    tell(f"{model.name}@{model.version} is the champion again", _as_json(model), as_json)


@app.command()
def export(
    name: Name, out: Annotated[Path, typer.Option(help="new folder for the bundle")], as_json: Json = False
) -> None:
    """Copy a model's bundle, with its signature, to a folder.

    Example: assay models export loans --out loans-bundle
    """
    settings = load_settings()
    model = models.resolve(open_database(settings), name)
    folder = open_bundle(models.model_folder(settings, model)).folder
    if out.exists():
        raise InputError(f"--out takes a new folder, {out} exists; name another")
    shutil.copytree(folder, out)
    tell(f"wrote {model.name}@{model.version} to {out}", _as_json(model) | {"out": str(out)}, as_json)


@app.command(name="import")
def import_bundle(
    folder: Annotated[Path, typer.Argument(help="folder of a bundle, as `assay models export` writes it")],
    name: Annotated[str | None, typer.Option(help="name in the registry; default: the bundle's own")] = None,
    trust: Annotated[bool, typer.Option("--trust", help="take a bundle that no known key has signed")] = False,
    promoted: Annotated[bool, typer.Option("--promote", help="make it the champion at once")] = False,
    as_json: Json = False,
) -> None:
    """Take a bundle into the registry, as a candidate; one byte changed, and it is refused.

    Example: assay models import loans-bundle --name loans
    """
    settings = load_settings()
    db = open_database(settings)
    bundle = open_bundle(folder, known_keys=known_keys(settings.home / "keys"), trust=trust)
    check_in_canary(folder)  # a child process opens it first: a model file can take a process down with it
    copy = settings.home / "incoming" / bundle.manifest_sha256
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    model = models.register(db, settings, copy, name or bundle.manifest.name, promote=promoted)
    tell(f"imported {folder} as {model.name}@{model.version} ({model.state})", _as_json(model), as_json)


@app.command()
def card(name: Name, out: Annotated[Path, typer.Option(help="HTML file to write")], as_json: Json = False) -> None:
    """Write the model document: quality with intervals, curves, decision zones, features, origin.

    Example: assay models card loans --out loans.html
    """
    settings = load_settings()
    db = open_database(settings)
    model = models.resolve(db, name)
    write_card(model, out)
    tell(f"wrote the card of {model.name}@{model.version} to {out}", _as_json(model) | {"out": str(out)}, as_json)


def write_card(model: Model, out: Path) -> None:
    """Write the card of a model with its newest evaluation, if it has one."""
    settings = load_settings()
    manifest = open_bundle(models.model_folder(settings, model)).manifest
    evaluations = models.list_evaluations(open_database(settings), model_id=model.id, limit=1)
    if not out.parent.is_dir():
        raise InputError(f"{out}: the folder {out.parent} does not exist; make it first")
    out.write_text(model_card(model, manifest, evaluations[0] if evaluations else None), encoding="utf-8")


def _as_json(model: Model) -> dict[str, object]:
    return {
        "name": model.name,
        "version": model.version,
        "kind": model.kind,
        "state": model.state,
        "created_at": model.created_at.isoformat(),
        "manifest_sha256": model.manifest_sha256,
        "metrics": model.metrics,
    }


def _headline(model: Model) -> str:
    found = []
    for metric in HEADLINES.get(model.kind, ()):
        value = model.metrics.get("validation", {}).get(metric)
        value = value.get("value") if isinstance(value, dict) else value
        if isinstance(value, int | float):
            found.append(f"{metric} {rounded(value)}")
    return ", ".join(found)


def _cell(value: object) -> str:
    words = f"{value:.6g}" if isinstance(value, float) else str(value)
    return words if len(words) <= LONGEST_CELL else f"{words[:LONGEST_CELL]} ... ({len(words)} characters; --json)"
