"""The model registry: versions of named bundles, of which at most one a name is the champion."""

import os
import re
import shutil
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from apps.settings import Settings
from apps.store import audit
from apps.store.database import reading, writing
from apps.store.tables import Evaluation, Model
from core.errors import AssayError, GateError, InputError, NotFoundError
from core.runtime.bundle import Bundle, open_bundle

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_TRIES = 5


def register(
    db: sqlalchemy.Engine,
    settings: Settings,
    bundle_folder: Path,
    name: str,
    *,
    actor: str = "local",
    promote: bool = True,
) -> Model:
    """Move a bundle to HOME/models/NAME/VERSION and list it, as champion unless `promote` is false.

    InputError for a bad name or a damaged bundle. The folder is gone from its old place afterwards.
    """
    check_name(name)
    bundle = open_bundle(bundle_folder)
    staged = _stage(bundle_folder, settings.home.resolve() / "models" / name)
    for _ in range(_TRIES):
        try:
            with writing(db) as session:
                return _add(session, settings, bundle, staged, name, actor=actor, promote=promote)
        except IntegrityError:  # PostgreSQL: another process took this version
            continue
    raise AssayError(f"model {name} is being registered by too many others at once; try again")


def resolve(db: sqlalchemy.Engine, reference: str) -> Model:
    """Return the champion of "name", or the very version of "name@3". NotFoundError says what there is."""
    name, _, version = reference.partition("@")
    query = select(Model).where(Model.name == name)
    if version:
        if not version.isdecimal():
            raise InputError(f"a model is given as NAME or NAME@VERSION (a number), got {reference!r}")
        query = query.where(Model.version == int(version))
    else:
        query = query.where(Model.state == "champion")
    with reading(db) as session:
        model = session.scalars(query).first()
        if model is None:
            raise NotFoundError(_what_there_is(session, reference, name))
        return model


def get_model(db: sqlalchemy.Engine, model_id: int) -> Model:
    """Return a model by its number in the database."""
    with reading(db) as session:
        model = session.get(Model, model_id)
    if model is None:
        raise NotFoundError(f"no model has the number {model_id}")
    return model


def list_models(db: sqlalchemy.Engine, *, name: str | None = None, kind: str | None = None) -> list[Model]:
    """Return all versions, by name, newest first."""
    query = select(Model).order_by(Model.name, Model.version.desc())
    if name is not None:
        query = query.where(Model.name == name)
    if kind is not None:
        query = query.where(Model.kind == kind)
    with reading(db) as session:
        return list(session.scalars(query))


def model_folder(settings: Settings, model: Model) -> Path:
    """Return the folder of a model's bundle."""
    return settings.home.resolve() / model.folder


def promote(db: sqlalchemy.Engine, reference: str, *, actor: str = "local") -> Model:
    """Make a version the champion of its name. GateError when somebody else changed the champion meanwhile."""
    model = resolve(db, reference)
    return _crown(db, model, actor=actor, action="model.promote")


def rollback(db: sqlalchemy.Engine, name: str, *, actor: str = "local") -> Model:
    """Make the champion before the present one champion again; a second rollback goes one further back."""
    champion = resolve(db, name)
    earlier = (
        select(Model)
        .where(Model.name == name, Model.state == "archived", Model.promoted_at < champion.promoted_at)
        .order_by(Model.promoted_at.desc())
        .limit(1)
    )
    with reading(db) as session:
        model = session.scalars(earlier).first()
    if model is None:
        raise GateError(f"model {name} has no earlier champion than version {champion.version} to go back to")
    return _crown(db, model, actor=actor, action="model.rollback")


def save_evaluation(
    db: sqlalchemy.Engine, model: Model, *, data: str, metrics: Mapping[str, Any], curves: Mapping[str, Any]
) -> Evaluation:
    """Keep the metrics and curves of a model on a labelled file. Values are plain JSON."""
    evaluation = Evaluation(
        model_id=model.id, data=data, metrics=dict(metrics), curves=dict(curves), created_at=datetime.now(UTC)
    )
    with writing(db) as session:
        session.add(evaluation)
    return evaluation


