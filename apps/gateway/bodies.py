"""Reading a request's body: bounded while it streams, with or without Content-Length; strict about JSON and forms."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, Never, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from apps.gateway.limits import Limits
from apps.gateway.problems import Problem, invalid

M = TypeVar("M", bound=BaseModel)

# a whole string (to the end of the text where it never closes) or one bracket; possessive, so linear in the text
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[{}\[\]]', re.DOTALL)


async def body_chunks(request: Request, limit_bytes: int, limits: Limits) -> AsyncIterator[bytes]:
    """Yield the body piece by piece.

    Raises:
        Problem: 413 when more than `limit_bytes` are announced or come; 408 when the sender falls silent or
            takes longer than `limits.upload_s` in all; 400 when Content-Length is no number.
    """
    _check_announced(request, limit_bytes)
    deadline = time.monotonic() + limits.upload_s
    seen = 0
    async with aclosing(request.stream()) as stream:
        while True:
            patience = min(limits.silent_s, deadline - time.monotonic())
            try:
                chunk = await asyncio.wait_for(anext(stream), timeout=max(patience, 0))
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise Problem(
                    408,
                    "TOO_SLOW",
                    f"the body did not come within {limits.silent_s:g} s of silence or {limits.upload_s:g} s in all",
                    headers={"Connection": "close"},
                ) from None
            seen += len(chunk)
            if seen > limit_bytes:
                raise _too_large(limit_bytes)
            yield chunk


async def read_json(request: Request, kind: type[M], limits: Limits, limit_bytes: int | None = None) -> M:
    """Read a JSON body of at most `limit_bytes` (None: the usual) into `kind`, which must forbid unknown fields.

    Raises:
        Problem: 415 for another content type, 413 or 408 as `body_chunks`, 400 for what is no JSON,
            422 for NaN, duplicate names, too deep nesting and for what `kind` refuses.
    """
    require_type(request, "application/json")
    content = bytearray()
    async for chunk in body_chunks(request, limit_bytes or limits.json_bytes, limits):
        content += chunk
    try:
        return kind.model_validate(parse_json(bytes(content), depth=limits.json_depth))
    except ValidationError as error:
        raise invalid(error) from None


def require_type(request: Request, *allowed: str) -> str:
    """The media type of the request, in lower case, or 415 with what is accepted."""
    came = media_type(request)
    if came not in allowed:
        raise Problem(
            415,
            "WRONG_CONTENT_TYPE",
            f"this call takes {' or '.join(allowed)}, got {came[:100] or 'no content type'}",
            headers={"Accept": ", ".join(allowed)},
        )
    return came


def media_type(request: Request) -> str:
    """The media type without its parameters, in lower case; empty when none was sent."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def parse_json(content: bytes, *, depth: int) -> Any:
    """Parse strict JSON: UTF-8, no NaN or Infinity, no number that overflows, no name twice, at most `depth` levels.

    >>> parse_json(b'{"a": [1]}', depth=2)
    {'a': [1]}
    """
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Problem(400, "BAD_JSON", f"the body is not UTF-8 at byte {error.start}") from None
    _check_depth(text, depth)
    try:
        return json.loads(
            text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite, parse_int=_integer
        )
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise Problem(400, "BAD_JSON", f"the body is no JSON: {error.msg} at {where}") from None


def _check_announced(request: Request, limit_bytes: int) -> None:
    announced = request.headers.get("content-length")
    if announced is None:
        return
    if not announced.isascii() or not announced.isdigit():
        raise Problem(400, "BAD_LENGTH", "Content-Length is no number")
    if int(announced) > limit_bytes:
        raise _too_large(limit_bytes)


def _too_large(limit_bytes: int) -> Problem:
    return Problem(413, "TOO_LARGE", f"the body may hold at most {limit_bytes} bytes", headers={"Connection": "close"})


def _check_depth(text: str, depth: int) -> None:
    """Count brackets outside strings, so that a deep document is refused before the parser recurses."""
    level = 0
    for found in _STRING_OR_BRACKET.finditer(text):
        mark = found.group()
        if mark in "{[":
            level += 1
            if level > depth:
                raise Problem(422, "TOO_DEEP", f"JSON may nest {depth} levels deep")
        elif mark in "}]":
            level -= 1


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names: dict[str, Any] = {}
    for name, value in pairs:
        if name in names:
            raise Problem(422, "DUPLICATE_NAME", f"the name {name[:100]!r} stands twice in one object")
        names[name] = value
    return names


def _no_constant(word: str) -> Never:
    raise Problem(422, "NON_FINITE", f"{word} is no JSON number; leave the field out or send null for a missing value")


def _finite(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise Problem(422, "NON_FINITE", f"the number {digits[:40]} does not fit into 64 bits")
    return number


def _integer(digits: str) -> int:
    if len(digits) > 40:
        raise Problem(422, "NON_FINITE", f"the number {digits[:40]}... has too many digits")
    return int(digits)
