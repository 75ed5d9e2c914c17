"""Text that came from data, made harmless for the place it is shown in: a case id is never markup, link or formula."""

import html
import re
from typing import Final

_MARKDOWN: Final = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:@&])")
# what Markdown makes a link of even in escaped text; a zero-width space before the second part stops it
_AUTOLINK: Final = re.compile(r"(?<=:)(?=//)|(?<=www)(?=\.)|(?<=[\w.+-])(?=@[-\w]+\.)", re.IGNORECASE)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def markdown(text: object) -> str:
    r"""Escape everything that Streamlit's Markdown gives a meaning to: links, HTML, LaTeX, colours, icons.

    >>> markdown("[a](b) $x$ :red[c]")
    '\\[a\\]\\(b\\) \\$x\\$ \\:red\\[c\\]'
    """
    line = _AUTOLINK.sub("\u200b", " ".join(str(text).split()))
    return _MARKDOWN.sub(r"\\\1", line)


def figure(text: object, width: int = 60) -> str:
    """Escape what plotly takes for HTML, and cut what is too long for a label.

    >>> figure("<b>x</b>")
    '&lt;b&gt;x&lt;/b&gt;'
    """
    line = " ".join(str(text).split())
    return html.escape(line if len(line) <= width else line[: width - 1] + "…", quote=False)


def cell(text: str) -> str:
    """Keep a spreadsheet from running a cell as a formula.

    >>> cell("=1+1")
    "'=1+1"
    """
    return "'" + text if text.startswith(_FORMULA) else text


def number(value: float | None, digits: int = 3) -> str:
    """A figure for people; a dash where there is none.

    >>> number(0.86234), number(None)
    ('0.862', '–')
    """
    return "–" if value is None else f"{value:.{digits}f}"


def percent(value: float | None, digits: int = 1) -> str:
    """A share of one, as per cent.

    >>> percent(0.1234)
    '12.3 %'
    """
    return "–" if value is None else f"{100 * value:.{digits}f} %"
