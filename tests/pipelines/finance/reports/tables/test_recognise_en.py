"""English statements in layouts of many kinds; all companies and numbers are made up."""

import csv
import gzip
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from lxml import html

from data.finance.reports import Line, StatementName
from pipelines.finance.reports.items import ITEMS
from pipelines.finance.reports.tables.html import read_html
from pipelines.finance.reports.tables.plain import read_text
from pipelines.finance.reports.tables.recognise import recognise
from pipelines.finance.reports.tables.rows import Document
from pipelines.finance.reports.tables.settle import settle

END = date(2024, 12, 31)
COVER = "<p>ACME CORP. FORM 10-K</p><p>For the fiscal year ended December 31, 2024</p>"


def table(rows: Iterable[str]) -> str:
    """Cells parted by bars; a cell that begins with `n*` spans n columns."""

    def cell(text: str) -> str:
        span, star, words = text.partition("*")
        return f"<td colspan={span}>{words}</td>" if star and span.isdecimal() else f"<td>{text}</td>"

    return "<table>" + "".join(f"<tr>{''.join(map(cell, row.split('|')))}</tr>" for row in rows) + "</table>"


def page(*parts: str) -> Document:
    return read_html(html.document_fromstring("<html><body>" + "".join(parts) + "</body></html>"))


def line(
    document: Document, statement: StatementName, item: str, end: date = END, months: int | None = None
) -> Line | None:
    rows = recognise(document, "en").get(statement, ())
    found = [one for one in rows if (one.item, one.period_end) == (item, end) and months in (None, one.months)]
    assert len(found) < 2
    return found[0] if found else None


def value(
    document: Document, statement: StatementName, item: str, end: date = END, months: int | None = None
) -> Decimal | None:
    found = line(document, statement, item, end, months)
    return None if found is None else found.value


INCOME = (
    "Net sales:|||||||",
    "Products|$|800||$|700|",
    "Services||200|||100|",
    "Total net sales||1,000|||800|",
    "Cost of sales||(600|)||(500|)",
    "Gross profit||400|||300|",
    "Research and development||(100|)||(90|)",
    "Operating income||300|||210|",
    "Interest expense||(20|)||(10|)",
    "Income before income taxes||280|||200|",
    "Provision for income taxes||(70|)||(50|)",
    "Net income|$|210||$|150|",
    "Earnings per share:||||||",
    "Basic|$|2.10||$|1.50|",
    "Diluted|$|2.00||$|1.40|",
    "Shares used in computing earnings per share:||||||",
    "Basic||100,000|||100,000|",
    "Diluted||105,000|||107,000|",
)
UNIT = "<p>(In millions, except number of shares, which are reflected in thousands)</p>"
TITLE = "<p>CONSOLIDATED STATEMENTS OF INCOME</p>" + UNIT
HEAD = ("|6*Years ended December 31,", "|3*2024|3*2023")


def test_costs_in_parentheses_are_costs() -> None:
    document = page(COVER, TITLE, table([*HEAD, *INCOME]))
    assert value(document, "income", "cost_of_revenue") == 600_000_000
    assert value(document, "income", "income_tax") == 70_000_000
    assert value(document, "income", "interest_expense", date(2023, 12, 31)) == 10_000_000


def test_revenue_is_the_total_not_a_part() -> None:
    document = page(COVER, TITLE, table([*HEAD, *INCOME]))
    assert value(document, "income", "revenue") == 1_000_000_000
    parts = [
        row.replace("Products|", "Revenue from products|").replace("Services|", "Revenue from services|")
        for row in INCOME
    ]
    assert value(page(COVER, TITLE, table([*HEAD, *parts])), "income", "revenue") == 1_000_000_000


def test_shares_and_earnings_a_share_are_told_apart() -> None:
    document = page(COVER, TITLE, table([*HEAD, *INCOME]))
    assert value(document, "income", "eps_diluted") == Decimal("2.00")
    assert value(document, "income", "shares_diluted") == 105_000_000


