"""One company scored from what a request tells of it: its years as objects, or the lines and the text of its report.

Years are rows of a table of statements, under its headings or the names of the items: they take the way of a table,
the latest year is the case, the others are its history. Lines take the way of a report. Either way the figures are
checked against each other as those of a report are, and the text is measured with the case's own year.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd

from core.errors import InputError
from core.runtime.engine import Engine
from data.cells import parse_number
from data.columns import LARGEST
from data.finance.reports import STATEMENTS, Check, Line, Place, Report, StatementName
from data.spec import FeatureSpec
from pipelines.finance.company import Wish, score_derived, score_reports
from pipelines.finance.company_frame import derive, find_cases, known_columns
from pipelines.finance.company_plan import CompanyPlan
from pipelines.finance.company_policy import Caution
from pipelines.finance.company_reports import FULL_YEAR, REFUSED, REVIEW, ReportCase
from pipelines.finance.reports.checks import check
from pipelines.finance.reports.extract import finish
from pipelines.finance.reports.items import ITEMS
from pipelines.finance.reports.tables.paged import language_of
from pipelines.finance.reports.text.sections import find_sections
from pipelines.finance.reports.text.wording import text_measures
from pipelines.finance.rules.columns import is_amount
from pipelines.finance.rules.from_report import periods_of
from pipelines.finance.rules.names import known_inputs, name_of
from pipelines.finance.rules.panel import read_periods
from pipelines.finance.score import Scored

PERIOD_END = "period_end"  # may stand for the model's own column of periods
COMPANY = "assay::company"
FILE = "the request"
OF_TABLES = "ALL_MISSING "  # warns of a column without a value in a whole table; one case says so itself
Cell = str | int | float | bool | None


@dataclass(frozen=True, kw_only=True)
class CompanyCase:
    """Either `years` (rows of a table, null: missing) or `lines` of a report; `text` is the report's, where known."""

    case_id: str
    years: Sequence[Mapping[str, Cell]] = ()
    lines: Mapping[StatementName, Sequence[Line]] | None = None
    text: str = ""


def score_case(case: CompanyCase, engine: Engine, wish: Wish) -> Scored:
    """Score one company. InputError: the model's columns are absent, or it cannot tell the years apart."""
    manifest = engine.bundle.manifest
    plan, spec = CompanyPlan.from_json(manifest.about.get("company")), FeatureSpec.from_json(manifest.spec)
    reads_words = plan.hard_rules is not None or any(name.startswith("text_") for name in (*plan.figures, *spec.names))
    if case.lines is None:
        scored = _score_years(case if reads_words else replace(case, text=""), engine, plan, wish)
    else:
        scored = score_reports([ReportCase(id=case.case_id, report=_report(case, case.lines))], engine, wish)
    unread = {"UNUSED report_text": 1} if case.text and not reads_words else {}
    told = {words: n for words, n in scored.warnings.items() if not words.startswith(OF_TABLES)}
    return replace(scored, warnings={**told, **unread})


def _report(case: CompanyCase, lines: Mapping[StatementName, Sequence[Line]]) -> Report:
    every = [line for name in STATEMENTS for line in lines.get(name, ())]
    named = [line.currency for line in every if line.currency is not None]
    report = Report(
        file=FILE,
        kind="text",
        language=language_of(case.text or " ".join(line.words for line in every)),
        currency=max(named, key=named.count, default=None),
        statements={name: tuple(lines.get(name, ())) for name in STATEMENTS},
        text=case.text,
    )
    own = periods_of(report)[:1]
    return finish(replace(report, period_end=own[0].end if own else None))


def _score_years(case: CompanyCase, engine: Engine, plan: CompanyPlan, wish: Wish) -> Scored:
    spec = FeatureSpec.from_json(engine.bundle.manifest.spec)
    plan = _of_one_company(plan, len(case.years))
    frame, errors = _frame(case, plan)
    known_columns(frame, plan)  # refuses what lacks columns
    own = int(find_cases(frame, plan, errors).row_LC[0, 0])
    if case.text:
        plan, frame = _with_wording(frame, own, plan, case.text)
    checks = _checks(frame, plan)
    refused = [f"CHECK_FAILED: {one.name}: {one.detail}" for one in checks if one.name in REFUSED]
    doubts = tuple(f"CHECK_{one.name.upper()}: {one.detail}" for one in checks)
    derived = derive(frame, plan, errors)
    if refused:
        derived = replace(derived, errors={0: refused[0]} | dict(derived.errors))
    doubt = Caution(decision=REVIEW if doubts else 0, reasons=doubts)
    scored = score_derived(derived, engine, plan, [case.case_id], wish, {0: doubt})
    if plan.period is not None:
        scored.frame.insert(scored.frame.shape[1] - 1, "period", [str(frame[plan.period].iloc[own])])
    known = {*plan.figures, *spec.names, plan.company, plan.period}
    unused = {f"UNUSED {name}": 1 for name in frame if name_of(str(name), plan.tables) not in known | {*known_inputs()}}
    told = {words: rows for words, rows in scored.warnings.items() if words.split(" ", 1)[-1] in plan.figures}
    return replace(scored, warnings=told | unused)


