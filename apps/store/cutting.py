"""Cuts what a job is about into pieces in the object store, before the job exists."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from apps.settings import Settings
from apps.store.models import model_folder
from apps.store.objects import ObjectStore, open_objects
from apps.store.pieces import Piece, write_piece
from apps.store.tables import Model
from core.errors import InputError
from core.runtime.bundle import open_bundle
from data.spec import FeatureSpec, check_names
from data.tables import Chunk, open_source, read_chunks


@dataclass(frozen=True, kw_only=True)
class CutRows:
    """One payload and one size (in rows) a chunk, in order; `notes` are choices that a person should see."""

    payloads: list[dict[str, Any]]
    sizes: list[int]
    notes: list[str]


def cut_table(settings: Settings, model: Model, job_id: str, wish: Mapping[str, Any], rows: int) -> CutRows:
    """Cut the table at wish["source"], `rows` a piece. Nothing stays behind when the file turns out to be bad."""
    store = open_objects(settings)
    spec = FeatureSpec.from_json(open_bundle(model_folder(settings, model)).manifest.spec)
    source = open_source(Path(wish["source"]))
    check_names(source.columns, spec)
    id_column = wish["id_column"] or (spec.id_column if spec.id_column in source.columns else None)
    if id_column is not None and id_column not in source.columns:
        raise InputError(f"{source.path} has no column {id_column!r} for the ids; it has {', '.join(source.columns)}")
    numbers = [column.name for column in spec.columns if column.kind == "number"]
    text = [column.name for column in spec.columns if column.kind == "category"] + ([id_column] if id_column else [])
    payloads: list[dict[str, Any]] = []
    sizes: list[int] = []
    try:
        for chunk in read_chunks(source, rows=rows, text=text, numbers=numbers, where=wish["where"]):
            payloads.append({"key": _keep(store, job_id, len(payloads), chunk, id_column)})
            sizes.append(len(chunk.frame))
    except BaseException:
        store.drop(f"jobs/{job_id}")
        raise
    return CutRows(payloads=payloads, sizes=sizes, notes=list(source.notes))


def cut_case(settings: Settings, job_id: str, case_id: str, application: Mapping[str, object]) -> CutRows:
    """Make a piece of a single case."""
    piece = Piece(frame=pd.DataFrame([dict(application)]), ids=(case_id,), errors={})
    key = write_piece(open_objects(settings), f"jobs/{job_id}/0.parquet", piece)
    return CutRows(payloads=[{"key": key}], sizes=[1], notes=[])


def _keep(store: ObjectStore, job_id: str, number: int, chunk: Chunk, id_column: str | None) -> str:
    if id_column is None:
        ids = tuple(str(row + 1) for row in chunk.rows)
    else:
        ids = tuple(chunk.frame[id_column].fillna("").astype(str))
    piece = Piece(frame=chunk.frame, ids=ids, errors=dict(chunk.errors))
    return write_piece(store, f"jobs/{job_id}/{number}.parquet", piece)
