"""Ends a job: gives dead chunks their rows, writes the out file once and whole, sums up, closes."""

import contextlib
import json
import os
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy
import structlog

from apps.settings import Settings
from apps.store import closing, results
from apps.store.chunks import LEASE_S, LeaseLostError
from apps.store.closing import Closing
from apps.store.inspections import InspectionFilter, JudgedImage, counts_by_verdict, id_in_job, unknown_answer
from apps.store.models import get_model
from apps.store.objects import disk_error, open_objects
from apps.store.pieces import read_ids
from apps.store.results import ResultFilter, reason_text
from apps.store.tables import Chunk, Inspection, Model, Result
from apps.worker.lease import Kept, worker_name
from core.errors import AssayError
from data.tables import TableWriter

BIN_POINTS = 20.0

log = structlog.get_logger(__name__)


def end_job(db: sqlalchemy.Engine, settings: Settings, job_id: str, *, lease_s: float = LEASE_S) -> bool:
    """End a job if all its chunks have ended and nobody else is at it; returns whether this call did."""
    held = closing.claim_closing(db, job_id, worker_name(), lease_s=lease_s)
    if held is None:
        return False
    try:
        with Kept(lambda: closing.prolong_closing(db, held, lease_s=lease_s), lease_s):
            model = get_model(db, held.model_id)
            _fill_dead(db, settings, held, model)
            if held.params.get("out"):
                _WRITERS[held.kind](db, held, model)
            closing.close_job(db, held, _SUMMARIES[held.kind](db, held))
    except LeaseLostError as error:
        log.info("somebody else ends this job", job=job_id, reason=str(error))
        return False
    except Exception as error:  # the edge of a pool process: told to the job table, tried again
        log.warning("the job cannot be ended now", job=job_id, error=str(error), exc_info=not _expected(error))
        with contextlib.suppress(LeaseLostError):
            closing.postpone_closing(db, held, f"{getattr(error, 'code', type(error).__name__)}: {error}")
        return False
    open_objects(settings).drop(f"jobs/{job_id}")
    log.info("job done", job=job_id, rows=held.rows_total)
    return True


def _expected(error: Exception) -> bool:
    return isinstance(error, AssayError | OSError)


def _fill_dead(db: sqlalchemy.Engine, settings: Settings, held: Closing, model: Model) -> None:
    for chunk in closing.dead_chunks(db, held.job_id):
        if held.kind == "inspect":
            closing.fill_dead_images(db, held, _unknown_images(held, chunk, model))
            continue
        try:
            ids = read_ids(open_objects(settings), chunk.payload["key"])
        except AssayError:  # the piece itself is what killed the chunk
            ids = tuple(str(chunk.first_row + place + 1) for place in range(chunk.rows))
        closing.fill_dead_scores(db, held, chunk, ids)


def _unknown_images(held: Closing, chunk: Chunk, model: Model) -> dict[int, JudgedImage]:
    images = {}
    for place, path in enumerate(chunk.payload["paths"]):
        row = chunk.first_row + place
        answer = unknown_answer(model, id_in_job(held.job_id, row), path, chunk.error or "FAILED")
        images[row] = JudgedImage(answer=answer)
    return images


def _write_scores(db: sqlalchemy.Engine, held: Closing, model: Model) -> None:
    with TableWriter(Path(held.params["out"])) as writer:
        for page in closing.rows_in_order(db, Result, held.job_id):
            with_period = held.params.get("period") is not None
            writer.write(scores_frame(page, model, reasons=held.params["reasons"], with_period=with_period))
        _require_whole(held, writer.rows)


def scores_frame(page: Sequence[Any], model: Model, *, reasons: int, with_period: bool = False) -> pd.DataFrame:
    """Return rows of the results table as scoring writes them, columns in the contract's order."""
    columns: dict[str, Any] = {
        "id": pd.array([row.case_id for row in page], dtype="str"),
        "score": np.asarray([row.score for row in page], dtype=np.float64),
        "probability": np.asarray([row.probability for row in page], dtype=np.float64),
        "decision": pd.array([row.decision for row in page], dtype="str"),
    }
    for k in range(reasons):
        texts = [reason_text(row.reasons[k]) if k < len(row.reasons) else None for row in page]
        columns[f"reason_{k + 1}"] = pd.array(texts, dtype="str")
    if with_period:
        columns["period"] = pd.array([row.period for row in page], dtype="str")
    judged = [row.error is None for row in page]
    columns["model"] = pd.array([model.name if good else None for good in judged], dtype="str")
    columns["model_version"] = pd.array([model.version if good else None for good in judged], dtype="Int64")
    columns["error"] = pd.array([row.error for row in page], dtype="str")
    return pd.DataFrame(columns)


def _write_answers(db: sqlalchemy.Engine, held: Closing, _model: Model) -> None:
    path = Path(held.params["out"])
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        with draft.open("w", encoding="utf-8") as file:
            written = 0
            for page in closing.rows_in_order(db, Inspection, held.job_id):
                file.writelines(json.dumps(row.answer, ensure_ascii=False) + "\n" for row in page)
                written += len(page)
            _require_whole(held, written)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise disk_error(error, path) from error
    finally:
        draft.unlink(missing_ok=True)


def _require_whole(held: Closing, written: int) -> None:
    if written != held.rows_total:
        raise AssayError(f"job {held.job_id} has {held.rows_total} rows, {written} results are there; run it again")


def _sum_scores(db: sqlalchemy.Engine, held: Closing) -> dict[str, Any]:
    wanted = ResultFilter(job_id=held.job_id)
    bins = results.histogram(db, wanted, width=BIN_POINTS)
    return {
        "rows": held.rows_total,
        "failed": closing.failed_rows(db, held.job_id),
        "decisions": results.counts_by_decision(db, wanted),
        "bin_points": BIN_POINTS,
        "histogram": [{"low": b.low, "decision": b.decision, "count": b.count} for b in bins],
    }


def _sum_answers(db: sqlalchemy.Engine, held: Closing) -> dict[str, Any]:
    verdicts = counts_by_verdict(db, InspectionFilter(job_id=held.job_id))
    return {"rows": held.rows_total, "failed": closing.failed_rows(db, held.job_id), "verdicts": verdicts}


_WRITERS = {"score": _write_scores, "inspect": _write_answers}
_SUMMARIES = {"score": _sum_scores, "assess": _sum_scores, "inspect": _sum_answers}
