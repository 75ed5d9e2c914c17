"""`assay score`: a file of cases in, a file of verdicts out, in input order and in bounded memory."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer

from apps.cases import is_report, is_statements, read_reports
from apps.cli.console import Progress, emit_json, emit_table, note, parse_where, progress_bar
from apps.cli.score_volatility import score_volatility
from apps.cli.scorers import SCORERS, Asked
from apps.cli.waiting import wait_for_job
from apps.engines import engine_for
from apps.settings import load_settings
from apps.store import models
from apps.store.database import open_database
from apps.store.runs import record_run
from apps.store.tables import Model
from core.errors import InputError
from core.runtime.attribute import attribution
from core.runtime.bundle import open_bundle
from core.runtime.engine import Engine
from data.tables import TableWriter, open_source
from pipelines.finance.company import Wish, score_reports
from pipelines.finance.score import Scored

MOST_WARNINGS = 12  # that are told one by one
GATHERED = 2  # columns of one warning that are told in one line
BIN_POINTS = 20.0
ROWS_AT_ONCE = 50_000
SERIES = "volatility"  # the kind of model that forecasts a day and decides nothing

app = typer.Typer(add_completion=False)


class ReasonsFor(StrEnum):
    """Which rows get reasons."""

    review = "review"
    all = "all"


@dataclass(kw_only=True)
class Totals:
    """What is summed up while rows stream by."""

    rows: int = 0
    failed: int = 0
    decisions: Counter[str] = field(default_factory=Counter)
    histogram: Counter[tuple[float, str]] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)
    extra: tuple[str, ...] = ()

    def add(self, scored: Scored) -> None:
        """Add the rows of one piece."""
        frame = scored.frame
        self.rows += len(frame)
        self.failed += scored.failed
        self.warnings.update(scored.warnings)
        self.extra = scored.extra
        judged = frame["decision"].notna()
        self.decisions.update({"error": scored.failed} if scored.failed else {})
        bins = np.floor(frame["score"][judged] / BIN_POINTS) * BIN_POINTS
        counted = pd.DataFrame({"low": bins, "decision": frame["decision"][judged]}).value_counts()
        for (low, decision), number in counted.items():
            self.histogram[low, decision] += int(number)
            self.decisions[decision] += int(number)

    def to_json(self) -> dict[str, Any]:
        """The summary that is kept with the run."""
        bins = sorted(self.histogram.items())
        return {
            "rows": self.rows,
            "failed": self.failed,
            "decisions": dict(self.decisions),
            "warnings": dict(self.warnings),
            "bin_points": BIN_POINTS,
            "histogram": [{"low": low, "decision": decision, "count": n} for (low, decision), n in bins],
        }


@app.command()
def score(
    name: Annotated[str, typer.Argument(help="NAME or NAME@VERSION of a credit, company, fraud or volatility model")],
    data: Annotated[
        Path,
        typer.Option(help="the cases: CSV, CSV.GZ, Parquet or XLSX; for a company model also reports, see above"),
    ],
    out: Annotated[Path, typer.Option(help="file of verdicts to write: .csv, .csv.gz, .parquet or .xlsx")],
    where: Annotated[list[str] | None, typer.Option(help="COLUMN=VALUE: keep only these rows")] = None,
    id_column: Annotated[str | None, typer.Option("--id", help="column with the id; default: the model's own")] = None,
    reasons: Annotated[int, typer.Option(min=0, max=50, help="reasons a row; 0 for none")] = 4,
    reasons_for: Annotated[
        ReasonsFor, typer.Option(help="review: rows that are declined or reviewed; all")
    ] = ReasonsFor.review,
    chunk: Annotated[int, typer.Option(min=1, help="rows at a time")] = ROWS_AT_ONCE,
    company: Annotated[str | None, typer.Option(help="whose the report is said to be; another's is an error")] = None,
    workers: Annotated[bool, typer.Option("--workers", help="let the running workers do it")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Score a file of cases. A row that cannot be scored keeps its place, with the error in its last column.

    A company model takes a table of statements; earlier years are history, and only the cases come out. It takes
    reports too, each of which is a case: HTML, iXBRL, an XBRL package, company facts (JSON), PDF, text, a CSV or XLSX
    with one report's statements and without the model's columns, or a folder of them.

    A volatility model takes a series, one row a day, and forecasts the trading day after each row.

    Example: assay score loans --data new.csv --out scored.csv --reasons 3
    """
    settings = load_settings()
    db = open_database(settings)
    model = models.resolve(db, name)
    if model.kind not in (*SCORERS, SERIES):
        words = f"assay score takes {', '.join((*SCORERS, SERIES))}"
        raise InputError(f"{model.name}@{model.version} is a model of kind {model.kind}; {words}")
    if out.exists() and data.exists() and out.samefile(data):
        raise InputError(f"--out {out} is the file of --data and would be overwritten; name another file")
    if model.kind == SERIES:
        if workers or where or id_column is not None or company is not None:
            raise InputError("a series is forecast whole: --workers, --where, --id and --company mean nothing there")
        score_volatility(settings, model, data, out, as_json=as_json)
        return
    started = time.monotonic()
    if workers:
        from apps.store.cutting import refuse_kinds  # noqa: PLC0415  (not needed to score here)
        from apps.store.jobs import submit_score_job  # noqa: PLC0415
        from apps.worker.app import create_celery, require_broker  # noqa: PLC0415

        if company is not None:
            raise InputError("--company says whose a report is, and --workers is for tables; leave one of them out")
        refuse_kinds(model, data)
        require_broker(create_celery(settings))
        job = submit_score_job(
            db,
            settings,
            model=model,
            source=data,
            out=out,
            id_column=id_column,
            where=parse_where(where or []),
            reasons=reasons,
            reasons_for=reasons_for.value,
            rows_per_chunk=min(chunk, 5_000),
        )
        summary = wait_for_job(db, job.id, f"scoring {data.name}")
    else:
        engine = engine_for(settings, model)
        source = None if model.kind == "company" and _is_report(data, engine) else open_source(data)
        with progress_bar(f"scoring {data.name}") as progress:
            wish = Asked(parse_where(where or []), id_column, reasons, reasons_for.value, chunk, company)
            pieces = _reports(data, engine, wish) if source is None else SCORERS[model.kind](source, engine, wish)
            totals = _write(pieces, data, out, model, progress)
        _tell(data, () if source is None else source.notes, totals, engine)
        summary = totals.to_json()
        params = {"source": str(data.resolve()), "out": str(out.resolve()), "reasons": reasons}
        record_run(db, kind="score", model=model, params=params, summary=summary)
    how = attribution(open_bundle(models.model_folder(settings, model)).manifest)
    _report(model, out, summary, how, time.monotonic() - started, as_json)


