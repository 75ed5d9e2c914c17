"""What the wording of a report says; every text here was written for these tests."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.finance.reports.text.sections import find_sections
from pipelines.finance.reports.text.wording import TextMeasures, measure_names, text_measures
from pipelines.finance.reports.text.wording_amounts import largest_amount
from pipelines.finance.reports.text.wording_events import EVENTS, affirmed
from pipelines.finance.reports.text.wording_opinion import opinion
from pipelines.finance.reports.text.wording_sentences import read_sentences
from pipelines.finance.reports.text.wording_tone import tone
from pipelines.finance.reports.text.wording_words import lexicon


def report(outlook: str = "Sales rose and margins improved.", risk: str = "Demand may fall.") -> str:
    parts = [
        "FORM 10-K\nItem 1. Business",
        "We make pumps for many customers in several regions. " * 12,
        "Item 1A. Risk Factors",
        f"{risk} " * 30,
        "Item 3. Legal Proceedings\nA customer claims $2.5 million from us.",
        "Item 7. Management's Discussion and Analysis",
        f"{outlook} " * 30,
        "Item 8. Financial Statements\nReport of Independent Registered Public Accounting Firm\nTo the shareholders",
        "We have audited the balance sheets. In our opinion, the statements present fairly the financial position.\n",
    ]
    return "\n".join(parts)


def measured(text: str, last: str | None = None, language: str = "en") -> TextMeasures:
    return text_measures(text, find_sections(text, language), language, last)


def events(text: str, language: str) -> set[str]:
    return {event for event in EVENTS if affirmed(read_sentences(text, language), event, language)}


def test_every_measure_has_a_value_or_a_reason() -> None:
    for found in (measured(report()), measured(report(), report("Sales fell.")), measured("Too short.")):
        assert tuple(found.values) == measure_names()
        assert len(measure_names()) >= 30
        assert {name for name, value in found.values.items() if value is None} == set(found.missing)
        assert all(found.missing.values())


def test_missing_measures_say_what_was_not_there() -> None:
    found = measured(report().replace("Item 7. Management's Discussion and Analysis", "Our year"))
    assert found.missing["text_tone_mdna"] == "the section mdna was not found"
    assert found.missing["text_change"] == "no report of the year before was given"
    assert "fewer than 200 words" in measured("Sales rose.").missing["text_tone"]


def test_good_and_bad_years_sound_different() -> None:
    good, bad = measured(report()).values, measured(report("Sales fell and losses increased.")).values
    assert good["text_tone_mdna"] == 1
    assert bad["text_tone_mdna"] == -1


def test_a_report_equals_itself_and_differs_where_it_was_rewritten() -> None:
    same = measured(report(), report()).values
    assert same["text_change"] == pytest.approx(0, abs=1e-9)
    assert same["text_length_change"] == 0
    other = measured(report(risk="A fire could stop our only plant for months."), report()).values
    assert other["text_risk_change"] == pytest.approx(1, abs=0.05)
    assert other["text_mdna_change"] == pytest.approx(0, abs=1e-9)


def test_the_amount_of_a_claim_and_the_opinion_are_read_from_their_sections() -> None:
    found = measured(report())
    assert found.values["text_litigation_amount"] == 2_500_000
    assert found.values["text_opinion_unqualified"] == 1
    assert found.values["text_opinion_emphasis"] == 0


def test_what_might_happen_among_the_risks_is_no_event() -> None:
    risk = "We have identified a material weakness. We defaulted on our notes."
    assert measured(report(risk=risk)).values["text_default"] == 0
    assert measured(report(outlook=risk)).values["text_default"] == 1


AFFIRMED = [
    ("These conditions raise substantial doubt about our ability to continue as a going concern.", "going_concern"),
    ("Management concluded that there is substantial doubt about our ability to continue.", "going_concern"),
    ("In March we dismissed KPMG LLP and engaged another firm.", "auditor_change"),
    ("At year end we were not in compliance with the financial covenants.", "covenant_breach"),
    ("The Company obtained a waiver from its lenders.", "covenant_waiver"),
    ("We identified a material weakness in our internal control over financial reporting.", "material_weakness"),
    ("The Company restated to correct an error in revenue.", "restatement"),
    ("The Company defaulted on its senior notes.", "default"),
    ("We received a delisting notice from the exchange.", "delisting"),
    ("On May 1 the Company filed a voluntary petition under Chapter 11.", "bankruptcy"),
    ("In June we received a subpoena and a Wells notice.", "investigation"),
    ("上述事项表明存在可能导致对公司持续经营能力产生重大疑虑的重大不确定性。", "going_concern"),
    ("公司于2023年6月改聘会计师事务所，由甲所变更为乙所。", "auditor_change"),
    ("公司发行的债券发生违约，未能按期偿还本金3亿元。", "default"),
    ("公司股票自2023年5月4日起被实施退市风险警示。", "delisting"),
    ("公司收到中国证监会《立案告知书》，因涉嫌信息披露违法违规，被立案调查。", "investigation"),
    ("法院已裁定受理公司破产重整申请。", "bankruptcy"),
    ("公司内部控制存在重大缺陷，资金被占用。", "material_weakness"),
    ("公司进行了前期会计差错更正。", "restatement"),
]
NOT_AFFIRMED = [
    "There is no substantial doubt about the Company's ability to continue as a going concern.",
    "This does not raise substantial doubt about our ability to continue as a going concern.",
    "Management evaluates whether conditions raise substantial doubt about the ability to continue.",
    "If we cannot raise capital, there could be substantial doubt about our ability to continue as a going concern.",
    "Our plans alleviate the substantial doubt about our ability to continue as a going concern.",
    "If we conclude that a material uncertainty exists, we are required to draw attention to it.",
    "We have not changed auditors in the last two years.",
    "We were in compliance with all of the covenants at year end.",
    "The Company did not obtain a waiver of any kind.",
    "We have not identified any material weakness in our controls.",
    "The material weakness was remediated in the fourth quarter.",
    "We have never defaulted on any of our debt.",
    "公司不存在导致对报告期末起12个月内的持续经营能力产生重大疑虑的事项或情况。",
    "就可能导致对公司持续经营能力产生重大疑虑的事项或情况是否存在重大不确定性得出结论。",
    "报告期内公司未改聘会计师事务所。",
    "报告期内公司未发生债务违约情形，不存在逾期债务。",
    "以发生违约的风险为权重，确认预期信用损失。",
    "公司不存在被立案调查的情形。",
    "未发现财务报告内部控制重大缺陷。",
    "公司股票已撤销退市风险警示。",
    "由于重大会计差错更正，影响期初未分配利润0.00元。",
]


def is_chinese(sentence: str) -> bool:
    return any("\u4e00" <= letter <= "\u9fff" for letter in sentence)


@pytest.mark.parametrize(("sentence", "event"), AFFIRMED)
def test_a_plain_statement_affirms_its_event(sentence: str, event: str) -> None:
    assert event in events(sentence, "zh" if is_chinese(sentence) else "en")


@pytest.mark.parametrize("sentence", NOT_AFFIRMED)
def test_a_denial_a_condition_and_a_definition_affirm_nothing(sentence: str) -> None:
    assert events(sentence, "zh" if is_chinese(sentence) else "en") == set()


@pytest.mark.parametrize(
    ("words", "kind", "emphasis"),
    [
        (
            "Qualified Opinion\nIn our opinion, except for the effects of the matter, they present fairly",
            "qualified",
            False,
        ),
        ("Adverse Opinion\nThe statements do not present fairly", "adverse", False),
        ("We do not express an opinion on the accompanying consolidated financial statements.", "disclaimer", False),
        ("They give a true and fair view.\nEmphasis of Matter\nWe draw attention to Note 2.", "unqualified", True),
        ("We have reviewed the interim statements.", "review", False),
        ("审计意见类型\n标准的无保留意见", "unqualified", False),
        ("审计意见类型：保留意见", "qualified", False),
        ("一、保留意见\n我们审计了财务报表。除可能产生的影响外，公允反映", "qualified", False),
        ("一、无法表示意见\n我们不对后附的公司财务报表发表审计意见", "disclaimer", False),
        ("一、否定意见\n我们认为", "adverse", False),
        ("审计意见类型 带强调事项段的无保留意见", "unqualified", True),
        ("一、审计意见\n公允反映了财务状况。\n三、强调事项\n我们提醒财务报表使用者关注", "unqualified", True),
    ],
)
def test_the_kind_of_an_opinion_is_read_from_its_words(words: str, kind: str, emphasis: bool) -> None:
    found = opinion(words, "zh" if is_chinese(words) else "en")
    assert found is not None
    assert (found.kind, found.emphasis) == (kind, emphasis)


@pytest.mark.parametrize(
    ("sentence", "sign"),
    [
        ("Operating profit rose to EUR 13.1 mn from EUR 8.7 mn.", 1),
        ("Net sales totalled EUR 5.0 mn (7.2).", -1),
        ("The operating loss was EUR 2.1 mn, compared to EUR 4.0 mn a year earlier.", 1),
        ("Costs increased sharply.", -1),
        ("Net debt decreased.", 1),
        ("There was no improvement.", -1),
        ("The company did not lose any customer.", 0),
        ("The company is based in Oslo.", 0),
        ("营业收入同比增长12%。", 1),
        ("营业成本同比下降5%。", 1),
        ("财务费用增加。", -1),
        ("净利润大幅下滑。", -1),
        ("公司经营未受到不利影响。", 0),
        ("市场需求没有改善。", -1),
        ("公司位于浙江省杭州市。", 0),
    ],
)
def test_the_tone_of_a_sentence_follows_what_moved_and_what_was_denied(sentence: str, sign: int) -> None:
    language = "zh" if is_chinese(sentence) else "en"
    assert tone(lexicon(language).tokens(sentence), language) == sign


def test_the_boxes_of_a_chinese_form_answer_for_the_company() -> None:
    words = "第四节 经营情况讨论与分析\n" + "报告期内公司营业收入增长，行业景气度提升。" * 20
    form = (
        "\n第五节 重要事项\n九、聘任、解聘会计师事务所情况\n是否改聘会计师事务所\n{}\n十、其他事项\n无其他重大事项。\n"
    )
    assert measured(words + form.format("□ 是 √ 否"), language="zh").values["text_auditor_change"] == 0
    assert measured(words + form.format("√ 是 □ 否"), language="zh").values["text_auditor_change"] == 1


def test_amounts_of_a_chinese_table_take_the_unit_of_their_heading() -> None:
    assert largest_amount("涉案金额（万元）\n350.5\n否\n1,200\n", "zh") == 12_000_000
    assert largest_amount("no amount", "en") is None


def test_lines_that_a_page_broke_are_one_sentence() -> None:
    broken = (
        "The company sold its pumps to customers in many regions of the world and\nearned a good margin on all of them."
    )
    assert len(read_sentences(broken, "en")) == 1
    assert len(read_sentences("公司本报告期内在国内外市场销售水泵产品取得了较好的\n经营业绩，毛利率提升。", "zh")) == 1


@given(st.text(max_size=300), st.sampled_from(["en", "zh"]))
@settings(deadline=None, max_examples=60)
def test_any_text_can_be_measured(text: str, language: str) -> None:
    found = text_measures((text + " ") * 20, (), language, text)
    assert tuple(found.values) == measure_names()


@pytest.mark.parametrize(
    "piece", ["a", "1,", "不", "违约", "not ", "May ", "-", "U.S. ", "Sales rose from 1 to 2 ", "("]
)
def test_a_text_without_end_of_sentence_takes_bounded_time(piece: str) -> None:
    begin = time.process_time()
    for language in ("en", "zh"):
        text_measures(piece * (200_000 // len(piece)), (), language)
    assert time.process_time() - begin < 20
