"""Text from data is harmless wherever it is shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards import plain


@given(st.text())
def test_no_cell_of_an_export_can_be_a_formula(text: str) -> None:
    assert not plain.cell(text).startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


@given(st.text())
def test_a_cell_loses_nothing_but_gains_an_apostrophe_at_most(text: str) -> None:
    assert plain.cell(text).removeprefix("'") == text.removeprefix("'")


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "<a href='javascript:x'>y</a>", "<b>"])
def test_a_label_of_a_figure_holds_no_tag(text: str) -> None:
    assert "<" not in plain.figure(text)


def test_a_long_label_is_cut() -> None:
    assert len(plain.figure("x" * 500)) == 60


@pytest.mark.parametrize(
    "text", ["[a](http://b)", "![i](x)", "$x^2$", ":red[x]", ":material/home:", "`c`", "# h", "<b>", "~~x~~"]
)
def test_every_mark_that_markdown_reads_is_escaped(text: str) -> None:
    told = plain.markdown(text)
    marks = [place for place, sign in enumerate(told) if sign in "[]()!$:`#<>~^"[:-1]]
    assert all(told[place - 1] == "\\" for place in marks)


def test_markdown_cannot_break_out_of_its_line() -> None:
    assert "\n" not in plain.markdown("a\n\n# b")


def test_a_missing_number_is_a_dash() -> None:
    assert plain.number(None) == plain.percent(None) == "–"
