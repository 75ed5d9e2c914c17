"""Scored cases and inspections: kept once a row, read in pages and sums."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy

from apps.settings import Settings
from apps.store import inspections, models, results
from apps.store.database import writing
from apps.store.inspections import InspectionFilter, JudgedImage
from apps.store.results import ResultFilter, ScoredCase
from apps.store.tables import Job, Model
from core.errors import NotFoundError
from tests.services import small_bundle


@pytest.fixture
def model(db: sqlalchemy.Engine, settings: Settings, tmp_path: Path) -> Model:
    return models.register(db, settings, small_bundle(tmp_path / "bundle"), "loans")


def _case(number: int, score: float | None = 600.0, decision: str = "approve") -> ScoredCase:
    if score is None:
        return ScoredCase(case_id=f"c{number}", score=None, probability=None, decision=None, error="BAD: row")
    reason = {"code": "R1", "words": "late", "contribution": 0.5, "feature": "late", "value": 3}
    return ScoredCase(case_id=f"c{number}", score=score, probability=0.1, decision=decision, reasons=[reason])


def _fill(db: sqlalchemy.Engine, model: Model) -> None:
    now = datetime.now(UTC)
    cases = {0: _case(0, -5.0, "decline"), 1: _case(1, 0.0), 2: _case(2, 19.999), 3: _case(3, 20.0), 4: _case(4, None)}
    with writing(db) as session:
        session.add(Job(id="j1", kind="score", state="running", model_id=model.id, params={}, created_at=now))
        session.flush()
        for _ in range(2):  # the second time changes nothing
            results.upsert_results(session, job_id="j1", model_id=model.id, cases=cases, at=now)


def test_rows_written_twice_are_there_once(db: sqlalchemy.Engine, model: Model) -> None:
    _fill(db, model)
    assert results.count(db, ResultFilter(job_id="j1")) == 5
    assert results.counts_by_decision(db, ResultFilter()) == {"approve": 3, "decline": 1, "error": 1}


def test_a_histogram_bins_downwards_on_both_sides_of_zero(db: sqlalchemy.Engine, model: Model) -> None:
    _fill(db, model)
    bins = results.histogram(db, ResultFilter(model_id=model.id), width=20)
    assert [(b.low, b.decision, b.count) for b in bins] == [(-20, "decline", 1), (0, "approve", 2), (20, "approve", 1)]


def test_pages_go_on_where_the_last_one_ended(db: sqlalchemy.Engine, model: Model) -> None:
    _fill(db, model)
    first = results.page(db, ResultFilter(), limit=3)
    rest = results.page(db, ResultFilter(), limit=3, after=first[-1].id)
    assert [r.case_id for r in first + rest] == ["c4", "c3", "c2", "c1", "c0"]
    assert results.reason_text(first[1].reasons[0]) == "R1: late (+0.50)"


@pytest.mark.parametrize(
    ("wanted", "cases"),
    [
        (ResultFilter(decision="decline"), ["c0"]),
        (ResultFilter(case_id="c3"), ["c3"]),
        (ResultFilter(case_id="%"), []),
        (ResultFilter(lowest_score=0, highest_score=19.999), ["c1", "c2"]),
        (ResultFilter(with_error=True), ["c4"]),
        (ResultFilter(with_error=False, decision="approve"), ["c1", "c2", "c3"]),
        (ResultFilter(until=datetime(2000, 1, 1, tzinfo=UTC)), []),
    ],
)
def test_filters_keep_what_they_say(
    db: sqlalchemy.Engine, model: Model, wanted: ResultFilter, cases: list[str]
) -> None:
    _fill(db, model)
    assert [r.case_id for r in results.page(db, wanted, newest=False)] == cases


def test_single_cases_have_no_job_and_do_not_collide(db: sqlalchemy.Engine, model: Model) -> None:
    for _ in range(2):
        kept = results.save_assessment(db, model=model, case=_case(7))
    assert results.get_result(db, kept.id).case_id == "c7"
    assert results.count(db, ResultFilter(case_id="c7")) == 2
    with pytest.raises(NotFoundError):
        results.get_result(db, 10**6)


def test_inspections_are_kept_and_found(db: sqlalchemy.Engine, model: Model) -> None:
    for verdict, score in (("pass", 0.1), ("reject", 0.9), ("unknown", None)):
        answer = {"id": inspections.new_id(), "path": "a.png", "verdict": verdict, "score": score}
        kept = inspections.save_inspection(db, model=model, image=JudgedImage(answer=answer, image_key="sha256/aa/aa"))
    assert inspections.get_inspection(db, kept.id).answer["verdict"] == "unknown"
    assert inspections.counts_by_verdict(db, InspectionFilter()) == {"pass": 1, "reject": 1, "unknown": 1}
    assert [i.verdict for i in inspections.page_inspections(db, InspectionFilter(lowest_score=0.5))] == ["reject"]
    assert len(inspections.page_inspections(db, InspectionFilter(model_id=model.id), limit=2)) == 2
