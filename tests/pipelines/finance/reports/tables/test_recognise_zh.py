"""Chinese statements in layouts of many kinds; all companies and numbers are made up."""

import gzip
import json
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

END, LAST = date(2021, 12, 31), date(2020, 12, 31)


def table(rows: Iterable[Iterable[str]]) -> str:
    return "<table>" + "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows) + "</table>"


def page(*parts: str) -> Document:
    return read_html(html.document_fromstring("<html><body>" + "".join(parts) + "</body></html>"))


def value(
    document: Document, statement: StatementName, item: str, end: date = END, scope: str = "consolidated"
) -> Decimal | None:
    found = [one for one in lines(document, statement) if (one.item, one.period_end, one.scope) == (item, end, scope)]
    assert len(found) < 2
    return found[0].value if found else None


def lines(document: Document, statement: StatementName) -> tuple[Line, ...]:
    return recognise(document, "zh").get(statement, ())


BALANCE = (
    ("流动资产：", "", "", ""),
    ("货币资金", "七、1", "1,000.00", "900.00"),
    ("存货", "七、9", "500.00", "450.00"),
    ("流动资产合计", "", "1,500.00", "1,350.00"),
    ("非流动资产：", "", "", ""),
    ("固定资产", "七、21", "2,500.00", "2,650.00"),
    ("非流动资产合计", "", "2,500.00", "2,650.00"),
    ("资产总计", "", "4,000.00", "4,000.00"),
    ("流动负债：", "", "", ""),
    ("应付账款", "七、36", "1,200.00", "1,300.00"),
    ("流动负债合计", "", "1,200.00", "1,300.00"),
    ("负债合计", "", "1,200.00", "1,300.00"),
    ("所有者权益（或股东权益）：", "", "", ""),
    ("实收资本（或股本）", "", "2,000.00", "2,000.00"),
    ("减：库存股", "", "100.00", ""),
    ("未分配利润", "", "900.00", "700.00"),
    ("所有者权益（或股东权益）合计", "", "2,800.00", "2,700.00"),
    ("负债和所有者权益（或股东权益）总计", "", "4,000.00", "4,000.00"),
)
HEAD = ("项目", "附注", "期末余额", "期初余额")
COVER = "<p>某某股份有限公司2021年年度报告</p>"
TITLE = "<p>合并资产负债表</p><p>2021年12月31日</p><p>编制单位：某某股份有限公司</p><p>单位：万元 币种：人民币</p>"


def test_a_balance_sheet_is_read_with_its_unit_notes_and_periods() -> None:
    document = page(COVER, TITLE, table([HEAD, *BALANCE]))
    assert value(document, "balance", "cash") == 10_000_000
    assert value(document, "balance", "total_assets", LAST) == 40_000_000
    assert value(document, "balance", "treasury_stock") == 1_000_000
    assert {line.currency for line in lines(document, "balance")} == {"CNY"}


def test_each_number_says_where_it_stands() -> None:
    document = page(COVER, TITLE, table([HEAD, *BALANCE]))
    for line in lines(document, "balance"):
        assert line.source.start is not None
        assert document.text[line.source.start : line.source.end] == line.source.text


def test_a_statement_goes_on_over_a_page_break_with_its_heading_repeated() -> None:
    parts = [table([HEAD, *BALANCE[:6]]), "<p>某某股份有限公司2021年年度报告</p><p>85 / 200</p>"]
    document = page(COVER, TITLE, *parts, "<p>合并资产负债表（续）</p>", table([HEAD, *BALANCE[6:]]))
    assert value(document, "balance", "cash") == 10_000_000
    assert value(document, "balance", "liabilities_and_equity") == 40_000_000


def test_a_table_without_column_headings_goes_on_with_those_before() -> None:
    document = page(COVER, TITLE, table([HEAD, *BALANCE[:6]]), "<p>85</p>", table(BALANCE[6:]))
    assert value(document, "balance", "total_equity", LAST) == 27_000_000


def test_the_parent_has_its_own_statement() -> None:
    parent = [(label, note, "7.00" if now else "", then) for label, note, now, then in BALANCE]
    document = page(
        COVER, TITLE, table([HEAD, *BALANCE]), "<p>母公司资产负债表</p><p>单位：元</p>", table([HEAD, *parent])
    )
    assert value(document, "balance", "total_assets", scope="parent") == 7
    assert value(document, "balance", "total_assets") == 40_000_000


def test_a_title_that_names_nobody_is_the_parent_beside_a_consolidated_one() -> None:
    parent = [(label, note, "7.00" if now else "", then) for label, note, now, then in BALANCE]
    document = page(COVER, TITLE, table([HEAD, *BALANCE]), "<p>资产负债表</p><p>单位：元</p>", table([HEAD, *parent]))
    assert value(document, "balance", "total_assets", scope="parent") == 7


