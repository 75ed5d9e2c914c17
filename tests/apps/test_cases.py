"""Which files are tables of cases, which are reports, and what is neither."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from apps.cases import is_statements, read_companies, read_reports
from data.finance.report_set import make_reports
from data.tables import open_source
from pipelines.finance.company_plan import CompanyOptions, make_plan
from pipelines.finance.labels import find_rule
from tests.pipelines.finance.company_samples import KEYS, make_companies

TABLE = make_companies(0, companies=8)
PLAN = make_plan(TABLE, CompanyOptions(**KEYS), find_rule(TABLE["failed"]))
MANIFEST: Any = SimpleNamespace(about={"company": PLAN.to_json()}, spec={"target": "failed", "columns": []})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reports")
    make_reports(folder, rows=3, seed=1)
    return folder


def test_the_statements_of_one_report_are_no_table_of_cases(made: Path, tmp_path: Path) -> None:
    sheets = [path for path in (made / "filings").iterdir() if path.suffix in (".xlsx", ".csv")]
    assert len(sheets) > 1
    assert all(is_statements(path, MANIFEST) for path in sheets)
    TABLE.to_csv(tmp_path / "table.csv", index=False)
    TABLE.drop(columns="firm").to_csv(tmp_path / "nameless.csv", index=False)
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    assert not any(is_statements(tmp_path / f"{name}.csv", MANIFEST) for name in ("table", "nameless", "other"))


def test_json_in_a_folder_that_is_no_company_facts_is_passed_over(made: Path, tmp_path: Path) -> None:
    facts = next((made / "filings").glob("*_companyfacts.json"))
    (tmp_path / "facts.json").write_bytes(facts.read_bytes())
    (tmp_path / "gold.json").write_text(json.dumps({"file": "x", "values": []}))
    (tmp_path / "list.json").write_text("[1, 2]")
    (tmp_path / "broken.json").write_text('{"facts": ')
    passed: list[Path] = []
    cases = {case.id: case for case in read_reports(tmp_path, passed_over=passed.append)}
    assert [path.name for path in passed] == ["gold.json", "list.json"]
    assert sorted(cases) == ["broken.json", "facts.json"]
    assert cases["facts.json"].report is not None
    assert str(cases["broken.json"].error).startswith("BAD_JSON")
    (alone,) = read_reports(tmp_path / "gold.json")
    assert str(alone.error).startswith("BAD_JSON")


def test_rows_of_the_far_future_have_an_error(tmp_path: Path) -> None:
    table = TABLE.astype({"year": int})
    table.loc[2, "year"] = 2123
    table.to_csv(tmp_path / "table.csv", index=False)
    piece = read_companies(open_source(tmp_path / "table.csv"), MANIFEST, where={})
    assert list(piece.errors) == [2]
    assert piece.errors[2].startswith("FUTURE_PERIOD: column 'year' holds 2123; allowed is up to a year after ")