def test_a_quarter_stands_beside_the_half_year() -> None:
    rows = [row + "|" + row.partition("|")[2] for row in INCOME]
    head = ("|6*Three Months Ended June 30,|6*Six Months Ended June 30,", "|3*2025|3*2024|3*2025|3*2024")
    document = page(
        "<p>CONDENSED CONSOLIDATED STATEMENTS OF OPERATIONS (Unaudited)</p><p>(in thousands)</p>", table([*head, *rows])
    )
    for months in (3, 6):
        assert value(document, "income", "net_income", date(2025, 6, 30), months) == 210_000


def test_a_table_of_the_discussion_loses_to_the_statement() -> None:
    summary = table(["|2024|2023|Change", "Revenue|1|2|3%", "Operating income|1|2|3%", "Net income|1|2|3%"])
    told = "<p>Results of Operations</p>" + summary
    document = page(COVER, told, TITLE, table([*HEAD, *INCOME]), "<p>Selected Financial Data</p>", summary)
    assert value(document, "income", "net_income") == 210_000_000


BALANCE = """
ACME CORP.
CONSOLIDATED BALANCE SHEETS
(Dollars in thousands)
                                              December 31,    December 31,
                                                  2024            2023
ASSETS
Current assets:
  Cash and cash equivalents ................   $   1,200       $   1,000
  Marketable securities ....................         300             200
  Other ....................................         100              50
                                               ---------       ---------
    Total current assets ...................       1,600           1,250
Marketable securities ......................         400             350
Property, plant and equipment, net .........       2,000           2,100
                                               ---------       ---------
    Total assets ...........................   $   4,000       $   3,700
LIABILITIES AND STOCKHOLDERS' EQUITY
Current liabilities:
  Accounts payable .........................   $     700       $     800
  Current portion of long-term debt ........         100              -
    Total current liabilities ..............         800             800
Long-term debt .............................       1,200           1,200
Stockholders' equity:
  Common stock .............................         500             500
  Treasury stock ...........................        (100)            (50)
  Retained earnings ........................       1,600           1,250
    Total stockholders' equity .............       2,000           1,700
Total liabilities and stockholders' equity .   $   4,000       $   3,700
"""


def test_plain_text_with_dotted_leaders_is_read() -> None:
    document = read_text(BALANCE)
    assert value(document, "balance", "cash") == 1_200_000
    assert value(document, "balance", "total_assets", date(2023, 12, 31)) == 3_700_000
    assert value(document, "balance", "current_portion_debt", date(2023, 12, 31)) == 0
    assert value(document, "balance", "treasury_stock") == 100_000


def test_the_same_words_mean_another_item_in_another_part() -> None:
    document = read_text(BALANCE)
    assert value(document, "balance", "short_term_investments") == 300_000
    assert value(document, "balance", "long_term_investments") == 400_000
    assert value(document, "balance", "other_current_assets") == 100_000


def test_a_preformatted_page_is_read_like_plain_text() -> None:
    assert value(page(f"<pre>{BALANCE}</pre>"), "balance", "equity_parent") == 2_000_000


def test_each_number_says_where_it_stands() -> None:
    document = read_text(BALANCE)
    for one in recognise(document, "en")["balance"]:
        assert document.text[one.source.start : one.source.end] == one.source.text


CASH = (
    "Cash flows from operating activities||",
    "Net loss|(50)|(40)",
    "Depreciation and amortization|30|30",
    "Accounts receivable|(5)|5",
    "Net cash used in operating activities|(25)|(5)",
    "Cash flows from investing activities||",
    "Purchases of property and equipment|(15)|(10)",
    "Net cash used in investing activities|(15)|(10)",
    "Cash flows from financing activities||",
    "Proceeds from issuance of common stock|60|—",
    "Dividends paid|(5)|(5)",
    "Net cash provided by (used in) financing activities|55|(5)",
    "Net increase (decrease) in cash|15|(20)",
    "Cash at beginning of year|10|30",
    "Cash at end of year|25|10",
)


