"""How one page becomes rows: letters and ruled lines placed by hand, each case one that real pages have shown."""

from pipelines.finance.reports.pdf.glyphs import Glyph, Marks, Ruling
from pipelines.finance.reports.pdf.layout import lay_out
from pipelines.finance.reports.pdf.lines import Word, pieces_of
from pipelines.finance.reports.pdf.pages import statement_pages

WIDE = 5.0  # points of a letter, at a size of ten
RIGHT = (400.0, 470.0, 540.0)  # ends of columns


def letters(y: float, *texts: tuple[float, str], gap: float = WIDE / 2, bold: bool = False) -> list[Glyph]:
    """Texts that begin at their points on a line; spaces are half a letter wide."""
    found = []
    for left, text in texts:
        spaced = False
        for letter in text:
            if letter == " ":
                left, spaced = left + gap, True
                continue
            found.append(Glyph(letter, left, left + WIDE, y, 10.0, spaced, bold))
            left, spaced = left + WIDE, False
    return found


def row(y: float, label: str, *values: str, ends: tuple[float, ...] = RIGHT) -> list[Glyph]:
    """A label at the left, and values that end where columns do."""
    places = [(end - WIDE * len(value), value) for end, value in zip(ends, values, strict=False) if value]
    return letters(y, (50.0, label), *places)


def cells_of(*parts: list[Glyph], rulings: tuple[Ruling, ...] = ()) -> list[tuple[str, ...]]:
    glyphs = tuple(glyph for part in parts for glyph in part)
    return [found.cells for found in lay_out(Marks(glyphs, rulings)).rows if found.in_table]


BODY = [row(200 + 14 * number, f"Item {'abc'[number]}", "1,000", "2,000", "3,000") for number in range(3)]


def test_headings_that_stand_close_are_told_apart() -> None:
    heading = letters(180, (345, "September 28,"), (345 + 70, "September 30,"), (345 + 140, "September 24,"))
    cells = cells_of(heading, *BODY)
    assert cells[0] == ("", "September 28,", "September 30,", "September 24,")


def test_a_heading_over_several_columns_reaches_over_all_of_them() -> None:
    glyphs = tuple(g for part in (letters(180, (400, "Years ended May 31,")), *BODY) for g in part)
    heading, first = lay_out(Marks(glyphs, ())).rows[:2]
    assert heading.cells == ("", "Years ended May 31,")
    assert heading.extents[1][0] <= first.extents[1][0]
    assert heading.extents[1][1] >= first.extents[3][1]


def test_a_year_over_two_columns_reaches_over_both_and_not_over_the_third() -> None:
    glyphs = tuple(g for part in (letters(180, (415, "2023"), (520, "2022")), *BODY) for g in part)
    heading = lay_out(Marks(glyphs, ())).rows[0]
    assert heading.cells == ("", "2023", "2022")
    assert heading.extents[1][1] > RIGHT[1] - 1
    assert heading.extents[2][0] > RIGHT[1]


def test_underlined_totals_and_a_line_beside_a_column_make_no_grid() -> None:
    rules = (*(Ruling(50, 545, y, y) for y in (189.0, 203.0, 217.0, 231.0)), Ruling(405, 405, 189, 231))
    assert cells_of(*BODY, rulings=rules) == [(f"Item {name}", "1,000", "2,000", "3,000") for name in "abc"]


def test_a_title_over_two_lines_is_one_line() -> None:
    title = [*letters(100, (100, "Acme and subsidiaries consolidated statements")), *letters(114, (100, "of earnings"))]
    rows = lay_out(Marks((*title, *(g for part in BODY for g in part)), ())).rows
    assert rows[0].cells == ("Acme and subsidiaries consolidated statements of earnings",)
    assert not rows[0].in_table


def test_a_label_goes_on_with_a_number_in_its_next_line() -> None:
    label = row(300, "Common stock and additional paid in capital; shares authorized")
    rest = row(311, "11,000 and outstanding", "33", "32", "31")
    assert cells_of(*BODY, label, rest)[-1] == (
        "Common stock and additional paid in capital; shares authorized 11,000 and outstanding",
        "33",
        "32",
        "31",
    )


def test_the_beginning_of_the_next_label_is_not_taken_for_the_end_of_this_one() -> None:
    first = row(300, "Change in fair value of derivative instruments at the end", "5", "6", "7")
    second = row(311, "Adjustment for net gains and losses realized and also")
    third = row(322, "included in net income", "1", "2", "3")
    assert [cells[0] for cells in cells_of(*BODY, first, second, third)[-2:]] == [
        "Change in fair value of derivative instruments at the end",
        "Adjustment for net gains and losses realized and also included in net income",
    ]


