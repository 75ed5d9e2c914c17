"""Errors as RFC 9457 problem documents: one shape for every refusal, with a code a program can switch on.

Nothing of the caller's input is repeated but what an AssayError's own message says about it.
"""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from apps.gateway.logs import Logger
from core.errors import AssayError, GateError, InputError, NotFoundError

MEDIA_TYPE = "application/problem+json"
CLIENT_GONE = 499  # never sent: the caller hung up; kept for logs and metrics
RETRY_AFTER_S = 5
INPUT_STATUS = {"IMAGE_TOO_LARGE": 413, "FILE_TOO_LARGE": 413, "UNSUPPORTED_IMAGE": 415, "UNSUPPORTED_FORMAT": 415}


class FieldFault(BaseModel):
    """Where in the request a fault lies, as a JSON pointer, and what is wrong there."""

    pointer: str
    message: str


class ProblemDocument(BaseModel):
    """RFC 9457, with `code` (stable, for programs), `request_id` (for the logs) and `errors` as extensions."""

    type: str = Field(examples=["urn:assay:problem:bad_input"])
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str
    errors: list[FieldFault] | None = None


class Problem(HTTPException):
    """A refusal by the gateway itself. It is an HTTPException so that the framework lets it through untouched."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        headers: dict[str, str] | None = None,
        errors: list[FieldFault] | None = None,
    ) -> None:
        super().__init__(status_code=status, detail=detail, headers=headers)
        self.code = code
        self.errors = errors


def busy(detail: str, retry_after_s: int) -> Problem:
    """Too much work at once: 429 with the time after which another try is sensible."""
    return Problem(429, "BUSY", detail, headers={"Retry-After": str(retry_after_s)})


def unavailable(code: str) -> Problem:
    """503. The cause stays in the log: it names folders and hosts that are nobody's business."""
    detail = f"the server cannot do this now ({code}); nothing was decided; the request id finds the cause in its log"
    return Problem(503, code, detail, headers={"Retry-After": str(RETRY_AFTER_S)})


def invalid(error: ValidationError) -> Problem:
    """What pydantic found, as pointers; the values themselves are left out, they may be personal."""
    faults = _faults(list(error.errors(include_input=False, include_url=False, include_context=False)))
    return Problem(422, "INVALID_REQUEST", _summary(faults), errors=faults)


def to_problem(error: Exception) -> Problem:
    """Map any error that can leave a route to the problem the caller sees."""
    match error:
        case Problem():
            return error
        case HTTPException():
            code = HTTPStatus(error.status_code).name
            return Problem(error.status_code, code, str(error.detail), headers=dict(error.headers or {}))
        case RequestValidationError():
            faults = _faults(list(error.errors()))
            return Problem(422, "INVALID_REQUEST", _summary(faults), errors=faults)
        case NotFoundError():
            return Problem(404, error.code, str(error))
        case GateError():
            return Problem(409, error.code, str(error))
        case AssayError(code="TOO_MUCH_WORK"):
            return busy(str(error), RETRY_AFTER_S)
        case InputError():
            return Problem(INPUT_STATUS.get(error.code, 422), error.code, str(error))
        case AssayError():
            return unavailable(error.code)
        case SQLAlchemyError():
            return unavailable("DATABASE")
        case OSError():
            return unavailable("STORAGE")
        case _:
            return Problem(
                500, "INTERNAL", "the server failed; nothing was decided; the request id finds it in the log"
            )


def problem_response(problem: Problem, *, path: str, request_id: str) -> Response:
    """The document itself; `path` and `request_id` say which call it is about."""
    document = ProblemDocument(
        type=f"urn:assay:problem:{problem.code.lower()}",
        title=_title(problem.status_code),
        status=problem.status_code,
        detail=problem.detail,
        instance=path,
        code=problem.code,
        request_id=request_id,
        errors=problem.errors,
    )
    return JSONResponse(
        document.model_dump(exclude_none=True),
        status_code=problem.status_code,
        headers=dict(problem.headers or {}),
        media_type=MEDIA_TYPE,
    )


def report(log: Logger, error: Exception, problem: Problem, request_id: str) -> None:
    """Log what is the server's own fault, with its cause; what nobody foresaw with its trace."""
    if problem.code == "INTERNAL":
        log.error("unforeseen", request_id=request_id, error=type(error).__name__, exc_info=error)
    elif problem.status_code >= 500:
        log.warning("unavailable", request_id=request_id, code=problem.code, cause=str(error.__cause__ or error))


def add_problem_handlers(app: FastAPI, log: Logger) -> None:
    """Let every error that a route raises on purpose leave as a problem document; the rest ends in `RequestContext`."""

    def answer(request: Request, error: Exception) -> Response:
        problem = to_problem(error)
        request_id = str(request.state.request_id)
        request.state.problem_code = problem.code
        report(log, error, problem, request_id)
        return problem_response(problem, path=request.url.path, request_id=request_id)

    def gone(request: Request, error: Exception) -> Response:
        return Response(status_code=CLIENT_GONE)

    for kind in (HTTPException, RequestValidationError, AssayError, SQLAlchemyError, OSError):
        app.add_exception_handler(kind, answer)
    app.add_exception_handler(ClientDisconnect, gone)


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What the OpenAPI document says about refusals."""
    return {
        status: {"model": ProblemDocument, "description": _title(status), "content": {MEDIA_TYPE: {}}}
        for status in statuses
    }


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def _faults(errors: list[Any]) -> list[FieldFault]:
    return [FieldFault(pointer=_pointer(error["loc"]), message=str(error["msg"])) for error in errors]


def _pointer(location: tuple[int | str, ...]) -> str:
    """A JSON pointer (RFC 6901): `~` and `/` inside a name are escaped."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in location)


def _summary(faults: list[FieldFault]) -> str:
    shown = "; ".join(f"{fault.pointer or '/'}: {fault.message}" for fault in faults[:5])
    more = len(faults) - 5
    return shown + (f"; and {more} more" if more > 0 else "")
