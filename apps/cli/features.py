"""`assay features`: what transactions tell over time, written as a table, in bounded memory."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from apps.cli.console import Progress, emit_json, emit_table, note, progress_bar
from core.errors import InputError

if TYPE_CHECKING:  # pandas, only when it is needed
    import pandas as pd

    from pipelines.finance.transactions.events import Events
    from pipelines.finance.transactions.plan import TransactionPlan

ROWS_AT_ONCE = 500_000
SHOWN = 5  # kinds of errors that are told

app = typer.Typer(add_completion=False)


@app.command()
def features(
    data: Annotated[Path, typer.Option(help="the transactions: CSV, CSV.GZ, Parquet or XLSX, sorted by time")],
    time: Annotated[str, typer.Option(help="column of the times")],
    amount: Annotated[str, typer.Option(help="column of the amounts, negative for refunds")],
    out: Annotated[Path | None, typer.Option(help="file to write: .csv, .csv.gz, .parquet or .xlsx")] = None,
    entity: Annotated[str | None, typer.Option(help="column of the card, account or customer")] = None,
    counterpart: Annotated[
        list[str] | None, typer.Option(help="column of the terminal, shop or device; again for more")
    ] = None,
    id_column: Annotated[str | None, typer.Option("--id", help="column of the ids; default: the row number")] = None,
    target: Annotated[
        str | None, typer.Option(help="column with 1 for fraud, 0 for good, empty for unknown: for delayed risk rates")
    ] = None,
    label_delay: Annotated[str, typer.Option(help="after which a label is known, such as 7d or 12h")] = "7d",
    arrived: Annotated[str | None, typer.Option(help="column of the times at which transactions came in")] = None,
    declared: Annotated[
        Path | None, typer.Option("--features", help="a table of features of your own: scope, measure, windows")
    ] = None,
    unit: Annotated[float, typer.Option(help="currency of the smallest step of the amounts")] = 0.01,
    chunk: Annotated[int, typer.Option(min=1, help="rows at a time")] = ROWS_AT_ONCE,
    partitions: Annotated[
        int, typer.Option(min=1, help="read so many times for every key column, and hold only that part of the keys")
    ] = 1,
    listed: Annotated[bool, typer.Option("--list", help="only list the features with their words")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Write the features of transactions over time: counts, amounts, gaps, rhythm, partners, delayed risk.

    A feature sees only what was known at the time of its transaction. The file must be sorted by time, or by --arrived.

    Example: assay features --data transactions.csv --time time --amount amount --entity card_id
    --counterpart terminal_id --target is_fraud --out features.parquet
    """
    from pipelines.finance.transactions.plan import TransactionPlan  # noqa: PLC0415  (pandas)
    from pipelines.finance.transactions.windows import parse_span  # noqa: PLC0415

    plan = TransactionPlan(
        time=time,
        amount=amount,
        id_column=id_column,
        entity=entity,
        counterparts=tuple(counterpart or ()),
        arrived=arrived,
        target=target,
        delay_ms=parse_span(label_delay),
        unit=unit,
        declared="" if declared is None else _text_of(declared),
    )
    if listed:
        _list(plan, as_json)
        return
    if out is None:
        raise InputError("name the file to write with --out, or ask for --list")
    if out.exists() and data.exists() and out.samefile(data):
        raise InputError(f"--out {out} is the file of --data and would be overwritten; name another file")
    reading = _Reading(data, plan, chunk)
    with progress_bar(f"measuring {data.name}") as progress:
        rows = _write_parts(reading, out, partitions, progress) if partitions > 1 else _write(reading, out, progress)
    for code, number in sorted(reading.refused.items(), key=lambda item: -item[1])[:SHOWN]:
        note(f"{number} rows have no features: {code}; column error says why")
    if as_json:
        found = {"out": str(out), "rows": rows, "features": len(plan.names), "refused": dict(reading.refused)}
        emit_json(found)
    else:
        note(f"wrote {len(plan.names)} features of {rows} transactions to {out}")


