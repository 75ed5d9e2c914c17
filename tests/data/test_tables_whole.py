"""Whole tables: filters, chunks, Parquet, round trips, memory, and the real files."""

import gzip
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import InputError
from data.tables import TableWriter, open_source, read_chunks, read_table


def write(folder: Path, content: str | bytes, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_where_keeps_rows_by_text_as_written_and_numbers_by_value(tmp_path: Path) -> None:
    path = write(tmp_path, "id,split,year,code\n1,train,2019.0,007\n2,test,2019.0,7\n3,train,2020.0,x\n")
    assert read_table(path, where={"split": "train"}).rows.tolist() == [0, 2]
    assert read_table(path, where={"year": "2019"}).rows.tolist() == [0, 1]
    assert read_table(path, where={"split": "train", "year": "2019"}).rows.tolist() == [0]
    assert read_table(path, where={"code": "007"}).rows.tolist() == [0]
    assert read_table(path, where={"code": "7"}).rows.tolist() == [1]


def test_a_filter_that_keeps_nothing_names_what_there_is(tmp_path: Path) -> None:
    path = write(tmp_path, "id,split\n1,train\n2,test\n")
    with pytest.raises(InputError, match=r"no row has split=trian \(split holds for example test, train\)"):
        read_table(path, where={"split": "trian"})
    with pytest.raises(InputError, match=r"has no column 'part'; its columns are id, split"):
        read_chunks(path, where={"part": "a"})


def test_chunks_together_are_the_table(tmp_path: Path) -> None:
    path = write(tmp_path, "id,x\n" + "".join(f"{row},{row / 8}\n" for row in range(1000)))
    chunks = list(read_chunks(path, rows=300))
    assert [len(chunk.frame) for chunk in chunks] == [300, 300, 300, 100]
    assert [chunk.first_row for chunk in chunks] == [0, 300, 600, 900]
    joined = pd.concat([chunk.frame for chunk in chunks], ignore_index=True)
    pd.testing.assert_frame_equal(joined, read_table(path).frame)
    with pytest.raises(InputError, match="at least 1"):
        read_chunks(path, rows=0)


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "a,b\n1,2\n3,4\n")
    source = open_source(path)
    write(tmp_path, "a,b\n1,2\n3,4\n5,6\n")
    with pytest.raises(InputError, match="changed while it was read") as caught:
        list(read_chunks(source))
    assert caught.value.code == "FILE_CHANGED"


def test_parquet_keeps_types_and_filters(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    table = pa.table(
        {
            "id": pa.array(["001", "002", None]),
            "n": pa.array([1, None, 3], pa.int32()),
            "x": pa.array([1.5, 2.5, 3.5], pa.float32()),
            "b": pa.array([True, False, True]),
            "d": pa.array([1, 2, 3], pa.date32()),
            "c": pa.array(["u", "v", "u"]).dictionary_encode(),
            "z": pa.array([[1], [2], [3]]),
        }
    )
    pq.write_table(table, path)
    source = open_source(path)
    assert "z" not in source.columns
    assert "nested" in source.notes[0]
    frame = read_table(path).frame
    assert frame["id"].tolist()[:2] == ["001", "002"]
    assert frame["n"].dtype == np.float64
    assert frame["b"].tolist() == [1, 0, 1]
    assert frame["d"].dtype.kind == "M"
    assert frame["c"].tolist() == ["u", "v", "u"]
    assert read_table(path, where={"b": "true"}).rows.tolist() == [0, 2]
    assert read_table(path, where={"c": "v"}).rows.tolist() == [1]
    assert read_table(path, text=("n",)).frame["n"].tolist()[2] == "3"


def test_an_empty_or_broken_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": pa.array([], pa.int64())}), path)
    with pytest.raises(InputError, match="no rows"):
        open_source(path)


CELLS = st.text(
    alphabet=st.characters(blacklist_categories=("Cs",), blacklist_characters="\0\ufeff"), min_size=0, max_size=12
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=8), gzipped=st.booleans())
def test_any_text_survives_a_round_trip(tmp_path: Path, rows: list[tuple[str, str]], gzipped: bool) -> None:
    frame = pd.DataFrame(
        {"key": [f"k{at}" for at in range(len(rows))], "one": [a for a, _ in rows], "two": [b for _, b in rows]}
    )
    path = tmp_path / ("t.csv.gz" if gzipped else "t.csv")
    with TableWriter(path) as writer:
        writer.write(frame.astype("str"))
    back = read_table(path, text=("key", "one", "two")).frame.fillna("")
    for name in ("key", "one", "two"):
        for before, after in zip(frame[name], back[name], strict=True):
            assert after in (before, "'" + before)  # formula-like text is escaped on the way out


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=300))
def test_any_bytes_are_a_table_or_an_input_error(tmp_path: Path, content: bytes) -> None:
    try:
        chunk = read_table(write(tmp_path, b"a,b\n" + content))
    except InputError:
        return
    assert len(chunk.frame) == len(chunk.rows) > 0


PROBE = """
import resource, sys
from pathlib import Path
from data.tables import read_chunks
rows = sum(len(chunk.frame) for chunk in read_chunks(Path(sys.argv[1]), rows=20_000))
print(rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    def peak_mb(count: int, name: str) -> int:
        path = tmp_path / name
        block = "".join(f"{row % 997},{row / 7:.6f},city {row % 50},{row}\n" for row in range(100_000)).encode()
        with gzip.open(path, "wb", compresslevel=1) as out:
            out.write(b"a,b,c,d\n")
            for _ in range(count):
                out.write(block)
        done = subprocess.run([sys.executable, "-c", PROBE, str(path)], capture_output=True, text=True, check=True)
        rows, peak = map(int, done.stdout.split())
        assert rows == count * 100_000
        os.unlink(path)
        return peak

    few, many = peak_mb(10, "few.csv.gz"), peak_mb(60, "many.csv.gz")
    print(f"peak memory: 1 million rows {few} MB, 6 million rows {many} MB")
    assert many < few * 1.25 + 20


@pytest.mark.realdata
def test_real_tables_read_as_pandas_reads_them(realdata: Path) -> None:
    for path in sorted((realdata / "data/finance").glob("*/*.csv.gz")):
        ours, theirs = read_table(path).frame, pd.read_csv(path, low_memory=False)
        assert list(ours.columns) == list(theirs.columns)
        assert len(ours) == len(theirs)
        for name in theirs.columns:
            if pd.api.types.is_numeric_dtype(ours[name]):
                pd.testing.assert_series_equal(ours[name], theirs[name], check_dtype=False, rtol=1e-14)
            elif not pd.api.types.is_numeric_dtype(theirs[name]):
                assert (ours[name].fillna("") == theirs[name].fillna("")).mean() > 0.999  # pandas drops "NA"
            else:
                assert name == "证券代码"  # 000001 must not become 1
