"""Strict JSON and bounded bodies, without a server."""

import asyncio
import contextlib
import json
import math

import pytest
from fastapi import Request
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from apps.gateway.bodies import parse_json, read_json
from apps.gateway.limits import Limits
from apps.gateway.problems import Problem

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def refusal(content: bytes, depth: int = 8) -> Problem:
    with pytest.raises(Problem) as caught:
        parse_json(content, depth=depth)
    return caught.value


@given(JSON)
def test_what_python_writes_is_read_back_as_it_was(value: object) -> None:
    assert parse_json(json.dumps(value).encode(), depth=32) == value


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity", "1e400", "-1e999", "9" * 50])
def test_a_number_that_is_not_finite_is_refused(word: str) -> None:
    problem = refusal(f'{{"a": {word}}}'.encode())
    assert (problem.status_code, problem.code) == (422, "NON_FINITE")


def test_a_name_that_stands_twice_is_refused_at_any_level() -> None:
    problem = refusal(b'{"a": {"b": 1, "c": 2, "b": 3}}')
    assert (problem.status_code, problem.code) == (422, "DUPLICATE_NAME")
    assert "'b'" in problem.detail


def test_names_that_are_equal_only_after_unescaping_count_as_twice() -> None:
    assert refusal(rb'{"a": 1, "\u0061": 2}').code == "DUPLICATE_NAME"


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"a":' * 9 + b"1" + b"}" * 9, b"[" * 9 + b"]" * 9])
def test_deep_nesting_is_refused_before_the_parser_recurses(content: bytes) -> None:
    assert refusal(content).code == "TOO_DEEP"


def test_brackets_inside_strings_do_not_count_as_nesting() -> None:
    text = '{"a": "[[[[[[[[[[{{{{{{{{{{ \\" [[[[[[["}'
    assert parse_json(text.encode(), depth=1) == json.loads(text)


def test_a_hostile_string_takes_linear_time() -> None:
    import time

    started = time.perf_counter()
    assert refusal(b'"' + b'\\"' * 500_000).code == "BAD_JSON"
    assert time.perf_counter() - started < 2.0


@pytest.mark.parametrize(
    "content", [b"", b"{", b"{'a': 1}", b"\xff\xfe{}", b'{"a": 1} x', b'{"a": 01}', b"\xef\xbb\xbf{}"]
)
def test_what_is_no_json_is_refused_with_its_place(content: bytes) -> None:
    problem = refusal(content)
    assert (problem.status_code, problem.code) == (400, "BAD_JSON")


@given(st.binary(max_size=200))
def test_any_bytes_give_a_value_or_a_problem_and_never_another_error(content: bytes) -> None:
    with contextlib.suppress(Problem):
        value = parse_json(content, depth=8)
        assert not (isinstance(value, float) and not math.isfinite(value))


class Order(BaseModel):
    model_config = ConfigDict(extra="forbid")
    count: int


def ask(chunks: list[bytes], limits: Limits, *, pause_s: float = 0.0, **headers: str) -> Order:
    """Read an Order from a request whose body comes in `chunks`, each after `pause_s`."""
    pending = list(chunks)

    async def receive() -> dict[str, object]:
        await asyncio.sleep(pause_s)
        return {"type": "http.request", "body": pending.pop(0), "more_body": bool(pending)}

    head = {"content-type": "application/json", **headers}
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in head.items()]
    request = Request({"type": "http", "method": "POST", "path": "/", "headers": raw}, receive)
    return asyncio.run(read_json(request, Order, limits))


def test_a_body_in_pieces_is_put_together() -> None:
    assert ask([b'{"cou', b'nt": ', b"3}"], Limits()).count == 3


def test_an_announced_length_over_the_limit_is_refused_before_a_byte_is_read() -> None:
    with pytest.raises(Problem) as caught:
        ask([], Limits(json_bytes=10), content_length="11")
    assert caught.value.status_code == 413


def test_a_body_without_a_length_is_cut_off_at_the_limit() -> None:
    with pytest.raises(Problem) as caught:
        ask([b" " * 6] * 100, Limits(json_bytes=10))
    assert caught.value.status_code == 413


@pytest.mark.parametrize("length", ["-1", "abc", "1_0", "٣"])
def test_a_length_that_is_no_number_is_refused(length: str) -> None:
    with pytest.raises(Problem) as caught:
        ask([b"{}"], Limits(), content_length=length)
    assert caught.value.status_code == 400


def test_a_sender_who_falls_silent_is_told_so() -> None:
    with pytest.raises(Problem) as caught:
        ask([b"{}"], Limits(silent_s=0.05), pause_s=5.0)
    assert caught.value.status_code == 408


def test_a_sender_who_only_drips_runs_out_of_time() -> None:
    with pytest.raises(Problem) as caught:
        ask([b" "] * 1000, Limits(silent_s=1.0, upload_s=0.1), pause_s=0.02)
    assert caught.value.status_code == 408


@pytest.mark.parametrize("kind", ["text/plain", "", "multipart/form-data; boundary=x", "application/jsonx"])
def test_another_content_type_is_refused(kind: str) -> None:
    with pytest.raises(Problem) as caught:
        ask([b"{}"], Limits(), **{"content-type": kind})
    assert caught.value.status_code == 415


def test_an_unknown_field_is_refused_and_its_value_not_repeated() -> None:
    with pytest.raises(Problem) as caught:
        ask([b'{"count": 1, "card": "4111111111111111"}'], Limits())
    assert caught.value.status_code == 422
    assert caught.value.errors is not None
    assert caught.value.errors[0].pointer == "/card"
    assert "4111" not in str(caught.value.detail)
