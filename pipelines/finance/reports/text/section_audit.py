"""The auditor's report: the heading that an opinion (or a review) follows, to the first statement after it."""

import re

from data.finance.reports import Section

_LONGEST = 60_000  # characters
_LOOK = 2_500  # characters after the heading in which the auditor says "we have audited"
_HEADS = {
    "en": re.compile(
        r"^[ \t#*]*(?:\d{1,2}[.)]?[ \t]+)?(?:(?:reports?[ \t]+of|the)[ \t]+)?(?:(?:the[ \t]+)?independent[ \t]+)"
        r"(?:(?:registered[ \t]+public[ \t]+accounting[ \t]+firm|certified[ \t]+public[ \t]+accountants?"
        r"|(?:statutory[ \t]+)?auditors?'?s?'?|practitioner's|accountants?'?)"
        r"(?:[ \t]+(?:review[ \t]+)?reports?)?)[^\n]{0,90}$"
        r"|^[ \t#*]*(?:statutory[ \t]+)?auditors?'?s?'?[ \t]+(?:review[ \t]+)?reports?[^\n]{0,60}$",
        re.IGNORECASE | re.MULTILINE,
    ),
    "zh": re.compile(
        r"^[ \t#*]*(?:[一二三四五六七八九十]{1,2}[、.][ \t]*|\([一二三四五六七八九十]\)[ \t]*|\d[、.][ \t]*)?"
        r"审[ \t]*计[ \t]*报[ \t]*告(?:[ \t]*正[ \t]*文)?[ \t]*$",
        re.MULTILINE,
    ),
}
_SAYS = {
    "en": re.compile(
        r"\bwe\s+(?:have\s+(?:also\s+)?)?(?:audited|reviewed|examined|performed|were\s+engaged|conducted)\b",
        re.IGNORECASE,
    ),
    "zh": re.compile(r"我们(?:接受委托,?)?(?:审计|审阅)了|我们接受(?:了)?委托|我们不对后附的"),
}
_ENDS = {
    "en": re.compile(
        r"^[ \t#*]*(?:(?:consolidated|condensed|combined|group|company|parent|the)[ \t]+)*(?:statements?[ \t]+of[ \t]+"
        r"(?:consolidated[ \t]+)?(?:income|operations|earnings|profit|financial[ \t]+position|cash|changes"
        r"|comprehensive|net)"
        r"|balance[ \t]+sheets?|income[ \t]+statements?|notes[ \t]+to)\b[^\n.]{0,80}$"
        r"|^[ \t]*(?:items?\s*\d{1,2}[a-c]?[.:\s]|signatures?[ \t]*$|forward.looking[ \t]+statements[ \t]*$"
        r"|company[ \t]+information[ \t]*$"
        r"|management's[ \t]+(?:review|report)[^\n]{0,60}$|supplementary[ \t]+(?:data|information)[^\n]{0,40}$)",
        re.IGNORECASE | re.MULTILINE,
    ),
    "zh": re.compile(
        r"^[ \t#*]*(?:[一二三四五六七八九十]{1,2}[、.][ \t]*|\([一二三四五六七八九十]\)[ \t]*)?(?:(?:已审)?财务报表"
        r"|合并资产负债表|资产负债表|合并及(?:母)?公司资产负债表|公司(?:的)?基本情况)[ \t]*(?:\([^\n]{0,12}\))?[ \t]*$",
        re.MULTILINE,
    ),
}
_SINCE = re.compile(r"\bauditor\s+since\b[^\n]*", re.IGNORECASE)
_ON_STATEMENTS = re.compile(
    r"opinions?\s+on\s+the\s+(?:\w+\s+){0,4}financial\s+statements|true\s+and\s+fair|present[s]?\s+fairly", re.I
)


def auditor_section(text: str, language: str) -> Section | None:
    """The auditor's report, with the reports that follow it at once; None where no auditor speaks."""
    heads = [found for found in _HEADS[language].finditer(text) if _speaks(text, found, language)]
    if not heads:
        return None
    spans = _joined([(head.start(), _end(text, head, language)) for head in heads])
    on_statements = [span for span in spans if language == "zh" or _ON_STATEMENTS.search(text, *span)]
    start, end = max(on_statements or spans, key=lambda span: span[1] - span[0])
    return Section("auditor_report", start, end)


def _speaks(text: str, head: re.Match[str], language: str) -> bool:
    following = _HEADS[language].search(text, head.end() + 1, head.end() + _LOOK)
    limit = following.start() if following else head.end() + _LOOK
    if language == "zh":  # the page that names the firm stands before the report proper
        limit = head.end() + _LOOK
    return _SAYS[language].search(text, head.end(), limit) is not None


def _end(text: str, head: re.Match[str], language: str) -> int:
    speaks = _SAYS[language].search(text, head.end(), head.end() + _LOOK)
    begin = speaks.end() if speaks else head.end()
    limit = min(len(text), head.end() + _LONGEST)
    stops = [found.start() for found in (_ENDS[language].search(text, begin, limit),) if found]
    stops += [found.start() for found in (_HEADS[language].search(text, begin, limit),) if found]
    end = min(stops, default=limit)
    since = _SINCE.search(text, begin, end)
    if since and end - since.end() > 400:  # no heading follows the signature: its place and date close the report
        lines = text[since.end() : since.end() + 200].split("\n")
        end = since.end() + len("\n".join(line for line in lines[:4] if len(line) < 60))
    return head.start() + len(text[head.start() : end].rstrip())


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start - joined[-1][1] < 200:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined
