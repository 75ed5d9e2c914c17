"""Schedules: jobs that recur. One job a schedule and due time, however many processes look after them."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from apps.settings import Settings
from apps.store import audit
from apps.store.cron import parse_cron
from apps.store.cutting import refuse_kinds
from apps.store.database import reading, write, writing
from apps.store.jobs import Due, Order, submit_inspect_job, submit_score_job
from apps.store.models import resolve
from apps.store.tables import Job, Model, Schedule
from core.errors import AssayError, InputError, NotFoundError

CATCH_UP = ("latest", "all", "skip")
LATE = timedelta(seconds=60)  # a due time missed by more is caught up on, or skipped
_MOST_MISSED = 100  # due times that `all` makes up for at once
_PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"}


def add_schedule(
    db: sqlalchemy.Engine,
    *,
    name: str,
    cron: str,
    kind: str,
    params: Mapping[str, Any],
    catch_up: str = "latest",
    actor: str = "local",
) -> Schedule:
    """Add a schedule. `params`: model, data, out, and for kind score also id, where, reasons, reasons_for.

    `{due}` in `out` becomes the due time, as 20250131T120000. `catch_up` says what happens with due times that passed
    while nothing was running: run the latest one, all, or none.
    """
    if kind not in ("score", "inspect"):
        raise InputError(f"a schedule is of kind score or inspect, got {kind!r}")
    if catch_up not in CATCH_UP:
        raise InputError(f"catch-up is one of {', '.join(CATCH_UP)}, got {catch_up!r}")
    if unknown := set(re.findall(r"{[^{}]*}", str(params.get("out") or ""))) - {"{due}"}:
        raise InputError(f"out may hold {{due}} for the due time, got {unknown.pop()}; write it without braces")
    if missing := {"model", "data"} - set(params):
        raise InputError(f"a schedule needs {' and '.join(sorted(missing))}")
    model = resolve(db, params["model"])
    if kind == "score":
        refuse_kinds(model, Path(params["data"]))
    now = datetime.now(UTC)
    schedule = Schedule(
        name=name,
        cron=cron,
        kind=kind,
        params=dict(params),
        catch_up=catch_up,
        enabled=True,
        next_due_at=parse_cron(cron).next_after(now),
        last_due_at=None,
        created_at=now,
    )
    try:
        with writing(db) as session:
            session.add(schedule)
            session.flush()
            audit.append(session, actor=actor, action="schedule.add", subject=name, detail={"cron": cron, **params})
    except IntegrityError as error:
        raise InputError(f"there is a schedule {name!r} already; remove it first") from error
    return schedule


def list_schedules(db: sqlalchemy.Engine) -> list[Schedule]:
    """Return all schedules by name."""
    with reading(db) as session:
        return list(session.scalars(select(Schedule).order_by(Schedule.name)))


def get_schedule(db: sqlalchemy.Engine, name: str) -> Schedule:
    """Return a schedule; NotFoundError says which there are."""
    schedules = {schedule.name: schedule for schedule in list_schedules(db)}
    if name not in schedules:
        raise NotFoundError(f"no schedule {name!r}; there is {', '.join(schedules) or 'none yet'}")
    return schedules[name]


def remove_schedule(db: sqlalchemy.Engine, name: str, *, actor: str = "local") -> None:
    """Remove a schedule; the jobs that it made stay."""
    schedule = get_schedule(db, name)
    with writing(db) as session:
        session.execute(update(Job).where(Job.schedule_id == schedule.id).values(schedule_id=None, due_at=None))
        session.delete(schedule)
        audit.append(session, actor=actor, action="schedule.remove", subject=name, detail={})


def run_schedule_now(db: sqlalchemy.Engine, settings: Settings, name: str, *, actor: str = "local") -> Job:
    """Submit the job of a schedule at once; its due times stay as they are."""
    return _submit(db, settings, get_schedule(db, name), datetime.now(UTC), Order(actor=actor))


def run_due(db: sqlalchemy.Engine, settings: Settings, *, at: datetime | None = None) -> list[Job]:
    """Submit the jobs that are due at `at` (now) and move the schedules on; returns the jobs, failed ones too.

    The job comes first, under a unique (schedule, due time), and then the schedule moves on: whoever dies in between
    or comes second makes no second job.
    """
    at = at or datetime.now(UTC)
    with reading(db) as session:
        due = select(Schedule).where(Schedule.enabled, Schedule.next_due_at <= at).order_by(Schedule.next_due_at)
        schedules = session.scalars(due).all()
    jobs = []
    for schedule in schedules:
        for moment in _moments(schedule, at):
            order = Order(due=Due(schedule_id=schedule.id, at=moment), actor=f"schedule:{schedule.name}")
            jobs.append(_submit_or_fail(db, settings, schedule, moment, order))
        _move_on(db, schedule, at)
    return jobs


def _moments(schedule: Schedule, at: datetime) -> list[datetime]:
    """Return the due times to run now, by the schedule's rule for catching up."""
    cron, moment = parse_cron(schedule.cron), schedule.next_due_at
    passed: list[datetime] = []
    while moment is not None and moment <= at and len(passed) < _MOST_MISSED:
        passed.append(moment)
        moment = cron.next_after(moment)
    if moment is not None and moment <= at:
        passed = [*passed[:-1], at.replace(microsecond=0)]  # too many to count: the latest stands for them
    if schedule.catch_up == "all":
        return passed
    latest = passed[-1:]
    return [moment for moment in latest if schedule.catch_up == "latest" or at - moment <= LATE]