def _of_one_company(plan: CompanyPlan, years: int) -> CompanyPlan:
    """The plan with the latest year as the case. InputError: several years for a model that sees one."""
    if years > 1 and (plan.period is None or plan.company is None):
        raise InputError(
            f"the model was trained on years that stand alone; send one year, got {years}", code="NO_HISTORY"
        )
    text = tuple(name for name, known in known_inputs().items() if known.kind == "text" and name in plan.figures)
    figures = (*(name for name in plan.figures if name not in text), *text)
    return replace(plan, company=plan.company or COMPANY, cases="latest", figures=figures)


def _frame(case: CompanyCase, plan: CompanyPlan) -> tuple[pd.DataFrame, dict[int, str]]:
    """The years as rows, figures as numbers; and which rows hold a figure that is none."""
    errors: dict[int, str] = {}
    columns: dict[str, list[Cell] | pd.Series] = {}
    for name in dict.fromkeys(name for year in case.years for name in year):
        cells = [year.get(name) for year in case.years]
        item = name_of(name, plan.tables)
        if name not in (plan.company, plan.period) and (item in plan.figures or item in ITEMS):
            columns[name] = pd.Series(list(_numbers(name, cells, errors)), dtype=np.float64)
        else:
            columns[name] = _plain(cells)
    if plan.period is not None and plan.period not in columns and PERIOD_END in columns:
        columns[plan.period] = columns.pop(PERIOD_END)
    columns[plan.company or COMPANY] = [case.case_id] * len(case.years)
    for name in plan.figures:
        if name.startswith("text_") and name not in columns:
            columns[name] = pd.Series(np.full(len(case.years), np.nan))
    return pd.DataFrame(columns), errors


def _numbers(name: str, cells: Sequence[Cell], errors: dict[int, str]) -> Iterator[float]:
    for row, cell in enumerate(cells):
        number = parse_number("" if cell is None else str(cell))
        if number is None:
            errors.setdefault(row, f"NOT_A_NUMBER: column {name!r} holds {str(cell)[:40]!r}; a number is allowed")
        elif abs(number) > LARGEST:
            errors.setdefault(row, f"OUT_OF_RANGE: column {name!r} holds {number:g}; allowed is up to {LARGEST:g}")
        yield number if number is not None and abs(number) <= LARGEST else np.nan


def _plain(cells: list[Cell]) -> list[Cell] | pd.Series:
    """As a reader of files would give it: numbers, or text as written."""
    if all(isinstance(cell, int | float) and not isinstance(cell, bool) for cell in cells):
        return cells
    return pd.Series([None if cell is None else str(cell) for cell in cells], dtype="str")


def _with_wording(frame: pd.DataFrame, own: int, plan: CompanyPlan, text: str) -> tuple[CompanyPlan, pd.DataFrame]:
    """The table with the measures of the text in the case's own year, for features and hard rules to see."""
    language = language_of(text)
    measured = text_measures(text, find_sections(text, language, None), language)
    measures = {}
    for name, value in measured.values.items():
        measures[name] = np.full(len(frame), np.nan)
        measures[name][own] = np.nan if value is None else value
    table = frame.drop(columns=[name for name in measures if name in frame])
    figures = (*(name for name in plan.figures if name not in measures), *measures)
    return replace(plan, figures=figures), pd.concat([table, pd.DataFrame(measures)], axis=1)


def _checks(frame: pd.DataFrame, plan: CompanyPlan) -> list[Check]:
    """What does not hold among the figures of the years. Whole statements are not asked for: a table may lack some."""
    lines: dict[StatementName, list[Line]] = {name: [] for name in STATEMENTS}
    ends = [_end(frame, plan, row) for row in range(len(frame))]
    for heading in frame:
        item = ITEMS.get(name_of(str(heading), plan.tables))
        if item is None or heading == plan.period:
            continue
        unit = Decimal(repr(plan.unit)) if is_amount(item.name) else Decimal(1)
        for value, end in zip(frame[heading].tolist(), ends, strict=True):
            if end is None or np.isnan(value):
                continue
            line = Line(
                item=item.name,
                words=str(heading),
                value=Decimal(repr(value)) * unit,
                period_end=end,
                months=None if item.kind == "instant" else FULL_YEAR,
                scope="consolidated",
                currency=plan.currency,
                source=Place(text=repr(value)),
            )
            lines[item.statement].append(line)
    return [one for one in check(lines, expected=False) if not one.passed and one.name != "statements_found"]


def _end(frame: pd.DataFrame, plan: CompanyPlan, row: int) -> date | None:
    """The last day of a year, which stands for a year that a row does not date; None: its period is none."""
    if plan.period is None or plan.period not in frame:
        return date(1900, 12, 31)
    try:
        period = int(read_periods(frame[plan.period].iloc[[row]])[0])
    except InputError:
        return None
    return date(period, 12, 31) if period < 10_000 else date(period // 10_000, period // 100 % 100, period % 100)
