"""Words for column names, English and Chinese, for reason codes and headings; and names that tell of a person."""

import re

_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+(?:-\d+)?(?:[a-z](?![a-z]))?|[\u3400-\u9fff]+")
_SYMBOL = re.compile(r"[A-Za-z]{1,2}\d+")  # X12, V3: no words
_CHINESE = re.compile(r"[\u3400-\u9fff]")
_PERSONAL = re.compile(
    r"\b(name|surname|e ?mail|phone|mobile|address|passport|ssn|iban|birth|dob|national id|id card|tax id)\b"
)
_PERSONAL_ZH = re.compile(r"姓名|手机|电话|邮箱|地址|身份证|护照|出生|银行卡")

# whole names first, then word by word
_PHRASES = {
    "age": "年龄",
    "income": "收入",
    "monthly income": "月收入",
    "annual income": "年收入",
    "debt ratio": "负债率",
    "loan amount": "贷款金额",
    "credit amount": "贷款金额",
    "limit bal": "信用额度",
    "duration months": "贷款期限(月)",
    "employment years": "工作年限",
    "purpose": "贷款用途",
    "housing": "住房情况",
    "job": "职业",
    "region": "地区",
    "revolving utilization of unsecured lines": "无担保循环额度使用率",
    "number of dependents": "家属人数",
    "number of times 90 days late": "逾期90天以上次数",
    "number of time 30-59 days past due not worse": "逾期30至59天次数",
    "number of time 60-89 days past due not worse": "逾期60至89天次数",
    "number of open credit lines and loans": "未结清信贷笔数",
    "number real estate loans or lines": "房产贷款笔数",
    "checking status": "支票账户状态",
    "savings status": "储蓄账户状态",
    "credit history": "信用历史",
    "current assets": "流动资产",
    "total assets": "资产总额",
    "total liabilities": "负债总额",
    "total current liabilities": "流动负债",
    "net income": "净利润",
    "net sales": "销售净额",
    "total revenue": "营业总收入",
    "cost of goods sold": "营业成本",
    "retained earnings": "留存收益",
    "gross profit": "毛利",
    "inventory": "存货",
    "market value": "市值",
    "employment": "职业类型",
    "employment since": "现职工作时长",
    "channel": "申请渠道",
    "card utilization": "信用卡额度使用率",
    "delinquencies 24m": "近24个月逾期次数",
    "months since delinquency": "距上次逾期月数",
    "inquiries 6m": "近6个月查询次数",
    "bureau score": "征信评分",
    "external risk estimate": "外部风险评分",
    "sex": "性别",
    "education": "教育程度",
    "marriage": "婚姻状况",
    "personal status sex": "婚姻状况与性别",
    "foreign worker": "外籍劳工",
    "existing credits": "现有信贷笔数",
    "num dependents": "家属人数",
    "installment rate pct": "分期占收入百分比",
}
_WORDS = {
    "months": "月数",
    "since": "距今",
    "oldest": "最早",
    "utilization": "使用率",
    "inquiries": "查询次数",
    "balance": "余额",
    "amount": "金额",
    "savings": "储蓄",
    "checking": "支票账户",
    "credit": "信贷",
    "loan": "贷款",
    "debt": "负债",
    "term": "期限",
    "rate": "利率",
    "delinquencies": "逾期次数",
    "accounts": "账户数",
    "open": "未结清",
    "channel": "渠道",
    "employment": "工作",
    "external": "外部",
    "risk": "风险",
    "score": "评分",
    "last": "最近",
    "(cny)": "(元)",
    "income": "收入",
    "monthly": "月",
    "years": "年数",
    "to": "比",
    "limit": "额度",
    "tenure": "时长",
    "delinquency": "逾期",
}


def words_for(name: str) -> tuple[str, str]:
    """English and Chinese words for a column name; where one is not known, the other or the name itself stands.

    >>> words_for("NumberOfTimes90DaysLate")
    ('number of times 90 days late', '逾期90天以上次数')
    """
    if _CHINESE.search(name):
        return name, name
    if _SYMBOL.fullmatch(name):
        return name, name
    english = " ".join(part.lower() for part in _PARTS.findall(name)) or name
    known = _PHRASES.get(english)
    english = english.removesuffix(" cny") + " (CNY)" if english.endswith(" cny") else english
    if known is None:
        each = [_WORDS.get(part) for part in english.lower().split()]
        known = "".join(word for word in each if word) if each and all(each) else english
    return english, known


def is_personal(name: str) -> bool:
    """Whether the name says that a person can be told by the values."""
    english, _ = words_for(name)
    return bool(_PERSONAL.search(english) or _PERSONAL_ZH.search(name))
