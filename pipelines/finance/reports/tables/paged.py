"""A document in pages: of a PDF, or the sheets of a workbook."""

import re
from dataclasses import dataclass
from typing import Literal

from pipelines.finance.reports.tables.rows import Document

_HAN = re.compile(r"[\u4e00-\u9fff]")
_LETTER = re.compile(r"[a-z\u4e00-\u9fff]", re.IGNORECASE)
_SAMPLE_CHARS = 400_000


@dataclass(frozen=True, slots=True)
class PagedDocument(Document):
    """A document that knows where in its text each page begins."""

    page_starts: tuple[int, ...]
    language: Literal["en", "zh"]
    notes: tuple[str, ...] = ()  # what was not read, and why


def language_of(text: str) -> Literal["en", "zh"]:
    """By the letters; a Chinese report holds names and words in Latin letters too.

    >>> language_of("合并资产负债表 ABC Ltd"), language_of("Total assets")
    ('zh', 'en')
    """
    sample = text[:_SAMPLE_CHARS]
    return "zh" if len(_HAN.findall(sample)) > 0.1 * max(1, len(_LETTER.findall(sample))) else "en"
