"""Workers score companies as the command line does: no company is torn apart, hard rules come first."""

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from apps.cases import read_companies
from apps.engines import engine_for
from apps.store import jobs, results
from apps.store.closing import rows_in_order
from apps.store.database import open_database
from apps.store.objects import open_objects
from apps.store.pieces import read_ids, read_piece
from apps.store.results import ResultFilter
from apps.store.tables import Result
from apps.worker.working import Bench, work_on
from core.errors import InputError
from data.tables import TableWriter, open_source
from pipelines.finance.company import score_company
from tests.faults.bench import chunks_in


def _submit(companies: SimpleNamespace, cases: str, source: Path, out: Path, **how: object) -> jobs.Job:
    db, model = open_database(companies.settings), getattr(companies, cases)
    return jobs.submit_score_job(db, companies.settings, model=model, source=source, out=out, rows_per_chunk=30, **how)


def _work(companies: SimpleNamespace, job: jobs.Job) -> jobs.JobState:
    db = open_database(companies.settings)
    for chunk in reversed(chunks_in(companies.settings, job, "queued")):
        assert work_on(Bench(db=db, settings=companies.settings), chunk.id)
    return jobs.job_state(db, job.id)


def _direct(companies: SimpleNamespace, cases: str, source: Path, out: Path, **how: object) -> None:
    """As `assay score` without workers writes it."""
    model = getattr(companies, cases)
    engine = engine_for(companies.settings, model)
    table = read_companies(open_source(source), engine.bundle.manifest, where={})
    frame = score_company(table.frame, engine, ids=table.ids, row_errors=table.errors, **how).frame
    judged = frame["decision"].notna()
    place = frame.columns.get_loc("error")
    frame.insert(place, "model", pd.Series(model.name, index=frame.index, dtype="str").where(judged))
    version = pd.Series(model.version, index=frame.index, dtype="Int64").where(judged)
    frame.insert(place + 1, "model_version", version)
    with TableWriter(out) as writer:
        writer.write(frame)


@pytest.mark.parametrize("cases", ["latest", "all"])
@pytest.mark.parametrize("reasons_for", ["review", "all"])
def test_chunks_give_the_file_of_the_direct_way(
    companies: SimpleNamespace, tmp_path: Path, cases: str, reasons_for: str
) -> None:
    job = _submit(companies, cases, companies.table, tmp_path / "out.csv", reasons_for=reasons_for)
    assert job.chunks_total > 2
    assert _work(companies, job).job.state == "done"
    _direct(companies, cases, companies.table, tmp_path / "direct.csv", reasons_for=reasons_for)
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "direct.csv").read_bytes()
    assert "KNOCK_OUT_DEEP_IN_DEBT: Debt of" in (tmp_path / "out.csv").read_text()


@pytest.mark.parametrize("cases", ["latest", "all"])
def test_what_only_the_whole_table_shows_is_the_error_of_the_case(
    companies: SimpleNamespace, tmp_path: Path, cases: str
) -> None:
    table = pd.read_csv(companies.table).sort_values(["year", "firm"], ignore_index=True)
    first = table["firm"][0]
    twin = table[(table["firm"] == first) & (table["year"] == 2016)]
    bad = pd.concat([table, twin], ignore_index=True).astype({"year": object})
    bad.loc[3, "year"] = "soon"
    bad.to_csv(tmp_path / "in.csv", index=False)
    job = _submit(companies, cases, tmp_path / "in.csv", tmp_path / "out.csv")
    _work(companies, job)
    _direct(companies, cases, tmp_path / "in.csv", tmp_path / "direct.csv")
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "direct.csv").read_bytes()
    assert "TWO_ROWS" in (tmp_path / "out.csv").read_text()


def test_a_piece_holds_its_cases_and_no_more_than_two_years_before_them(
    companies: SimpleNamespace, tmp_path: Path
) -> None:
    job = _submit(companies, "latest", companies.table, tmp_path / "out.csv")
    store = open_objects(companies.settings)
    seen: list[str] = []
    for chunk in chunks_in(companies.settings, job, "queued"):
        piece = read_piece(store, chunk.payload["key"])
        assert piece.cases is not None
        assert len(piece.cases) == chunk.rows <= 30
        assert len(piece.frame) == 3 * chunk.rows
        assert read_ids(store, chunk.payload["key"]) == tuple(piece.ids[place] for place in piece.cases)
        seen += read_ids(store, chunk.payload["key"])
    assert sorted(seen) == [f"F{number:04d}" for number in range(70)]


