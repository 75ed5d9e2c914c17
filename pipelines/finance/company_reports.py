"""A company scored from its report alone: the periods of the report are the years of the case.

What a report does not say, a table did: a figure that no row of the training lacked stands in for by its median there,
which is counted. Nothing is scored silently: a report that contradicts itself, or says too little, gets an error; other
doubts send the case to a person, with the doubt among the reasons.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from core.errors import InputError
from core.runtime.engine import Engine
from data.finance.reports import Report, iso
from data.spec import Column, FeatureSpec
from pipelines.finance.company_frame import YEAR, YEARS, Derived, values_of, with_pairs, year_of
from pipelines.finance.company_plan import CompanyPlan
from pipelines.finance.company_policy import Caution
from pipelines.finance.explain import reason_codes
from pipelines.finance.rules.columns import Panel
from pipelines.finance.rules.evaluate import run
from pipelines.finance.rules.from_report import panel_of_report, periods_of, wording_of
from pipelines.finance.scorecard import DECISIONS

REFUSED = frozenset({"balance_sheet_balances", "both_sides_are_equal", "units", "company_matches"})
MOST_GUESSED, SOME_GUESSED = 0.5, 0.05  # share of the gain of the trees' splits
FULL_YEAR = 12  # months
REVIEW = DECISIONS.index("review")
NO_PANEL = Panel(values={}, company_R=np.zeros(1, int), period_R=np.zeros(1, int), prior_R=np.full(1, -1))
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
    model = _Model.of(engine)
    found = [_derive(case, model) for case in cases]
    names = [column.name for column in model.spec.columns]
    derived = Derived(
        frame=pd.DataFrame([one.row for one in found], columns=names, index=pd.RangeIndex(len(found))),
        row_C=np.arange(len(cases)),
        errors={place: one.error for place, one in enumerate(found) if one.error is not None},
        panels=tuple(one.panel for one in found),
        sizes=(1,) * len(found),
    )
    periods = [None if case.report is None else iso(case.report.period_end) for case in cases]
    return DerivedReports(derived=derived, doubts={at: one.doubt for at, one in enumerate(found)}, period_C=periods)


@dataclass(frozen=True)
class _Model:
    """What the bundle says of the cases."""

    plan: CompanyPlan
    spec: FeatureSpec
    weight: Mapping[str, float]  # of each column, adding up to 1
    codes: Mapping[str, str]  # of the reasons, by column

    @classmethod
    def of(cls, engine: Engine) -> "_Model":
        manifest = engine.bundle.manifest
        plan, spec = CompanyPlan.from_json(manifest.about.get("company")), FeatureSpec.from_json(manifest.spec)
        return cls(plan, spec, _weights(spec, manifest.about), dict(zip(spec.names, reason_codes(spec), strict=True)))

    @property
    def reads_words(self) -> bool:
        """Whether the wording counts: working it out takes longest."""
        return self.plan.hard_rules is not None or any(name.startswith("text_") for name in self.spec.names)


@dataclass(frozen=True, kw_only=True)
class _One:
    row: Mapping[str, Any] = field(default_factory=dict)
    panel: Panel = NO_PANEL
    doubt: Caution = field(default_factory=Caution)
    error: str | None = None


def _derive(case: ReportCase, model: _Model) -> _One:
    if case.report is None:
        return _One(error=case.error or "UNREADABLE: the report could not be read")
    said: list[str] = []
    try:
        _check(case.report, model.plan, said)
        wording = wording_of(case.report) if model.reads_words else None
        panel = _last_years(panel_of_report(case.report, wording))
        panel = _with_market_value(panel, case.report, model.plan, said)
        row: dict[str, Any] = dict.fromkeys(model.spec.names, np.nan)
        row |= _row(panel, model.plan) | {YEAR: float(year_of(panel.period_R)[0])}
        guessed = _fill(row, model, said)
    except InputError as error:
        return _One(error=f"{error.code}: {error}")
    untold = frozenset(model.codes[name] for name in guessed)
    doubt = Caution(decision=REVIEW if said else 0, reasons=tuple(said), untold=untold)
    return _One(row=row, panel=panel, doubt=doubt)


def _check(report: Report, plan: CompanyPlan, said: list[str]) -> None:
    """Refuse a report that contradicts itself or is in another currency; note what else failed."""
    if plan.currency is not None and report.currency is not None and report.currency != plan.currency:
        words = f"the report is in {report.currency}, the model was trained on {plan.currency}"
        raise InputError(words, code="OTHER_CURRENCY")
    failed = [check for check in report.checks if not check.passed]
    for check in failed:
        if check.name in REFUSED:
            raise InputError(f"{check.name}: {check.detail}", code="CHECK_FAILED")
    said += [f"CHECK_{check.name.upper()}: {check.detail}" for check in failed]
    own = periods_of(report)[:1]
    months = sorted({months for period in own for months in period.months.values()} - {FULL_YEAR})
    if months:
        said.append(f"INTERIM: figures of {', '.join(map(str, months))} months were brought to a year")


def _last_years(panel: Panel) -> Panel:
    """The own period and the years before it that a case of a table would see."""
    rows = [0]
    while len(rows) < YEARS and panel.prior_R[rows[-1]] >= 0:
        rows.append(int(panel.prior_R[rows[-1]]))
    return replace(
        panel,
        values={name: np.asarray(column)[rows] for name, column in panel.values.items()},
        company_R=panel.company_R[rows],
        period_R=panel.period_R[rows],
        prior_R=np.asarray([*range(1, len(rows)), -1]),
    )


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
    return replace(panel, values={**panel.values, "market_value": value_R})


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


def _fill(row: dict[str, Any], model: _Model, said: list[str]) -> frozenset[str]:
    """Medians for what no training row lacked; return those columns. InputError: they would carry the decision."""
    absent = [column for column in model.spec.columns if column.missing_rate == 0.0 and np.isnan(row[column.name])]
    for column in absent:
        row[column.name] = _median(column)
    share = sum(model.weight[column.name] for column in absent)
    first = sorted(absent, key=lambda column: -model.weight[column.name])[:3]
    words = f"{len(absent)} of {len(model.spec.columns)} columns, with {share:.0%} of the model's weight, are not in it"
    words += f" (first {', '.join(column.name for column in first)})"
    if share > MOST_GUESSED:
        raise InputError(words, code="TOO_LITTLE")
    if share > SOME_GUESSED:
        said.append(f"MISSING_FIGURES: {words}; the medians of the training stand for them")
    return frozenset(column.name for column in absent)


def _median(column: Column) -> float:
    if column.kind == "category":
        return float("nan")
    return column.bins[len(column.bins) // 2] if column.bins else float(column.mean or 0.0)


def _weights(spec: FeatureSpec, about: Mapping[str, Any]) -> dict[str, float]:
    """Share of each column in the gain of the trees' splits."""
    gains = np.asarray(about["gain"], dtype=np.float64)
    total = max(float(gains.sum()), 1e-300)
    return {column.name: float(gain) / total for column, gain in zip(spec.columns, gains.tolist(), strict=True)}
