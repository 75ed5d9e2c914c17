"""Reads a file of cases: which columns are text, which numbers, and what the ids are.

Applications for credit come in pieces. A table of companies comes as a whole, since the years of a company may stand
anywhere in it.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from apps.store.pieces import Piece
from core.errors import InputError
from core.runtime.manifest import Manifest
from data.source import Source
from data.spec import FeatureSpec
from data.tables import open_source, read_chunks
from pipelines.finance.company_frame import future_rows
from pipelines.finance.company_plan import CompanyPlan
from pipelines.finance.company_reports import ReportCase
from pipelines.finance.reports.archive import read_file
from pipelines.finance.reports.batch import SUFFIXES, reports_in
from pipelines.finance.reports.extract import extract
from pipelines.finance.reports.markup import unpack

TABLES = (".csv", ".tsv", ".xlsx", ".xlsm")  # could be either; here they are tables of cases


def read_cases(
    source: Source, spec: FeatureSpec, *, id_column: str | None = None, where: Mapping[str, str], rows: int
) -> Iterator[Piece]:
    """Yield at most `rows` cases at a time, in file order; without an id column the row number, from 1, is the id.

    InputError: the file is no good, or `id_column` is not in it.
    """
    id_column = id_column or (spec.id_column if spec.id_column in source.columns else None)
    if id_column is not None and id_column not in source.columns:
        raise InputError(f"{source.path} has no column {id_column!r} for the ids; it has {', '.join(source.columns)}")
    numbers = [column.name for column in spec.columns if column.kind == "number"]
    text = [column.name for column in spec.columns if column.kind == "category"] + ([id_column] if id_column else [])
    for chunk in read_chunks(source, rows=rows, text=text, numbers=numbers, where=where):
        ids = chunk.rows + 1 if id_column is None else chunk.frame[id_column].fillna("")
        yield Piece(frame=chunk.frame, ids=tuple(ids.astype(str)), errors=dict(chunk.errors))


def read_companies(
    source: Source,
    manifest: Manifest,
    *,
    id_column: str | None = None,
    where: Mapping[str, str],
    most_rows: int = sys.maxsize - 1,
) -> Piece:
    """All rows of a table of statements; without a column of companies the row number, from 1, is the id.

    A row of a period more than a year after today has the error FUTURE_PERIOD.
    InputError: the file is no good, a column is absent, `id_column` is not the one that years are joined by, or there
    are more than `most_rows` rows.
    """
    spec, plan = FeatureSpec.from_json(manifest.spec), CompanyPlan.from_json(manifest.about.get("company"))
    if id_column is not None and plan.company is not None and id_column != plan.company:
        raise InputError(f"the model joins the years of a company by {plan.company!r}; --id cannot be {id_column!r}")
    id_column = id_column or plan.company
    if id_column is not None and id_column not in source.columns:
        raise InputError(f"{source.path} has no column {id_column!r} for the ids; it has {', '.join(source.columns)}")
    numbers = plan.headings(source.columns)
    text = [column.name for column in spec.columns if column.kind == "category"] + ([id_column] if id_column else [])
    chunk = next(read_chunks(source, rows=most_rows + 1, text=text, numbers=numbers, where=where))
    if len(chunk.frame) > most_rows:
        words = f"more than {most_rows:,} rows, and the years of a company are held together"
        raise InputError(f"{source.path} has {words}; split it between companies", code="FILE_TOO_LARGE")
    ids = chunk.rows + 1 if id_column is None else chunk.frame[id_column].fillna("")
    errors = future_errors(chunk.frame, plan.period) | dict(chunk.errors)
    return Piece(frame=chunk.frame, ids=tuple(ids.astype(str)), errors=errors)


def future_errors(frame: pd.DataFrame, period: str | None) -> dict[int, str]:
    """Rows (by position) of a period more than a year after today, each with its error."""
    return future_rows(frame[period], datetime.now(UTC).date()) if period in frame else {}


def is_report(path: Path) -> bool:
    """Tell whether a path is a company report, or a folder of them, and no table."""
    name = path.name.lower().removesuffix(".gz")
    return path.is_dir() or name.endswith(tuple(suffix for suffix in SUFFIXES if suffix not in TABLES))


def is_statements(path: Path, manifest: Manifest) -> bool:
    """Tell whether a CSV or XLSX holds the statements of one report, and is no table of cases."""
    if not path.is_file() or not path.name.lower().removesuffix(".gz").endswith(TABLES):
        return False
    plan = CompanyPlan.from_json(manifest.about.get("company"))
    try:
        columns = open_source(path).columns
    except InputError:  # such a sheet need not begin with a header
        columns = ()
    if plan.company in columns or plan.headings(columns):
        return False
    try:
        return any(extract(path).statements.values())
    except InputError:
        return False


def read_reports(
    path: Path, *, company: str | None = None, passed_over: Callable[[Path], None] = lambda path: None
) -> Iterator[ReportCase]:
    """Yield the reports one by one; one that cannot be read carries its error. `company`: whose they are said to be.

    JSON in a folder that holds no company facts is no report: it is told to `passed_over`.
    """
    for file in reports_in([path]):
        inside = path.is_dir() and file != path
        name = str(file.relative_to(path)) if inside else file.name
        case = _read_report(file, name, company)
        if inside and _is_other_json(file, case):
            passed_over(file)
        else:
            yield case


def _read_report(file: Path, name: str, company: str | None) -> ReportCase:
    try:
        return ReportCase(id=name, report=extract(file, company))
    except InputError as error:
        return ReportCase(id=name, report=None, error=f"{error.code}: {error}")


def _is_other_json(file: Path, case: ReportCase) -> bool:
    """Whether a file is sound JSON in which nothing of a report was found."""
    if not file.name.lower().removesuffix(".gz").endswith(".json"):
        return False
    if case.report is not None and (case.report.facts or any(case.report.statements.values())):
        return False
    try:
        json.loads(unpack(read_file(file, str(file)), str(file)))
    except (InputError, ValueError, RecursionError):
        return False
    return True