def test_group_and_parent_may_stand_side_by_side() -> None:
    days = ("2021年12月31日", "2020年12月31日")
    head = [("项目", "附注", "合并", "合并", "公司", "公司"), ("", "", *days, *days)]
    rows = [(label, note, now, then, "3.00" if now else "", "") for label, note, now, then in BALANCE]
    document = page(COVER, "<p>合并及公司资产负债表</p><p>人民币千元</p>", table([*head, *rows]))
    assert value(document, "balance", "total_assets") == 4_000_000
    assert value(document, "balance", "total_assets", scope="parent") == 3_000


def test_a_table_of_adjustments_is_not_the_statement() -> None:
    changed = [(label, "1.00", "2.00", "1.00") for label, _, now, _ in BALANCE if now]
    head = ("项目", "2020年12月31日", "2021年01月01日", "调整数")
    adjusted = "<p>合并资产负债表</p><p>单位：元</p>" + table([head, *changed])
    for parts in ((TITLE + table([HEAD, *BALANCE]), adjusted), (adjusted, TITLE + table([HEAD, *BALANCE]))):
        assert value(page(COVER, *parts), "balance", "total_assets") == 40_000_000


INCOME = (
    ("一、营业总收入", "1,000.00", "900.00"),
    ("其中：营业收入", "990.00", "895.00"),
    ("利息收入", "10.00", "5.00"),
    ("二、营业总成本", "800.00", "750.00"),
    ("其中：营业成本", "700.00", "650.00"),
    ("财务费用", "-3.00", "－2.00"),
    ("其中：利息费用", "4.00", "4.00"),
    ("利息收入", "7.00", "6.00"),
    ("加：其他收益", "5.00", ""),
    ("信用减值损失（损失以“-”号填列）", "（2.00）", "1.00"),
    ("三、营业利润（亏损以“－”号填列）", "203.00", "151.00"),
    ("四、利润总额（亏损总额以“－”号填列）", "203.00", "151.00"),
    ("减：所得税费用", "50.00", "40.00"),
    ("五、净利润（净亏损以“－”号填列）", "153.00", "111.00"),
    ("1.持续经营净利润（净亏损以“－”号填列）", "153.00", "111.00"),
    ("归属于母公司所有者的净利润", "150.00", "110.00"),
    ("少数股东损益", "3.00", "1.00"),
    ("七、综合收益总额", "160.00", "120.00"),
    ("归属于母公司所有者的综合收益总额", "157.00", "119.00"),
    ("归属于少数股东的综合收益总额", "3.00", "1.00"),
    ("（一）基本每股收益", "0.15", "0.11"),
)


@pytest.mark.parametrize(
    "head", [("项目", "2021年度", "2020年度"), ("项目", "本期发生额", "上期发生额"), ("项目", "2021 年", "2020 年")]
)
def test_an_income_statement_is_read_whatever_its_columns_are_called(head: tuple[str, ...]) -> None:
    document = page(COVER, "<p>3、合并利润表</p><p>单位：千元</p>", table([head, *INCOME]))
    assert value(document, "income", "revenue") == 990_000
    assert value(document, "income", "interest_income") == 7_000
    assert value(document, "income", "finance_expense", LAST) == -2_000
    assert value(document, "income", "credit_impairment") == -2_000
    assert value(document, "income", "eps_basic") == Decimal("0.15")
    assert value(document, "income", "comprehensive_income_minority") == 3_000
    assert {line.months for line in lines(document, "income")} == {12}


def test_a_quarter_and_the_months_so_far_are_told_apart() -> None:
    head = ("项目", "2021年7-9月", "2020年7-9月", "2021年1-9月", "2020年1-9月")
    rows = [(label, "1.00", "1.00", now, then) for label, now, then in INCOME]
    document = page("<p>某某公司2021年第三季度报告</p><p>合并利润表</p><p>单位：元</p>", table([head, *rows]))
    now = [line for line in lines(document, "income") if line.item == "revenue" and line.period_end.year == 2021]
    found = {(line.months, line.value) for line in now}
    assert found == {(3, Decimal(1)), (9, Decimal(990))}


def test_the_quarter_may_have_a_statement_of_its_own() -> None:
    head = ("项目", "本期发生额", "上期发生额")
    quarter = [(label, "1.00", "1.00") for label, _, _ in INCOME]
    first = "<p>3、合并本报告期利润表</p><p>单位：元</p>" + table([head, *quarter])
    second = "<p>5、合并年初到报告期末利润表</p><p>单位：元</p>" + table([head, *INCOME])
    document = page("<p>某某公司2021年第三季度报告</p>", first, second)
    now = [line for line in lines(document, "income") if line.item == "revenue" and line.period_end.year == 2021]
    assert {(line.months, line.value) for line in now} == {(3, Decimal(1)), (9, Decimal(990))}
    assert {line.period_end for line in now} == {date(2021, 9, 30)}


