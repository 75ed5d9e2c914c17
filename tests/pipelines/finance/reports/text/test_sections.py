"""Sections of texts written for these tests; the real filings are read in test_sections_real.py."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.finance.reports.text.section_titles import plain_text
from pipelines.finance.reports.text.sections import find_sections

CONTENTS = """FORM 10-K
INDEX
PART I
Item 1.
Business
3
Item 1A.
Risk Factors
9
Item 1B.
Unresolved Staff Comments
14
Item 3.
Legal Proceedings
15
Item 7.
Management's Discussion and Analysis of Financial Condition and Results of Operations
20
"""
BODY = [
    ("business", "Item 1. Business", "We make pumps. See\nItem 1A. Risk Factors of this report for more. " * 20),
    ("risk_factors", "ITEM\n1A.\nRISK\nFACTORS", "Pumps can break. " * 60),
    ("unresolved_comments", "Item 1B.\xa0Unresolved Staff Comments", "None."),
    ("legal_proceedings", "Ｉtem ３．Legal\xa0Proceedings", "A customer sued us for $2 million. " * 10),
    ("mdna", "Item 7: Management’s Discussion and Analysis", "Sales rose by a tenth. " * 50),
]
RISKS_ZH = "（三）公司可能面对的风险\n1、市场风险\n需求可能下降。\n2、原材料风险\n钢价可能上涨。"
CHAPTERS = [
    ("notice", "第一节 重要提示、目录和释义", "董事会保证年度报告真实。"),
    ("business", "第三节公司业务概要", "一、报告期内公司从事的主要业务\n公司生产水泵。" * 9),
    (
        "mdna",
        "第四节　经营情况讨论与分析",
        f"一、概述\n收入增长。\n九、公司未来发展的展望\n（一）发展战略\n做强。\n{RISKS_ZH}\n（四）计划\n稳步。\n十、调研",
    ),
    (
        "significant_events",
        "第五节 重要事项",
        "一、利润分配\n不分配。\n九、聘任、解聘会计师事务所情况\n是否改聘会计师事务所\n□ 是 √ 否\n"
        "十二、重大诉讼、仲裁事项\n√适用 □不适用\n涉案金额（万元）\n350.5\n十三、处罚及整改情况\n□适用 √不适用",
    ),
    (
        "financial_statements",
        "第十二节 财务报告",
        "一、审计报告\n审计意见类型\n标准的无保留意见\n审计报告正文\n一、审计意见\n我们审计了水泵公司财务报表。\n"
        "二、财务报表\n合并资产负债表\n货币资金 1",
    ),
]
NOTE_ZH = """水泵股份2023年三季报点评
投资评级：买入（维持）
目标价：25.00元
事件：公司发布三季报。
点评：毛利率改善。
盈利预测与投资建议：预计净利润1.2亿元。
风险提示：原材料涨价；需求不及预期。
免责声明
仅供参考。"""
NOTE_EN = """Pump Corp
Rating: Buy (reiterate)
Price target: $45
Key takeaways
Orders rose.
Valuation
Worth 15x earnings.
Risks
Slow demand.
Disclosures
We certify."""
LETTERS = "Item 1A.风险第一节、\n\u3000\xa0RISKrisk factors(二)业务"


def named(text: str, language: str = "en", form: str | None = None) -> dict[str, str]:
    return {section.name: text[section.start : section.end] for section in find_sections(text, language, form)}


def filing(contents: str = CONTENTS) -> str:
    body = "\n".join(f"{head}\n{words.rstrip()}" for _, head, words in BODY)
    return f"{contents}PART I\n{body}\nSIGNATURES\nA. Person\n"


def chinese_report() -> str:
    contents = "\n".join(f"{head} ........ {page}" for page, (_, head, _) in enumerate(CHAPTERS, 3))
    running_head = "水泵股份有限公司2023年年度报告全文"
    return f"目录\n{contents}\n" + f"\n{running_head}\n".join(f"{head}\n{words}" for _, head, words in CHAPTERS)


def test_items_are_found_under_their_headings_however_these_are_written() -> None:
    found = named(filing())
    assert list(found) == [name for name, _, _ in BODY]
    for name, head, words in BODY:
        assert found[name].startswith(head), name
        assert found[name].endswith(words.rstrip()), name


def test_running_heads_and_page_numbers_do_not_end_a_section() -> None:
    page = "Pumps can break.\n12\nTable of Contents\nItem 1A. Risk Factors\nPumps can"
    paged = filing().replace("Pumps can break. Pumps can", page, 3)
    assert named(paged)["risk_factors"].count("Pumps can break.") == 60
    assert list(named(paged)) == list(named(filing()))


def test_a_contents_page_with_sub_entries_is_not_taken_for_the_business() -> None:
    entries = "Business\n3\nOur pumps and how we make them\n4\nOur customers in all regions\n5\n"
    found = named(filing(CONTENTS.replace("Business\n3\n", entries)))
    assert found["business"].startswith("Item 1. Business\nWe make pumps.")


def test_an_index_of_items_at_the_end_does_not_hide_the_sections_of_a_report_without_items() -> None:
    text = "FORM 10-K\nOur Business\n" + "We make pumps. " * 300
    text += "\nManagement's Discussion and Analysis\n" + "Sales rose. " * 400
    text += "\nRisk Factors\n" + "Pumps can break. " * 300 + "\nConsolidated Balance Sheets\n1\n2\n"
    found = named(text + "Form 10-K cross-reference index\n" + CONTENTS.partition("INDEX\n")[2])
    assert found["business"].startswith("Our Business\nWe make")
    assert found["mdna"].startswith("Management's Discussion and Analysis\nSales")
    assert found["risk_factors"].endswith("Pumps can break.")


def test_items_that_share_a_heading_share_their_text() -> None:
    found = named(filing().replace("Item 1. Business\nWe", "Items 1 and 2. Business and Properties\nWe"))
    assert found["business"] == found["properties"]


def test_the_two_parts_of_a_quarterly_report_are_told_apart_by_their_titles() -> None:
    text = "FORM 10-Q\nPART I\nItem 1. Financial Statements\n" + "Numbers. " * 40
    text += "\nItem 2. Management's Discussion and Analysis\n" + "Sales fell. " * 40
    text += "\nPART II\nItem 1. Legal Proceedings\nNone.\nItem 1A. Risk Factors\nNo change.\n"
    text += "Item 2. Unregistered Sales of Equity Securities\nNone.\n"
    names = ["financial_statements", "mdna", "legal_proceedings", "risk_factors", "securities_sales"]
    assert list(named(text)) == names


def test_an_item_that_only_points_to_a_page_gives_way_to_the_section_there() -> None:
    text = filing().replace(BODY[4][2].rstrip(), "See the Financial Section.")
    text += "\nManagement's Discussion and Analysis\n" + "Costs fell a little. " * 300
    found = named(text + "\nConsolidated Statements of Income\n1\n")
    assert found["mdna"].count("Costs fell") == 300


def test_a_plain_annual_report_is_divided_by_its_headings() -> None:
    text = "Pump PLC\nContents\nStrategic report\n4\nPrincipal risks and uncertainties\n12\n"
    text += "Independent auditor's report\n40\nSTRATEGIC REPORT\n" + "We sold pumps. " * 60
    text += "\nPrincipal risks and uncertainties\n" + "Rust happens.\n" * 60
    text += "Corporate governance report\n" + "The board met. " * 50
    text += "\nIndependent auditor's report to the members of Pump PLC\nOpinion\nWe have audited the statements."
    text += " They give a true and fair view.\n" + "More words. " * 100
    found = named(text + "\nConsolidated income statement\n" + "Revenue 1 2\n" * 50)
    assert found["mdna"].startswith("STRATEGIC REPORT\nWe")
    assert found["mdna"].endswith("Rust happens.")
    assert found["risk_factors"].startswith("Principal risks and uncertainties\nRust")
    assert found["auditor_report"].endswith("More words.")


def test_chapters_and_numbered_headings_of_a_chinese_report_are_found() -> None:
    found = named(chinese_report(), "zh")
    for name, head, _ in CHAPTERS:
        assert found[name].startswith(head + "\n"), name
    assert found["risk_factors"] == RISKS_ZH
    assert found["legal_proceedings"].endswith("350.5")
    assert found["auditor_changes"].endswith("□ 是 √ 否")
    assert found["auditor_report"].startswith("一、审计报告")
    assert found["auditor_report"].endswith("财务报表。")


def test_a_reference_to_a_chapter_does_not_begin_it() -> None:
    text = chinese_report().replace("需求可能下降。", "需求可能下降，详见本报告\n第五节“重要事项”之说明。")
    assert "钢价可能上涨" in named(text, "zh")["mdna"]


@pytest.mark.parametrize(
    ("note", "language", "names"),
    [
        (NOTE_ZH, "zh", "rating target_price results_review investment_view forecast risk_factors disclosures"),
        (NOTE_EN, "en", "rating target_price investment_view valuation risk_factors disclosures"),
    ],
)
def test_a_research_note_is_divided_into_its_parts(note: str, language: str, names: str) -> None:
    assert list(named(note, language)) == names.split()


def test_a_review_report_is_the_auditors_too_and_an_entry_of_the_contents_is_not() -> None:
    head = "Report of Independent Registered Public Accounting Firm"
    review = named(f"{head}\nTo the Board\nWe have reviewed the statements.\n/s/ A\n")
    assert review["auditor_report"].endswith("/s/ A")
    assert "auditor_report" not in named(f"{head} 51\nBalance Sheets 52\n")


@given(st.text(alphabet=LETTERS, max_size=400), st.sampled_from(["en", "zh"]))
@settings(deadline=None)
def test_any_text_gives_sections_inside_itself(text: str, language: str) -> None:
    assert len(plain_text(text)) == len(text)
    for section in find_sections(text, language):
        assert 0 <= section.start <= section.end <= len(text)


@pytest.mark.parametrize(
    "line",
    [
        *("Item 1. Business\n", "Item 1A. Risk Factors\nItem 1. Business\n", "第一节 重要提示\n第二节 公司简介\n"),
        *("一、风险因素\n二、主要业务\n", "存在的" * 20 + "\n", "Risks\nManagement's review\n", " \t" * 40 + "\n"),
        *("Report of Independent Auditors\n", "Item\n\n\n"),
    ],
)
def test_odd_texts_take_bounded_time(line: str) -> None:
    text = line * (500_000 // len(line))
    begin = time.process_time()
    for language in ("en", "zh"):
        find_sections("FORM 10-K\n" + text, language)
    assert time.process_time() - begin < 5
