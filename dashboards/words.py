"""Every word that a page shows, in English and Chinese. No Streamlit here, so that figures can use it."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from dashboards.inspection.words import WORDS as INSPECTION
from dashboards.operations.words import WORDS as OPERATIONS
from dashboards.risk.company_words import COMPANY
from dashboards.risk.fraud_words import FRAUD
from dashboards.risk.words import WORDS as RISK

LANGUAGES: Final = {"en": "English", "zh": "中文"}

COMMON: Final[dict[str, tuple[str, str]]] = {
    "language": ("Language", "语言"),
    "risk": ("Risk", "风险"),
    "inspection": ("Inspection", "工业检测"),
    "operations": ("Operations", "运行"),
    "portfolio": ("Portfolio", "资产组合"),
    "case": ("Case", "单个案件"),
    "gallery": ("Inspected pictures", "检测图库"),
    "picture": ("One picture", "单张图片"),
    "jobs": ("Jobs", "任务"),
    "models": ("Models", "模型"),
    "model": ("Model", "模型"),
    "job": ("Job", "任务"),
    "approve": ("approve", "批准"),
    "review": ("review", "复核"),
    "decline": ("decline", "拒绝"),
    "failed": ("not scored", "未评分"),
    "pass": ("pass", "合格"),
    "reject": ("reject", "不合格"),
    "unknown": ("unknown", "无法判定"),
    "champion": ("champion", "在用"),
    "candidate": ("candidate", "候选"),
    "archived": ("archived", "已归档"),
    "queued": ("queued", "排队"),
    "running": ("running", "运行中"),
    "done": ("done", "完成"),
    "job_failed": ("failed", "失败"),
    "cancelled": ("cancelled", "已取消"),
    "dead": ("given up", "已放弃"),
    "score": ("Score", "评分"),
    "probability": ("Probability", "概率"),
    "decision": ("Decision", "决定"),
    "verdict": ("Verdict", "判定"),
    "created": ("Created (UTC)", "创建时间 (UTC)"),
    "error": ("Error", "错误"),
    "state": ("State", "状态"),
    "name": ("Name", "名称"),
    "rows": ("Rows", "行数"),
    "data": ("Data", "数据"),
    "value": ("Value", "取值"),
    "all_jobs": ("All jobs and single requests", "全部任务与单次请求"),
    "online": ("Single requests (gateway)", "单次请求（网关）"),
    "no_rows_yet": ("This job has no results yet.", "该任务尚无结果。"),
    "none_yet": ("none yet", "暂无"),
    "nothing_waits": ("nothing waits", "无等待"),
    "page_of": ("Page {page} of {pages}", "第 {page} 页，共 {pages} 页"),
    "previous": ("Previous", "上一页"),
    "next": ("Next", "下一页"),
    "shown": ("{first:,}–{last:,} of {total:,}", "第 {first:,}–{last:,} 条，共 {total:,} 条"),
    "try": ("Run this, then reload the page:", "请运行以下命令，然后刷新页面："),
    "no_match": ("Nothing matches these filters.", "没有符合筛选条件的记录。"),
    "unexpected": (
        "This page could not be drawn. The cause is in the log of the dashboards (reference {reference}).",
        "页面无法显示。原因见看板日志（编号 {reference}）。",
    ),
    "database_failed": (
        "The database does not answer. Check it with: assay doctor",
        "数据库没有响应。请用此命令检查：assay doctor",
    ),
}

WORDS: Final = COMMON | RISK | INSPECTION | OPERATIONS
OWN: Final = {"company": COMPANY, "fraud": FRAUD}


@dataclass(frozen=True)
class Words:
    """The words of one language; `Words("zh")("portfolio")` is "资产组合".

    `kind` is the kind of model that is spoken of, where that has words of its own for some things.
    """

    language: str
    kind: str = ""

    def __post_init__(self) -> None:
        if self.language not in LANGUAGES:
            raise ValueError(f"language must be one of {', '.join(LANGUAGES)}, got {self.language!r}")

    def __call__(self, key: str, **values: object) -> str:
        english, chinese = OWN.get(self.kind, {}).get(key) or WORDS[key]
        text = chinese if self.language == "zh" else english
        return text.format(**values) if values else text

    def about(self, kind: str) -> "Words":
        """The words for models of a kind."""
        return replace(self, kind=kind)

    def known(self, key: str) -> str:
        """The word for `key`, or `key` itself where there is none (names of metrics that others made)."""
        return self(key) if key in WORDS else key


def utc(time: datetime | None) -> str:
    """A time for a table or caption, to the second; the zone is always said by the column or beside it.

    >>> utc(datetime(2026, 3, 1, 8, 5, tzinfo=UTC))
    '2026-03-01 08:05:00'
    """
    return "–" if time is None else time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