def _write(pieces: Iterator[Scored], data: Path, out: Path, model: Model, progress: Progress) -> Totals:
    """Read, score and write piece by piece. InputError, and no file, where no row is left."""
    totals = Totals()
    with TableWriter(out) as writer:
        for scored in pieces:
            totals.add(scored)
            judged = scored.frame["decision"].notna()
            place = scored.frame.columns.get_loc("error")
            scored.frame.insert(
                place, "model", pd.Series(model.name, index=scored.frame.index, dtype="str").where(judged)
            )
            version = pd.Series(model.version, index=scored.frame.index, dtype="Int64").where(judged)
            scored.frame.insert(place + 1, "model_version", version)
            writer.write(scored.frame)
            progress(0.0, f"scored {totals.rows} rows")
        if totals.rows == 0:
            raise InputError(f"{data}: no row is left after --where; check its values")
    return totals


def _reports(data: Path, engine: Engine, wish: Asked) -> Iterator[Scored]:
    if wish.where or wish.id_column is not None:
        raise InputError(f"{data} is a report, not a table: --where and --id mean nothing there")
    wanted = Wish(reasons=wish.reasons, reasons_for=wish.reasons_for)
    passed: list[Path] = []
    found = 0
    for found, case in enumerate(read_reports(data, company=wish.company, passed_over=passed.append), 1):  # noqa: B007
        yield score_reports([case], engine, wanted)
    if passed:
        note(f"{data}: {len(passed)} JSON files that hold no company facts were passed over, the first: {passed[0]}")
    if not found:
        raise InputError(f"{data} holds no report")


def _is_report(data: Path, engine: Engine) -> bool:
    return is_report(data) or is_statements(data, engine.bundle.manifest)


def _tell(data: Path, notes: Sequence[str], totals: Totals, engine: Engine) -> None:
    for words in notes:
        note(f"{data}: {words}")
    target = engine.bundle.manifest.spec.get("target")
    if totals.extra:
        listed = [f"{name} (the target)" if name == target else name for name in totals.extra]
        note(f"columns the model does not use, ignored: {', '.join(listed)}")
    tell_warnings(totals.warnings)


def tell_warnings(warnings: Counter[str]) -> None:
    """Say the most frequent ones on stderr."""
    lines = _gathered(warnings)
    for words in lines[:MOST_WARNINGS]:
        note(words)
    if len(lines) > MOST_WARNINGS:
        note(f"and {len(lines) - MOST_WARNINGS} more kinds of warnings; --json lists them")


def _gathered(warnings: Counter[str]) -> list[str]:
    """A line a warning, the most frequent first; what is said of many columns ("CODE column") in one line."""
    by_code: dict[str, list[tuple[str, int]]] = {}
    for words, rows in warnings.most_common():
        code, _, column = words.partition(" ")
        by_code.setdefault(code, []).append((column, rows))
    lines = []
    for code, found in by_code.items():
        if len(found) < GATHERED:
            lines += [f"{code} {column}".strip() + f": {rows} rows" for column, rows in found]
        else:
            lines.append(f"{code} in {len(found)} columns, most in {found[0][0]}: {found[0][1]} rows")
    return lines


def _report(model: Model, out: Path, summary: dict[str, Any], how: str, seconds: float, as_json: bool) -> None:
    rows, failed = int(summary["rows"]), int(summary["failed"])
    if 0 < failed < rows:
        note(f"{failed} of {rows} rows could not be scored; column error of {out} says why")
    if failed == rows:
        raise InputError(f"not one of {rows} rows could be scored; column error of {out} says why")
    if as_json:
        scored = {"model": model.name, "model_version": model.version, "out": str(out), "seconds": round(seconds, 2)}
        scored["attribution"] = how  # of the reasons
        emit_json({**scored, **summary})
        return
    shares = [(word, number, f"{number / rows:.1%}") for word, number in sorted(summary["decisions"].items())]
    emit_table(f"{rows} rows by {model.name}@{model.version}", ("decision", "rows", "share"), shares)
    note(f"wrote {out} in {seconds:.1f} s ({rows / max(seconds, 1e-9):,.0f} rows/s)")