def _move_on(db: sqlalchemy.Engine, schedule: Schedule, at: datetime) -> None:
    following = schedule.next_due_at or at
    cron = parse_cron(schedule.cron)
    for _ in range(_MOST_MISSED):
        if following > at:
            break
        following = cron.next_after(following)
    if following <= at:
        following = cron.next_after(at)
    mine = update(Schedule).where(Schedule.id == schedule.id, Schedule.next_due_at == schedule.next_due_at)
    change = mine.values(next_due_at=following, last_due_at=schedule.next_due_at)
    write(db, lambda session: session.execute(change.execution_options(synchronize_session=False)))


def _submit_or_fail(
    db: sqlalchemy.Engine, settings: Settings, schedule: Schedule, moment: datetime, order: Order
) -> Job:
    try:
        return _submit(db, settings, schedule, moment, order)
    except (InputError, NotFoundError) as error:
        return _failed_job(db, schedule, order, f"{error.code}: {error}")


def _submit(db: sqlalchemy.Engine, settings: Settings, schedule: Schedule, moment: datetime, order: Order) -> Job:
    params = schedule.params
    model, data = resolve(db, params["model"]), Path(params["data"])
    out = Path(params["out"].replace("{due}", moment.strftime("%Y%m%dT%H%M%S"))) if params.get("out") else None
    if schedule.kind == "inspect":
        paths = sorted(p for p in data.rglob("*") if p.suffix.lower() in _PICTURES) if data.is_dir() else [data]
        return submit_inspect_job(db, settings, model=model, paths=paths, out=out, order=order)
    return submit_score_job(
        db,
        settings,
        model=model,
        source=data,
        out=out,
        id_column=params.get("id"),
        where=params.get("where"),
        reasons=params.get("reasons", 4),
        reasons_for=params.get("reasons_for", "review"),
        order=order,
    )


def _failed_job(db: sqlalchemy.Engine, schedule: Schedule, order: Order, cause: str) -> Job:
    """Leave a trace of a run that could not begin, under its due time."""

    def work(session: Session) -> Job:
        model = session.scalars(select(Model).where(Model.name == schedule.params["model"].partition("@")[0])).first()
        if model is None or order.due is None:
            raise AssayError(f"schedule {schedule.name}: {cause}")
        now = datetime.now(UTC)
        due = select(Job).where(Job.schedule_id == order.due.schedule_id, Job.due_at == order.due.at)
        job = session.scalars(due).first() or Job(
            id=f"{schedule.id:x}-{int(order.due.at.timestamp()):x}",
            kind=schedule.kind,
            state="failed",
            model_id=model.id,
            params=schedule.params,
            error=cause,
            schedule_id=order.due.schedule_id,
            due_at=order.due.at,
            created_at=now,
            finished_at=now,
        )
        session.add(job)
        return job

    return write(db, work)
