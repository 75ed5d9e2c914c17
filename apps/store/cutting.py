"""Cuts what a job is about into pieces in the object store, before the job exists."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from apps.cases import is_report, read_cases, read_companies
from apps.settings import Settings
from apps.store.models import model_folder
from apps.store.objects import open_objects
from apps.store.pieces import Piece, write_piece
from apps.store.tables import Model
from core.errors import InputError
from core.runtime.bundle import open_bundle
from core.runtime.manifest import Manifest
from data.source import Source
from data.spec import FeatureSpec, check_names
from data.tables import open_source
from pipelines.finance.company_pieces import cut_between_cases
from pipelines.finance.company_plan import CompanyPlan

MOST_COMPANY_ROWS = 1_000_000  # they are held at once: the years of a company may stand anywhere in a table


@dataclass(frozen=True, kw_only=True)
class CutRows:
    """One payload and one size (in cases) a chunk, in order; `notes` are choices that a person should see."""

    payloads: list[dict[str, Any]]
    sizes: list[int]
    notes: list[str]
    period: str | None = None  # the column that says of which year a case is


def cut_table(settings: Settings, model: Model, job_id: str, wish: Mapping[str, Any], rows: int) -> CutRows:
    """Cut the table at wish["source"], `rows` cases a piece. Nothing stays behind when the file turns out to be bad."""
    store = open_objects(settings)
    manifest = open_bundle(model_folder(settings, model)).manifest
    path = Path(wish["source"])
    refuse_kinds(model, path)
    if model.kind not in _PIECES:
        raise InputError(f"{model.name}@{model.version} is a model of kind {model.kind}; it scores no tables")
    source = open_source(path)
    payloads: list[dict[str, Any]] = []
    sizes: list[int] = []
    try:
        for piece in _PIECES[model.kind](source, manifest, wish, rows):
            payloads.append({"key": write_piece(store, f"jobs/{job_id}/{len(payloads)}.parquet", piece)})
            sizes.append(piece.size)
    except BaseException:
        store.drop(f"jobs/{job_id}")
        raise
    return CutRows(payloads=payloads, sizes=sizes, notes=list(source.notes), period=_period(manifest))


def cut_case(settings: Settings, job_id: str, case_id: str, application: Mapping[str, object]) -> CutRows:
    """Make a piece of a single case."""
    piece = Piece(frame=pd.DataFrame([dict(application)]), ids=(case_id,), errors={})
    key = write_piece(open_objects(settings), f"jobs/{job_id}/0.parquet", piece)
    return CutRows(payloads=[{"key": key}], sizes=[1], notes=[])


def refuse_kinds(model: Model, path: Path) -> None:
    """InputError where a job is to score what workers do not take: report files, and histories of transactions."""
    if model.kind == "fraud":
        words = "jobs and workers take rows in pieces, and a transaction is judged by all that came before it"
        raise InputError(
            f"{model.name}@{model.version} is a fraud model: {words}; score the file without --workers (assay score "
            f"{model.name} --data {path.name} --out FILE), or send transactions one by one to a stream",
            code="WRONG_KIND",
        )
    if model.kind == "company" and is_report(path):
        words = "jobs and workers score tables of statements, not reports"
        raise InputError(f"{path}: {words}; score them with: assay score {model.name} --data {path}")


def _credit(source: Source, manifest: Manifest, wish: Mapping[str, Any], rows: int) -> Iterator[Piece]:
    spec = FeatureSpec.from_json(manifest.spec)
    check_names(source.columns, spec)
    yield from read_cases(source, spec, id_column=wish["id_column"], where=wish["where"], rows=rows)


def _company(source: Source, manifest: Manifest, wish: Mapping[str, Any], rows: int) -> Iterator[Piece]:
    """Cases with the years before them, so that no company is torn apart."""
    table = read_companies(
        source, manifest, id_column=wish["id_column"], where=wish["where"], most_rows=MOST_COMPANY_ROWS
    )
    plan = CompanyPlan.from_json(manifest.about.get("company"))
    for cut in cut_between_cases(table.frame, plan, table.errors, rows):
        yield Piece(
            frame=table.frame.iloc[cut.rows].reset_index(drop=True),
            ids=tuple(table.ids[row] for row in cut.rows.tolist()),
            errors=dict(cut.errors),
            cases=cut.cases,
        )


_PIECES: dict[str, Callable[[Source, Manifest, Mapping[str, Any], int], Iterator[Piece]]] = {
    "credit": _credit,
    "company": _company,
}


def _period(manifest: Manifest) -> str | None:
    if manifest.kind != "company":
        return None
    return CompanyPlan.from_json(manifest.about.get("company")).period
