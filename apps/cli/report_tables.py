"""Reports as tables for people: statements, failed checks, sections and features, in the report's language."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from apps.cli.console import emit_table, note
from pipelines.finance.reports.document import Document
from pipelines.finance.reports.items import ITEMS, Language

MOST_COLUMNS = 4  # periods beside each other
TITLES = {
    "en": {"income": "Income statement", "balance": "Balance sheet", "cash_flow": "Cash flow statement"},
    "zh": {"income": "利润表", "balance": "资产负债表", "cash_flow": "现金流量表"},
}
SUMMARY = ("revenue", "net_income", "total_assets", "operating_cash_flow")


def print_report(document: Document) -> None:
    """All of one report."""
    language: Language = document["language"]
    who = document["company"] or document["file"]
    about = ", ".join(str(document[key]) for key in ("form", "period_end", "currency") if document[key])
    for name, lines in document["statements"].items():
        if lines:
            _print_statement(f"{who}: {TITLES[language][name]} ({about})", lines, language)
    failed = [(one["name"], one["detail"]) for one in document["checks"] if not one["passed"]]
    if failed:
        emit_table("what does not hold", ("check", "what was found"), failed)
    else:
        note(f"all {len(document['checks'])} checks hold")
    sections = [(one["name"], one["start"], one["end"] - one["start"]) for one in document["sections"]]
    if sections:
        emit_table("sections", ("section", "from character", "characters"), sections)
    if "features" in document:
        rows = [(name, _short(one["value"]), one["missing"]) for name, one in document["features"].items()]
        emit_table("features", ("feature", "value", "missing because"), rows)


def print_summary(documents: Sequence[Document]) -> None:
    """A line a report."""
    columns = ("file", "company", "form", "period", *SUMMARY, "fails")
    rows = []
    for document in documents:
        if "error" in document:
            rows.append((document["file"], "could not be read", *[None] * (len(columns) - 2)))
            continue
        figures = [_own_figure(document, item) for item in SUMMARY]
        fails = ", ".join(one["name"] for one in document["checks"] if not one["passed"])
        about = (document["company"], document["form"], document["period_end"])
        rows.append((document["file"], *about, *figures, fails))
    emit_table(f"{len(documents)} reports", columns, rows)


def _print_statement(title: str, lines: Sequence[Mapping[str, Any]], language: Language) -> None:
    scope = "consolidated" if any(line["scope"] == "consolidated" for line in lines) else "parent"
    kept = [line for line in lines if line["scope"] == scope]
    periods = list(dict.fromkeys((line["period_end"], line["months"]) for line in kept))[:MOST_COLUMNS]
    values = {(line["item"], line["period_end"], line["months"]): line["value"] for line in reversed(kept)}
    words = {line["item"]: line["words"] for line in reversed(kept)}
    rows = [
        (ITEMS[item].heading(language), words[item], *(_grouped(values.get((item, *period))) for period in periods))
        for item in ITEMS
        if item in words
    ]
    heads = ("科目", "报告用语") if language == "zh" else ("item", "as written")
    covered = [end if months is None else f"{end} ({months} m)" for end, months in periods]
    emit_table(title, (*heads, *covered), rows)


def _own_figure(document: Document, item: str) -> str:
    """The item in the report's own period, the longest that ends then."""
    lines = [line for rows in document["statements"].values() for line in rows if line["item"] == item]
    own = [line for line in lines if line["period_end"] == document["period_end"]] or lines
    return _grouped(max(own, key=lambda line: line["months"] or 0)["value"]) if own else ""


def _grouped(value: str | None) -> str:
    return "" if value is None else f"{Decimal(value):,f}"


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
