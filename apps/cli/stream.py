"""`assay stream`: what streams of transactions hold; put history in, and send transactions to time the answers."""

import time
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from apps.cli.console import emit_json, emit_table, note, parse_where, progress_bar, tell
from apps.settings import load_settings
from apps.store import models
from apps.store.database import open_database
from apps.store.stream_history import contents, prune_all, put_history
from apps.store.streams import Journal
from apps.store.tables import Model
from apps.stream_files import TransactionFile
from apps.stream_replay import CONNECTIONS, replay
from core.errors import AssayError, InputError
from core.runtime.bundle import open_bundle
from data.tables import open_source
from pipelines.finance.transactions.plan import TransactionPlan

AT_ONCE = 2_000  # transactions in one database transaction, so that live ones need not wait long
SHOWN = 5

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Streams of transactions of fraud models.")

Name = Annotated[str, typer.Argument(help="NAME or NAME@VERSION of a fraud model")]
Data = Annotated[Path, typer.Option(help="a table of transactions: CSV, CSV.GZ, Parquet or XLSX")]
Where = Annotated[list[str] | None, typer.Option(help="COLUMN=VALUE: only these rows")]
Json = Annotated[bool, typer.Option("--json", help="print one JSON document")]


@app.command()
def load(name: Name, data: Data, where: Where = None, as_json: Json = False) -> None:
    """Put transactions of the past into the stream of a model, so that it begins with a history.

    Labels in the model's target column come along and count after the model's delay. What lies too far behind the
    newest to be looked at is left out. Doing it again changes nothing; it may run beside a gateway.

    Example: assay stream load cards --data history.parquet
    """
    model, file = _open(name, data, where)
    journal = Journal.open(open_database(load_settings()), model.name, file.plan)
    started, rows, kept = time.monotonic(), 0, 0
    errors: Counter[str] = Counter()
    with progress_bar(f"loading {data.name}") as progress:
        for piece in file.history():
            for start in range(0, len(piece.past), AT_ONCE):
                kept += put_history(journal, piece.past[start : start + AT_ONCE])
                progress(0.0, f"kept {kept} transactions")
            rows += piece.rows
            errors.update(told.partition(":")[0] for told in piece.errors.values())
            for row, told in list(piece.errors.items())[: SHOWN if sum(errors.values()) <= SHOWN else 0]:
                note(f"{data}: row {row + 1}: {told}")
        removed = prune_all(journal)
    if errors.total() == rows:
        raise InputError(f"{data}: not one of {rows} rows is a transaction; the first faults are above")
    seconds = time.monotonic() - started
    document = {"rows": rows, "kept": kept, "errors": dict(errors), "removed": removed, "seconds": round(seconds, 2)}
    faults = f"; {errors.total()} rows are none" if errors else ""
    tell(f"kept {kept} of {rows} rows of {data} in {seconds:.1f} s{faults}", document, as_json)


@app.command(name="replay")
def replay_file(
    name: Name,
    data: Data,
    key: Annotated[str, typer.Option(help="API key, made by assay keys add")],
    url: Annotated[str, typer.Option(help="where the gateway listens")] = "http://127.0.0.1:8000",
    rate: Annotated[float, typer.Option(help="transactions a second")] = 200.0,
    where: Where = None,
    rows: Annotated[int | None, typer.Option(min=1, help="so many at most")] = None,
    labels: Annotated[bool, typer.Option("--labels", help="send the labels of the target column along")] = False,
    connections: Annotated[int, typer.Option(min=1, max=500, help="open at a time")] = CONNECTIONS,
    as_json: Json = False,
) -> None:
    """Send the transactions of a file to a gateway at a steady rate, and say how long the answers took.

    Each is due at its moment whatever became of those before; its latency counts from then, not from when it was sent.

    Example: assay stream replay cards --data today.parquet --rate 200 --key $KEY
    """
    _, file = _open(name, data, where)
    found = replay(file.requests(name, labels=labels, most=rows), url, key, rate=rate, connections=connections)
    told = found.summary()
    if as_json:
        emit_json(told)
    else:
        emit_table(f"{told['sent']} transactions to {url}", ("what", "value"), [*told.items()])
    if not found.latency_ms:
        raise AssayError(f"not one transaction was answered: {dict(found.problems)}")


@app.command()
def show(name: Name, as_json: Json = False) -> None:
    """Say what the stream of a model holds.

    Example: assay stream show cards
    """
    settings = load_settings()
    db = open_database(settings)
    model = models.resolve(db, name)
    manifest = open_bundle(models.model_folder(settings, model)).manifest
    plan = TransactionPlan.from_json(manifest.about.get("transactions"))
    state = contents(Journal.open(db, model.name, plan))
    if as_json:
        emit_json(state)
    else:
        emit_table(f"the stream {model.name}", ("what", "value"), [*state.items()])


def _open(name: str, data: Path, where: list[str] | None) -> tuple[Model, TransactionFile]:
    settings = load_settings()
    model = models.resolve(open_database(settings), name)
    if model.kind != "fraud":
        words = "streams are of fraud models"
        raise InputError(f"{model.name}@{model.version} is a model of kind {model.kind}; {words}", code="WRONG_KIND")
    manifest = open_bundle(models.model_folder(settings, model)).manifest
    return model, TransactionFile(open_source(data), manifest, parse_where(where or []))
