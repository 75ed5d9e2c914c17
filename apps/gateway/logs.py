"""Structured logs: one JSON object a line, secrets and personal data taken out before anything is written.

JSON escapes newlines and terminal codes, so a hostile value cannot forge a line.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog
from structlog.typing import FilteringBoundLogger, Processor

Logger = FilteringBoundLogger

MASK = "***"
SECRET_NAMES = re.compile(
    r"(?i)pass(word|wd)?$|secret|token|authorization|cookie|api[-_]?key|credential|^application$|^body$|report_text|transactions|statements"
)
SECRET_VALUES = re.compile(r"assay_[A-Za-z0-9_\-]{8,}")
URL_PASSWORD = re.compile(r"(?P<head>[a-z][a-z0-9+.\-]*://[^/\s:@]*:)[^/\s@]+@", re.IGNORECASE)
LONGEST_VALUE = 2_000
LONGEST_TRACE = 10_000  # its end, where the error stands


def redact_text(text: str) -> str:
    """Mask API keys and the passwords of URLs inside a text.

    >>> redact_text("postgresql://me:hunter2@db/x")
    'postgresql://me:***@db/x'
    """
    return URL_PASSWORD.sub(rf"\g<head>{MASK}@", SECRET_VALUES.sub(MASK, text))


def redact(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The one redaction step of all logs: by the name of a field, then by the look of its value, at any depth."""
    if isinstance(event.get("exception"), str):
        event = {**event, "exception": event["exception"][-LONGEST_TRACE:].splitlines()}
    return {name: MASK if _secret(name, value) else _clean(value) for name, value in event.items()}


def make_logger(stream: TextIO | None = None, **context: Any) -> Logger:
    """A logger of its own (no global set-up) that writes JSON lines to `stream`, by default to stderr."""
    logger: Logger = structlog.wrap_logger(
        structlog.PrintLogger(stream or sys.stderr),
        processors=[*_common(), structlog.processors.JSONRenderer(ensure_ascii=False, default=str, sort_keys=False)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        context_class=dict,
        **context,
    )
    return logger


def send_standard_logging_to(stream: TextIO | None = None, level: int = logging.INFO) -> None:
    """Make what libraries log through `logging` look the same: the process edge calls this once."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *_common()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)


def _common() -> list[Processor]:
    return [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]


def _secret(name: str, value: object) -> bool:
    return not isinstance(value, bool) and SECRET_NAMES.search(name) is not None


def _clean(value: Any) -> Any:
    match value:
        case str():
            return redact_text(value[:LONGEST_VALUE])
        case dict():
            return {str(name): MASK if _secret(str(name), item) else _clean(item) for name, item in value.items()}
        case list() | tuple():
            return [_clean(item) for item in value]
        case _:
            return value
