"""Fills a home with rows as a few days of work would leave them: models, batches, cases, pictures, workers, schedules.

Everything goes through the store's own functions and tables; the same seed gives the same rows.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import log
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from apps.settings import Settings
from apps.store.database import open_database, writing
from apps.store.tables import Chunk, Job, Model, Result, Schedule, WorkerBeat
from tests.dashboards.seed_models import (
    APPROVE_BELOW,
    DECLINE_ABOVE,
    FEATURES,
    company_model,
    credit_model,
    inspection_model,
)
from tests.dashboards.seed_pictures import pictures as seed_pictures

HOSTILE_ID = "=1+1<b>[x](http://evil.test)</b>"
START = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Seeded:
    """Ids that tests look for."""

    scored_job: str
    running_job: str
    failed_job: str
    declined_case: str
    rejected_picture: str
    unknown_picture: str


def seed(settings: Settings, *, cases: int = 3_000, pictures: int = 40, start: datetime = START) -> Seeded:
    """Fill the database and the object store of `settings`."""
    db = open_database(settings)
    rng = np.random.default_rng(7)
    credit = [credit_model(db, settings, version, rng) for version in (1, 2)]
    surfaces = inspection_model(db, settings, rng)
    firms = company_model(db, settings)
    model = credit[-1]
    scored = _job(model, "score", "done", "a1b2c3d4" + "0" * 24, start, chunks=6, rows=cases)
    running = _job(model, "score", "running", "b7c8d9e0" + "0" * 24, start + timedelta(hours=5), chunks=8, rows=40_000)
    failed = _job(model, "score", "failed", "c0ffee00" + "0" * 24, start + timedelta(hours=3), chunks=3, rows=1_500)
    failed.error = "1 of 3 chunks was given up; the out file was not written"
    looked = _job(
        surfaces, "inspect", "done", "d00d1e55" + "0" * 24, start + timedelta(hours=1), chunks=2, rows=pictures
    )
    with writing(db) as session:
        session.add_all([scored, running, failed, looked])
        session.flush()
        rows = _cases(scored.id, model.id, cases, rng, start)
        scored.summary = _summary(rows)
        session.add_all(rows)
        session.add_all(_online(model.id, credit[0].id, rng, start))
        session.add_all(_companies(firms.id, start))
        session.add_all([*_chunks(scored), *_chunks(running), *_chunks(failed), *_chunks(looked)])
        session.add_all(_workers())
        session.add_all(_schedules())
        seen = seed_pictures(settings, looked, pictures, rng)
        session.add_all(seen)
    declined = next(row for row in rows if row.decision == "decline")
    return Seeded(
        scored_job=scored.id,
        running_job=running.id,
        failed_job=failed.id,
        declined_case=declined.case_id,
        rejected_picture=next(one.id for one in seen if one.verdict == "reject"),
        unknown_picture=next(one.id for one in seen if one.verdict == "unknown"),
    )


def _job(model: Model, kind: str, state: str, key: str, at: datetime, *, chunks: int, rows: int) -> Job:
    over = state in ("done", "failed")
    return Job(
        id=key,
        kind=kind,
        state=state,
        model_id=model.id,
        params={"source": "loans.csv" if kind == "score" else "pictures/", "out": f"{kind}d.csv", "reasons": 4},
        chunks_total=chunks,
        rows_total=rows,
        created_at=at,
        finished_at=at + timedelta(seconds=48) if over else None,
    )


def _chunks(job: Job) -> list[Chunk]:
    size = -(-job.rows_total // job.chunks_total)
    states = {
        "done": ["done"] * job.chunks_total,
        "failed": ["done", "dead", "done"],
        "running": ["done"] * 3 + ["running"] * 2 + ["queued"] * 3,
    }[job.state]
    return [
        Chunk(
            job_id=job.id,
            number=number,
            payload={},
            first_row=number * size,
            rows=min(size, job.rows_total - number * size),
            state=state,
            attempt={"queued": 0, "dead": 3}.get(state, 2 if number == 1 else 1),
            worker=None if state == "queued" else f"line-{number % 2 + 1}:4{number}1",
            heartbeat_at=None if state == "queued" else job.created_at + timedelta(seconds=9 * number),
            error="the worker was killed while it did this chunk (3 times)" if state == "dead" else None,
        )
        for number, state in enumerate(states)
    ]


def _scored(
    model_id: int, case_id: str, margin: float, pushes: NDArray[np.float64], raw: NDArray[np.float64]
) -> Result:
    probability = float(1 / (1 + np.exp(-margin)))
    decision = "approve" if probability < APPROVE_BELOW else "decline" if probability > DECLINE_ABOVE else "review"
    strongest = np.argsort(-np.abs(pushes))[:4] if decision != "approve" else []
    reasons = [
        {
            "code": f"R{place + 1:02d}",
            "words": FEATURES[place][1],
            "words_zh": FEATURES[place][2],
            "feature": FEATURES[place][0],
            "contribution": float(pushes[place]),
            "value": round(float(raw[place]), 2),
        }
        for place in strongest
    ]
    score = 600 + 20 / log(2) * (-margin - log(50))
    return Result(
        case_id=case_id, model_id=model_id, score=score, probability=probability, decision=decision, reasons=reasons
    )


def _draw(model_id: int, names: list[str], rng: np.random.Generator) -> list[Result]:
    normal = rng.normal(size=(len(names), len(FEATURES)))
    weights = np.array([feature[3] for feature in FEATURES])
    pushes = normal * weights * 0.8
    raw = np.array([feature[4] for feature in FEATURES]) + normal * np.array([feature[5] for feature in FEATURES])
    margins = -2.7 + pushes.sum(axis=1)
    return [
        _scored(model_id, name, float(margin), push, values)
        for name, margin, push, values in zip(names, margins, pushes, np.maximum(raw, 0), strict=True)
    ]


def _cases(job_id: str, model_id: int, cases: int, rng: np.random.Generator, start: datetime) -> list[Result]:
    names = [f"L{100_000 + place}" for place in range(cases)]
    rows = _draw(model_id, names, rng)
    for place, row in enumerate(rows):
        row.job_id, row.row, row.created_at = job_id, place, start + timedelta(seconds=place / 100)
        if place % 400 == 17:
            row.score = row.probability = row.decision = None
            row.reasons, row.error = [], "NOT_A_NUMBER: column 'income' holds 'n/a'; a number is allowed"
    rows[3].case_id = HOSTILE_ID
    return rows


def _online(model_id: int, older_id: int, rng: np.random.Generator, start: datetime) -> list[Result]:
    """Single requests, one of them of a case that the batch and the older model scored too."""
    rows = [
        *_draw(model_id, ["L100008", *(f"W{place}" for place in range(20))], rng),
        *_draw(older_id, ["L100008"], rng),
    ]
    for place, row in enumerate(rows):
        row.created_at = start + timedelta(hours=2, minutes=place)
    return rows


def _companies(model_id: int, start: datetime) -> list[Result]:
    """Two years of a company: one with a push and a hard rule, one where rules leave no place for the model's own."""
    rule = {"contribution": None, "feature": None, "value": None}
    equity = {"code": "POLICY_NEGATIVE_EQUITY", "words": "Equity is -5, below zero", "words_zh": "股东权益为-5，低于零"}
    check = {"code": "CHECK_UNITS", "words": "units jump", "words_zh": "units jump"}
    push = {"code": "LEVERAGE", "words": "leverage is 0.9", "words_zh": "杠杆率为0.9"}
    push |= {"contribution": 0.7, "feature": "leverage", "value": 0.9}
    reasons = {"2019": [equity | rule, push], "2020": [equity | rule, check | rule]}
    return [
        Result(
            case_id="F0001",
            model_id=model_id,
            score=540.0,
            probability=0.1,
            decision="review",
            reasons=told,
            period=period,
            created_at=start,
        )
        for period, told in reasons.items()
    ]


