"""`assay data make reports`: a table of made-up firm-years, and reports of some of them in every form."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import AssayError
from data.finance.companies import Company, make_companies, statement_table
from data.finance.report_compose import compose
from data.finance.report_filing import Filing, misprinted
from data.finance.report_gold import TaggedFact, facts_of, gold
from data.finance.report_html import american_html, chinese_html, json_lines, plain_text
from data.finance.report_inline import inline_html
from data.finance.report_package import company_facts, package, plain_facts
from data.finance.report_pdf import pdf
from data.finance.report_prose import story_of
from data.finance.report_style import draw_style
from data.finance.report_tables import statement_csv, workbook
from data.finance.reports import Kind
from data.tables import TableWriter

FILINGS, GOLD = "filings", "gold"  # folders; apart, so that all of the first are reports
EACH = 4  # companies of a country whose reports are written; half of them in distress where there are such
Form = tuple[str, str, Kind, Callable[[Filing], bytes]]  # name, suffix, kind, how it is written


def _text(write: Callable[[Filing], str]) -> Callable[[Filing], bytes]:
    return lambda filing: write(filing).encode("utf-8")


def _gb18030(filing: Filing) -> bytes:
    return statement_csv(filing).encode("gb18030")


def _encoded_text(filing: Filing) -> bytes:
    """Plain text as programs save it: UTF-8 with and without a mark, UTF-16, GB18030 for Chinese."""
    last = "gb18030" if filing.company.country == "cn" else "utf-16"
    return plain_text(filing).encode(filing.style.pick(("utf-8", "utf-8-sig", "utf-16", last)))


def _encoded_page(filing: Filing) -> bytes:
    return chinese_html(filing).encode(filing.style.pick(("utf-8", "utf-8", "gb18030")))


def _history(filing: Filing) -> list[Filing]:
    """The company's last three annual reports, this one last."""
    years = [year for year in filing.company.years if year <= filing.year]
    return [compose(filing.company, year, filing.style) for year in years[-3:]]


def _company_facts(filing: Filing) -> bytes:
    return json.dumps(company_facts(_history(filing)), ensure_ascii=False, indent=1).encode("utf-8")


def _true_facts(filing: Filing, kind: Kind) -> list[TaggedFact]:
    if kind == "companyfacts":
        return list(dict.fromkeys(fact for each in _history(filing) for fact in plain_facts(each)))
    return list(facts_of(filing)) if kind in ("ixbrl", "xbrl") else []


AMERICAN: tuple[Form, ...] = (
    ("10k", ".htm", "ixbrl", _text(inline_html)),
    ("xbrl", ".zip", "xbrl", package),
    ("untagged", ".htm", "html", _text(american_html)),
    ("print", ".pdf", "pdf", pdf),
    ("statements", ".xlsx", "sheet", workbook),
    ("statements", ".csv", "sheet", _text(statement_csv)),
    ("text", ".txt", "text", _encoded_text),
    ("companyfacts", ".json", "companyfacts", _company_facts),
)
CHINESE: tuple[Form, ...] = (
    ("annual", ".html", "html", _encoded_page),
    ("print", ".pdf", "pdf", pdf),
    ("statements", ".xlsx", "sheet", workbook),
    ("statements", ".csv", "sheet", _gb18030),
    ("text", ".txt", "text", _encoded_text),
    ("lines", ".json.txt", "text", _text(json_lines)),
)
_TEXT = ("ixbrl", "html", "pdf", "text")
_FLAWS = {"us": (("total_liabilities", "balance_sheet_balances"),), "cn": (("cash_end", "cash_articulates"),)}


def make_reports(
    folder: Path, *, rows: int, seed: int, progress: Callable[[float, str], None] = lambda share, words: None
) -> tuple[Path, ...]:
    """Write `statements.csv.gz`, `filings/` and for each report a `.gold.json` in `gold/`; return their paths.

    Same rows and seed, same bytes. A file named `flawed` holds one misprinted figure, which its gold names.
    Raises InputError for fewer than one row.
    """
    companies = make_companies(rows, seed)
    table = folder / "statements.csv.gz"
    for part in (FILINGS, GOLD):
        try:
            (folder / part).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise AssayError(
                f"{folder / part} could not be made ({error.strerror}); give a folder that can be written"
            ) from error
    with TableWriter(table) as writer:
        writer.write(statement_table(companies))
    chosen = [*_chosen(companies, "us"), *_chosen(companies, "cn")]
    made: list[Path] = [table]
    for place, company in enumerate(chosen):
        progress(place / len(chosen), f"writing the reports of {company.name}")
        made += _write_company(folder, company, seed, place)
    return tuple(made)


def _chosen(companies: Sequence[Company], country: str) -> list[Company]:
    own = [company for company in companies if company.country == country]
    troubled = [company for company in own if story_of(company, company.years[-1]).doubtful]
    sound = [company for company in own if company not in troubled]
    half = troubled[: EACH // 2]
    return [*sound[: EACH - len(half)], *half]


def _write_company(folder: Path, company: Company, seed: int, place: int) -> list[Path]:
    forms = CHINESE if company.country == "cn" else AMERICAN
    year = company.years[-1]
    made = []
    for number, form in enumerate(forms):
        rng = np.random.default_rng([seed, place, number])
        filing = compose(company, year, draw_style(rng, company.country, company.grain_cents))
        made += _write(folder, filing, form)
        if number == 0 and len(company.years) > 1:
            made += _write(folder, compose(company, company.years[-2], filing.style), form)
    for item, flaw in _FLAWS[company.country] if place % EACH == 0 else ():
        rng = np.random.default_rng([seed, place, len(forms)])
        style = draw_style(rng, company.country, company.grain_cents)
        made += _write(folder, misprinted(compose(company, year, style), item, flaw), _flawed(forms))
    return made


def _flawed(forms: Sequence[Form]) -> Form:
    name, suffix, kind, write = next(form for form in forms if form[2] == "html")
    return f"{name}_flawed", suffix, kind, write


def _write(folder: Path, filing: Filing, form: Form) -> list[Path]:
    name, suffix, kind, write = form
    path = folder / FILINGS / f"{filing.company.company_id}_{filing.year}_{name}{suffix}"
    truth = gold(filing, path.name, kind, sections=kind in _TEXT, facts=_true_facts(filing, kind))
    told = folder / GOLD / f"{path.name}.gold.json"
    try:
        path.write_bytes(write(filing))
        told.write_text(_readable(truth), encoding="utf-8")
    except OSError as error:
        raise AssayError(
            f"{path} could not be written ({error.strerror}); free some room or give another folder"
        ) from error
    return [path, told]


def _readable(truth: dict[str, Any]) -> str:
    """JSON with one figure or fact a line."""
    parts = []
    for name, value in truth.items():
        whole = json.dumps(value, ensure_ascii=False)
        if isinstance(value, list) and value and isinstance(value[0], dict):
            whole = "[\n" + ",\n".join(json.dumps(one, ensure_ascii=False) for one in value) + "\n]"
        parts.append(f'"{name}": {whole}')
    return "{" + ",\n".join(parts) + "}\n"
