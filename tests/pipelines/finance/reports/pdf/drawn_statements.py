"""Statements of a made-up company, and PDF files of them: ruled and not, upright and across, English and Chinese."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

from reportlab.lib.pagesizes import A4, landscape
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

pdfmetrics.registerFont(UnicodeCIDFont("STSong-Light"))
Item = tuple[str, tuple[str, ...]]

ENGLISH: dict[str, list[Item]] = {
    "Consolidated Balance Sheets": [
        ("Assets", ()),
        ("Current assets:", ()),
        ("Cash and cash equivalents", ("$ 1,204", "$ 998")),
        ("Accounts receivable, net of allowance for credit losses of $12 and $9 as of December 31, 2023", ("640", "—")),
        ("Total current assets", ("1,844", "998")),
        ("Property and equipment, net", ("8,100", "7,402")),
        ("Total assets", ("$ 9,944", "$ 8,400")),
        ("Liabilities and stockholders’ equity", ()),
        ("Accounts payable", ("$ 700", "$ 650")),
        ("Operating lease liabilities, net of the current portion and of amounts due to related parties", ("55", "60")),
        ("Total liabilities", ("755", "710")),
        ("Accumulated deficit", ("(811)", "(1,310)")),
        ("Additional paid-in capital", ("10,000", "9,000")),
        ("Total stockholders’ equity", ("9,189", "7,690")),
        ("Total liabilities and stockholders’ equity", ("$ 9,944", "$ 8,400")),
    ],
    "Consolidated Statements of Operations": [
        ("Revenue", ("$ 5,000", "$ 4,100")),
        ("Cost of revenue", ("3,001", "2,800")),
        ("Selling, general and administrative", ("1,100", "1,050")),
        ("Income from operations", ("899", "250")),
        ("Interest expense", ("(40)", "(38)")),
        ("Income before income taxes", ("859", "212")),
        ("Provision for income taxes", ("360", "(12)")),
        ("Net income", ("$ 499", "$ 224")),
        ("Net income per share, basic and diluted", ("$ 0.50", "$ 0.22")),
    ],
    "Consolidated Statements of Cash Flows": [
        ("Cash flows from operating activities", ()),
        ("Net income", ("$ 499", "$ 224")),
        ("Depreciation and amortization", ("410", "395")),
        ("Net cash provided by operating activities", ("909", "619")),
        ("Cash flows from investing activities", ()),
        ("Purchases of property and equipment", ("(1,203)", "(800)")),
        ("Net cash used in investing activities", ("(1,203)", "(800)")),
        ("Cash flows from financing activities", ()),
        ("Proceeds from issuance of common stock", ("500", "—")),
        ("Net cash provided by financing activities", ("500", "—")),
        (
            "Net increase (decrease) in cash, cash equivalents and restricted cash and cash equivalents",
            ("206", "(181)"),
        ),
        ("Cash and cash equivalents, end of year", ("$ 1,204", "$ 998")),
    ],
}
CHINESE: dict[str, list[Item]] = {
    "合并资产负债表": [
        ("流动资产：", ()),
        ("货币资金", ("1,204,000.10", "998,000.00")),
        ("应收账款", ("640,000.00", "")),
        ("流动资产合计", ("1,844,000.10", "998,000.00")),
        ("非流动资产合计", ("8,100,000.00", "7,402,000.00")),
        ("资产总计", ("9,944,000.10", "8,400,000.00")),
        ("应付账款", ("755,000.00", "710,000.00")),
        ("负债合计", ("755,000.00", "710,000.00")),
        ("所有者权益（或股东权益）合计", ("9,189,000.10", "7,690,000.00")),
        ("负债和所有者权益（或股东权益）总计", ("9,944,000.10", "8,400,000.00")),
    ],
    "合并利润表": [
        ("一、营业总收入", ("5,000,000.00", "4,100,000.00")),
        ("其中：营业收入", ("5,000,000.00", "4,100,000.00")),
        ("二、营业总成本", ("4,101,000.00", "3,850,000.00")),
        ("信用减值损失（损失以“－”号填列）", ("-11,000.50", "-26,000.00")),
        ("三、营业利润（亏损以“－”号填列）", ("899,000.00", "250,000.00")),
        ("四、利润总额（亏损总额以“－”号填列）", ("859,000.00", "212,000.00")),
        ("减：所得税费用", ("360,000.00", "-12,000.00")),
        ("五、净利润（净亏损以“－”号填列）", ("499,000.00", "224,000.00")),
        ("（一）基本每股收益(元/股)", ("0.50", "0.22")),
    ],
    "合并现金流量表": [
        ("一、经营活动产生的现金流量：", ()),
        ("销售商品、提供劳务收到的现金", ("4,800,000.00", "4,000,000.00")),
        ("经营活动产生的现金流量净额", ("909,000.00", "619,000.00")),
        ("购建固定资产、无形资产和其他长期资产支付的现金", ("1,203,000.00", "800,000.00")),
        ("投资活动产生的现金流量净额", ("-1,203,000.00", "-800,000.00")),
        ("吸收投资收到的现金", ("500,000.00", "")),
        ("筹资活动产生的现金流量净额", ("500,000.00", "")),
        ("六、期末现金及现金等价物余额", ("1,204,000.10", "998,000.00")),
    ],
}


@dataclass(frozen=True, kw_only=True)
class Style:
    """How a statement is drawn."""

    chinese: bool = False
    across: bool = False  # the page
    turned: bool = False  # an upright page, printed across
    rules: str = "none"  # none, all, rows (open sides), uprights (no lines between rows)
    numbers: str = "last"  # the line of a wrapped label that the numbers stand on: first, middle, last
    rows_a_page: int = 40
    label_width: float = 215.0


class Drawing:
    """Draws statements, one a page or on as many as they need."""

    def __init__(self, style: Style) -> None:
        self.style = style
        self.out = BytesIO()
        self.size = landscape(A4) if style.across else A4
        self.canvas = Canvas(self.out, pagesize=self.size)
        self.font = "STSong-Light" if style.chinese else "Helvetica"
        self.left, self.top, self.pitch, self.points = 60.0, 0.0, 16.0, 9.0
        self.ends = [self.left + style.label_width + 30 + 130 * number for number in (1, 2)]

    def page(self, lines: Sequence[str]) -> None:
        """Begin a page with these lines centred above, if any."""
        width, height = self.size
        if self.style.turned:
            self.canvas.translate(width, 0)
            self.canvas.rotate(90)
            height = width
        self.top = height - 50
        self.canvas.setFont(self.font, self.points)
        for line in lines:
            self.canvas.drawCentredString(width / 2, self.top, line)
            self.top -= self.pitch
        self.top -= self.pitch

    def words(self, lines: Sequence[str]) -> None:
        """A page of running text."""
        self.page(())
        for line in lines:
            self.canvas.drawString(self.left, self.top, line)
            self.top -= self.pitch
        self.canvas.showPage()

    def statement(self, titles: Sequence[str], headings: Sequence[str], items: Sequence[Item]) -> None:
        """The title and the rows, over as many pages as they need."""
        self.page(titles)
        self._row("项目" if self.style.chinese else "", headings)
        for number, (label, values) in enumerate(items):
            if number and number % self.style.rows_a_page == 0:
                self.canvas.drawCentredString(self.size[0] / 2, 30, "- 7 -")
                self.canvas.showPage()
                self.page(("某某股份有限公司 2023 年年度报告",) if self.style.chinese else ("Acme 2023 Annual Report",))
            self._row(label, values)
        self.canvas.drawCentredString(self.size[0] / 2, 30, "- 8 -")
        self.canvas.showPage()

    def _row(self, label: str, values: Sequence[str]) -> None:
        lines = self._wrapped(label)
        step = self.points * 1.15
        place = {"first": 0.0, "middle": (len(lines) - 1) / 2, "last": float(len(lines) - 1)}[self.style.numbers]
        for number, line in enumerate(lines):
            self.canvas.drawString(self.left, self.top - number * step, line)
        for end, value in zip(self.ends, values, strict=False):
            number_part = value.removeprefix("$ ")
            shift = self.canvas.stringWidth(")", self.font, self.points) if value.endswith(")") else 0  # hangs out
            self.canvas.drawRightString(end - 4 + shift, self.top - place * step, number_part)
            if value.startswith("$ "):
                self.canvas.drawString(end - 100, self.top - place * step, "$")
        height = self.pitch + (len(lines) - 1) * step
        self._rule(self.top + 11.5, self.top + 11.5 - height)
        self.top -= height

    def _rule(self, above: float, below: float) -> None:
        if self.style.rules == "none":
            return
        edges = [self.left - 5, self.left + self.style.label_width + 15, *(end for end in self.ends)]
        if self.style.rules in ("all", "rows"):
            self.canvas.line(edges[0], above, edges[-1], above)
            self.canvas.line(edges[0], below, edges[-1], below)
        for edge in edges if self.style.rules != "rows" else edges[1:-1]:
            self.canvas.line(edge, above, edge, below)

    def _wrapped(self, label: str) -> list[str]:
        parts = list(label) if self.style.chinese else label.split(" ")
        space = "" if self.style.chinese else " "
        lines = [parts[0]]
        for part in parts[1:]:
            longer = lines[-1] + space + part
            if self.canvas.stringWidth(longer, self.font, self.points) > self.style.label_width:
                lines.append(part)
            else:
                lines[-1] = longer
        return lines

    def content(self) -> bytes:
        self.canvas.save()
        return self.out.getvalue()


def draw(style: Style) -> bytes:
    """A report: contents, words that mention the statements, the three statements, a note with numbers."""
    drawing = Drawing(style)
    if style.chinese:
        drawing.words(["目录", "合并资产负债表 ........ 3", "合并利润表 ........ 4", "合并现金流量表 ........ 5"])
        drawing.words(["本公司在合并资产负债表中列示货币资金，在利润表中列示营业收入 5,000,000.00 元。"] * 9)
        for title, items in CHINESE.items():
            headings = ["2023年12月31日", "2022年12月31日"] if "资产" in title else ["2023年度", "2022年度"]
            drawing.statement([title, "编制单位：某某股份有限公司    单位：元 币种：人民币"], headings, items)
        drawing.words(["七、合并财务报表项目注释", "1、货币资金 期末余额 1,204,000.10 期初余额 998,000.00"])
        return drawing.content()
    drawing.words(
        [
            "Index to Consolidated Financial Statements",
            "Consolidated Balance Sheets 3",
            "Consolidated Statements of Operations 4",
            "Consolidated Statements of Cash Flows 5",
        ]
    )
    drawing.words(["Our consolidated balance sheets show total assets of $9,944 and revenue of $5,000 in 2023."] * 9)
    for title, items in ENGLISH.items():
        headings = ["December 31, 2023", "December 31, 2022"] if "Balance" in title else ["2023", "2022"]
        drawing.statement(["Acme, Inc.", title, "(in thousands, except per share data)"], headings, items)
    drawing.words(["Note 1. Cash and cash equivalents were $1,204 and $998 as of December 31, 2023 and 2022."])
    return drawing.content()