def test_numbers_between_the_lines_of_a_label_belong_to_it() -> None:
    upper = row(300, "Preferred stock of a value of nothing at all, authorized and no")
    numbers = row(305.5, "", "—", "—", "12")
    lower = row(311, "shares outstanding")
    assert cells_of(*BODY, upper, numbers, lower)[-1][1:] == ("—", "—", "12")


def test_a_currency_sign_far_left_belongs_to_its_number() -> None:
    line = letters(300, (50, "Total"), (340, "$"), (380, "9,00"), (430, "$"), (455, "(1)"), (500, "$"), (535, "—"))
    assert cells_of(*BODY, line)[-1] == ("Total", "$9,00", "$(1)", "$—")


def test_small_raised_marks_stay_in_their_line() -> None:
    mark = [Glyph("1", 90, 93, 296, 5.0, False, False)]
    assert cells_of(*BODY, row(300, "Revenue", "1", "2", "3"), mark)[-1][1:] == ("1", "2", "3")


def test_a_cell_over_two_bands_gives_its_text_to_the_first() -> None:
    levels = [Ruling(50, 550, y, y) for y in (100.0, 130.0, 145.0)] + [Ruling(300, 550, 115, 115)]
    uprights = [Ruling(x, x, 100, 145) for x in (50.0, 300.0, 420.0, 550.0)]
    page = [
        *letters(112, (60, "Item"), (310, "2023"), (430, "2022")),
        *letters(127, (310, "Group"), (430, "Group")),
        *letters(142, (60, "Cash"), (310, "1,000"), (430, "2,000")),
    ]
    assert cells_of(page, rulings=(*levels, *uprights)) == [
        ("Item", "2023", "2022"),
        ("", "Group", "Group"),
        ("Cash", "1,000", "2,000"),
    ]


def test_contents_and_discussion_are_no_statements() -> None:
    contents = "Contents\nConsolidated Balance Sheets 50\nConsolidated Statements of Income 51\n"
    prose = "Results\nTotal assets were $9,000 in the consolidated balance sheets.\nRevenue rose.\nSo it was.\n" * 4
    body = "".join(f"{name} 1,000 2,000\n" for name in ("Total assets", "Total liabilities", "Goodwill", "Inventories"))
    statement = f"Acme, Inc.\nConsolidated Balance Sheets\n{body}Accounts payable 1,000 2,000\n"
    assert statement_pages([contents, prose, statement, prose], 10) == (2,)


def test_a_note_that_repeats_one_statement_is_left_out() -> None:
    def page(title: str, names: str) -> str:
        return f"{title}\n" + "".join(f"{name} 1,000.00 2,000.00\n" for name in names.split())

    balance = page("合并资产负债表", "资产总计 负债合计 流动资产合计 货币资金 应付账款")
    income = page("合并利润表", "营业收入 营业成本 利润总额 净利润 所得税费用")
    flows = page(
        "合并现金流量表", "经营活动产生的现金流量净额 投资活动产生的现金流量净额 偿还债务 投资支付的现金 购建固定资产"
    )
    words = ["正文。\n" * 30] * 6
    assert statement_pages([*words, balance, income, flows, *words, balance], 10) == (6, 7, 8)


def test_amounts_with_one_decimal_count_as_amounts_and_percentages_do_not() -> None:
    labels = ("Total assets", "Total current assets", "Total liabilities", "Inventories", "Total equity", "Goodwill")
    statement = "Consolidated balance sheet\n" + "\n".join(f"{label} 400.5 (380.0)" for label in labels)
    shares = "Growth by part\n" + "\n".join(f"{label} 4.5% 3.8%" for label in labels)
    assert statement_pages([shares, statement, shares], 10) == (1,)


def test_a_date_over_a_column_is_one_heading_and_no_three_cells() -> None:
    first = (Word("31", 281, 291), Word("December", 294, 335), Word("2023", 338, 358))
    second = tuple(Word(word.text, word.left + 89, word.right + 89) for word in first)
    assert [piece.text for piece in pieces_of((*first, *second), 10)] == ["31 December 2023", "31 December 2023"]
    apart = (Word("12", 281, 291), Word("March", 294, 335), Word("2023", 360, 380))
    assert [piece.kind for piece in pieces_of(apart, 10)] == ["number", "text", "number"]
