"""Updating the preset `full`."""

from collections.abc import Callable
from typing import Any

from core.errors import InputError
from pipelines.finance.judging import FittedModel
from pipelines.finance.options import CreditOptions
from pipelines.finance.rows import Labelled
from pipelines.finance.update import Base

Progress = Callable[[float, str], None]


def update_full(
    base: Base, fit_rows: Labelled, valid_rows: Labelled, options: CreditOptions, progress: Progress
) -> tuple[FittedModel, dict[str, Any]]:
    """InputError: the bundle holds no weights of its networks."""
    raise InputError(
        f"{base.words} has the preset full, and its bundle holds no weights of its networks to go on from; train it "
        "anew without --update",
        code="NO_WEIGHTS",
    )
