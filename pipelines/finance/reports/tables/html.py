"""Visible text and tables of an HTML report, tagged or not.

Works on a tree that `markup.py` parsed, as HTML or as XML; inline XBRL elements are read as the text they hold. Of
tables within tables only the innermost count: the outer ones lay out the page. Text in `<pre>`, and a table without
cells as in filings of the nineties, keeps its columns and is searched for tables as plain text is.
"""

import re
from dataclasses import dataclass, field
from functools import lru_cache

from lxml import etree

from pipelines.finance.reports.tables.plain import to_document
from pipelines.finance.reports.tables.rows import Document, TextRow

BLOCKS = """address article aside blockquote body br center dd div dl dt fieldset figcaption figure footer form h h1
h2 h3 h4 h5 h6 header hr li main nav ol p section tbody tfoot thead title ul page document text type"""
UNSEEN = "head script style noscript template iframe object svg math select textarea"
OTHERS = frozenset(("pre", "table", "tr", "td", "th", "caption", "sup"))
INLINE_XBRL = ("{http://www.xbrl.org/2013/inlineXBRL}", "{http://www.xbrl.org/2008/inlineXBRL}", "ix:")
MOST_COLUMNS = 1000  # a colspan of a million must not cost anything
MOST_ROWS = 10_000  # nor a rowspan
_NOT_SHOWN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_SPACES = re.compile(r"[\s\u200b\ufeff]+")
_HAN = "\u3001-\u303f\u4e00-\u9fff\uff00-\uffef"
_BROKEN_HAN = re.compile(rf"(?<=[{_HAN}])[ \t]*[\r\n]+[ \t]*(?=[{_HAN}])")
_ENDS_HAN = re.compile(rf"[{_HAN}]$")
_BEGINS_HAN = re.compile(rf"[{_HAN}]")


def read_html(tree: "etree._ElementTree | etree._Element") -> Document:
    """The visible text of the tree (a line for a paragraph or a table's row, cells parted by tabs) and its tables."""
    root = tree.getroot() if isinstance(tree, etree._ElementTree) else tree
    writer = _Writer(layout=_layout_tables(root), preformatted=_cell_less_tables(root))
    walker = etree.iterwalk(root, events=("start", "end", "comment", "pi"))
    hidden: etree._Element | None = None
    for event, element in walker:
        if event == "start":
            if hidden is None and _is_hidden(element):
                hidden = element
                walker.skip_subtree()
            if hidden is None:
                writer.open(element)
        elif event == "end":
            if hidden is None:
                writer.close(element)
            elif element is hidden:
                hidden = None
        if event != "start" and hidden is None and element.tail and element is not root:
            writer.add(element.tail)
    return to_document("".join(writer.parts), writer.tables)


def visible_text(tree: "etree._ElementTree | etree._Element") -> str:
    """The visible text alone."""
    return read_html(tree).text


def _is_hidden(element: etree._Element) -> bool:
    tag = str(element.tag)
    if _kind(tag) == "unseen" or (tag.startswith(INLINE_XBRL) and tag.endswith(("header", "hidden"))):
        return True
    style = element.get("style")
    if style is not None and _hides(style):
        return True
    return element.get("hidden") is not None


@lru_cache(maxsize=4_096)  # a filing writes the same few styles thousands of times
def _hides(style: str) -> bool:
    return _NOT_SHOWN.search(style) is not None


_KINDS: dict[str, str] = {}


def _kind(tag: str) -> str:
    """What a tag, with or without its namespace, does to the text."""
    kind = _KINDS.get(tag)
    if kind is None:
        name = tag.rpartition("}")[2].lower()
        named = {"unseen": UNSEEN.split(), "block": BLOCKS.split()}
        kind = next((word for word, names in named.items() if name in names), name if name in OTHERS else "inline")
        if tag.startswith(INLINE_XBRL):
            kind = "inline"
        if len(_KINDS) < 10_000:  # a hostile file may hold any number of tags
            _KINDS[tag] = kind
    return kind


def _layout_tables(root: etree._Element) -> set[etree._Element]:
    """Tables that hold other tables."""
    found: set[etree._Element] = set()
    for table in root.iter("{*}table"):
        found.update(table.iterancestors("{*}table"))
    return found


def _cell_less_tables(root: etree._Element) -> set[etree._Element]:
    tables = root.iter("{*}table")
    return {table for table in tables if next(table.iterdescendants("{*}td", "{*}th", "{*}table"), None) is None}


@dataclass
class _Cell:
    column: int
    width: int
    height: int
    first_part: int = -1  # of the writer's parts; -1: nothing written yet
    start: int = 0


