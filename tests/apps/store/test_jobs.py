"""Jobs are accepted whole or not at all, once a key, and wait for workers whether or not a broker is there."""

from pathlib import Path

import pytest
import sqlalchemy

from apps.settings import Settings
from apps.store import jobs
from apps.store.jobs import Due, Order
from apps.store.models import resolve
from apps.store.objects import open_objects
from apps.store.pieces import read_ids, read_piece
from apps.store.tables import Job
from core.errors import AssayError, GateError, InputError, NotFoundError
from tests.faults.bench import chunks_in, make_job, make_model
from tests.services import home_settings


def test_a_table_is_cut_into_pieces_in_order(db: sqlalchemy.Engine, settings: Settings, tmp_path: Path) -> None:
    job = make_job(settings, tmp_path, rows=25, rows_per_chunk=10)
    assert (job.chunks_total, job.rows_total, job.state) == (3, 25, "queued")
    queued = chunks_in(settings, job, "queued")
    assert [(c.number, c.first_row, c.rows) for c in queued] == [(0, 0, 10), (1, 10, 10), (2, 20, 5)]
    pieces = [read_piece(open_objects(settings), c.payload["key"]) for c in queued]
    assert [case_id for piece in pieces for case_id in piece.ids] == [f"{row:05d}" for row in range(25)]
    assert [value for piece in pieces for value in piece.frame["value"]] == list(range(25))


def test_without_an_id_column_the_row_number_from_1_is_the_id(
    db: sqlalchemy.Engine, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "in.csv").write_text("value\n5\n6\nnone of it\n")
    model = make_model(settings, tmp_path / "bundle")
    job = jobs.submit_score_job(db, settings, model=model, source=tmp_path / "in.csv", rows_per_chunk=2)
    keys = [chunk.payload["key"] for chunk in chunks_in(settings, job, "queued")]
    assert [read_ids(open_objects(settings), key) for key in keys] == [("1", "2"), ("3",)]
    assert Path(job.params["out"]).parent == settings.home / "out"


@pytest.mark.parametrize(
    ("content", "how", "words"),
    [
        (None, {}, "does not exist"),
        ("", {}, "empty"),
        ("id,value\n", {}, "header"),
        ("id,other\n1,2\n", {}, "value"),
        ("id,value\n1,2\n", {"id_column": "nr"}, "'nr'"),
        ("id,value\n1,2\n", {"out": Path("scores.txt")}, "ending"),
        ("id,value\n1,2\n", {"out": Path("/no/such/folder/x.csv")}, "folder"),
        ("id,value\n1,2\n", {"where": {"value": "3"}}, "value"),
    ],
)
def test_what_cannot_be_scored_becomes_no_job(
    db: sqlalchemy.Engine, settings: Settings, tmp_path: Path, content: str | None, how: dict, words: str
) -> None:
    if content is not None:
        (tmp_path / "in.csv").write_text(content)
    model = make_model(settings, tmp_path / "bundle")
    with pytest.raises(InputError, match=words):
        jobs.submit_score_job(db, settings, model=model, source=tmp_path / "in.csv", **how)
    assert jobs.list_jobs(db) == []
    assert list((settings.home / "objects").rglob("*.parquet")) == []


def test_the_same_key_gives_the_first_job_and_another_request_is_refused(
    db: sqlalchemy.Engine, settings: Settings, tmp_path: Path
) -> None:
    source = tmp_path / "in.csv"
    source.write_text("id,value\n1,2\n")
    model = make_model(settings, tmp_path / "bundle")

    def submit(**how: object) -> Job:
        order = Order(idempotency_key="k1")
        return jobs.submit_score_job(db, settings, model=model, source=source, order=order, **how)

    first = submit().id
    source = source.rename(tmp_path / "the same rows sent again.csv")
    assert submit().id == first
    with pytest.raises(GateError, match="another request"):
        submit(reasons=0)
    source.write_text("id,value\n1,3\n")
    with pytest.raises(GateError, match="another request"):
        submit()


def test_a_schedule_and_a_due_time_have_one_job(db: sqlalchemy.Engine, settings: Settings, tmp_path: Path) -> None:
    from datetime import UTC, datetime

    from apps.store.schedules import add_schedule

    (tmp_path / "in.csv").write_text("id,value\n1,2\n")
    model = make_model(settings, tmp_path / "bundle")
    schedule = add_schedule(
        db, name="nightly", cron="@daily", kind="score", params={"model": "doubler", "data": "in.csv"}
    )
    order = Order(due=Due(schedule_id=schedule.id, at=datetime(2030, 1, 1, tzinfo=UTC)))
    found = [
        jobs.submit_score_job(db, settings, model=model, source=tmp_path / "in.csv", order=order).id for _ in range(2)
    ]
    assert found[0] == found[1]
    assert len(jobs.list_jobs(db)) == 1


def test_a_job_is_accepted_while_the_broker_is_down(tmp_path: Path) -> None:
    settings = home_settings(tmp_path / "home", broker_url="redis://127.0.0.1:1/0")
    job = make_job(settings, tmp_path, rows=20, rows_per_chunk=10)
    assert [chunk.published_at for chunk in chunks_in(settings, job, "queued")] == [None, None]


def test_hints_are_marked_once_they_are_out(tmp_path: Path) -> None:
    settings = home_settings(tmp_path / "home")
    job = make_job(settings, tmp_path, rows=40, rows_per_chunk=1)
    published = [chunk.published_at is not None for chunk in chunks_in(settings, job, "queued")]
    assert published == [True] * 32 + [False] * 8
    assert len(list((settings.home / "broker").glob("*.msg"))) == 32


def test_a_single_case_is_a_job_of_one_row(db: sqlalchemy.Engine, settings: Settings, tmp_path: Path) -> None:
    model = make_model(settings, tmp_path / "bundle")
    job = jobs.submit_assessment(db, settings, model=model, case_id="A 1", application={"value": 3})
    (chunk,) = chunks_in(settings, job, "queued")
    piece = read_piece(open_objects(settings), chunk.payload["key"])
    assert (job.kind, piece.ids, piece.frame["value"].tolist()) == ("assess", ("A 1",), [3])


def test_pictures_are_cut_in_order_and_none_is_refused(
    db: sqlalchemy.Engine, settings: Settings, tmp_path: Path
) -> None:
    model = make_model(settings, tmp_path / "bundle")
    paths = [tmp_path / f"{number}.png" for number in range(5)]
    job = jobs.submit_inspect_job(db, settings, model=model, paths=paths, pictures_per_chunk=2)
    assert [len(chunk.payload["paths"]) for chunk in chunks_in(settings, job, "queued")] == [2, 2, 1]
    with pytest.raises(InputError, match="no pictures"):
        jobs.submit_inspect_job(db, settings, model=model, paths=[])


def test_too_many_waiting_jobs_are_refused(
    db: sqlalchemy.Engine, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "MAX_WAITING", 1)
    make_job(settings, tmp_path, rows=1)
    with pytest.raises(AssayError, match="waiting already") as caught:
        jobs.submit_assessment(db, settings, model=resolve(db, "doubler"), case_id="x", application={"value": 1})
    assert caught.value.code == "TOO_MUCH_WORK"


def test_an_unknown_job_is_not_found(db: sqlalchemy.Engine) -> None:
    with pytest.raises(NotFoundError):
        jobs.job_state(db, "none")
    with pytest.raises(NotFoundError):
        jobs.cancel_job(db, "none")
