"""Logs of worker and schedule: one JSON object a line on stderr, without secrets and without local variables."""

import logging
import sys

import structlog
from celery import signals

from apps.gateway.logs import redact, send_standard_logging_to


def log_as_json() -> None:
    """Set up the logs of this process; the process edge calls this once."""
    send_standard_logging_to(level=logging.WARNING)
    signals.setup_logging.connect(_leave_logging_alone, weak=False)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redact,
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def _leave_logging_alone(**_: object) -> None:
    """Celery sets up no logging of its own while somebody listens to this signal."""
