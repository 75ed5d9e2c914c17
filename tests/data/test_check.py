import json

import numpy as np
import pandas as pd
import pytest

from data.check import check_table
from data.drift import psi
from data.finance.credit_tables import make_credit
from data.leakage import leakage_of
from data.source import Chunk
from data.spec import infer_spec

LOANS = make_credit(6000, seed=3)
SPEC = infer_spec(LOANS, target="default_12m", id_column="application_id", ignore=["split"])


def codes(report: object) -> set[tuple[str, str]]:
    return {(found.code, found.column) for found in report.findings}  # type: ignore[attr-defined]


def test_an_ordinary_table_has_no_errors_and_no_leakage() -> None:
    report = check_table(LOANS, target="default_12m", id_column="application_id")
    assert {found.level for found in report.findings} <= {"note"}
    assert ("SPECIAL_CODES", "delinquencies_24m") in codes(report)
    types = {column.name: column.type for column in report.columns}
    assert types["application_date"] == "date"
    assert types["age"] == "number"
    assert types["region"] == "text"
    json.dumps(report.to_json(), allow_nan=False)


def test_faults_of_a_table_are_found() -> None:
    frame = LOANS.head(500).assign(empty=np.nan, same="x")
    frame = pd.concat([frame, frame.tail(3)], ignore_index=True)
    chunk = Chunk(frame=frame, first_row=0, rows=np.arange(len(frame)), errors={4: "RAGGED_ROW: row 5"})
    report = check_table(chunk, id_column="application_id", today=np.datetime64("2020-01-01"))
    assert {
        ("UNREADABLE_ROWS", ""),
        ("DUPLICATE_ROWS", ""),
        ("DUPLICATE_ID", "application_id"),
        ("ALL_MISSING", "empty"),
        ("CONSTANT", "same"),
        ("FUTURE_DATE", "application_date"),
    } <= codes(report)
    assert (report.rows, report.duplicate_rows, report.unreadable_rows) == (503, 3, 1)
    levels = [found.level for found in report.findings]
    assert levels == sorted(levels, key=["error", "warning", "note"].index)


def test_a_table_is_held_against_the_training_data() -> None:
    frame = LOANS.assign(
        debt_ratio=LOANS["debt_ratio"] * 3,
        region=LOANS["region"].where(LOANS.index > 9, "moon"),
        age=LOANS["age"].astype("str").where(LOANS.index > 4, "abc"),
        hobby="chess",
    ).drop(columns="channel")
    report = check_table(frame, SPEC)
    assert {
        ("SCHEMA_MISSING", "channel"),
        ("NOT_A_NUMBER", ""),
        ("UNSEEN_CATEGORY", "region"),
        ("DRIFT", "debt_ratio"),
        ("EXTRA_COLUMNS", ""),
    } <= codes(report)
    shifted = {column.name: column.psi for column in report.columns}
    assert (shifted["debt_ratio"] or 0) > 0.25
    assert (shifted["inquiries_6m"] or 0) < 0.01


def test_the_training_table_itself_has_not_drifted() -> None:
    report = check_table(LOANS, SPEC)
    assert max(column.psi or 0 for column in report.columns) < 1e-9
    assert not any(found.code == "DRIFT" for found in report.findings)


def test_psi_is_that_of_the_formula() -> None:
    assert psi(np.array([0.5, 0.5]), np.array([0.6, 0.4])) == pytest.approx(0.1 * np.log(1.2) - 0.1 * np.log(0.8))


@pytest.mark.parametrize("kind", ["number", "level", "missing", "reversed"])
def test_a_column_filled_in_after_the_outcome_is_suspected(kind: str) -> None:
    y = LOANS["default_12m"]
    leak = {
        "number": y * 1000.0 + LOANS["age"],
        "level": y.map({0: "open", 1: "closed"}),
        "missing": LOANS["age"].where(y == 1),
        "reversed": -y + 0.001 * LOANS["age"],
    }[kind]
    report = check_table(LOANS.assign(status=leak), target="default_12m", id_column="application_id")
    assert [found.column for found in report.findings if found.code == "LEAKAGE_SUSPECT"] == ["status"]


def test_leakage_needs_two_classes() -> None:
    assert leakage_of(LOANS.assign(default_12m=0), "default_12m") == {}
    assert leakage_of(LOANS.head(30), "default_12m") == {}
