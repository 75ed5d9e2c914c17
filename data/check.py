"""What is in a table and what is wrong with it, alone or against what a model was trained on (`assay data check`)."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.columns import FeatureSpec
from data.dates import looks_like_dates, parse_dates
from data.drift import drift_of
from data.gate import gate
from data.leakage import leakage_of
from data.source import Chunk
from data.special_codes import find_special_codes

DRIFT_ALARM, DRIFT_NOTE = 0.25, 0.10  # population stability index: shifted; worth a look
LEAKAGE_AUC = 0.98  # of one column alone against the target
MOSTLY_MISSING = 0.5
_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that a person should know. `column` is empty where it is about the whole table."""

    level: Literal["error", "warning", "note"]
    code: str
    column: str
    words: str


@dataclass(frozen=True, kw_only=True)
class ColumnReport:
    """One column of the table."""

    name: str
    type: Literal["number", "text", "date", "empty"]
    missing: int
    distinct: int
    low: float | str | None  # smallest number or first date
    high: float | str | None
    mean: float | None
    examples: tuple[str, ...]  # the most frequent values
    special_codes: tuple[float, ...]
    psi: float | None = None  # population stability index against training, where a spec was given


@dataclass(frozen=True, kw_only=True)
class TableReport:
    """All columns and findings; errors first."""

    rows: int
    duplicate_rows: int
    unreadable_rows: int
    columns: tuple[ColumnReport, ...]
    findings: tuple[Finding, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """A dict of JSON values, without NaN."""
        return asdict(self)


def check_table(
    table: Chunk | pd.DataFrame,
    spec: FeatureSpec | None = None,
    *,
    target: str | None = None,
    id_column: str | None = None,
    today: np.datetime64 | None = None,
) -> TableReport:
    """Look at every column. With a spec the table is also held against the training data (columns, ranges,
    categories, drift); with a target, columns that tell it too well are named; with `today`, dates behind it."""
    frame = table.frame if isinstance(table, Chunk) else table
    unreadable = table.errors if isinstance(table, Chunk) else {}
    target = target or (spec.target if spec else None)
    id_column = id_column or (spec.id_column if spec else None)
    findings = _rows_findings(frame, unreadable, id_column)
    drift: dict[str, float] = {}
    if spec is not None:
        findings += _spec_findings(frame, spec, unreadable)
        drift = drift_of(frame, spec)
        noise = {column.name: 2 * len(column.shares) / max(1, len(frame)) for column in spec.columns}
        findings += [_drift_finding(name, psi) for name, psi in drift.items() if psi >= max(DRIFT_NOTE, noise[name])]
    columns = []
    for name in map(str, frame.columns):
        report = _column(frame[name], name, drift.get(name))
        columns.append(report)
        findings += _column_findings(report, len(frame), today, known=spec is not None and name in spec.names)
    if target is not None and target in frame.columns:
        findings += _leakage_findings(frame, target, skip={target, id_column or target})
    order = {"error": 0, "warning": 1, "note": 2}
    return TableReport(
        rows=len(frame),
        duplicate_rows=int(frame.duplicated().sum()),
        unreadable_rows=len(unreadable),
        columns=tuple(columns),
        findings=tuple(sorted(findings, key=lambda found: order[found.level])),
    )


def _rows_findings(frame: pd.DataFrame, unreadable: Mapping[int, str], id_column: str | None) -> list[Finding]:
    findings = []
    if unreadable:
        first = next(iter(unreadable.values()))
        words = f"{len(unreadable)} rows cannot be read; the first: {first}"
        findings.append(Finding(level="error", code="UNREADABLE_ROWS", column="", words=words))
    if count := int(frame.duplicated().sum()):
        words = f"{count} rows repeat an earlier row in every column"
        findings.append(Finding(level="warning", code="DUPLICATE_ROWS", column="", words=words))
    if id_column is not None and id_column in frame.columns:
        twice = frame[id_column].dropna().duplicated()
        if twice.any():
            first = frame[id_column].dropna()[twice].iloc[0]
            words = f"{int(twice.sum())} rows repeat an id, for example {first!r}"
            findings.append(Finding(level="error", code="DUPLICATE_ID", column=id_column, words=words))
        if count := int(frame[id_column].isna().sum()):
            findings.append(
                Finding(level="error", code="MISSING_ID", column=id_column, words=f"{count} rows have no id")
            )
    return findings


def _spec_findings(frame: pd.DataFrame, spec: FeatureSpec, unreadable: Mapping[int, str]) -> list[Finding]:
    absent = [name for name in spec.names if name not in frame.columns]
    findings = [
        Finding(level="error", code="SCHEMA_MISSING", column=name, words="the model needs this column")
        for name in absent
    ]
    present = tuple(column for column in spec.columns if column.name not in absent)
    gated = gate(frame, FeatureSpec(columns=present))
    refused: dict[str, list[int]] = {}
    for at, words in gated.errors.items():
        if at not in unreadable:
            refused.setdefault(words.split(":")[0], []).append(at)
    for code, rows in refused.items():
        words = f"{len(rows)} rows would not be scored; row {rows[0] + 1}: {gated.errors[rows[0]]}"
        findings.append(Finding(level="error", code=code, column="", words=words))
    for warning, count in gated.warnings.items():
        code, _, name = warning.partition(" ")
        findings.append(Finding(level="warning", code=code, column=name, words=f"{count} rows"))
    known = {spec.target, spec.id_column, *spec.ignored}
    extra = [name for name in gated.extra if name not in known and name not in spec.names]
    if extra:
        findings.append(
            Finding(level="note", code="EXTRA_COLUMNS", column="", words=f"the model ignores {', '.join(extra)}")
        )
    return findings


def _drift_finding(name: str, psi: float) -> Finding:
    alarm = psi >= DRIFT_ALARM
    words = f"the distribution {'has shifted' if alarm else 'has moved'} since training (PSI {psi:.2f})"
    return Finding(level="warning" if alarm else "note", code="DRIFT", column=name, words=words)


def _column(series: pd.Series, name: str, psi: float | None) -> ColumnReport:
    counts = series.value_counts()
    kind: Literal["number", "text", "date", "empty"] = "text"
    low: float | str | None = None
    high: float | str | None = None
    mean: float | None = None
    codes: tuple[float, ...] = ()
    if not len(counts):
        kind = "empty"
    elif pd.api.types.is_numeric_dtype(series.dtype):
        kind = "number"
        x_N = series.to_numpy(dtype=np.float64, na_value=np.nan)
        low, high, mean = _finite(x_N)
        codes = find_special_codes(x_N)
    elif series.dtype.kind == "M" or looks_like_dates(map(str, counts.index[:200])):
        kind = "date"
        low, high = _first_and_last(series)
    return ColumnReport(
        name=name,
        type=kind,
        missing=int(series.isna().sum()),
        distinct=len(counts),
        low=low,
        high=high,
        mean=mean,
        examples=tuple(str(value) for value in counts.index[:_SHOWN]),
        special_codes=codes,
        psi=psi,
    )


def _finite(x_N: NDArray[np.float64]) -> tuple[float | None, float | None, float | None]:
    """Smallest, largest and mean of the finite values."""
    finite = x_N[np.isfinite(x_N)]
    return (float(finite.min()), float(finite.max()), float(finite.mean())) if len(finite) else (None, None, None)


def _first_and_last(series: pd.Series) -> tuple[str | None, str | None]:
    try:
        times = parse_dates(series)
    except ValueError:  # a column mostly of dates; its odd cells are text
        return None, None
    times = times[~np.isnat(times)]
    return (str(times.min()), str(times.max())) if len(times) else (None, None)


def _column_findings(report: ColumnReport, rows: int, today: np.datetime64 | None, known: bool) -> list[Finding]:
    found: list[tuple[Literal["error", "warning", "note"], str, str]] = []
    if report.type == "empty":
        found.append(("warning", "ALL_MISSING", "every value is missing"))
    elif report.distinct == 1 and rows > 1:
        found.append(("warning", "CONSTANT", f"every value is {report.examples[0]}"))
    elif report.missing > MOSTLY_MISSING * rows:
        found.append(("note", "MOSTLY_MISSING", f"{report.missing / rows:.0%} of the values are missing"))
    if report.special_codes and not known:
        codes = ", ".join(f"{code:g}" for code in report.special_codes)
        found.append(("note", "SPECIAL_CODES", f"{codes} look like codes, not like amounts"))
    if today is not None and report.type == "date" and report.high and np.datetime64(str(report.high)) > today:
        found.append(("warning", "FUTURE_DATE", f"dates reach to {report.high}"))
    return [Finding(level=level, code=code, column=report.name, words=words) for level, code, words in found]


def _leakage_findings(frame: pd.DataFrame, target: str, skip: Collection[str]) -> list[Finding]:
    findings = []
    for name, auc in leakage_of(frame, target, skip).items():
        if auc >= LEAKAGE_AUC:
            words = f"alone it tells the target with an AUC of {auc:.3f}; is it known when the decision is made?"
            findings.append(Finding(level="warning", code="LEAKAGE_SUSPECT", column=name, words=words))
    return findings
