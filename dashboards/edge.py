"""The edge of the dashboards: whatever goes wrong is one line for a person; the rest goes to the log."""

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError

from core.errors import AssayError
from dashboards import frame
from dashboards.words import Words

log = logging.getLogger("assay.dashboards")


@contextmanager
def one_line(page: str, words: Words) -> Iterator[None]:
    """Draw a page, or a part that refreshes by itself, so that an error ends as a line and never as a traceback."""
    try:
        yield
    except AssayError as error:
        frame.failed(str(error))
    except SQLAlchemyError:
        log.exception("the database failed on page %s", page)
        frame.failed(words("database_failed"))
    except Exception:
        reference = uuid.uuid4().hex[:8]
        log.exception("page %s failed, reference %s", page, reference)
        frame.failed(words("unexpected", reference=reference))
