"""The HTTP gateway, version 1: `create_app` puts its parts together."""

import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import metadata
from pathlib import Path
from typing import TextIO

from fastapi import Depends, FastAPI

from apps.gateway import batches, finance, health, inspection, models, transactions
from apps.gateway.champions import Champions
from apps.gateway.context import RequestContext
from apps.gateway.keys import KeyCheck, api_key_header
from apps.gateway.limits import Judges, Limits
from apps.gateway.logs import make_logger
from apps.gateway.problems import add_problem_handlers, problem_responses
from apps.gateway.readiness import Readiness
from apps.gateway.state import Gateway
from apps.gateway.telemetry import Telemetry
from apps.gateway.transactions import warm_streams
from apps.settings import Settings
from apps.store.database import open_database

LEFTOVER_S = 86_400.0
DESCRIPTION = """Judges loan applications, transactions and station pictures. Every call but `/healthz` and
`/readyz` needs the header `X-API-Key`. Errors are RFC 9457 problem documents. A picture that cannot be judged is
`unknown`, never `pass`; a case that cannot be scored is never `approve`."""


def create_app(settings: Settings, limits: Limits | None = None, log_to: TextIO | None = None) -> FastAPI:
    """Make the app. Opens the database; nothing else of the world is touched before the first request.

    Raises:
        AssayError: the database is not there.
    """
    gateway = _gateway(settings, limits or Limits(), log_to)
    app = FastAPI(
        title="Assay",
        version=metadata.version("assay"),
        description=DESCRIPTION,
        docs_url=None,  # the page would load scripts from elsewhere
        redoc_url=None,
        lifespan=_lifespan,
        redirect_slashes=False,
    )
    app.state.gateway = gateway
    add_problem_handlers(app, gateway.log)
    app.include_router(health.open_router)
    for module in (transactions, inspection, finance, batches, models, health):
        app.include_router(
            module.router,
            dependencies=[Depends(api_key_header)],  # KeyCheck decides; this tells the OpenAPI document
            responses=problem_responses(401, 503),
        )
    # the last one added is the outermost
    app.add_middleware(KeyCheck, db=gateway.db)
    app.add_middleware(RequestContext, log=gateway.log, telemetry=gateway.telemetry)
    return app


def _gateway(settings: Settings, limits: Limits, log_to: TextIO | None) -> Gateway:
    db = open_database(settings)
    return Gateway(
        settings=settings,
        db=db,
        limits=limits,
        judges=Judges(threads=limits.judging, waiting=limits.waiting, retry_after_s=limits.retry_after_s),
        submitters=Judges(
            threads=limits.submitting, waiting=limits.submitting, retry_after_s=limits.retry_after_s, name="submit"
        ),
        streamers=Judges(threads=1, waiting=limits.stream_waiting, retry_after_s=limits.retry_after_s, name="stream"),
        champions=Champions(db),
        telemetry=Telemetry(),
        log=make_logger(log_to),
        ready=Readiness(settings),
    )


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    gateway: Gateway = app.state.gateway
    _remove_leftovers(gateway.upload_folder)
    await gateway.streamers.run(lambda _: warm_streams(gateway))
    gateway.log.info("started", home=str(gateway.settings.home), threads=gateway.judges.threads)
    yield
    gateway.judges.close()
    gateway.submitters.close()
    gateway.streamers.close()
    gateway.log.info("stopped")


def _remove_leftovers(folder: Path) -> None:
    """Remove uploads that a killed process left; young ones may belong to another gateway of the same home."""
    if not folder.is_dir():
        return
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            if path.is_file() and time.time() - path.stat().st_mtime > LEFTOVER_S:
                path.unlink()
