"""The language: what is allowed, what is refused and how it says so."""

import ast
import math
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError
from pipelines.finance.rules.columns import Panel
from pipelines.finance.rules.evaluate import run
from pipelines.finance.rules.formula import CALLABLE, Formula, Program
from pipelines.finance.rules.panel import make_panel
from pipelines.finance.rules.rulebook import load_rules

HEADINGS = "name,group,formula,unit,direction,en,zh,source\n"


def panel(**columns: object) -> Panel:
    import pandas as pd

    return make_panel(pd.DataFrame(columns))


def worked_out(text: str, of: Panel) -> list[float]:
    program = Program(formulas={}, inputs=set(of.values))
    step = program.compile(text, "here")
    return [float(x) for x in np.broadcast_to(run(program, of, {step}, None)[step], of.rows)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a + b * 2 - 1", 7.0),
        ("(a + b) / b", 5 / 3),
        ("-a ** 2", -4.0),
        ("a < b <= 3", 1.0),
        ("a > b or not a == 2", 0.0),
        ("a if a > b else b", 3.0),
        ("if_(a > b, a, b)", 3.0),
        ("min(a, b, 1) + max(a, b)", 4.0),
        ("clip(a * 10, 0, 5)", 5.0),
        ("log(exp(a)) + sqrt(b + 1) + abs(-a) + sign(-b)", 5.0),
        ("first(gone, b)", 3.0),
        ("sum0(gone, a, b)", 5.0),
        ("share(a == 2, b == 2, gone > 1)", 0.5),
        ("missing(gone) + missing(a)", 1.0),
        ('column("a") + reported(b)', 5.0),
        ("only(a > 1, b)", 3.0),
    ],
)
def test_a_formula_is_worked_out(text: str, expected: float) -> None:
    assert worked_out(text, panel(a=[2.0], b=[3.0], gone=[math.nan])) == [pytest.approx(expected)]


@pytest.mark.parametrize(
    "text", ["a / zero", "a / (b - b)", "0 / zero", "log(zero)", "log(-a)", "sqrt(-a)", "(-a) ** 0.5", "10 ** 400",
             "exp(1000)", "only(a > b, a)", "a / (0.1 + 0.2 - 0.3)"],
)  # fmt: skip
def test_what_has_no_finite_value_is_missing(text: str) -> None:
    (value,) = worked_out(text, panel(a=[2.0], b=[3.0], zero=[0.0]))
    assert math.isnan(value)


def test_a_big_amount_may_be_divided_by_a_plain_number() -> None:
    assert worked_out("a / 100", panel(a=[9e13])) == [9e11]


TRUTH = {"t": 1.0, "f": 0.0, "u": math.nan}


@pytest.mark.parametrize("left", "tfu")
@pytest.mark.parametrize("right", "tfu")
def test_logic_is_that_of_kleene(left: str, right: str) -> None:
    of = panel(x=[TRUTH[left]], y=[TRUTH[right]])
    both = "f" if "f" in (left, right) else "u" if "u" in (left, right) else "t"
    either = "t" if "t" in (left, right) else "u" if "u" in (left, right) else "f"
    assert worked_out("x == 1 and y == 1", of) == pytest.approx([TRUTH[both]], nan_ok=True)
    assert worked_out("any(x == 1, y == 1)", of) == pytest.approx([TRUTH[either]], nan_ok=True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a +", "is no formula"),
        ("a.b", "is not allowed"),
        ("a[0]", "is not allowed"),
        ("lambda: 1", "is not allowed"),
        ("[x for x in a]", "is not allowed"),
        ("__import__('os')", "no function is called '__import__'"),
        ("log('x')", "stands where a number or a name is wanted"),
        ("True", "stands where a number or a name is wanted"),
        ("a in b", "comparisons are"),
        ("a // b", "is not allowed"),
        ("lgo(a)", "did you mean log?"),
        ("currnt_ratio + 1", "did you mean current_ratio"),
        ("log(a, b)", "takes 1 expressions, got 2"),
        ("trend(a, 2)", "whole number from 3 to 40"),
        ("trend(a, 3.5)", "takes 1 expressions, got 2"),
        ("prior(x=a)", "is not allowed"),
        ("reported(a + b)", "the name of one item"),
        ("1" + "0" * 400, "above 1e308"),
        ("(" * 300 + "a" + ")" * 300, "here:"),
        ("-" * 1900 + "a", "nested too deeply"),
        ("a" * 2001, "at most 2000"),
        ("a\0", "here:"),
        ("", "is no formula"),
    ],
)
def test_a_wrong_formula_says_where_and_what_is_allowed(text: str, words: str) -> None:
    program = Program(formulas={}, inputs={"a", "b", "current_ratio"})
    with pytest.raises(InputError, match="here") as error:
        program.compile(text, "here")
    assert words in str(error.value)


