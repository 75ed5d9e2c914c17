"""Whole made-up annual reports: cover, contents, text, statements and notes in the order of a 10-K or a 年度报告."""

from datetime import date
from decimal import Decimal

from data.finance import report_prose_en as en
from data.finance import report_prose_zh as zh
from data.finance.companies import Company
from data.finance.report_filing import Block, Figure, Filing, Row, Sheet, Text, american_sheets, amount, chinese_sheets
from data.finance.report_lines import Line
from data.finance.report_prose import Story, story_of
from data.finance.report_style import Style

_NUMBERS = "一二三四五六七八九十"
_REVENUE = "RevenueFromContractWithCustomerExcludingAssessedTax"


def compose(company: Company, year: int, style: Style) -> Filing:
    """The annual report of a year. `year` must be one of the company's."""
    return _chinese(company, year, style) if company.country == "cn" else _american(company, year, style)


def _american(company: Company, year: int, style: Style) -> Filing:
    story = story_of(company, year)
    before, after = en.before_statements(story, style), en.after_statements()
    whole = [*before, ("8", "Financial Statements and Supplementary Data", "financial_statements", []), *after]
    blocks: list[Block] = [*en.cover(story, style), Text("page"), Text("heading", "TABLE OF CONTENTS")]
    blocks += [
        Text("contents", f"Item {number}. {title}\t{4 + 5 * i}") for i, (number, title, _, _) in enumerate(whole)
    ]
    blocks.append(Text("page"))
    for number, title, _, paragraphs in before:
        blocks += _item(number, title, paragraphs, style)
    blocks += [Text("page"), *_item("8", "Financial Statements and Supplementary Data", [], style)]
    heading = style.pick(("REPORT OF INDEPENDENT REGISTERED PUBLIC ACCOUNTING FIRM",))
    blocks += [Text("subheading", heading), *(Text("paragraph", words) for words in en.auditor(story, style))]
    for sheet in american_sheets(company, year, style):
        blocks += [Text("page"), sheet]
        blocks.append(Text("paragraph", "The accompanying notes are an integral part of these financial statements."))
    blocks += [Text("page"), *_american_notes(company, year, style, story)]
    for number, title, _, paragraphs in after:
        blocks += _item(number, title, paragraphs, style)
    names = tuple(name for _, _, name, _ in whole if name)
    return Filing(
        company=company, year=year, style=style, form="10-K", blocks=tuple(blocks), sections=(*names, "auditor_report")
    )


def _item(number: str, title: str, paragraphs: list[str], style: Style) -> list[Block]:
    shout = style.wide_margin
    heading = f"{'ITEM' if shout else 'Item'} {number}. {title.upper() if shout else title}"
    return [Text("heading", heading), *(Text("paragraph", words) for words in paragraphs)]


def _american_notes(company: Company, year: int, style: Style, story: Story) -> list[Block]:
    sheet = _by_product(company, year, style)
    blocks: list[Block] = [
        Text("heading", "NOTES TO CONSOLIDATED FINANCIAL STATEMENTS"),
        Text("subheading", "Note 1. Summary of Significant Accounting Policies"),
        Text("paragraph", "The consolidated financial statements include the accounts of the Company and its "
             "subsidiaries. Intercompany balances are eliminated."),
        Text("subheading", "Note 2. Liquidity"),
    ]  # fmt: skip
    if story.doubtful:
        blocks.append(Text("paragraph", "Management’s plans do not alleviate the substantial doubt about the Company’s "
                           "ability to continue as a going concern."))  # fmt: skip
    else:
        blocks.append(Text("paragraph", "The Company expects to meet its obligations as they fall due."))
    return [*blocks, Text("subheading", "Note 3. Revenue"), Text("paragraph", en.products(sheet)), sheet]


def _by_product(company: Company, year: int, style: Style) -> Sheet:
    """Revenue by two products that add up to that of the income statement: a reader must not take one for it."""
    years = [year, year - 1] if style.newest_first else [year - 1, year]
    share = Decimal(40 + style.seed % 20) / 100
    grain = Decimal(company.grain_cents) / 100
    rows: list[tuple[Figure, ...]] = [(), ()]
    for each in years:
        whole = amount(company, company.books, each, "revenue")
        first = (whole * share / grain).to_integral_value() * grain
        for place, (value, member) in enumerate(((first, "ProductsMember"), (whole - first, "ServicesMember"))):
            line = Line(("",), "revenue", _REVENUE)
            rows[place] += (Figure("revenue", value, date(each, 12, 31), 12, line, member=member),)
    table = tuple(Row(words, figures) for words, figures in zip(("Products", "Services"), rows, strict=True))
    return Sheet(None, "consolidated", (style.unit_words,), tuple(map(str, years)), table)


def _chinese(company: Company, year: int, style: Style) -> Filing:
    story = story_of(company, year)
    chapters = [*zh.before_statements(story), ("财务报告", "financial_statements", []), ("备查文件目录", "", [])]
    titles = [
        f"第{_NUMBERS[i] if i < 10 else '十' + _NUMBERS[i - 10]}节 {title}" for i, (title, _, _) in enumerate(chapters)
    ]
    blocks: list[Block] = [Text("title", company.name), Text("title", f"{year}年年度报告"), Text("page")]
    blocks += [Text("heading", "目录"), *(Text("contents", f"{t}\t{3 + 6 * i}") for i, t in enumerate(titles))]
    for title, (_, name, parts) in zip(titles, chapters, strict=True):
        blocks += [Text("page"), Text("heading", title)]
        for heading, paragraphs in parts:
            blocks += [Text("subheading", heading)] if heading else []
            blocks += [Text("paragraph", words) for words in paragraphs]
        if name == "financial_statements":
            blocks += _chinese_report(company, year, style, story)
    return Filing(
        company=company,
        year=year,
        style=style,
        form="年度报告",
        blocks=tuple(blocks),
        sections=(*(name for _, name, _ in chapters if name), "auditor_report", "legal_proceedings", "risk_factors"),
    )


def _chinese_report(company: Company, year: int, style: Style, story: Story) -> list[Block]:
    blocks: list[Block] = [Text("subheading", "一、审计报告")]
    blocks += [Text("paragraph", words) for words in zh.auditor(story, style)]
    blocks.append(Text("subheading", "二、财务报表"))
    for sheet in chinese_sheets(company, year, style):
        blocks += [Text("page"), sheet] if style.breaks else [sheet]
        blocks.append(Text("paragraph", "法定代表人：（签章）　主管会计工作负责人：（签章）　会计机构负责人：（签章）"))
    return [*blocks, Text("subheading", "三、公司基本情况"), Text("paragraph", f"{company.name}为股份有限公司。")]