def list_evaluations(db: sqlalchemy.Engine, *, model_id: int | None = None, limit: int = 100) -> list[Evaluation]:
    """Return evaluations, newest first."""
    query = select(Evaluation).order_by(Evaluation.id.desc()).limit(min(limit, 500))
    if model_id is not None:
        query = query.where(Evaluation.model_id == model_id)
    with reading(db) as session:
        return list(session.scalars(query))


def check_name(name: str) -> None:
    """Refuse a model name that could not be a folder or stand before an @."""
    if not _NAME.fullmatch(name):
        raise InputError(f"a model's name is made of letters, digits, . _ - (100 at most), got {name!r}")


def _stage(source: Path, models: Path) -> Path:
    """Bring the folder onto the disk of the home, under a name that no version has."""
    staged = models / f".new-{uuid.uuid4().hex}"
    try:
        models.mkdir(parents=True, exist_ok=True)
        try:
            source.rename(staged)
        except OSError:  # another disk
            shutil.copytree(source, staged)
            shutil.rmtree(source)
    except OSError as error:
        raise AssayError(f"cannot move the model to {models}: {error.strerror or error}") from error
    return staged


def _add(
    session: Session, settings: Settings, bundle: Bundle, staged: Path, name: str, *, actor: str, promote: bool
) -> Model:
    now = datetime.now(UTC)
    version = (session.scalar(select(func.max(Model.version)).where(Model.name == name)) or 0) + 1
    model = Model(
        name=name,
        version=version,
        kind=bundle.manifest.kind,
        state="candidate",
        folder=f"models/{name}/{version}",
        manifest_sha256=bundle.manifest_sha256,
        metrics=bundle.manifest.metrics,
        created_at=now,
    )
    session.add(model)
    session.flush()
    if promote:
        session.execute(update(Model).where(Model.name == name, Model.state == "champion").values(_ARCHIVED))
        model.state, model.promoted_at = "champion", now
    detail = {"sha256": bundle.manifest_sha256, "state": model.state}
    audit.append(session, actor=actor, action="model.register", subject=f"{name}@{version}", detail=detail)
    folder = settings.home.resolve() / model.folder
    if folder.exists():  # left by a process that died between this rename and its commit
        folder.rename(folder.with_name(f".lost-{uuid.uuid4().hex}"))
    os.rename(staged, folder)
    return model


_ARCHIVED = {"state": "archived", "row_version": Model.row_version + 1}


def _crown(db: sqlalchemy.Engine, model: Model, *, actor: str, action: str) -> Model:
    try:
        with writing(db) as session:
            present = session.scalars(select(Model).where(Model.name == model.name, Model.state == "champion")).first()
            if present is not None and present.id == model.id:
                return present
            session.execute(update(Model).where(Model.name == model.name, Model.state == "champion").values(_ARCHIVED))
            chosen = update(Model).where(Model.id == model.id, Model.row_version == model.row_version)
            values: dict[str, Any] = {
                "state": "champion",
                "row_version": Model.row_version + 1,
                "promoted_at": func.coalesce(Model.promoted_at, datetime.now(UTC)),
            }
            if action == "model.promote":
                values["promoted_at"] = datetime.now(UTC)
            changed = session.execute(chosen.values(values)).rowcount  # type: ignore[attr-defined]
            if changed != 1:
                raise _raced(model)
            detail = {"from": None if present is None else present.version, "to": model.version}
            audit.append(session, actor=actor, action=action, subject=f"{model.name}@{model.version}", detail=detail)
    except IntegrityError as error:  # PostgreSQL: two champions at once
        raise _raced(model) from error
    return get_model(db, model.id)


def _raced(model: Model) -> GateError:
    return GateError(f"model {model.name} was changed by somebody else just now; look at it and try again", code="RACE")


def _what_there_is(session: Session, reference: str, name: str) -> str:
    versions = session.scalars(select(Model.version).where(Model.name == name).order_by(Model.version)).all()
    if versions:
        listed = ", ".join(f"{name}@{version}" for version in versions)
        lack = f"no model {reference!r}" if "@" in reference else f"model {name} has no champion"
        return f"{lack}; there is {listed}: name one, or make one the champion with assay models promote"
    names = session.scalars(select(Model.name).distinct().order_by(Model.name)).all()
    if not names:
        return f"no model {reference!r}; there is none yet: train one with assay train"
    return f"no model {reference!r}; there is {', '.join(names)}"