@given(st.text(max_size=60))
def test_any_text_is_a_formula_or_one_clear_error(text: str) -> None:
    program = Program(formulas={}, inputs={"a"})
    with suppress(InputError):
        assert program.compile(text, "here") < len(program.steps)


def test_formulas_that_need_each_other_are_refused() -> None:
    program = Program(formulas={"a": Formula("b + 1", "A"), "b": Formula("a + 1", "B")}, inputs=set())
    with pytest.raises(InputError, match="a -> b -> a"):
        program.root("a")


def test_equal_parts_are_one_step() -> None:
    program = Program(formulas={}, inputs={"a", "b"})
    program.compile("(a + b) / (a + b)", "here")
    assert len(program.steps) == 4


def test_every_function_is_told_in_the_page_about_the_language() -> None:
    page = (Path(__file__).parents[4] / "pipelines/finance/rules/README.md").read_text(encoding="utf-8")
    assert [name for name in CALLABLE if f"`{name}(" not in page] == []


def test_nothing_is_run_as_code() -> None:
    folder = Path(__file__).parents[4] / "pipelines/finance/rules"
    calls = {
        node.func.id
        for path in folder.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not calls & {"eval", "exec", "compile", "__import__"}


def test_an_analyst_adds_rules_on_own_columns(tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    table.write_text(HEADINGS + "per_shop,own,revenue / shops,ratio,higher_is_safer,per shop,单店收入,own\n", "utf-8")
    book = load_rules(table, columns=["shops"])
    assert "per_shop" in book.names
    assert book.version != load_rules().version


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("altman_z,g,1,ratio,unclear,a,b,c", "there is a rule of that name already"),
        ("revenue,g,1,ratio,unclear,a,b,c", "there is an item of that name already"),
        ("mine,g,shps + 1,ratio,unclear,a,b,c", "no item, feature or column is called 'shps'"),
        ("mine,g,1,meters,unclear,a,b,c", "column unit: one of ratio"),
        ("mine,g,1,ratio,up,a,b,c", "column direction: one of higher_is_safer"),
        ("mine,g,1,ratio,unclear,,b,c", "column en is empty"),
        ("my rule,g,1,ratio,unclear,a,b,c", "column name: letters, digits"),
        ("mine,g,first(1,2),ratio,unclear,a,b,c", "put quotes around a cell with a comma"),
    ],
)
def test_a_wrong_rule_is_named_with_its_line_and_column(tmp_path: Path, line: str, words: str) -> None:
    table = tmp_path / "mine.csv"
    table.write_text(f"{HEADINGS}{line}\n", "utf-8")
    with pytest.raises(InputError, match=r"mine\.csv, line 2") as error:
        load_rules(table)
    assert words in str(error.value)


def test_a_table_without_its_headings_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    table.write_text("name,formula\na,1\n", "utf-8")
    with pytest.raises(InputError, match="no column group, unit"):
        load_rules(table)
