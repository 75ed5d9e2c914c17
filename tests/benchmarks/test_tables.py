"""Reading, gating and writing tables, beside pandas. Prints a table; fails on nothing."""

import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from data.spec import gate, infer_spec
from data.tables import TableWriter, open_source, read_chunks, read_table

pytestmark = [pytest.mark.bench, pytest.mark.realdata]


def best(work: Callable[[], object], repeats: int = 5) -> str:
    """Least wall clock and processor milliseconds of several runs."""
    wall, processor = [], []
    for _ in range(repeats):
        start, used = time.perf_counter(), time.process_time()
        work()
        wall.append(time.perf_counter() - start)
        processor.append(time.process_time() - used)
    return f"{min(wall) * 1e3:8.0f} ms ({min(processor) * 1e3:.0f} ms of processor)"


def write(frame: pd.DataFrame, path: Path) -> None:
    with TableWriter(path) as writer:
        writer.write(frame)


def test_tables_beside_pandas(realdata: Path, tmp_path: Path) -> None:
    path = realdata / "data/finance/gmsc/gmsc.csv.gz"
    frame = read_table(path).frame
    spec = infer_spec(frame[frame["split"] == "train"], target="SeriousDlqin2yrs", id_column="row_id", ignore=["split"])
    scores = pd.DataFrame({"id": frame["row_id"].astype("str"), "score": 600, "probability": frame["DebtRatio"] / 7})
    scores = scores.assign(decision="approve", error="")
    one = frame.head(1)
    print(f"\ngmsc, {len(frame)} rows of {len(frame.columns)} columns, least of five runs")
    for words, work in {
        "open_source": lambda: open_source(path),
        "read_table": lambda: read_table(path, numbers=spec.numbers, text=spec.text),
        "read_chunks of 50,000": lambda: list(read_chunks(path, numbers=spec.numbers, text=spec.text)),
        "pandas.read_csv": lambda: pd.read_csv(path),
        "infer_spec": lambda: infer_spec(frame, target="SeriousDlqin2yrs"),
        "gate, all rows": lambda: gate(frame, spec),
        "gate, one row a thousand times": lambda: [gate(one, spec) for _ in range(1000)],
        "TableWriter, all columns": lambda: write(frame, tmp_path / "a.csv"),
        "pandas.to_csv, all columns": lambda: frame.to_csv(tmp_path / "b.csv", index=False),
        "TableWriter, scores": lambda: write(scores, tmp_path / "c.csv"),
        "pandas.to_csv, scores": lambda: scores.to_csv(tmp_path / "d.csv", index=False),
        "TableWriter, scores, parquet": lambda: write(scores, tmp_path / "e.parquet"),
    }.items():
        print(f"{words:32s} {best(work)}")
