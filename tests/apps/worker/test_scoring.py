"""Scoring by workers gives what scoring in one go gives, byte for byte."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from apps.engines import engine_for, forget_engines
from apps.store import jobs, results
from apps.store.database import open_database
from apps.store.results import ResultFilter
from apps.worker.working import Bench, work_on
from core.errors import InputError
from data.tables import TableWriter, read_table
from pipelines.finance.score import score_table
from tests.faults.bench import chunks_in


def _run(credit: SimpleNamespace, source: Path, out: Path, **how: object) -> jobs.JobState:
    db = open_database(credit.settings)
    job = jobs.submit_score_job(
        db, credit.settings, model=credit.model, source=source, out=out, rows_per_chunk=100, **how
    )
    for chunk in reversed(chunks_in(credit.settings, job, "queued")):
        assert work_on(Bench(db=db, settings=credit.settings), chunk.id)
    return jobs.job_state(db, job.id)


@pytest.mark.parametrize("reasons_for", ["review", "all"])
def test_chunks_out_of_order_give_the_file_of_one_go(credit: SimpleNamespace, tmp_path: Path, reasons_for: str) -> None:
    state = _run(credit, credit.table, tmp_path / "out.csv", reasons_for=reasons_for)
    assert (state.job.state, state.rows_failed) == ("done", 0)
    whole = read_table(credit.table, text=[credit.id_column])
    ids = list(whole.frame[credit.id_column])
    scored = score_table(whole.frame, engine_for(credit.settings, credit.model), ids=ids, reasons_for=reasons_for)
    frame = scored.frame.copy()
    frame.insert(len(frame.columns) - 1, "model", credit.model.name)
    frame.insert(len(frame.columns) - 1, "model_version", credit.model.version)
    with TableWriter(tmp_path / "direct.csv") as writer:
        writer.write(frame)
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "direct.csv").read_bytes()


def test_stored_reasons_are_those_of_the_row(credit: SimpleNamespace, tmp_path: Path) -> None:
    state = _run(credit, credit.table, tmp_path / "out.csv", reasons_for="all")
    whole = read_table(credit.table, text=[credit.id_column])
    ids = list(whole.frame[credit.id_column])
    scored = score_table(whole.frame, engine_for(credit.settings, credit.model), ids=ids, reasons_for="all")
    kept = results.page(open_database(credit.settings), ResultFilter(job_id=state.job.id), limit=500, newest=False)
    for row in sorted(kept, key=lambda result: result.row or 0)[:50]:
        expected = scored.reasons[row.row]
        assert [results.reason_text(reason) for reason in row.reasons] == [str(reason) for reason in expected]
        for found, wanted in zip(row.reasons, expected, strict=True):
            assert (found["words_zh"], found["feature"]) == (wanted.words_zh, wanted.feature)
            assert found["value"] == wanted.value


def test_a_bad_row_keeps_its_place_with_its_error(credit: SimpleNamespace, tmp_path: Path) -> None:
    lines = credit.table.read_text().splitlines()
    header = lines[0].split(",")
    bad = lines[3].split(",")
    bad[header.index("monthly_income_cny")] = "a lot"
    lines[3] = ",".join(bad)
    (tmp_path / "in.csv").write_text("\n".join(lines[:20]) + "\n")
    state = _run(credit, tmp_path / "in.csv", tmp_path / "out.csv")
    assert (state.rows_done, state.rows_failed) == (19, 1)
    out = read_table(tmp_path / "out.csv", text=["id", "error"]).frame
    assert out["id"].tolist() == [line.split(",")[0] for line in lines[1:20]]
    assert [row for row, error in enumerate(out["error"].notna()) if error] == [2]
    assert "monthly_income_cny" in out["error"][2]


def test_an_engine_is_loaded_once_and_a_changed_bundle_is_refused(credit: SimpleNamespace) -> None:
    assert engine_for(credit.settings, credit.model) is engine_for(credit.settings, credit.model)
    forget_engines()
    folder = credit.settings.home / credit.model.folder
    victim = next(path for path in folder.iterdir() if path.suffix == ".txt")
    content = victim.read_bytes()
    victim.write_bytes(content.replace(b"1", b"2", 1))
    try:
        with pytest.raises(InputError, match="SHA-256"):
            engine_for(credit.settings, credit.model)
    finally:
        victim.write_bytes(content)
    engine_for(credit.settings, credit.model)