def _summary(rows: list[Result]) -> dict[str, object]:
    scored = [row for row in rows if row.score is not None]
    scores = [row.score for row in scored]
    edges = np.arange(np.floor(min(scores) / 10) * 10, max(scores) + 10, 10)
    histogram: dict[str, list[float]] = {"edges": edges.tolist()}
    decisions = {}
    for decision in ("approve", "review", "decline"):
        of_one = [row.score for row in scored if row.decision == decision]
        decisions[decision] = len(of_one)
        histogram[decision] = np.histogram(of_one, edges)[0].tolist()
    failed = len(rows) - len(scored)
    return {"rows": len(rows), "scored": len(scored), "failed": failed, "decisions": decisions, "histogram": histogram}


def _workers() -> list[WorkerBeat]:
    now = datetime.now(UTC)
    return [
        WorkerBeat(name="line-1:4121", started_at=now - timedelta(hours=7), seen_at=now - timedelta(seconds=4)),
        WorkerBeat(name="line-2:4377", started_at=now - timedelta(hours=7), seen_at=now - timedelta(minutes=42)),
    ]


def _schedules() -> list[Schedule]:
    now = datetime.now(UTC)
    rows = []
    for name, due, enabled in (("nightly", 9, True), ("hourly-line-2", -1, True), ("month-end", 200, False)):
        rows.append(
            Schedule(
                name=name,
                cron="0 2 * * *",
                kind="score",
                params={},
                enabled=enabled,
                next_due_at=now + timedelta(hours=due),
                last_due_at=now - timedelta(hours=15),
                created_at=now,
            )
        )
    return rows


def seed_folder(home: Path) -> Seeded:
    """Seed a home given as a folder: for looking at the pages by hand."""
    return seed(Settings(_env_file=None, home=home), start=datetime.now(UTC) - timedelta(hours=5, minutes=3))
