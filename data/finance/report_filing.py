"""A made-up annual report before it takes a form: text and statements in their order, each figure with its meaning."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Literal

from data.finance import report_lines_cn as cn
from data.finance import report_lines_us as us
from data.finance.companies import Company
from data.finance.report_lines import Line
from data.finance.report_style import Style
from data.finance.reports import Scope, StatementName

Measure = Literal["money", "shares", "per_share"]
MEASURES: Mapping[str, Measure] = {
    "eps_basic": "per_share",
    "eps_diluted": "per_share",
    "shares_basic": "shares",
    "shares_diluted": "shares",
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of a statement, in whole currency, with the sign of its item."""

    item: str
    value: Decimal
    end: date
    months: int | None
    line: Line
    measure: Measure = "money"
    member: str | None = None  # of the axis of products
    nil: bool = False

    @property
    def shown(self) -> Decimal:
        """With the sign that stands on paper."""
        return self.value * self.line.shown + 0

    @property
    def tagged(self) -> Decimal:
        """With the sign of its concept."""
        return self.value * self.line.tagged + 0  # never a negative zero


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table; without figures a heading."""

    words: str
    figures: tuple[Figure, ...] = ()
    note: str = ""
    total: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table of figures. `name` None: no statement, such as revenue by product in the notes."""

    name: StatementName | None
    scope: Scope
    titles: tuple[str, ...]  # the lines over it
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    heads: tuple[str, str] = ("", "")  # over the words, over the notes


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph, a heading, a line of the table of contents or the start of a page."""

    kind: Literal["title", "heading", "subheading", "paragraph", "contents", "page"]
    words: str = ""


Block = Text | Sheet


@dataclass(frozen=True, kw_only=True)
class Filing:
    """One annual report."""

    company: Company
    year: int
    style: Style
    form: str  # 10-K, 年度报告
    blocks: tuple[Block, ...]
    sections: tuple[str, ...]  # that a reader should find, by canonical name
    flaw: str | None = None  # the check that must fail, where a figure was misprinted on purpose

    @property
    def end(self) -> date:
        """Last day of the year reported."""
        return date(self.year, 12, 31)

    @property
    def sheets(self) -> tuple[Sheet, ...]:
        """The tables alone."""
        return tuple(block for block in self.blocks if isinstance(block, Sheet))

    @property
    def statements(self) -> tuple[Sheet, ...]:
        """The tables that are statements."""
        return tuple(sheet for sheet in self.sheets if sheet.name is not None)


def american_sheets(company: Company, year: int, style: Style) -> tuple[Sheet, ...]:
    """Balance of two years, income and cash flow of three."""
    three, two = (_ordered(range(year - back, year + 1), style) for back in (2, 1))
    minority = any(company.books[y]["minority_interest"] for y in three)
    forms = {"balance": us.BALANCE, "income": us.INCOME, "cash_flow": us.CASH_FLOW, "rest": us.COMPREHENSIVE}
    if not minority:
        forms = {name: _without_minority(lines) for name, lines in forms.items()}
    name = company.name.upper() if style.long_dates else company.name
    titles = {
        "balance": style.pick(("CONSOLIDATED BALANCE SHEETS", "Consolidated Balance Sheets")),
        "income": style.pick(("CONSOLIDATED STATEMENTS OF OPERATIONS", "Consolidated Statements of Income")),
        "rest": style.pick(("CONSOLIDATED STATEMENTS OF COMPREHENSIVE INCOME (LOSS)",)),
        "cash_flow": style.pick(("CONSOLIDATED STATEMENTS OF CASH FLOWS", "Consolidated Statements of Cash Flows")),
    }
    made = []
    for key in ("balance", "income", "rest", "cash_flow"):
        years = two if key == "balance" else three
        months = None if key == "balance" else 12
        rows = _rows(forms[key], company, company.books, years, months, style)
        lines = (name, titles[key], _american_period(years, months, style), style.unit_words)
        kind: StatementName = "income" if key == "rest" else key  # type: ignore[assignment]
        made.append(Sheet(kind, "consolidated", lines, _american_heads(years, style, months), rows, ("", "Note")))
    return tuple(made)


def chinese_sheets(company: Company, year: int, style: Style) -> tuple[Sheet, ...]:
    """The group's and the parent company's three statements, two years each."""
    years = _ordered(range(year - 1, year + 1), style)
    made = []
    forms: tuple[tuple[StatementName, str, tuple[Line, ...]], ...] = (
        ("balance", "资产负债表", cn.BALANCE),
        ("income", "利润表", cn.INCOME),
        ("cash_flow", "现金流量表", cn.CASH_FLOW),
    )
    number = 0
    scopes: tuple[Scope, ...] = ("consolidated", "parent")
    for kind, words, lines in forms:
        for scope in scopes:
            number += 1
            form = lines if scope == "consolidated" else cn.parent_form(lines)
            books = company.books if scope == "consolidated" else company.parent_books
            months = None if kind == "balance" else 12
            title = f"{'合并' if scope == 'consolidated' else '母公司'}{words}"
            numbered = f"{number}、{title}" if style.wide_margin else title
            when = f"{year}年12月31日" if kind == "balance" else f"{year}年1—12月"
            over = (numbered, f"编制单位：{company.name}", when, style.unit_words)
            rows = _rows(form, company, books, years, months, style, per_share=scope == "consolidated")
            heads = ("项目", "附注")
            made.append(Sheet(kind, scope, over, _chinese_heads(years, style, months), rows, heads))
    return tuple(made)


def misprinted(filing: Filing, item: str, flaw: str) -> Filing:
    """The same filing with one figure of the year wrong: three more of its last printed digit but two."""
    step = 300 * filing.style.scale

    def change(figure: Figure) -> Figure:
        wrong = figure.item == item and figure.end == filing.end
        return replace(figure, value=figure.value + step) if wrong else figure

    blocks = tuple(
        replace(block, rows=tuple(replace(row, figures=tuple(map(change, row.figures))) for row in block.rows))
        if isinstance(block, Sheet) and block.scope == "consolidated"
        else block
        for block in filing.blocks
    )
    return replace(filing, blocks=blocks, flaw=flaw)


def amount(company: Company, books: Mapping[int, Mapping[str, int]], year: int, item: str) -> Decimal:
    """An item in whole currency."""
    if item in MEASURES:
        return company.per_share(year)[item]
    return Decimal(books[year][item] * company.grain_cents) / 100


def _rows(
    lines: tuple[Line, ...],
    company: Company,
    books: Mapping[int, Mapping[str, int]],
    years: tuple[int, ...],
    months: int | None,
    style: Style,
    *,
    per_share: bool = True,
) -> tuple[Row, ...]:
    rows = []
    for place, line in enumerate(lines):
        words = style.pick(line.words, place)
        if not line.item or (line.item in MEASURES and not per_share):
            rows.append(Row(words))
            continue
        figures = tuple(_figure(line, company, books, year, months) for year in years)
        if any(f.value for f in figures) or line.kept or style.empty_lines:
            note = f"{'七、' if company.country == 'cn' else ''}{place + 1}" if style.notes and not line.total else ""
            rows.append(Row(words, figures, note, line.total))
    return tuple(rows)


def _figure(
    line: Line, company: Company, books: Mapping[int, Mapping[str, int]], year: int, months: int | None
) -> Figure:
    end = date(year, 12, 31)
    if line.item == "_nil":
        return Figure(line.item, Decimal(0), end, months, line, nil=True)
    value = amount(company, books, year, line.item)
    return Figure(line.item, value, end, months, line, MEASURES.get(line.item, "money"))


def _without_minority(lines: tuple[Line, ...]) -> tuple[Line, ...]:
    """Without outside owners total equity is that of the stockholders and the result is theirs."""
    words = {line.item: line for line in lines}
    own = {"total_equity": "equity_parent", "net_income": "net_income_parent"}
    kept = []
    for line in lines:
        if line.item in ("equity_parent", "net_income_parent", "net_income_minority", "minority_interest"):
            continue
        if line.item == "total_equity":
            line = replace(line, words=words[own[line.item]].words, concept="StockholdersEquity")
        elif line.item == "net_income":
            line = replace(line, concept="NetIncomeLoss")
        elif line.item == "comprehensive_income":
            line = replace(line, concept="ComprehensiveIncomeNetOfTax")
        kept.append(line)
    return tuple(kept)


def _ordered(years: range, style: Style) -> tuple[int, ...]:
    return tuple(reversed(years)) if style.newest_first else tuple(years)


def _american_period(years: tuple[int, ...], months: int | None, style: Style) -> str:
    named = f"{', '.join(map(str, years[:-1]))} and {years[-1]}"
    if months is None:
        return style.pick(("December 31,", f"As of December 31, {named}"))
    return style.pick(
        ("Years ended December 31,", f"For the years ended December 31, {named}", "Year Ended December 31")
    )


def _american_heads(years: tuple[int, ...], style: Style, months: int | None) -> tuple[str, ...]:
    if style.long_dates and months is None:
        return tuple(f"December 31, {year}" for year in years)
    return tuple(str(year) for year in years)


def _chinese_heads(years: tuple[int, ...], style: Style, months: int | None) -> tuple[str, ...]:
    if months is None:
        return tuple(f"{year}年12月31日" for year in years) if style.long_dates else ("期末余额", "期初余额")
    return tuple(f"{year}年度" for year in years) if style.long_dates else ("本期发生额", "上期发生额")
