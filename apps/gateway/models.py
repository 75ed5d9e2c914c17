"""`GET /v1/models`: what can be asked, and how it was measured."""

import asyncio
import re
from datetime import datetime
from typing import Annotated, Any

import sqlalchemy
from fastapi import APIRouter, Depends
from pydantic import BaseModel, StringConstraints

from apps.engines import engine_for
from apps.gateway.problems import Problem, unavailable
from apps.gateway.state import Gateway, gateway_of
from apps.settings import Settings
from apps.store.models import list_models, resolve
from apps.store.tables import Model
from core.errors import InputError, NotFoundError
from core.runtime.engine import Engine

REFERENCE = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}(@[1-9][0-9]{0,8})?$"
ModelReference = Annotated[str, StringConstraints(pattern=REFERENCE)]

router = APIRouter(prefix="/v1", tags=["models"])


class ModelEntry(BaseModel):
    """One version of one model. `state`: champion answers to the bare name, others to NAME@VERSION."""

    name: str
    version: int
    kind: str
    state: str
    created_at: datetime
    metrics: dict[str, Any]


class ModelList(BaseModel):
    models: list[ModelEntry]


@router.get("/models", summary="All versions of all models")
async def get_models(gateway: Annotated[Gateway, Depends(gateway_of)]) -> ModelList:
    rows = await asyncio.to_thread(list_models, gateway.db)
    return ModelList(models=[_entry(row) for row in rows])


def resolve_reference(db: sqlalchemy.Engine, reference: str) -> Model:
    """The model that `reference` names. Raises Problem 422 for what is no name, NotFoundError where there is none."""
    if not re.fullmatch(REFERENCE, reference):
        raise Problem(422, "BAD_MODEL", "a model is given as NAME or NAME@VERSION")
    return resolve(db, reference)


def resolve_kind(db: sqlalchemy.Engine, reference: str, kind: str) -> Model:
    """As `resolve_reference`, and the model must be of `kind`, else Problem 422."""
    model = resolve_reference(db, reference)
    if model.kind != kind:
        raise Problem(422, "WRONG_KIND", f"the model {reference} is of kind {model.kind}; this call needs {kind}")
    return model


def open_engine(settings: Settings, model: Model) -> Engine:
    """The loaded model. Raises Problem 503 when its files are damaged or missing: that is no fault of the caller."""
    try:
        return engine_for(settings, model)
    except (InputError, NotFoundError) as error:
        raise unavailable("MODEL_UNUSABLE") from error


def _entry(row: Model) -> ModelEntry:
    return ModelEntry(
        name=row.name,
        version=row.version,
        kind=row.kind,
        state=row.state,
        created_at=row.created_at,
        metrics=row.metrics,
    )
