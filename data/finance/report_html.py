"""Made-up reports as web pages without tags and as text: the ways of American filers and of Chinese portals."""

import json
from collections.abc import Callable
from html import escape

from data.finance.report_cells import head_cells, note_column, printed, row_cells
from data.finance.report_filing import Figure, Filing, Row, Sheet, Text
from data.finance.report_style import Style

FigureWriter = Callable[[Figure, str], str]  # a figure and its number on paper, without sign marks -> markup
TextWriter = Callable[[str, str], str]  # kind of text and its words -> markup
_PAGE = '<hr style="page-break-after:always"/>'
_SIZES = {"title": "14pt", "heading": "12pt", "subheading": "11pt"}


def american_html(filing: Filing) -> str:
    """The page of a 10-K without tags."""
    return _page(filing, american_body(filing, lambda figure, text: escape(text), lambda kind, words: escape(words)))


def american_body(filing: Filing, figure: FigureWriter, words: TextWriter) -> str:
    """The body's markup; `figure` and `words` may wrap what they are given in tags."""
    parts = []
    for block in filing.blocks:
        if isinstance(block, Sheet):
            parts.append(_american_table(block, filing.style, figure))
        else:
            parts.append(_american_text(block, words))
    return "\n".join(parts)


def chinese_html(filing: Filing) -> str:
    """The page of an annual report: headings in <h>, text in <p>, plain tables."""
    parts = []
    for block in filing.blocks:
        if isinstance(block, Sheet):
            parts += [f"<p>{escape(line)}</p><br/>" for line in block.titles]
            rows = [head_cells(block), *(row_cells(row, block, filing.style) for row in block.rows)]
            cells = ("".join(f'\n <td colspan="1" rowspan="1">{escape(cell)} </td>' for cell in row) for row in rows)
            parts.append(f'<table border="1">{"".join(f"<tr>{row}</tr>" for row in cells)}</table><br/>')
        elif block.kind != "page":
            mark = "p" if block.kind in ("paragraph", "contents") else "h"
            parts.append(f"<{mark}>{escape(block.words.replace(chr(9), '……'))}</{mark}><br/>")
    return "\n".join(parts)


def plain_text(filing: Filing) -> str:
    """The report as lines of text, its tables in columns parted by spaces."""
    lines: list[str] = []
    for block in filing.blocks:
        if isinstance(block, Sheet):
            rows = [head_cells(block), *(row_cells(row, block, filing.style) for row in block.rows)]
            wide = [max(_width(row[place]) for row in rows) + 3 for place in range(len(rows[0]))]
            lines += [*block.titles, ""]
            lines += [_aligned(row, wide).rstrip() for row in rows]
            lines.append("")
        elif block.kind == "page":
            lines.append("\f" if filing.style.breaks else "")
        else:
            lines += [block.words.replace("\t", " ........ "), ""]
    return "\n".join(lines) + "\n"


def json_lines(filing: Filing) -> str:
    """The report as one JSON object a line, tables as lists of cells, pages counted."""
    page = 1
    lines: list[str] = []

    def add(kind: str, inside: str) -> None:
        record = {"page": page, "allrow": len(lines), "type": kind, "inside": inside}
        lines.append(json.dumps(record, ensure_ascii=False))

    for block in filing.blocks:
        if isinstance(block, Sheet):
            for title in block.titles:
                add("text", title)
            for row in [head_cells(block), *(row_cells(row, block, filing.style) for row in block.rows)]:
                add("excel", str(row))
        elif block.kind == "page":
            add("页脚", str(page))
            page += 1
            add("页眉", f"{filing.company.name}{filing.year}年年度报告全文")
        else:
            add("text", block.words.replace("\t", "…………"))
    return "\n".join(lines) + "\n"


def _page(filing: Filing, body: str) -> str:
    title = escape(f"{filing.company.name} {filing.form} {filing.year}")
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"/>'
        f"<title>{title}</title></head>\n<body>\n{body}\n</body></html>\n"
    )


def _american_text(block: Text, words: TextWriter) -> str:
    if block.kind == "page":
        return _PAGE
    if block.kind == "contents":
        title, _, page = block.words.partition("\t")
        return f'<table style="width:100%"><tr><td>{escape(title)}</td><td>{escape(page)}</td></tr></table>'
    text = words(block.kind, block.words)
    if block.kind == "paragraph":
        return f'<div style="margin-top:6pt"><span style="font-size:10pt">{text}</span></div>'
    align = "center" if block.kind == "title" else "left"
    bold = f"font-size:{_SIZES[block.kind]};font-weight:700"
    return f'<div style="text-align:{align}"><span style="{bold}">{text}</span></div>'


def _american_table(sheet: Sheet, style: Style, figure: FigureWriter) -> str:
    titles = "".join(
        f'<div style="text-align:center"><span style="font-weight:700">{escape(line)}</span></div>\n'
        for line in sheet.titles
    )
    span = 3 if style.split_cells else 1
    head = "".join(f'<td colspan="{span}" style="text-align:center">{escape(cell)}</td>' for cell in sheet.columns)
    note = f"<td>{sheet.heads[1]}</td>" if note_column(sheet) else ""
    rows = [f"<tr><td>{sheet.heads[0]}&#160;</td>{note}{head}</tr>"]
    rows += [_american_row(row, place, sheet, style, figure) for place, row in enumerate(sheet.rows)]
    return f'{titles}<table style="border-collapse:collapse;width:100%">\n{chr(10).join(rows)}\n</table>'


def _american_row(row: Row, place: int, sheet: Sheet, style: Style, write: FigureWriter) -> str:
    note = f"<td>{escape(row.note)}</td>" if note_column(sheet) else ""
    cells = f"<td>{escape(row.words)}</td>{note}"
    dollar = style.dollar_signs and (row.total or place <= 2)
    for figure in row.figures:
        text = printed(figure, style)
        mark = "$" if dollar and figure.measure != "shares" else ""
        opened, closed = text.startswith("("), text.endswith(")")
        minus = "" if opened or not text.startswith("-") or text == style.nothing else "-"
        bare = text.strip("()") if opened else text.removeprefix("-") if minus else text
        inner = write(figure, bare)
        left, right = "(" if opened else minus, ")" if closed else ""
        if style.split_cells:
            cells += f"<td>{mark}</td><td style='text-align:right'>{left}{inner}</td><td>{right}</td>"
        else:
            cells += f"<td style='text-align:right'>{mark}{' ' if mark else ''}{left}{inner}{right}</td>"
    return f"<tr>{cells}</tr>"


def _width(text: str) -> int:
    return sum(2 if ord(mark) > 0x2E7F else 1 for mark in text)


def _aligned(row: list[str], wide: list[int]) -> str:
    first = row[0] + " " * (wide[0] - _width(row[0]))
    return first + "".join(" " * (w - _width(cell)) + cell for cell, w in zip(row[1:], wide[1:], strict=True))
