"""Liveness, readiness and figures. The two health calls need no key, so they tell states and nothing else."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel

from apps.gateway.readiness import Ready
from apps.gateway.state import Gateway, gateway_of
from apps.gateway.telemetry import CONTENT_TYPE

open_router = APIRouter(tags=["health"])  # without a key
router = APIRouter(tags=["health"])


class Live(BaseModel):
    status: Literal["ok"] = "ok"


@open_router.get("/healthz", summary="The process lives")
async def get_health() -> Live:
    return Live()


@open_router.get("/readyz", summary="It can judge", responses={503: {"model": Ready}})
async def get_readiness(response: Response, gateway: Annotated[Gateway, Depends(gateway_of)]) -> Ready:
    answer = await gateway.ready.get()
    response.status_code = 503 if answer.status == "not_ready" else 200
    return answer


@router.get("/metrics", summary="Prometheus figures", response_class=Response)
async def get_metrics(gateway: Annotated[Gateway, Depends(gateway_of)]) -> Response:
    gateway.telemetry.judging.set(gateway.judges.inside)
    return Response(gateway.telemetry.text(), media_type=CONTENT_TYPE)