@dataclass
class _Reading:
    """The transactions of a file, chunk by chunk, with the ids and errors of all rows."""

    data: Path
    plan: "TransactionPlan"
    rows: int
    refused: dict[str, int] = field(default_factory=dict)

    def pieces(self) -> Iterator[tuple["Events", "pd.Series", dict[int, str]]]:
        """The transactions of a chunk, the ids of all its rows, and the errors of those that are none."""
        from data.tables import open_source, read_chunks  # noqa: PLC0415  (pandas)
        from pipelines.finance.transactions.events import NAT, read_events  # noqa: PLC0415

        plan, newest_ms, came_ms = self.plan, NAT, NAT
        text = [column for column in (plan.id_column, plan.entity, *plan.counterparts) if column]
        self.refused.clear()
        for chunk in read_chunks(open_source(self.data), rows=self.rows, text=text):
            found = read_events(
                chunk.frame, plan, labels=_labels(chunk.frame, plan), errors=chunk.errors, newest_ms=newest_ms
            )
            events = found.events
            if len(events):
                came_ms = self._check_order(chunk.frame, events, came_ms)
                newest_ms = max(newest_ms, int(events.time_ms.max()))
            ids = chunk.frame[plan.id_column] if plan.id_column else _row_numbers(chunk.rows)
            for words in found.errors.values():
                code = words.partition(":")[0]
                self.refused[code] = self.refused.get(code, 0) + 1
            yield events, ids, dict(found.errors)

    def _check_order(self, frame: "pd.DataFrame", events: "Events", came_ms: int) -> int:
        """The newest arrival so far. InputError where a chunk begins before the one that it follows ended."""
        from pipelines.finance.transactions.events import read_times  # noqa: PLC0415  (pandas)

        arrived = read_times(frame[self.plan.arrived], {})[events.row] if self.plan.arrived else events.time_ms
        if int(arrived.min()) < came_ms:
            column = self.plan.arrived or self.plan.time
            raise InputError(
                f"{self.data} is not sorted by {column!r}, and it is read in chunks of {self.rows:,} rows; sort it, "
                "name the column of arrivals with --arrived, or read more at once with --chunk"
            )
        return int(arrived.max())


def _write(reading: _Reading, out: Path, progress: Progress) -> int:
    from data.tables import TableWriter  # noqa: PLC0415  (pandas)
    from pipelines.finance.transactions.pieces import Carried  # noqa: PLC0415

    plan = reading.plan
    carried, rows = Carried(plan, plan.scopes), 0
    with TableWriter(out) as writer:
        for events, ids, errors in reading.pieces():
            writer.write(_frame(plan, events, ids, errors, carried.features(events)))
            rows += len(ids)
            progress(0.0, f"measured {rows:,} transactions")
    return rows


def _write_parts(reading: _Reading, out: Path, partitions: int, progress: Progress) -> int:
    from data.tables import TableWriter  # noqa: PLC0415  (pandas)
    from pipelines.finance.transactions.pieces import measure_to_file  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix=".features-", dir=out.absolute().parent) as scratch:
        path, done, rows = Path(scratch) / "features.npy", 0, 0
        good = sum(len(events) for events, _, _ in reading.pieces())
        measure_to_file(
            lambda: (events for events, _, _ in reading.pieces()),
            reading.plan,
            path,
            rows=good,
            partitions=partitions,
            progress=progress,
        )
        measured = np.load(path, mmap_mode="r")
        with TableWriter(out) as writer:
            for events, ids, errors in reading.pieces():
                writer.write(_frame(reading.plan, events, ids, errors, measured[done : done + len(events)]))
                done, rows = done + len(events), rows + len(ids)
    return rows


def _frame(
    plan: "TransactionPlan", events: "Events", ids: "pd.Series", errors: dict[int, str], measured_NF: np.ndarray
) -> "pd.DataFrame":
    """Features in the order of the file; a row that is no transaction has its error and nothing else."""
    import pandas as pd  # noqa: PLC0415  (only when it is needed)

    table = np.full((len(ids), len(plan.names)), np.nan, dtype=np.float32)
    table[events.row] = measured_NF
    words = np.full(len(ids), None, dtype=object)
    for row, text in errors.items():
        words[row] = text
    frame = pd.DataFrame(table, columns=list(plan.names))
    frame.insert(0, "id", pd.Series(ids.astype("str").to_numpy(), dtype="str"))
    return pd.concat([frame, pd.DataFrame({"error": pd.Series(words, dtype="str")})], axis=1)


def _labels(frame: "pd.DataFrame", plan: "TransactionPlan") -> np.ndarray | None:
    if plan.target is None:
        return None
    from pipelines.finance.labels import LabelRule, read_labels  # noqa: PLC0415  (pandas)

    if plan.target not in frame.columns:
        raise InputError(f"the table has no target column {plan.target!r}; it has {', '.join(map(str, frame.columns))}")
    return np.nan_to_num(read_labels(frame[plan.target], LabelRule(bad="1", good="0")), nan=-1).astype(np.int8)


def _row_numbers(rows: np.ndarray) -> "pd.Series":
    import pandas as pd  # noqa: PLC0415  (only when it is needed)

    return pd.Series(rows + 1)


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as UTF-8 text: {error}", code="FILE_MISSING") from error


def _list(plan: "TransactionPlan", as_json: bool) -> None:
    if as_json:
        emit_json([{"name": name, "en": plan.words[name][0], "zh": plan.words[name][1]} for name in plan.names])
        return
    emit_table(f"{len(plan.names)} features", ("feature", "English", "中文"), [(n, *plan.words[n]) for n in plan.names])
