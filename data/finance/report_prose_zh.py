"""The text of a made-up Chinese annual report, chapter by chapter, fitting its figures."""

from decimal import Decimal

from data.finance.report_names import AUDITORS_ZH
from data.finance.report_prose import Story
from data.finance.report_style import Style

_MONEY = "除特别说明外，本报告所列货币单位均为人民币元。"
Chapter = tuple[str, str, list[tuple[str, list[str]]]]  # title, canonical name or "", headings with paragraphs


def wan(value: Decimal) -> str:
    """1,234.56万元, as prose gives amounts."""
    return f"{abs(value) / 10_000:,.2f}万元"


def before_statements(story: Story) -> list[Chapter]:
    """The chapters up to the financial report."""
    name, year = story.company.name, story.year
    notice = [
        "公司董事会、监事会及董事、监事、高级管理人员保证年度报告内容的真实、准确、完整，不存在虚假记载、误导性陈述或重大遗漏，"
        "并承担个别和连带的法律责任。"
    ]  # fmt: skip
    if story.doubtful:
        notice.append("会计师事务所为本公司出具了带与持续经营相关的重大不确定性段落的审计报告，请投资者注意阅读。")
    return [
        ("重要提示、目录和释义", "", [("", notice)]),
        ("公司简介和主要财务指标", "", [("一、公司信息", [f"公司的中文名称：{name}", f"报告期：{year}年度", _MONEY])]),
        ("公司业务概要", "business", [("一、报告期内公司从事的主要业务", _business(story))]),
        ("经营情况讨论与分析", "mdna", [("一、概述", _discussion(story)), ("二、公司面临的风险", _risks(story))]),
        ("重要事项", "significant_events", [("一、重大诉讼、仲裁事项", _legal(story))]),
        ("股份变动及股东情况", "", [("一、股份变动情况", [_shares(story)])]),
        ("公司治理", "", [("一、公司治理的基本状况", ["公司按照有关法律法规的要求，不断完善公司法人治理结构。"])]),
    ]


def auditor(story: Story, style: Style) -> list[str]:
    """The auditor's report."""
    words = [
        f"{story.company.name}全体股东：",
        f"我们审计了{story.company.name}（以下简称“公司”）财务报表，包括{story.year}年12月31日的合并及母公司资产负债表，"
        f"{story.year}年度的合并及母公司利润表、合并及母公司现金流量表以及相关财务报表附注。",
        f"我们认为，后附的财务报表在所有重大方面按照企业会计准则的规定编制，公允反映了公司{story.year}年12月31日的财务状况"
        f"以及{story.year}年度的经营成果和现金流量。",
    ]
    if story.doubtful:
        words += [
            "与持续经营相关的重大不确定性",
            f"我们提醒财务报表使用者关注，公司{story.year}年度发生净亏损{wan(story.net_income)}，一年内到期的有息负债为"
            f"{wan(story.debt_due)}。这些事项或情况，表明存在可能导致对公司持续经营能力产生重大疑虑的重大不确定性。",
        ]
    return [*words, style.pick(AUDITORS_ZH)]


def _business(story: Story) -> list[str]:
    return [
        f"公司属于{story.industry.zh}行业，主要从事{story.industry.products_zh}的研发、生产和销售。",
        "公司采用直销与经销相结合的销售模式，主要客户分布于华东、华南等地区。报告期内公司主营业务未发生重大变化。",
    ]


def _discussion(story: Story) -> list[str]:
    moved = "增长" if story.growth >= 0 else "下降"
    result = f"实现净利润{wan(story.net_income)}" if story.net_income >= 0 else f"发生净亏损{wan(story.net_income)}"
    flow = "净流入" if story.operating_cash >= 0 else "净流出"
    words = [
        f"{story.year}年，公司实现营业收入{wan(story.revenue)}，比上年同期{moved}{abs(story.growth)}%；{result}；"
        f"毛利率为{story.margin}%。",
        f"经营活动产生的现金流量{flow}{wan(story.operating_cash)}，期末货币资金余额{wan(story.cash)}。",
    ]
    if story.doubtful:
        words.append("公司流动资金紧张，部分借款面临逾期风险，公司正与银行协商展期，能否达成尚存在不确定性。")
    return words


def _risks(story: Story) -> list[str]:
    words = ["1、市场竞争加剧的风险。如果公司不能保持竞争优势，可能面临市场份额下降的风险。",
             "2、原材料价格波动的风险。"]  # fmt: skip
    if story.strained:
        words.append(
            f"3、偿债风险。公司一年内到期的有息负债为{wan(story.debt_due)}，若不能及时偿还，可能触发违约条款。"
        )
    if story.doubtful:
        words.append("4、持续经营的风险。公司持续经营能力存在重大不确定性，公司股票可能被实施退市风险警示。")
    return words


def _legal(story: Story) -> list[str]:
    if story.doubtful:
        return ["报告期内，供应商因货款纠纷向法院提起诉讼，要求公司支付货款及违约金，公司部分银行账户被冻结。"]
    return ["本年度公司无重大诉讼、仲裁事项。"]


def _shares(story: Story) -> str:
    return f"截至{story.year}年12月31日，公司总股本为{story.company.shares[story.year]:,}股。"