@dataclass
class _Writer:
    """Text in parts, with the length so far, and the tables met."""

    layout: set[etree._Element]
    preformatted: set[etree._Element]
    parts: list[str] = field(default_factory=list)
    length: int = 0
    tables: list[tuple[TextRow, ...]] = field(default_factory=list)
    gap: str = "\n"  # what must stand before the next text: "", " ", soft (a break within a cell), tab, newline
    raw: int = 0  # depth of elements that keep their spaces
    rows: list[TextRow] | None = None  # of the table that is open
    cells: list[tuple[_Cell, str, int]] | None = None  # of the row that is open, with text and end
    cell: _Cell | None = None
    column: int = 0
    taken: dict[int, int] = field(default_factory=dict)  # column -> rows that a cell from above still covers

    def open(self, element: etree._Element) -> None:
        kind = _kind(str(element.tag))
        if kind != "inline":
            self._begin(kind, element)
        if element.text:
            self.add(element.text)

    def close(self, element: etree._Element) -> None:
        kind = _kind(str(element.tag))
        if kind == "block":
            self._break()
        elif kind in ("td", "th", "caption"):
            self._end_cell()
            if kind == "caption":
                self._end_row()
        elif kind == "tr":
            self._end_row()
        elif kind == "pre" or element in self.preformatted:
            self.raw -= 1
            self._break()
        elif kind == "table" and element not in self.layout:
            self._end_table()

    def _begin(self, kind: str, element: etree._Element) -> None:
        if kind == "block":
            self._break()
        elif kind == "sup":
            self.gap = self.gap or " "
        elif kind == "pre" or element in self.preformatted:
            self._break()
            self.raw += 1
        elif kind == "table" and element not in self.layout:
            self._end_table()
            self.rows, self.taken = [], {}
        elif self.rows is None:
            self._break()
        elif kind == "tr":
            self._end_row()
            self.cells, self.column = [], 0
        elif kind in ("td", "th", "caption"):
            self._begin_cell(element)

    def _begin_cell(self, element: etree._Element) -> None:
        self._end_cell()
        if self.cells is None:
            self.cells, self.column = [], 0
        while self.taken.get(self.column, 0) > 0:
            self.column += 1
        width, height = _span(element, "colspan", MOST_COLUMNS), _span(element, "rowspan", MOST_ROWS)
        self.cell = _Cell(column=self.column, width=width, height=height)
        self.gap = "\t" if any(text for _, text, _ in self.cells) else "\n"

    def _break(self) -> None:
        if self.cell is None:
            self.gap = "\n"
        elif self.cell.first_part >= 0 and self.gap == "":
            self.gap = "soft"

    def add(self, text: str) -> None:
        """Write text, its spaces folded unless it is preformatted."""
        if self.raw and self.cell is None:
            self._write(text)
            return
        text = _SPACES.sub(" ", _BROKEN_HAN.sub("", text) if "\n" in text else text)
        if text.startswith(" "):
            text = text[1:]
            self.gap = " " if self.gap in ("", "soft") else self.gap
        if text:
            trailing = text.endswith(" ")
            self._write(text[:-1] if trailing else text)
            self.gap = " " if trailing else ""

    def _write(self, text: str) -> None:
        gap = self.gap
        if gap == "soft":
            both_han = self.parts and _ENDS_HAN.search(self.parts[-1]) and _BEGINS_HAN.match(text)
            gap = "" if both_han else " "
        if gap and self.length:
            self.parts.append(gap)
            self.length += 1
        if self.cell is not None and self.cell.first_part < 0:
            self.cell.first_part, self.cell.start = len(self.parts), self.length
        self.parts.append(text)
        self.length += len(text)
        self.gap = ""

    def _end_cell(self) -> None:
        cell = self.cell
        if cell is None or self.cells is None:
            return
        text = "".join(self.parts[cell.first_part :]) if cell.first_part >= 0 else ""
        if not text:
            cell.start = self.length
        if cell.column < MOST_COLUMNS:
            self.cells.append((cell, text, self.length))
        for column in range(cell.column, min(cell.column + cell.width, MOST_COLUMNS)):
            self.taken[column] = cell.height
        self.column = cell.column + cell.width
        self.cell, self.gap = None, "\n"

    def _end_row(self) -> None:
        self._end_cell()
        if self.cells is None or self.rows is None:
            return
        self.taken = {column: rows - 1 for column, rows in self.taken.items() if rows > 1}
        if self.cells:
            self.rows.append(_row(self.cells))
        self.cells, self.gap = None, "\n"

    def _end_table(self) -> None:
        self._end_row()
        if self.rows and any(row.text for row in self.rows):
            self.tables.append(tuple(self.rows))
        self.rows, self.gap = None, "\n"


def _span(element: etree._Element, name: str, most: int) -> int:
    written = (element.get(name) or "").strip()
    return max(1, min(int(written), most)) if written.isdecimal() and len(written) < 9 else 1


def _row(cells: list[tuple[_Cell, str, int]]) -> TextRow:
    return TextRow(
        cells=tuple(text for _, text, _ in cells),
        start=min(cell.start for cell, _, _ in cells),
        end=max(end for _, _, end in cells),
        spans=tuple((cell.start, cell.start + len(text)) for cell, text, _ in cells),
        extents=tuple((float(cell.column), float(cell.column + cell.width)) for cell, _, _ in cells),
    )
