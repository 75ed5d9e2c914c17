"""Logs: one JSON object a line, nothing secret in it, nothing forged into it."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.gateway.logs import make_logger, redact_text

SECRET = "assay_Zk3v9Q-abcdefghijklmnop_qrstuvwxyz012345678"


def written(**values: object) -> str:
    stream = io.StringIO()
    make_logger(stream).info("request", **values)
    return stream.getvalue()


@given(st.text())
def test_whatever_a_value_holds_it_stays_on_its_line(value: str) -> None:
    line = written(path=value)
    assert line.count("\n") == 1
    assert line.endswith("\n")
    assert "\x1b" not in line
    assert json.loads(line)["event"] == "request"


@pytest.mark.parametrize(
    "values",
    [
        {"api_key": SECRET},
        {"headers": {"X-API-Key": SECRET}},
        {"detail": f"the key {SECRET} was refused"},
        {"url": "postgresql://me:hunter2@db/x"},
        {"nested": [{"password": "hunter2"}]},
        {"authorization": "Bearer hunter2"},
        {"application": {"income": "hunter2"}},
    ],
)
def test_secrets_and_personal_data_never_reach_a_line(values: dict[str, object]) -> None:
    line = written(**values)
    assert "hunter2" not in line
    assert SECRET not in line
    assert "***" in line


def test_a_secret_in_a_traceback_is_masked_too() -> None:
    stream = io.StringIO()
    try:
        raise ValueError(f"bad key {SECRET}")
    except ValueError as error:
        make_logger(stream).error("unforeseen", exc_info=error)
    entry = json.loads(stream.getvalue())
    assert SECRET not in stream.getvalue()
    assert "ValueError" in entry["exception"][-1]


def test_what_is_no_secret_stays_readable() -> None:
    assert redact_text("http://localhost:8000/v1/models?x=1") == "http://localhost:8000/v1/models?x=1"
    assert json.loads(written(key_count=3, path="/v1/models"))["path"] == "/v1/models"
