"""`assay alerts`: the queue of each day, card by card, with reasons and the transactions that caused them."""

import time
from pathlib import Path
from typing import Annotated

import typer

from apps.cli.console import emit_json, note, parse_where, progress_bar
from apps.engines import engine_for
from apps.histories import Columns, read_history
from apps.settings import load_settings
from apps.store import models
from apps.store.database import open_database
from apps.store.runs import record_run
from core.errors import InputError
from data.tables import TableWriter
from pipelines.finance.alerts import make_alerts
from pipelines.finance.fraud import ledger_of

app = typer.Typer(add_completion=False)


@app.command()
def alerts(
    name: Annotated[str, typer.Argument(help="NAME or NAME@VERSION of a fraud model")],
    data: Annotated[Path, typer.Option(help="the transactions, with the past of their cards: CSV, Parquet or XLSX")],
    out: Annotated[Path, typer.Option(help="file of alerts to write: .csv, .csv.gz, .parquet or .xlsx")],
    where: Annotated[list[str] | None, typer.Option(help="COLUMN=VALUE: these are queued, all are history")] = None,
    per_day: Annotated[
        int | None, typer.Option(min=1, help="cards a day; default: those that the model does not approve")
    ] = None,
    keep_known: Annotated[
        bool, typer.Option("--keep-known", help="keep cards in the queue whose fraud is known already")
    ] = False,
    id_column: Annotated[str | None, typer.Option("--id", help="column with the id; default: the model's own")] = None,
    reasons: Annotated[int, typer.Option(min=0, max=50, help="reasons an alert; 0 for none")] = 4,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Queue the cards of each day, the most suspicious first, each with its transaction, reasons and their evidence.

    evidence_1 names the transactions that caused reason_1, the newest first. A card leaves the queue once a fraud on it
    is known, which is a label delay after it.

    Example: assay alerts cards --data transactions.csv --where split=test --per-day 100 --out alerts.csv
    """
    settings = load_settings()
    db = open_database(settings)
    model = models.resolve(db, name)
    if model.kind != "fraud":
        raise InputError(f"{model.name}@{model.version} is a model of kind {model.kind}; assay alerts takes fraud")
    if out.exists() and data.exists() and out.samefile(data):
        raise InputError(f"--out {out} is the file of --data and would be overwritten; name another file")
    started = time.monotonic()
    engine = engine_for(settings, model)
    with progress_bar(f"queueing {data.name}") as progress:
        history = read_history(data, Columns.of_model(engine.bundle.manifest, id_column), parse_where(where or []))
        progress(0.3, f"measuring {int(history.chosen[0].sum())} transactions")
        found = make_alerts(
            ledger_of(history.frame, engine, history.errors),
            history.chosen[0],
            engine,
            ids=history.ids,
            per_day=per_day,
            keep_known=keep_known,
            reasons=reasons,
        )
    frame = found.frame.assign(model=model.name, model_version=model.version)
    with TableWriter(out) as writer:
        writer.write(frame)
    summary = found.to_json()
    params = {"source": str(data.resolve()), "out": str(out.resolve()), "per_day": per_day, "keep_known": keep_known}
    record_run(db, kind="alerts", model=model, params=params, summary=summary)
    if not found.labelled:
        note(f"{data}: no label is known, so nobody's fraud is: risk features are empty, and no card leaves the queue")
    if found.failed:
        note(f"{found.failed} rows could not be judged; assay score says why, row by row")
    if as_json:
        emit_json({"model": model.name, "model_version": model.version, "out": str(out), **summary})
        return
    seconds = time.monotonic() - started
    rate = summary["alerts_per_day"]
    note(f"wrote {summary['alerts']} alerts of {found.days} days ({rate:.1f} a day) to {out} in {seconds:.1f} s")
