"""Pictures through a worker: the contract's answers, in order; bad ones are unknown and stop no other."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from apps.store import inspections, jobs
from apps.store.database import open_database
from apps.store.inspections import InspectionFilter
from apps.store.objects import open_objects
from apps.worker.working import Bench, work_on
from tests.faults.bench import chunks_in

KEYS = {"id", "path", "verdict", "score", "threshold", "label", "labels", "regions", "model", "model_version", "error"}


@pytest.mark.slow  # the training of its model
def test_pictures_are_answered_in_order_and_bad_ones_are_unknown(inspection: SimpleNamespace, tmp_path: Path) -> None:
    settings, db = inspection.settings, open_database(inspection.settings)
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    paths = [inspection.paths[0], bad, tmp_path / "gone.png", *inspection.paths[1:4]]
    job = jobs.submit_inspect_job(
        db,
        settings,
        model=inspection.model,
        paths=paths,
        out=tmp_path / "out.jsonl",
        heatmaps=True,
        pictures_per_chunk=4,
    )
    for chunk in reversed(chunks_in(settings, job, "queued")):
        assert work_on(Bench(db=db, settings=settings), chunk.id)
    state = jobs.job_state(db, job.id)
    assert (state.job.state, state.rows_done, state.rows_failed) == ("done", 6, 2)
    answers = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [answer["path"] for answer in answers] == [str(path.resolve()) for path in paths]
    for row, answer in enumerate(answers):
        assert set(answer) >= KEYS
        assert (answer["verdict"] == "unknown") == (row in (1, 2)) == (answer["error"] is not None)
    kept = inspections.page_inspections(db, InspectionFilter(job_id=job.id))
    assert {image.row: image.image_key is not None for image in kept} == {row: row != 2 for row in range(6)}
    for image in kept:
        if image.heatmap_key is not None:
            assert open_objects(settings).get(image.heatmap_key).startswith(b"\x89PNG")
