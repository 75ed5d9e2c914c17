"""Works on one chunk: claim, keep the lease, do it, keep the rows; whatever goes wrong is told to the job table."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import sqlalchemy
import structlog
from billiard.exceptions import SoftTimeLimitExceeded

from apps.settings import Settings
from apps.store import chunks
from apps.store.chunks import LEASE_S, Claim, LeaseLostError
from apps.store.models import get_model
from apps.worker.bodies import CHUNK_BODIES, Body, Work
from apps.worker.ending import end_job
from apps.worker.hints import publish
from apps.worker.lease import Kept, worker_name
from core.errors import InputError, NotFoundError

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Where a worker works: the database, its settings, how long a lease lasts, and what is done with each kind."""

    db: sqlalchemy.Engine
    settings: Settings
    lease_s: float = LEASE_S
    bodies: Mapping[str, Body] = field(default_factory=lambda: CHUNK_BODIES)


def work_on(bench: Bench, chunk_id: int) -> bool:
    """Do a chunk, if it can be claimed; returns whether its rows were kept by this call.

    A hint may come twice, late, or for a chunk that is done: then nothing happens.
    """
    held = chunks.claim(bench.db, chunk_id, worker_name(), lease_s=bench.lease_s)
    if held is None:
        return False
    kept = _do(bench, held)
    publish(bench.db, bench.settings, job_id=held.job_id)
    end_job(bench.db, bench.settings, held.job_id, lease_s=bench.lease_s)
    return kept


def _do(bench: Bench, held: Claim) -> bool:
    try:
        with Kept(lambda: chunks.heartbeat(bench.db, held, lease_s=bench.lease_s), bench.lease_s):
            model = get_model(bench.db, held.model_id)
            outcome = bench.bodies[held.kind](Work(claim=held, model=model, settings=bench.settings))
            chunks.finish(bench.db, held, outcome)
        return True
    except LeaseLostError as error:
        log.warning("the lease was lost; nothing is kept", chunk=held.chunk_id, reason=str(error))
    except SoftTimeLimitExceeded:
        chunks.release(bench.db, held, "TIME_LIMIT: the chunk took too long")
    except (InputError, NotFoundError) as error:  # the same at every try
        log.warning("the chunk cannot be done", chunk=held.chunk_id, error=str(error))
        chunks.release(bench.db, held, f"{error.code}: {error}", final=True)
    except Exception as error:
        log.exception("the chunk failed", chunk=held.chunk_id)
        chunks.release(bench.db, held, f"{getattr(error, 'code', 'INTERNAL')}: {type(error).__name__}: {error}")
    return False
