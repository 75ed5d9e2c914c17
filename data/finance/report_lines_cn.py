"""The forms of Chinese statements (Ministry of Finance, general enterprises, 2019): lines in their order and words."""

from data.finance.report_lines import Line, head, line, sums

_LOSS = "（损失以“-”号填列）"
_DEFICIT = "（亏损以“-”号填列）"

BALANCE: tuple[Line, ...] = (
    head("流动资产："),
    line("cash", "货币资金"),
    line("trading_assets", "交易性金融资产"),
    line("notes_receivable", "应收票据"),
    line("accounts_receivable", "应收账款"),
    line("prepayments", "预付款项"),
    line("inventory", "存货"),
    line("other_current_assets", "其他流动资产"),
    sums("current_assets", "流动资产合计"),
    head("非流动资产："),
    line("equity_investments", "长期股权投资"),
    line("ppe", "固定资产"),
    line("construction_in_progress", "在建工程"),
    line("right_of_use_assets", "使用权资产"),
    line("intangible_assets", "无形资产"),
    line("goodwill", "商誉"),
    line("deferred_tax_assets", "递延所得税资产"),
    sums("noncurrent_assets", "非流动资产合计"),
    sums("total_assets", "资产总计"),
    head("流动负债："),
    line("short_term_debt", "短期借款"),
    line("accounts_payable", "应付账款"),
    line("contract_liabilities", "合同负债"),
    line("payroll_payable", "应付职工薪酬"),
    line("taxes_payable", "应交税费"),
    line("other_payables", "其他应付款"),
    line("current_portion_debt", "一年内到期的非流动负债"),
    sums("current_liabilities", "流动负债合计"),
    head("非流动负债："),
    line("long_term_debt", "长期借款"),
    line("lease_liabilities", "租赁负债"),
    line("provisions", "预计负债"),
    sums("noncurrent_liabilities", "非流动负债合计"),
    sums("total_liabilities", "负债合计"),
    head("所有者权益：", "所有者权益（或股东权益）：", "股东权益："),
    line("share_capital", "股本", "实收资本（或股本）"),
    line("capital_reserve", "资本公积"),
    line("accumulated_oci", "其他综合收益"),
    line("surplus_reserve", "盈余公积"),
    line("retained_earnings", "未分配利润"),
    sums("equity_parent", "归属于母公司所有者权益合计", "归属于母公司股东权益合计",
         "归属于母公司所有者权益（或股东权益）合计"),
    line("minority_interest", "少数股东权益"),
    sums("total_equity", "所有者权益合计", "股东权益合计", "所有者权益（或股东权益）合计"),
    sums("liabilities_and_equity", "负债和所有者权益总计", "负债和股东权益总计", "负债和所有者权益（或股东权益）总计"),
)  # fmt: skip

INCOME: tuple[Line, ...] = (
    sums("total_revenue", "一、营业总收入"),
    line("revenue", "其中：营业收入"),
    sums("total_operating_cost", "二、营业总成本"),
    line("cost_of_revenue", "其中：营业成本"),
    line("taxes_and_surcharges", "税金及附加"),
    line("selling_expense", "销售费用"),
    line("admin_expense", "管理费用"),
    line("rd_expense", "研发费用"),
    line("finance_expense", "财务费用"),
    line("interest_expense", "其中：利息费用"),
    line("interest_income", "利息收入"),
    line("other_income", "加：其他收益"),
    line("investment_income", f"投资收益{_LOSS}"),
    line("associates_income", "其中：对联营企业和合营企业的投资收益"),
    line("fair_value_gain", f"公允价值变动收益{_LOSS}"),
    line("credit_impairment", f"信用减值损失{_LOSS}"),
    line("asset_impairment", f"资产减值损失{_LOSS}"),
    line("disposal_gain", f"资产处置收益{_LOSS}"),
    sums("operating_income", f"三、营业利润{_DEFICIT}"),
    line("non_operating_income", "加：营业外收入"),
    line("non_operating_expense", "减：营业外支出"),
    sums("pretax_income", "四、利润总额（亏损总额以“-”号填列）"),
    line("income_tax", "减：所得税费用"),
    sums("net_income", "五、净利润（净亏损以“-”号填列）"),
    head("（一）按经营持续性分类"),
    line("continuing_net_income", "1.持续经营净利润（净亏损以“-”号填列）"),
    head("（二）按所有权归属分类"),
    line("net_income_parent", "1.归属于母公司股东的净利润", "1.归属于母公司所有者的净利润（净亏损以“-”号填列）"),
    line("net_income_minority", "2.少数股东损益", f"2.少数股东损益{_DEFICIT}"),
    line("other_comprehensive_income", "六、其他综合收益的税后净额"),
    sums("comprehensive_income", "七、综合收益总额"),
    line("comprehensive_income_parent", "归属于母公司所有者的综合收益总额", "（一）归属于母公司所有者的综合收益总额"),
    line("comprehensive_income_minority", "归属于少数股东的综合收益总额", "（二）归属于少数股东的综合收益总额"),
    head("八、每股收益："),
    line("eps_basic", "（一）基本每股收益", "（一）基本每股收益(元/股)"),
    line("eps_diluted", "（二）稀释每股收益", "（二）稀释每股收益(元/股)"),
)  # fmt: skip

