"""`assay jobs`: scheduled batch jobs."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from apps.cli.console import emit_json, emit_table, note, parse_where, tell
from apps.cli.waiting import wait_for_job
from apps.settings import load_settings
from apps.store import jobs, schedules
from apps.store.database import open_database
from core.errors import InputError

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Scheduled batch jobs.")

Json = Annotated[bool, typer.Option("--json", help="print one JSON document")]


class Kind(StrEnum):
    """What a scheduled job does."""

    score = "score"
    inspect = "inspect"


class CatchUp(StrEnum):
    """What happens with due times that passed while nothing was running."""

    latest = "latest"
    all = "all"
    skip = "skip"


@app.command(name="list")
def list_all(as_json: Json = False) -> None:
    """List the schedules and the newest jobs.

    Example: assay jobs list
    """
    db = open_database(load_settings())
    planned = [
        {"name": s.name, "kind": s.kind, "cron": s.cron, "next": _time(s.next_due_at), "last": _time(s.last_due_at)}
        for s in schedules.list_schedules(db)
    ]
    newest = [_job(job) for job in jobs.list_jobs(db, limit=20)]
    if as_json:
        emit_json({"schedules": planned, "jobs": newest})
        return
    emit_table("schedules (times are UTC)", ("name", "kind", "cron", "next", "last"), _rows(planned))
    columns = ("id", "kind", "state", "rows", "failed", "created", "finished", "error")
    emit_table("newest jobs", columns, _rows(newest))


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="name of the schedule")],
    cron: Annotated[str, typer.Option(help="minute hour day month weekday, UTC; or @hourly, @every 30s")],
    model: Annotated[str, typer.Option(help="NAME (the champion at each run) or NAME@VERSION")],
    data: Annotated[Path, typer.Option(help="file of cases, or folder of pictures, read anew at each run")],
    out: Annotated[str | None, typer.Option(help="file to write; {due} becomes the due time")] = None,
    kind: Annotated[Kind, typer.Option(help="score a table or inspect pictures")] = Kind.score,
    where: Annotated[list[str] | None, typer.Option(help="COLUMN=VALUE: keep only these rows")] = None,
    reasons: Annotated[int, typer.Option(min=0, max=50, help="reasons a row; 0 for none")] = 4,
    catch_up: Annotated[CatchUp, typer.Option(help="due times missed: latest, all or skip")] = CatchUp.latest,
    as_json: Json = False,
) -> None:
    """Add a schedule; `assay schedule` (or `assay up`) starts its jobs, workers do them.

    Example: assay jobs add nightly --cron '0 2 * * *' --model loans --data new.csv --out 'scored-{due}.csv'
    """
    params: dict[str, Any] = {"model": model, "data": str(data.resolve())}
    if out is not None:
        params["out"] = str(Path(out).resolve())
    if kind is Kind.score:
        params |= {"where": parse_where(where or []), "reasons": reasons}
    elif where:
        raise InputError("--where is for --kind score: a folder of pictures has no columns")
    db = open_database(load_settings())
    added = schedules.add_schedule(db, name=name, cron=cron, kind=kind.value, params=params, catch_up=catch_up.value)
    due = _time(added.next_due_at)
    tell(f"added {name}; next run {due} UTC", {"name": name, "cron": cron, "next": due}, as_json)


@app.command()
def run(name: Annotated[str, typer.Argument(help="name of the schedule")], as_json: Json = False) -> None:
    """Run a scheduled job now, by the running workers, and wait for it.

    Example: assay jobs run nightly
    """
    settings = load_settings()
    db = open_database(settings)
    job = schedules.run_schedule_now(db, settings, name)
    summary = wait_for_job(db, job.id, f"running {name}")
    if as_json:
        emit_json({"id": job.id, "out": job.params.get("out"), **summary})
    else:
        note(f"job {job.id} done: {summary['rows']} rows, {summary['failed']} failed, in {job.params.get('out')}")


@app.command()
def remove(name: Annotated[str, typer.Argument(help="name of the schedule")], as_json: Json = False) -> None:
    """Remove a schedule; the jobs that it made stay.

    Example: assay jobs remove nightly
    """
    schedules.remove_schedule(open_database(load_settings()), name)
    tell(f"removed {name}", {"name": name, "removed": True}, as_json)


def _job(job: Any) -> dict[str, Any]:
    return {
        "id": job.id,
        "kind": job.kind,
        "state": job.state,
        "rows": job.rows_total,
        "failed": job.summary.get("failed"),
        "created": _time(job.created_at),
        "finished": _time(job.finished_at),
        "error": job.error,
    }


def _rows(entries: list[dict[str, Any]]) -> list[tuple[object, ...]]:
    return [tuple(entry.values()) for entry in entries]


def _time(at: Any) -> str | None:
    return None if at is None else f"{at:%Y-%m-%d %H:%M:%S}"