def test_sums_that_were_paid_are_positive() -> None:
    document = page(
        COVER,
        "<p>Consolidated Statements of Cash Flows</p><p>RMB'000</p>",
        table(["|Notes|2024|2023", *[row.replace("|", "|5|", 1) for row in CASH]]),
    )
    assert value(document, "cash_flow", "capex") == 15_000
    assert value(document, "cash_flow", "operating_cash_flow") == -25_000
    assert value(document, "cash_flow", "cash_end", date(2023, 12, 31)) == 10_000
    found = line(document, "cash_flow", "net_income")
    assert found is not None
    assert (found.currency, found.months) == ("CNY", 12)


def test_a_statement_split_over_two_pages_is_one() -> None:
    title = "<p>CONSOLIDATED STATEMENTS OF CASH FLOWS</p><p>(in thousands)</p>"
    again = "<p>See accompanying notes.</p><p>F-6</p><p>CONSOLIDATED STATEMENTS OF CASH FLOWS (continued)</p>"
    document = page(COVER, title, table(["|2024|2023", *CASH[:8]]), again, table(["|2024|2023", *CASH[8:]]))
    assert value(document, "cash_flow", "capex") == 15_000
    assert value(document, "cash_flow", "cash_end") == 25_000


def test_the_parent_alone_is_not_the_group() -> None:
    alone = [row.replace("1,000", "7") for row in INCOME]
    schedule = "<p>CONDENSED FINANCIAL INFORMATION OF REGISTRANT (PARENT COMPANY ONLY)</p><p>STATEMENTS OF INCOME</p>"
    notes = "<p>NOTES TO CONSOLIDATED FINANCIAL STATEMENTS</p>"
    document = page(COVER, TITLE, table([*HEAD, *INCOME]), notes, schedule, UNIT, table([*HEAD, *alone]))
    now = [one for one in recognise(document, "en")["income"] if one.item == "revenue" and one.period_end == END]
    found = {(one.scope, one.value) for one in now}
    assert found == {("consolidated", Decimal(10**9)), ("parent", Decimal(7 * 10**6))}


def test_fiscal_years_named_after_the_year_before_end_in_the_next() -> None:
    cover = "<p>FORM 10-K For the fiscal year ended February 1, 2025</p>"
    document = page(
        cover,
        "<p>Consolidated Statements of Earnings</p><p>(in millions)</p>",
        table(["Fiscal Year|3*2024|3*2023", *INCOME]),
    )
    assert value(document, "income", "net_income", date(2025, 2, 1)) == 210_000_000


def test_a_contents_page_holds_no_statement() -> None:
    listed = table(
        [
            "Consolidated Balance Sheets|45",
            "Consolidated Statements of Income|46",
            "Consolidated Statements of Cash Flows|47",
        ]
    )
    assert recognise(page(listed), "en") == {}


KEY = """revenue net_income total_assets total_liabilities total_equity liabilities_and_equity operating_cash_flow
investing_cash_flow financing_cash_flow cash_end"""


@pytest.mark.realdata
@pytest.mark.slow
def test_filings_read_without_their_tags_agree_with_the_tags(realdata: Path) -> None:
    folder = realdata / "data/finance/reports"
    right = wanted = 0
    for path in sorted((folder / "sec_ixbrl").glob("*.gz")):
        content = gzip.decompress(path.read_bytes()).lstrip()
        tree = html.document_fromstring(content, parser=html.HTMLParser(encoding="utf-8", huge_tree=True))
        rows = settle(recognise(read_html(tree), "en"))
        newest = max((one.period_end for one in rows.get("balance", ())), default=None)
        facts = _facts(folder / "gold_facts" / path.name.replace(".htm.gz", ".facts.csv.gz"), newest)
        for item in KEY.split():
            gold = {facts_value for concept in ITEMS[item].concepts for facts_value in facts.get(concept, ())}
            found = [one for lines in rows.values() for one in lines if one.item == item and one.period_end == newest]
            wanted += bool(gold)
            right += bool(gold and found and all(one.value in gold for one in found))
    assert wanted > 150
    assert right >= 0.95 * wanted


def _facts(path: Path, end: date | None) -> dict[str, set[Decimal]]:
    facts: dict[str, set[Decimal]] = {}
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if not row["dimensions"] and (row["end"] or row["instant"]) == str(end) and row["value"]:
                facts.setdefault(row["concept"], set()).add(Decimal(row["value"]))
    return facts