_GROUP_ONLY = {
    "total_revenue", "total_operating_cost", "net_income_parent", "net_income_minority", "comprehensive_income_parent",
    "comprehensive_income_minority", "eps_basic", "eps_diluted", "equity_parent", "minority_interest", "goodwill",
}  # fmt: skip
_NEW_WORDS = {
    "revenue": ("一、营业收入",),
    "cost_of_revenue": ("减：营业成本",),
    "operating_income": (f"二、营业利润{_DEFICIT}",),
    "pretax_income": ("三、利润总额（亏损总额以“-”号填列）",),
    "net_income": ("四、净利润（净亏损以“-”号填列）",),
    "continuing_net_income": ("（一）持续经营净利润（净亏损以“-”号填列）",),
    "other_comprehensive_income": ("五、其他综合收益的税后净额",),
    "comprehensive_income": ("六、综合收益总额",),
}

CASH_FLOW: tuple[Line, ...] = (
    head("一、经营活动产生的现金流量："),
    line("cash_from_customers", "销售商品、提供劳务收到的现金"),
    line("tax_refunds", "收到的税费返还"),
    line("other_operating_inflow", "收到其他与经营活动有关的现金"),
    sums("operating_inflow", "经营活动现金流入小计"),
    line("cash_to_suppliers", "购买商品、接受劳务支付的现金"),
    line("cash_to_employees", "支付给职工以及为职工支付的现金", "支付给职工及为职工支付的现金"),
    line("taxes_paid", "支付的各项税费"),
    line("other_operating_outflow", "支付其他与经营活动有关的现金"),
    sums("operating_outflow", "经营活动现金流出小计"),
    sums("operating_cash_flow", "经营活动产生的现金流量净额"),
    head("二、投资活动产生的现金流量："),
    line("investments_recovered", "收回投资收到的现金"),
    line("investment_income_received", "取得投资收益收到的现金"),
    line("disposal_proceeds", "处置固定资产、无形资产和其他长期资产收回的现金净额"),
    sums("investing_inflow", "投资活动现金流入小计"),
    line("capex", "购建固定资产、无形资产和其他长期资产支付的现金"),
    line("investments_made", "投资支付的现金"),
    sums("investing_outflow", "投资活动现金流出小计"),
    sums("investing_cash_flow", "投资活动产生的现金流量净额"),
    head("三、筹资活动产生的现金流量："),
    line("equity_raised", "吸收投资收到的现金"),
    line("borrowings_received", "取得借款收到的现金"),
    sums("financing_inflow", "筹资活动现金流入小计"),
    line("debt_repaid", "偿还债务支付的现金"),
    line("dividends_interest_paid", "分配股利、利润或偿付利息支付的现金"),
    sums("financing_outflow", "筹资活动现金流出小计"),
    sums("financing_cash_flow", "筹资活动产生的现金流量净额"),
    line("fx_effect", "四、汇率变动对现金及现金等价物的影响"),
    sums("net_change_in_cash", "五、现金及现金等价物净增加额"),
    Line(("加：期初现金及现金等价物余额",), "cash_beginning", kept=True),
    sums("cash_end", "六、期末现金及现金等价物余额"),
)


def parent_form(lines: tuple[Line, ...]) -> tuple[Line, ...]:
    """The same statement of the parent company alone: no minority, no goodwill, one line of revenue."""
    kept = [one for one in lines if one.item not in _GROUP_ONLY and one.words[0] not in _GROUP_HEADINGS]
    return tuple(
        Line(_NEW_WORDS.get(one.item, one.words), one.item, one.concept, one.shown, one.tagged, one.total, one.kept)
        for one in kept
    )


_GROUP_HEADINGS = {"（一）按经营持续性分类", "（二）按所有权归属分类", "八、每股收益："}
