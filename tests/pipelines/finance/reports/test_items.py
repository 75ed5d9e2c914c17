"""Headings of both languages mean the right item."""

import pytest

from pipelines.finance.reports.items import ITEMS, Language, clean_words, find_words, heading_key, match_words
from tests.pipelines.finance.reports.tables.english_headings import ENGLISH

CHINESE = {
    "一、营业总收入": "total_revenue",
    "其中：营业收入": "revenue",
    "减：营业成本": "cost_of_revenue",
    "加:公允价值变动收益(损失以“-”号填列)": "fair_value_gain",
    "信用减值损失（损失以“-”号填列）": "credit_impairment",
    "三、营业利润（亏损以“－”号填列）": "operating_income",
    "四、利润总额（亏损总额以“－”号填列）": "pretax_income",
    "五、净利润（净亏损以“－”号填列）": "net_income",
    "1.归属于母公司股东的净利润（净亏损以“-”号填列）": "net_income_parent",
    "2.少数股东损益(净亏损以“-”号填列)": "net_income_minority",
    "（一）基本每股收益（元/股）": "eps_basic",
    "应收账款（附注七、4）": "accounts_receivable",
    "实收资本（或股本）": "share_capital",
    "减:库存股": "treasury_stock",
    "归属于母公司所有者权益（或股东权益）合计": "equity_parent",
    "所有者权益（或股东权益）合计": "total_equity",
    "负债和所有者权益（或股东权益）总计": "liabilities_and_equity",
    "资 产 总 计": "total_assets",
    "销售商品、提供劳务收到的现金": "cash_from_customers",
    "四、汇率变动对现金及现金等价物的影响": "fx_effect",
    "加：期初现金及现金等价物余额": "cash_beginning",
    "六、期末现金及现金等价物余额": "cash_end",
    "经营活动(使用)/产生的现金流量净额": "operating_cash_flow",
    "其中：子公司吸收少数股东投资收到的现金": None,
    "（一）按经营持续性分类": None,
}


@pytest.mark.parametrize("statement", ["income", "balance", "cash_flow"])
def test_english_headings_mean_their_items(statement: str) -> None:
    found = {words: find_words(words, "en", statement) for words in ENGLISH[statement]}  # type: ignore[arg-type]
    assert {words: item and item.name for words, item in found.items()} == ENGLISH[statement]


@pytest.mark.parametrize(("words", "name"), CHINESE.items())
def test_chinese_headings_mean_their_items(words: str, name: str | None) -> None:
    item = find_words(words, "zh")
    assert (item and item.name) == name


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_standard_heading_of_every_item_means_it(language: Language) -> None:
    wrong = {}
    for item in ITEMS.values():
        heading = item.zh if language == "zh" else ""
        found = find_words(heading, language, item.statement) if heading else item
        if found is not item:
            wrong[heading] = found
    assert wrong == {}


def test_no_chinese_heading_stands_for_two_items_of_a_statement() -> None:
    seen: dict[tuple[str, str], str] = {}
    for item in ITEMS.values():
        for words in (item.zh, *item.zh_words):
            if words:
                assert seen.setdefault((item.statement, heading_key(words, "zh")), item.name) == item.name, words


def test_a_total_ranks_before_its_part() -> None:
    total, part = match_words("Total revenues", "en", "income"), match_words("Net sales", "en", "income")
    assert total is not None
    assert part is not None
    assert (total.item, total.rank) == (part.item, 0)
    assert part.rank > 0


def test_cleaning_twice_changes_nothing() -> None:
    for words in [*CHINESE, *ENGLISH["income"], *ENGLISH["balance"]]:
        assert clean_words(clean_words(words)) == clean_words(words)
