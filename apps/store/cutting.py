"""Cuts what a job is about into pieces in the object store, before the job exists."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from apps.cases import read_cases
from apps.settings import Settings
from apps.store.models import model_folder
from apps.store.objects import open_objects
from apps.store.pieces import Piece, write_piece
from apps.store.tables import Model
from core.runtime.bundle import open_bundle
from data.spec import FeatureSpec, check_names
from data.tables import open_source


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
    payloads: list[dict[str, Any]] = []
    sizes: list[int] = []
    try:
        for piece in read_cases(source, spec, id_column=wish["id_column"], where=wish["where"], rows=rows):
            payloads.append({"key": write_piece(store, f"jobs/{job_id}/{len(payloads)}.parquet", piece)})
            sizes.append(len(piece.frame))
    except BaseException:
        store.drop(f"jobs/{job_id}")
        raise
    return CutRows(payloads=payloads, sizes=sizes, notes=list(source.notes))


def cut_case(settings: Settings, job_id: str, case_id: str, application: Mapping[str, object]) -> CutRows:
    """Make a piece of a single case."""
    piece = Piece(frame=pd.DataFrame([dict(application)]), ids=(case_id,), errors={})
    key = write_piece(open_objects(settings), f"jobs/{job_id}/0.parquet", piece)
    return CutRows(payloads=[{"key": key}], sizes=[1], notes=[])
