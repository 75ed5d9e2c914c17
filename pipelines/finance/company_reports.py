"""A company scored from its report alone: the periods of the report are the years of the case.

What a report does not say, a table did: a figure that no row of the training lacked stands in for by its median there,
which is counted. Nothing is scored silently: a report that contradicts itself, or says too little, gets an error; other
doubts send the case to a person, with the doubt among the reasons.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from core.errors import InputError
from core.runtime.engine import Engine
from data.finance.reports import Report, iso
from data.spec import Column, FeatureSpec
from pipelines.finance.company_frame import Derived, values_of, with_pairs
from pipelines.finance.company_plan import CompanyPlan
from pipelines.finance.company_policy import Caution
from pipelines.finance.rules.columns import Panel
from pipelines.finance.rules.evaluate import run
from pipelines.finance.rules.from_report import panel_of_report, periods_of, wording_of
from pipelines.finance.scorecard import DECISIONS

REFUSED = frozenset({"balance_sheet_balances", "both_sides_are_equal", "units", "company_matches"})
MOST_GUESSED, SOME_GUESSED = 0.5, 0.05  # share of the gain of the trees' splits
FULL_YEAR = 12  # months
REVIEW = DECISIONS.index("review")
PUBLIC_FLOAT = "dei:EntityPublicFloat"  # what is not held by insiders: the cover's word for the market value


@dataclass(frozen=True, kw_only=True)
class ReportCase:
    """A report as a case: its panel, the own period first, or why there is none."""

    id: str
    report: Report | None
    error: str | None = None  # "CODE: words"


@dataclass(frozen=True, kw_only=True)
class DerivedReports:
    """The cases, and what makes them cases for a person."""

    derived: Derived
    doubts: Mapping[int, Caution]
    period_C: Sequence[str | None]


def derive_reports(cases: Sequence[ReportCase], engine: Engine) -> DerivedReports:
    """Derive one case a report."""
    manifest = engine.bundle.manifest
    plan, spec = CompanyPlan.from_json(manifest.about.get("company")), FeatureSpec.from_json(manifest.spec)
    weight = _weights(spec, manifest.about)
    worded = plan.hard_rules is not None or any(name.startswith("text_") for name in spec.names)
    rows: list[dict[str, Any]] = []
    panels, errors, doubts, periods = [], {}, {}, []
    for place, case in enumerate(cases):
        row: dict[str, Any] = {column.name: np.nan for column in spec.columns}
        said: list[str] = []
        periods.append(None if case.report is None else iso(case.report.period_end))
        panel = Panel(values={}, company_R=np.zeros(1, int), period_R=np.zeros(1, int), prior_R=np.full(1, -1))
        try:
            if case.report is None:
                raise InputError(case.error or "UNREADABLE: the report could not be read")
            _check(case.report, plan, said)
            wording = wording_of(case.report) if worded else None
            panel = _with_market_value(panel_of_report(case.report, wording), case.report, plan, said)
            row |= _row(panel, plan)
            _fill(row, spec, weight, said)
        except InputError as error:
            words = str(error) if case.report is None or ": " in str(error)[:30] else f"{error.code}: {error}"
            errors[place] = words
        if said:
            doubts[place] = Caution(decision=REVIEW, probability=0.0, reasons=tuple(said))
        rows.append(row)
        panels.append(panel)
    frame = pd.DataFrame(rows, columns=[column.name for column in spec.columns])
    derived = Derived(
        frame=frame,
        row_C=np.arange(len(cases)),
        errors=errors,
        panels=tuple(panels),
        sizes=(1,) * len(cases),
    )
    return DerivedReports(derived=derived, doubts=doubts, period_C=periods)


def _check(report: Report, plan: CompanyPlan, said: list[str]) -> None:
    """Refuse a report that contradicts itself or is in another currency; note what else failed."""
    if plan.currency is not None and report.currency is not None and report.currency != plan.currency:
        words = f"the report is in {report.currency}, the model was trained on {plan.currency}"
        raise InputError(f"OTHER_CURRENCY: {words}")
    failed = [check for check in report.checks if not check.passed]
    for check in failed:
        if check.name in REFUSED:
            raise InputError(f"CHECK_FAILED: {check.name}: {check.detail}")
    said += [f"CHECK_{check.name.upper()}: {check.detail}" for check in failed]
    own = periods_of(report)[:1]
    months = sorted({months for period in own for months in period.months.values()} - {FULL_YEAR})
    if months:
        said.append(f"INTERIM: figures of {', '.join(map(str, months))} months were brought to a year")


def _with_market_value(panel: Panel, report: Report, plan: CompanyPlan, said: list[str]) -> Panel:
    """The panel with the cover's public float as market value, where the model wants one and nothing else says it."""
    if "market_value" not in plan.figures or "market_value" in panel.values:
        return panel
    found = [fact.value for fact in report.facts if fact.concept == PUBLIC_FLOAT and not fact.dimensions]
    if not found or found[0] is None:
        return panel
    value_R = np.full(panel.rows, np.nan)
    value_R[0] = float(found[0])
    said.append(f"PUBLIC_FLOAT: the public float of {value_R[0]:,.0f} stands for the market value")
    return Panel(
        values={**panel.values, "market_value": value_R},
        company_R=panel.company_R,
        period_R=panel.period_R,
        prior_R=panel.prior_R,
        amounts=panel.amounts,
        absent=panel.absent,
    )


def _row(panel: Panel, plan: CompanyPlan) -> dict[str, float]:
    """Figures, features and pairs of the report's own period."""
    program = plan.rules.book.program
    worked = [name for name in plan.figures if name not in panel.values and name in program.formulas]
    roots = {name: program.root(name) for name in worked}
    found = run(program, panel, set(roots.values()), None)
    values = {name: np.broadcast_to(found[step], panel.rows) for name, step in roots.items()}
    names = (*plan.figures, *plan.rules.names)
    row = dict(zip(names, values_of(panel, plan)[0].tolist(), strict=True))
    row |= {name: float(column[0]) for name, column in values.items()}
    frame = with_pairs(Derived(frame=pd.DataFrame([row]), row_C=np.zeros(1, int), errors={}), plan).frame
    return {str(name): float(value) for name, value in frame.iloc[0].items()}


def _fill(row: dict[str, Any], spec: FeatureSpec, weight: Mapping[str, float], said: list[str]) -> None:
    """Medians for what no training row lacked. InputError: they would carry the decision."""
    absent = [column for column in spec.columns if column.missing_rate == 0.0 and np.isnan(row[column.name])]
    for column in absent:
        row[column.name] = _median(column)
    share = sum(weight[column.name] for column in absent)
    first = sorted(absent, key=lambda column: -weight[column.name])[:3]
    words = f"{len(absent)} of {len(spec.columns)} columns, with {share:.0%} of the model's weight, are not in it"
    words += f" (first {', '.join(column.name for column in first)})"
    if share > MOST_GUESSED:
        raise InputError(f"TOO_LITTLE: {words}")
    if share > SOME_GUESSED:
        said.append(f"MISSING_FIGURES: {words}; the medians of the training stand for them")


def _median(column: Column) -> float:
    if column.kind == "category":
        return float("nan")
    return column.bins[len(column.bins) // 2] if column.bins else float(column.mean or 0.0)


def _weights(spec: FeatureSpec, about: Mapping[str, Any]) -> dict[str, float]:
    """Share of each column in the gain of the trees' splits."""
    gains = np.asarray(about["gain"], dtype=np.float64)
    total = max(float(gains.sum()), 1e-300)
    return {column.name: float(gain) / total for column, gain in zip(spec.columns, gains.tolist(), strict=True)}
