"""What the credit pages read: counts and bins summed up in SQL, pages of a hundred rows, the rows of an export."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Integer, Row, cast, func, or_, select
from sqlalchemy.orm import Session

from apps.settings import load_settings
from apps.store.database import open_database, reading
from apps.store.results import reason_text
from apps.store.tables import Result
from dashboards import plain, reads
from dashboards.charts import Bins
from dashboards.marks import DECISIONS
from dashboards.reads import JobLine, ModelLine, cached
from dashboards.words import Words

KINDS: Final = ("credit", "company", "fraud")  # of models that score rows
PAGE_ROWS: Final = 100
MOST_EXPORTED: Final = 200_000
ONLINE: Final = "online"
_SHIFT: Final = 1_000_000  # bins; makes the cast round down for negative scores too
BIN_POINTS: Final = 5.0
COUNTED_ROWS: Final = 50_000


@dataclass(frozen=True, kw_only=True)
class CaseFilter:
    """Which results are meant. `job` is a job's id, "online" or "" for all; `decisions` may hold "failed"."""

    model_id: int
    job: str = ""
    decisions: tuple[str, ...] = ()
    lowest: float = 0.0
    highest: float = 1.0
    case_id: str = ""

    @property
    def whole_job(self) -> bool:
        """Whether all rows of one job are meant, so that the job's own summary answers."""
        return bool(self.job) and self.job != ONLINE and not self.narrowed

    @property
    def narrowed(self) -> bool:
        """Whether only some of the cases are meant."""
        return bool(self.decisions or self.case_id) or (self.lowest, self.highest) != (0.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class CaseLine:
    """One scored case. Each reason is {code, words, words_zh, contribution, feature, value}, strongest first.

    Hard rules and doubts come before the others and have no contribution.
    """

    id: int
    job_id: str | None
    row: int | None
    case_id: str
    model_id: int
    score: float | None
    probability: float | None
    decision: str | None
    reasons: list[dict[str, Any]]
    error: str | None
    created_at: datetime
    period: str | None

    @property
    def name(self) -> str:
        """The case id, with the year of the statements where there is one: "F0001 · 2018"."""
        return self.case_id if self.period is None else f"{self.case_id} · {self.period}"

    @property
    def rules(self) -> list[dict[str, Any]]:
        """Reasons that stand beside the model: hard rules and doubts."""
        return [reason for reason in self.reasons if reason.get("contribution") is None]

    @property
    def pushes(self) -> list[dict[str, Any]]:
        """Reasons of the model itself."""
        return [reason for reason in self.reasons if reason.get("contribution") is not None]

    @property
    def outcome(self) -> str:
        """The decision, or "failed" where there is none."""
        return self.decision or "failed"


@dataclass(frozen=True, kw_only=True)
class Sums:
    """Cases by decision ("failed" for those without one), and by score and decision."""

    counts: Mapping[str, int]
    bins: Bins

    @property
    def total(self) -> int:
        return sum(self.counts.values())


def models() -> list[ModelLine]:
    """All versions of the models that score rows, by name."""
    found = [model for kind in KINDS for model in reads.models(kind=kind)]
    return sorted(found, key=lambda model: (model.name, model.state != "champion", -model.version))


@cached
def sums(session: Session, wanted: CaseFilter, most: int = 60) -> Sums:
    """Count the cases in one pass over the rows; scores in bins of 5, 10, 20, ... points, about `most` of them."""
    number: ColumnElement[Any] = Result.score / BIN_POINTS
    if session.get_bind().dialect.name == "postgresql":
        number = cast(func.floor(number), Integer)
    else:
        number = cast(number + _SHIFT, Integer) - _SHIFT
    query = select(number.label("bin"), Result.decision, func.count()).where(*_conditions(wanted))
    rows = session.execute(query.group_by("bin", Result.decision)).all()
    counts: dict[str, int] = {}
    for _, decision, count in rows:
        counts[decision or "failed"] = counts.get(decision or "failed", 0) + count
    scored = sorted(((row[0], row[1], row[2]) for row in rows if row[0] is not None), key=lambda row: row[0])
    wider = 1
    while scored and (scored[-1][0] - scored[0][0]) / wider > most:
        wider *= 2
    merged = [(place // wider, decision, count) for place, decision, count in scored]
    return Sums(counts=counts, bins=_bins(merged, BIN_POINTS * wider))


def summed_up(job: JobLine) -> Sums | None:
    """The same from the summary of a finished job, or None where it has none.

    Summaries hold a list of {low, decision, count} with `bin_points`, or columns of counts beside `edges`.
    """
    decisions, told = job.summary.get("decisions"), job.summary.get("histogram")
    if not isinstance(decisions, dict) or not told:
        return None
    counts = {name: int(decisions.get(name, 0)) for name in DECISIONS} | {"failed": int(job.summary.get("failed", 0))}
    if isinstance(told, dict):
        columns = {decision: tuple(told[decision]) for decision in DECISIONS if decision in told}
        return Sums(counts=counts, bins=Bins(edges=tuple(told["edges"]), counts=columns))
    width = float(job.summary["bin_points"])
    rows = [(round(one["low"] / width), one["decision"], one["count"]) for one in told]
    return Sums(counts=counts, bins=_bins(rows, width))


@cached
def has_rows(session: Session, job_id: str) -> bool:
    """Whether the rows of a job are kept here; a run in a caller's own process keeps only its sums."""
    return session.scalar(select(Result.id).where(Result.job_id == job_id).limit(1)) is not None


def summary_counts(job: JobLine) -> dict[str, int] | None:
    """The same counts from the summary of a finished job, or None where it has none."""
    decisions = job.summary.get("decisions")
    if not isinstance(decisions, dict):
        return None
    return {name: int(decisions.get(name, 0)) for name in DECISIONS} | {"failed": int(job.summary.get("failed", 0))}


def summary_bins(job: JobLine) -> Bins | None:
    """The same bins from the summary of a finished job, or None where it has none.

    Summaries hold a list of {low, decision, count} with `bin_points`, or columns of counts beside `edges`.
    """
    told = job.summary.get("histogram")
    if isinstance(told, dict) and told.get("edges"):
        columns = {decision: tuple(told[decision]) for decision in DECISIONS if decision in told}
        return Bins(edges=tuple(told["edges"]), counts=columns)
    if isinstance(told, list) and told:
        width = float(job.summary["bin_points"])
        return _bins([(round(one["low"] / width), one["decision"], one["count"]) for one in told], width)
    return None


def sums_for(wanted: CaseFilter, job: JobLine | None) -> Sums:
    """From the rows, which give finer bins; from the job's summary where there are too many, or none are kept."""
    if wanted.whole_job and job is not None and job.state == "done":
        told = summed_up(job)
        if told is not None and (job.rows_total > COUNTED_ROWS or not has_rows(job.id)):
            return told
    return sums(wanted)


@cached
def page(session: Session, wanted: CaseFilter, number: int, order: str) -> list[CaseLine]:
    """Page `number` (from 1) of PAGE_ROWS cases."""
    query = select(*_columns()).where(*_conditions(wanted)).order_by(*_order(wanted, order))
    rows = session.execute(query.offset((number - 1) * PAGE_ROWS).limit(PAGE_ROWS))
    return [_case(row) for row in rows]


@cached
def runs(session: Session, case_id: str) -> list[CaseLine]:
    """All results of one case id, newest first, 100 at most."""
    query = select(*_columns()).where(Result.case_id == case_id)
    return [_case(row) for row in session.execute(query.order_by(Result.id.desc()).limit(100))]


@cached
def latest_doubtful(session: Session, most: int = 12) -> list[CaseLine]:
    """The latest cases that were declined or sent to review."""
    query = select(*_columns()).where(Result.decision.in_(("review", "decline")))
    return [_case(row) for row in session.execute(query.order_by(Result.id.desc()).limit(most))]


def export_csv(wanted: CaseFilter, order: str, model: str, version: int) -> bytes:
    """Exactly the filtered rows in the columns of a scoring file, as CSV with a byte-order mark for spreadsheets."""
    with reading(open_database(load_settings())) as session:
        query = select(*_columns()).where(*_conditions(wanted)).order_by(*_order(wanted, order)).limit(MOST_EXPORTED)
        cases = [_case(row) for row in session.execute(query)]
    most = max((len(case.reasons) for case in cases), default=0)
    held = io.StringIO()
    writer = csv.writer(held)
    reasons = [f"reason_{place + 1}" for place in range(most)]
    period = ["period"] if any(case.period is not None for case in cases) else []
    writer.writerow(["id", "score", "probability", "decision", *reasons, *period, "model", "model_version", "error"])
    for case in cases:
        told = [plain.cell(reason_text(reason)) for reason in case.reasons]
        told += [""] * (most - len(told))
        values = [_blank(case.score), _blank(case.probability), case.decision or ""]
        ends = [plain.cell(model), version, plain.cell(case.error or "")]
        dated = [plain.cell(case.period or "") for _ in period]
        writer.writerow([plain.cell(case.case_id), *values, *told, *dated, *ends])
    return held.getvalue().encode("utf-8-sig")


def reason_words(reason: dict[str, Any], words: Words) -> str:
    """What a reason says in the language of the page; English where the model has no Chinese."""
    chinese = reason.get("words_zh") if words.language == "zh" else None
    return str(chinese or reason.get("words") or reason.get("code", ""))


def _bins(rows: Sequence[tuple[int, str | None, int]], width: float) -> Bins:
    """Bins without gaps from rows of (bin number, decision, count)."""
    if not rows:
        return Bins(edges=(), counts={})
    first = min(number for number, _, _ in rows)
    size = max(number for number, _, _ in rows) - first + 1
    columns = {decision: [0] * size for decision in DECISIONS}
    for number, decision, count in rows:
        if decision in columns:
            columns[decision][number - first] += count
    edges = tuple((first + place) * width for place in range(size + 1))
    return Bins(edges=edges, counts={decision: tuple(column) for decision, column in columns.items()})


def _conditions(wanted: CaseFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [Result.model_id == wanted.model_id]
    if wanted.job:
        conditions.append(Result.job_id.is_(None) if wanted.job == ONLINE else Result.job_id == wanted.job)
    if wanted.decisions:
        chosen = Result.decision.in_([name for name in wanted.decisions if name != "failed"])
        conditions.append(or_(chosen, Result.decision.is_(None)) if "failed" in wanted.decisions else chosen)
    if wanted.lowest > 0:
        conditions.append(Result.probability >= wanted.lowest)
    if wanted.highest < 1:
        conditions.append(Result.probability <= wanted.highest)
    if wanted.case_id:
        conditions.append(Result.case_id.contains(wanted.case_id, autoescape=True))
    return conditions


def _order(wanted: CaseFilter, order: str) -> list[ColumnElement[Any]]:
    if order == "risk":
        return [Result.probability.is_(None), Result.probability.desc(), Result.id.asc()]
    if order == "safe":
        return [Result.probability.is_(None), Result.probability.asc(), Result.id.asc()]
    # within one job the index on (job, row) gives the order without a sort
    return [Result.row.asc() if wanted.job and wanted.job != ONLINE else Result.id.asc()]


def _columns() -> list[Any]:
    return [getattr(Result, name) for name in CaseLine.__dataclass_fields__]


def _case(row: Row[Any]) -> CaseLine:
    return CaseLine(**row._mapping)


def _blank(value: float | None) -> str:
    return "" if value is None else repr(value)