CASH = """合并现金流量表
2021年1—12月
单位：元
项目　　　　　　　　　　　　　　　　　　　　　本期金额　　　　　上期金额
一、经营活动产生的现金流量：
　　销售商品、提供劳务收到的现金　　　　　　１，２００.００　　　１，１００.００
　　购买商品、接受劳务支付的现金　　　　　　　８００.００　　　　７００.００
　　经营活动产生的现金流量净额　　　　　　　　４００.００　　　　４００.００
二、投资活动产生的现金流量：
　　投资活动产生的现金流量净额　　　　　　　－３００.００　　　－２００.００
三、筹资活动产生的现金流量：
　　筹资活动产生的现金流量净额　　　　　　　（５０.００）　　　（１０.００）
五、现金及现金等价物净增加额　　　　　　　　　５０.００　　　　１９０.００
加：期初现金及现金等价物余额　　　　　　　　　２００.００　　　　　１０.００
六、期末现金及现金等价物余额　　　　　　　　　２５０.００　　　　２００.００
"""


def test_plain_text_with_wide_digits_and_spaces_is_read() -> None:
    document = read_text(CASH)
    assert value(document, "cash_flow", "cash_from_customers") == 1200
    assert value(document, "cash_flow", "investing_cash_flow") == -300
    assert value(document, "cash_flow", "financing_cash_flow", LAST) == -10
    assert value(document, "cash_flow", "cash_end") == 250


def test_text_with_single_spaces_is_read() -> None:
    text = "合并资产负债表\n2021 年 12 月 31 日\n单位：元\n项目 附注 期末余额 期初余额\n"
    rows = [" ".join(cell for cell in row if cell) for row in BALANCE]
    document = read_text(text + "\n".join(rows))
    assert value(document, "balance", "cash") == 1000
    assert value(document, "balance", "total_equity", LAST) == 2700
    assert value(document, "balance", "treasury_stock") is None  # nothing says which column a lone number is in


def test_json_lines_are_read_with_their_pages() -> None:
    entries = [("text", "合并资产负债表"), ("text", "单位：元"), ("页脚", "1")]
    rows = [str(list(row)) for row in (("项目", "附注", "2021年12月31日", "2020年12月31日"), *BALANCE)]
    entries += [("excel", row) for row in rows]
    text = "\n".join(
        json.dumps({"page": 1 + place // 12, "allrow": place, "type": kind, "inside": inside}, ensure_ascii=False)
        for place, (kind, inside) in enumerate(entries)
    )
    document = read_text(text)
    assert value(document, "balance", "total_assets") == 4000
    assert {line.source.page for line in lines(document, "balance")} == {1, 2}


def test_a_contents_list_and_a_mention_are_no_statement() -> None:
    contents = "<p>合并资产负债表......85</p><p>详见合并利润表附注</p>" + table(
        [("合并现金流量表", "90"), ("附注", "95")]
    )
    assert recognise(page(contents), "zh") == {}


OLD = """合并利润表
2016年1—12月
单位：元
项目                附注        本期发生额        上期发生额
一、营业总收入                       1,300             1,200
二、营业总成本                       1,120               990
其中：营业成本                       1,000               900
      管理费用                         100               100
      资产减值损失     七、6             20               -10
加：投资收益（损失以“－”号填列）      15                 5
三、营业利润（亏损以“－”号填列）     195               215
四、利润总额（亏损总额以“－”号填列） 195               215
五、净利润（净亏损以“－”号填列）     150               160
"""


def test_impairments_among_the_costs_of_an_old_statement_are_losses_and_reversals_gains() -> None:
    document = read_text(OLD)
    assert value(document, "income", "asset_impairment", date(2016, 12, 31)) == -20
    assert value(document, "income", "asset_impairment", date(2015, 12, 31)) == 10
    assert value(document, "income", "investment_income", date(2016, 12, 31)) == 15


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["002099_2019.html", "300617_2019.html", "300617_2019.txt"])
def test_the_numbers_known_of_real_reports_are_bound_to_item_period_and_unit(realdata: Path, name: str) -> None:
    folder = realdata / "data/finance/reports/zh_annual"
    content = gzip.decompress((folder / f"{name}.gz").read_bytes()).decode("utf-8")
    document = read_text(content) if name.endswith(".txt") else read_html(html.document_fromstring(content))
    gold = json.loads((folder / f"{name.split('.')[0]}.gold.json").read_text(encoding="utf-8"))
    items = {item.zh: item.name for item in ITEMS.values() if item.zh}
    found = {
        (line.item, line.value)
        for rows in recognise(document, "zh").values()
        for line in rows
        if line.scope == "consolidated" and line.period_end == date(2019, 12, 31)
    }
    numbers = {words: number for words, number in gold.items() if isinstance(number, float) and words != "年份"}
    wanted = {(items[words], Decimal(str(number))) for words, number in numbers.items()}
    assert len(wanted & found) >= 0.95 * len(wanted)