def test_hard_rules_are_kept_first_in_both_languages_and_with_the_period(
    companies: SimpleNamespace, tmp_path: Path
) -> None:
    job = _submit(companies, "latest", companies.table, tmp_path / "out.csv")
    _work(companies, job)
    kept = results.page(open_database(companies.settings), ResultFilter(job_id=job.id), limit=500)
    assert {row.period for row in kept} == {"2018"}
    ruled = [row for row in kept if row.reasons and row.reasons[0]["code"] == "KNOCK_OUT_DEEP_IN_DEBT"]
    assert ruled
    for row in ruled:
        first, *others = row.reasons
        assert (row.decision, first["contribution"], first["feature"]) == ("decline", None, None)
        assert first["words_zh"].startswith("负债")
        assert len(row.reasons) <= 4
        assert any(reason["contribution"] is not None for reason in others)


def test_rows_of_a_chunk_that_was_given_up_have_the_ids_of_its_cases(
    companies: SimpleNamespace, tmp_path: Path
) -> None:
    from apps.store import chunks
    from apps.worker.ending import end_job

    db = open_database(companies.settings)
    job = _submit(companies, "latest", companies.table, tmp_path / "out.csv")
    lost, *others = chunks_in(companies.settings, job, "queued")
    held = chunks.claim(db, lost.id, "somebody")
    assert held is not None
    chunks.release(db, held, "KILLED: three times", final=True)
    for chunk in others:
        work_on(Bench(db=db, settings=companies.settings), chunk.id)
    end_job(db, companies.settings, job.id)
    rows = [row for page in rows_in_order(db, Result, job.id) for row in page]
    assert len(rows) == 70
    assert {row.error for row in rows[:30]} == {"KILLED: three times"}
    assert sorted(row.case_id for row in rows) == [f"F{number:04d}" for number in range(70)]


@pytest.mark.parametrize("cases", ["latest", "all"])
def test_bad_figures_and_years_of_the_future_are_errors_of_the_same_cases_as_in_the_direct_way(
    companies: SimpleNamespace, tmp_path: Path, cases: str
) -> None:
    table = pd.read_csv(companies.table).astype({"total_assets": "str"})
    table.loc[[0, 40, 90], "total_assets"] = ["much", "inf", "(1,234)"]
    table.loc[130, "year"] = 2150
    table.to_csv(tmp_path / "in.csv", index=False)
    job = _submit(companies, cases, tmp_path / "in.csv", tmp_path / "out.csv")
    assert _work(companies, job).job.state == "done"
    _direct(companies, cases, tmp_path / "in.csv", tmp_path / "direct.csv")
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "direct.csv").read_bytes()
    told = (tmp_path / "out.csv").read_text()
    assert all(code in told for code in ("NOT_A_NUMBER", "NON_FINITE", "FUTURE_PERIOD"))


def test_a_table_that_the_direct_way_refuses_becomes_no_job(companies: SimpleNamespace, tmp_path: Path) -> None:
    pd.read_csv(companies.table).drop(columns="total_assets").to_csv(tmp_path / "in.csv", index=False)
    with pytest.raises(InputError, match="lacks 1 of the model's columns: total_assets"):
        _submit(companies, "latest", tmp_path / "in.csv", tmp_path / "out.csv")


def test_reports_and_too_long_tables_become_no_job(
    companies: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from apps.store import cutting

    (tmp_path / "filing.htm").write_text("<html></html>")
    for source in (tmp_path / "filing.htm", tmp_path):
        with pytest.raises(InputError, match="tables of statements, not reports"):
            _submit(companies, "latest", source, tmp_path / "out.csv")
    monkeypatch.setattr(cutting, "MOST_COMPANY_ROWS", 100)
    with pytest.raises(InputError, match="more than 100 rows"):
        _submit(companies, "latest", companies.table, tmp_path / "out.csv")


def test_a_single_company_is_a_job_too(companies: SimpleNamespace) -> None:
    db = open_database(companies.settings)
    row = pd.read_csv(companies.table).iloc[0].to_dict()
    job = jobs.submit_assessment(db, companies.settings, model=companies.latest, case_id="one", application=row)
    assert _work(companies, job).job.state == "done"
    (kept,) = results.page(db, ResultFilter(job_id=job.id))
    assert (kept.case_id, kept.error, kept.period) == ("one", None, str(row["year"]))
