import math

import pytest

from apps.cli.console import emit_json, emit_table, parse_cost, parse_floors, parse_where
from core.errors import InputError


def test_where_splits_at_the_first_equals_sign() -> None:
    assert parse_where(["split=train", "note=a=b", "empty="]) == {"split": "train", "note": "a=b", "empty": ""}


@pytest.mark.parametrize("condition", ["split", "=train", "="])
def test_where_without_a_column_is_refused(condition: str) -> None:
    with pytest.raises(InputError, match="COLUMN=VALUE"):
        parse_where([condition])


def test_cost_is_two_numbers_above_zero() -> None:
    assert parse_cost("5:1") == (5.0, 1.0)
    assert parse_cost(None) is None


@pytest.mark.parametrize("text", ["5", "5:0", "-1:1", "a:b", "5:1:2", "inf:1", "nan:1", ""])
def test_another_cost_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="MISSED:FALSE"):
        parse_cost(text)


def test_floors_are_numbers_by_metric() -> None:
    assert parse_floors(["auc=0.75", "ks=.3"]) == {"auc": 0.75, "ks": 0.3}


@pytest.mark.parametrize("text", ["auc", "auc=high", "=0.5"])
def test_another_floor_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="METRIC=VALUE"):
        parse_floors([text])


def test_a_table_in_a_pipe_is_tab_separated_and_leaves_missing_cells_empty(capsys: pytest.CaptureFixture[str]) -> None:
    emit_table("title", ("a", "b"), [(1, None), ("x [red]", 2.5)])
    assert capsys.readouterr().out == "a\tb\n1\t\nx [red]\t2.5\n"


def test_what_is_no_json_is_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="JSON"):
        emit_json({"auc": math.nan})
    assert capsys.readouterr().out == ""
