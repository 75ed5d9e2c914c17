"""What the fault tests share: workers as real processes, bodies that misbehave on purpose, jobs that need no model."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import sqlalchemy
from sqlalchemy import select

from apps.settings import Settings
from apps.store import jobs, models
from apps.store.chunks import Outcome
from apps.store.database import open_database, reading
from apps.store.objects import open_objects
from apps.store.pieces import read_piece
from apps.store.results import ScoredCase
from apps.store.tables import Chunk, Job, Model, Result
from apps.worker.bodies import Work
from data.spec import Column, FeatureSpec
from tests.services import small_bundle

LEASE_S = 2.0


def doubled(work: Work) -> Outcome:
    """Score every row with twice its value."""
    piece = read_piece(open_objects(work.settings), work.claim.payload["key"])
    cases = {}
    for place, (case_id, value) in enumerate(zip(piece.ids, piece.frame["value"], strict=True)):
        score = 2.0 * float(value)
        cases[work.claim.first_row + place] = ScoredCase(
            case_id=case_id, score=score, probability=0.5, decision="approve"
        )
    return Outcome(cases=cases)


def slow(work: Work) -> Outcome:
    """The same, in a third of a second."""
    time.sleep(0.3)
    return doubled(work)


def endless(work: Work) -> Outcome:
    """The same, in a minute."""
    time.sleep(60)
    return doubled(work)


def hangs_once(work: Work) -> Outcome:
    """Sleep through every signal that Python could act on, the first time that chunk 2 is tried."""
    if work.claim.chunk_id == 2 and work.claim.attempt == 1:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
        time.sleep(60)
    return doubled(work)


def aborts_on_chunk_2(work: Work) -> Outcome:
    """Die natively, every time, at chunk 2."""
    if work.claim.chunk_id == 2:
        os.abort()
    return doubled(work)


def raises_on_chunk_2(work: Work) -> Outcome:
    """Fail with an exception, every time, at chunk 2."""
    if work.claim.chunk_id == 2:
        raise RuntimeError("no luck")
    return doubled(work)


BODIES = {body.__name__: body for body in (doubled, slow, endless, hangs_once, aborts_on_chunk_2, raises_on_chunk_2)}


def make_model(settings: Settings, folder: Path) -> Model:
    """Register a model that the bodies above do without."""
    spec = FeatureSpec(columns=(Column(name="value", kind="number"),), id_column="id")
    bundle = small_bundle(folder, spec=spec.to_json())
    return models.register(open_database(settings), settings, bundle, "doubler")


def make_job(settings: Settings, folder: Path, *, rows: int = 200, rows_per_chunk: int = 10) -> Job:
    """Submit a job of `rows` rows."""
    model = make_model(settings, folder / "bundle")
    source, out = folder / "in.csv", folder / "out.csv"
    source.write_text("id,value\n" + "".join(f"{row:05d},{row}\n" for row in range(rows)))
    db = open_database(settings)
    return jobs.submit_score_job(
        db, settings, model=model, source=source, out=out, reasons=0, rows_per_chunk=rows_per_chunk
    )


@contextmanager
def worker(
    settings: Settings, body: str = "doubled", *, concurrency: int = 2, **how: float
) -> Iterator[subprocess.Popen[str]]:
    """Run a worker in a process group of its own; whatever is left of it is killed at the end."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ASSAY_")}
    environment |= {"ASSAY_HOME": str(settings.home), "OMP_NUM_THREADS": "1"}
    for name in ("database_url", "broker_url"):
        if (url := getattr(settings, name)) is not None:
            environment[f"ASSAY_{name.upper()}"] = url.get_secret_value()
    extra = [f"{name}={value}" for name, value in how.items()]
    log = (settings.home / f"worker-{time.monotonic_ns()}.log").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.worker_process", body, str(concurrency), *extra],
        env=environment,
        stdout=log,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        log.close()
        kill_group(process)


def kill_group(process: "subprocess.Popen[str]") -> None:
    """SIGKILL a worker and its pool at once."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)


def wait_for(what: Callable[[], object], settings: Settings, *, seconds: float = 40.0) -> None:
    """Wait until `what` gives something true."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, f"not within {seconds} s\n{logs(settings)[-6000:]}"
        time.sleep(0.05)


def ended(settings: Settings, job: Job) -> bool:
    return jobs.job_state(open_database(settings), job.id).ended


def chunks_in(settings: Settings, job: Job, state: str) -> list[Chunk]:
    with reading(open_database(settings)) as session:
        query = select(Chunk).where(Chunk.job_id == job.id, Chunk.state == state).order_by(Chunk.number)
        return list(session.scalars(query))


def rows_done(settings: Settings, job: Job) -> int:
    return jobs.job_state(open_database(settings), job.id).rows_done


def logs(settings: Settings) -> str:
    return "\n".join(path.read_text() for path in sorted(settings.home.glob("worker-*.log")))


def require_whole(settings: Settings, job: Job, rows: int = 200, dead: range = range(0)) -> None:
    """Require every row once, in the table and in the file, in input order; those in `dead` with an error only."""
    db: sqlalchemy.Engine = open_database(settings)
    state = jobs.job_state(db, job.id)
    assert state.job.state == "done", (state, state.job.error)
    with reading(db) as session:
        found = session.execute(select(Result.row, Result.score).where(Result.job_id == job.id).order_by(Result.row))
        expected = [(row, None if row in dead else 2.0 * row) for row in range(rows)]
        assert [tuple(row) for row in found] == expected
    lines = Path(state.job.params["out"]).read_text().splitlines()
    assert lines[0] == "id,score,probability,decision,model,model_version,error"
    assert [line.split(",")[0] for line in lines[1:]] == [f"{row:05d}" for row in range(rows)]
    assert [row for row, line in enumerate(lines[1:]) if line.split(",", 6)[6]] == list(dead)
