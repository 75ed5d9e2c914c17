"""What the commands share at the terminal: progress, tables, notes, and options that need parsing."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from core.errors import InputError

Progress = Callable[[float, str], None]


def note(words: str) -> None:
    """Say something on stderr that is no part of the result."""
    print(words, file=sys.stderr)  # noqa: T201


def emit_json(document: Any) -> None:
    """Print one JSON document; NaN is not JSON, so it is an error here."""
    print(json.dumps(document, ensure_ascii=False, allow_nan=False))  # noqa: T201


def tell(words: str, document: Any, as_json: bool) -> None:
    """Say what was done: a line on stderr for people, or one JSON document on stdout."""
    if as_json:
        emit_json(document)
    else:
        note(words)


def emit_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table for people: framed on a terminal, tab-separated in a pipe."""
    if not sys.stdout.isatty():
        for row in (columns, *rows):
            print("\t".join("" if cell is None else str(cell) for cell in row))  # noqa: T201
        return
    from rich.console import Console  # noqa: PLC0415  (only on a terminal)
    from rich.markup import escape  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*("" if cell is None else escape(str(cell)) for cell in row))
    Console().print(table)


@contextmanager
def progress_bar(words: str) -> Iterator[Progress]:
    """Give a function `progress(fraction, words)` that moves a bar on a terminal and does nothing in a pipe."""
    if not sys.stderr.isatty():
        yield lambda fraction, words: None
        return
    from rich.console import Console  # noqa: PLC0415  (only on a terminal)
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(words, total=1.0)
        yield lambda fraction, words: bar.update(task, completed=fraction, description=words)


def parse_where(conditions: Sequence[str]) -> dict[str, str]:
    """`["split=train"]` -> `{"split": "train"}`."""
    pairs = [condition.partition("=") for condition in conditions]
    for column, equals, _ in pairs:
        if not (column and equals):
            raise InputError(f"--where takes COLUMN=VALUE, got {column + equals!r}; for example --where split=train")
    return {column: value for column, _, value in pairs}


def parse_cost(text: str | None) -> tuple[float, float] | None:
    """`"5:1"` -> what a missed bad case costs and what a false alarm costs, both above zero."""
    if text is None:
        return None
    missed, colon, false = text.partition(":")
    try:
        costs = float(missed), float(false)
    except ValueError:
        costs = (0.0, 0.0)
    if not colon or not all(0 < cost < float("inf") for cost in costs):
        raise InputError(f"--cost takes MISSED:FALSE, two numbers above 0 such as 5:1, got {text!r}")
    return costs


def parse_floors(texts: Sequence[str]) -> dict[str, float]:
    """`["auc=0.75"]` -> `{"auc": 0.75}`."""
    floors = {}
    for text in texts:
        metric, equals, value = text.partition("=")
        try:
            floors[metric.strip()] = float(value)
        except ValueError:
            equals = ""
        if not (metric and equals):
            raise InputError(f"--floor takes METRIC=VALUE such as auc=0.75, got {text!r}")
    return floors


def rounded(value: float | None, digits: int = 4) -> str:
    """A number for a table cell; empty where there is none."""
    return "" if value is None else f"{value:.{digits}f}"
