"""What `assay score` says of a file beside its verdicts."""

from collections import Counter

import pytest

from apps.cli.score import Totals, tell_warnings


def test_columns_out_of_their_range_are_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    outside = {f"OUTSIDE_TRAINING_RANGE c{number}": number for number in range(1, 19)}
    tell_warnings(Counter({**outside, "UNSEEN_CATEGORY city": 3}))
    told = capsys.readouterr().err.splitlines()
    assert told == ["OUTSIDE_TRAINING_RANGE in 18 columns, most in c18: 18 rows", "UNSEEN_CATEGORY city: 3 rows"]


def test_one_column_out_of_its_range_is_told_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    tell_warnings(Counter({"OUTSIDE_TRAINING_RANGE cash": 2}))
    assert capsys.readouterr().err == "OUTSIDE_TRAINING_RANGE cash: 2 rows\n"


def test_many_kinds_of_warnings_are_cut_short_and_all_in_the_summary(capsys: pytest.CaptureFixture[str]) -> None:
    warnings = Counter({f"CODE_{number} city": 1 for number in range(20)})
    tell_warnings(warnings)
    assert capsys.readouterr().err.splitlines()[-1] == "and 8 more kinds of warnings; --json lists them"
    assert Totals(warnings=warnings).to_json()["warnings"] == dict(warnings)
