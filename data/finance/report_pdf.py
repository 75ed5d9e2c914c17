"""Made-up reports as PDF files, American and Chinese: running text and tables set by hand, page by page."""

import io
from collections.abc import Iterator
from typing import Any

from data.finance.report_cells import head_cells, note_column, row_cells
from data.finance.report_filing import Filing, Row, Sheet

WIDTH, HEIGHT = 595.0, 842.0  # A4, in points
MARGIN, LEADING = 56.0, 13.0
CHINESE_FONT = "STSong-Light"  # a CID font that every reader brings along
_SIZES = {"title": 15.0, "heading": 13.0, "subheading": 11.0, "paragraph": 9.5, "contents": 9.5}


def pdf(filing: Filing) -> bytes:
    """The whole report. Statements run over pages with their head repeated; every page has a header and a number."""
    setter = _Setter(filing)
    for block in filing.blocks:
        if isinstance(block, Sheet):
            setter.table(block)
        elif block.kind == "page":
            setter.new_page()
        elif block.kind == "contents":
            setter.contents(block.words)
        else:
            setter.paragraph(block.words, _SIZES[block.kind], block.kind)
    return setter.finish()


class _Setter:
    """Sets lines from the top of a page to its foot and goes on overleaf."""

    def __init__(self, filing: Filing) -> None:
        from reportlab.pdfbase import pdfmetrics  # noqa: PLC0415  (heavy, and only PDF files need it)
        from reportlab.pdfbase.cidfonts import UnicodeCIDFont  # noqa: PLC0415
        from reportlab.pdfgen import canvas  # noqa: PLC0415

        self.filing, self.out = filing, io.BytesIO()
        self.chinese = filing.company.country == "cn"
        self.font, self.bold = (
            ("Times-Roman", "Times-Bold") if filing.style.wide_margin else ("Helvetica", "Helvetica-Bold")
        )
        if self.chinese:
            pdfmetrics.registerFont(UnicodeCIDFont(CHINESE_FONT))
            self.font = self.bold = CHINESE_FONT
        self.measure: Any = pdfmetrics.stringWidth
        self.canvas: Any = canvas.Canvas(self.out, pagesize=(WIDTH, HEIGHT), invariant=1, pageCompression=1)
        self.canvas.setTitle(f"{filing.company.name} {filing.form} {filing.year}")
        self.page, self.y = 0, 0.0
        self.edges: list[float] = []  # of the table at hand
        self._open_page()

    def finish(self) -> bytes:
        self._close_page()
        self.canvas.save()
        return self.out.getvalue()

    def new_page(self) -> None:
        """The next page, unless this one is still empty."""
        if self.y < HEIGHT - MARGIN - 1:
            self._close_page()
            self._open_page()

    def paragraph(self, words: str, size: float, kind: str) -> None:
        font = self.font if kind == "paragraph" else self.bold
        for line in self._wrapped(words, font, size, WIDTH - 2 * MARGIN):
            self._room(1)
            x = (WIDTH - self.measure(line, font, size)) / 2 if kind == "title" else MARGIN
            self._write(x, line, font, size)
            self.y -= LEADING * max(1.0, size / 10)
        self.y -= 4

    def contents(self, words: str) -> None:
        title, _, page = words.partition("\t")
        lines = list(self._wrapped(title, self.font, 9.5, WIDTH - 2 * MARGIN - 60))
        for line in lines:
            self._room(1)
            self._write(MARGIN, line, self.font, 9.5)
            self.y -= LEADING
        self.y += LEADING
        start, end = MARGIN + self.measure(lines[-1], self.font, 9.5) + 4, WIDTH - MARGIN - 24
        dots = "." * max(0, int((end - start) / self.measure(".", self.font, 9.5)))
        self._write(start, dots, self.font, 9.5)
        self._right(WIDTH - MARGIN, page, self.font, 9.5)
        self.y -= LEADING

    def table(self, sheet: Sheet) -> None:
        self.edges = self._edges(sheet)
        self._room(len(sheet.titles) + 4)
        for place, line in enumerate(sheet.titles):
            right = self.chinese and place == len(sheet.titles) - 1
            x = WIDTH - MARGIN - self.measure(line, self.font, 9.5) if right else MARGIN
            if not self.chinese:
                x = (WIDTH - self.measure(line, self.bold, 10)) / 2
            self._write(x, line, self.font if right else self.bold, 9.5 if right else 10)
            self.y -= LEADING
        self._head(sheet)
        for row in sheet.rows:
            self._row(row, sheet)
        self.y -= LEADING

    def _head(self, sheet: Sheet) -> None:
        self._cells(head_cells(sheet), sheet, self.bold, 8.5)
        self.y -= 3
        self.canvas.line(MARGIN, self.y + LEADING - 2, WIDTH - MARGIN, self.y + LEADING - 2)

    def _row(self, row: Row, sheet: Sheet) -> None:
        cells = row_cells(row, sheet, self.filing.style)
        size = 8.5
        lines = list(self._wrapped(row.words, self.font, size, self.edges[0] - MARGIN - 12))
        if self.y - LEADING * len(lines) < MARGIN + LEADING:
            self.new_page()
            if self.filing.style.breaks:
                self._head(sheet)
        for line in lines[:-1]:
            self._write(MARGIN, line, self.font, size)
            self.y -= LEADING - 2
        self._cells([lines[-1], *cells[1:]], sheet, self.bold if row.total else self.font, size)

    def _cells(self, cells: list[str], sheet: Sheet, font: str, size: float) -> None:
        self._write(MARGIN, cells[0], font, size)
        edges = self.edges
        numbers = cells[1:]
        if note_column(sheet):
            self._write(edges[0], numbers[0], font, size)
            numbers = numbers[1:]
        for text, edge in zip(numbers, edges[1:], strict=True):
            self._right(edge, text, font, size)
        self.y -= LEADING

    def _edges(self, sheet: Sheet) -> list[float]:
        """Where the notes start, then the right edges of the columns of numbers: wide enough for every number."""
        cells = [cell for row in sheet.rows for cell in row_cells(row, sheet, self.filing.style)[-len(sheet.columns) :]]
        widest = max(self.measure(cell, self.bold, 8.5) for cell in (*cells, *sheet.columns))
        wide = max(widest + 14, 118.0 if len(sheet.columns) == 2 else 88.0)
        last = WIDTH - MARGIN
        rights = [last - wide * place for place in reversed(range(len(sheet.columns)))]
        return [rights[0] - wide - (30 if note_column(sheet) else 0), *rights]

    def _wrapped(self, words: str, font: str, size: float, wide: float) -> Iterator[str]:
        pieces = list(words) if self.chinese else [f"{word} " for word in words.split(" ")]
        line = ""
        for piece in pieces:
            if line and self.measure((line + piece).rstrip(), font, size) > wide:
                yield line.rstrip()
                line = ""
            line += piece
        yield line.rstrip()

    def _room(self, lines: int) -> None:
        if self.y - lines * LEADING < MARGIN:
            self.new_page()

    def _write(self, x: float, words: str, font: str, size: float) -> None:
        if words:
            self.canvas.setFont(font, size)
            self.canvas.drawString(x, self.y, words)

    def _right(self, x: float, words: str, font: str, size: float) -> None:
        if words:
            self.canvas.setFont(font, size)
            self.canvas.drawRightString(x, self.y, words)

    def _open_page(self) -> None:
        self.page += 1
        self.y = HEIGHT - MARGIN
        if self.page > 1:
            name = self.filing.company.name
            words = f"{name}{self.filing.year}年年度报告" if self.chinese else name
            self.canvas.setFont(self.font, 8)
            self.canvas.drawString(MARGIN, HEIGHT - MARGIN + 22, words)

    def _close_page(self) -> None:
        self.canvas.setFont(self.font, 8)
        self.canvas.drawCentredString(WIDTH / 2, MARGIN - 24, str(self.page))
        self.canvas.showPage()
