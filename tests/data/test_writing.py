import csv
import gzip
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import InputError
from data.tables import TableWriter, read_table

FRAME = pd.DataFrame(
    {
        "id": pd.Series(["001", 'a "b", c', "two\nlines", None], dtype="str"),
        "n": [1, -2, 3, 4],
        "x": [0.1, np.nan, 1e-7, 1e22],
        "error": pd.Series([None] * 4, dtype=object),
    }
)


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet", ".xlsx"])
def test_what_is_written_is_read_again(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    with TableWriter(path) as writer:
        writer.write(FRAME.iloc[:2])
        writer.write(FRAME.iloc[2:])
    assert writer.rows == 4
    back = read_table(path, text=("id", "error")).frame
    assert back["id"].fillna("").tolist() == ["001", 'a "b", c', "two\nlines", ""]
    assert back["n"].tolist() == [1, -2, 3, 4]
    np.testing.assert_array_equal(back["x"], FRAME["x"])
    assert back["error"].isna().all()
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
def test_the_same_rows_give_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    contents = []
    for name in ("one", "two"):
        with TableWriter(tmp_path / f"{name}{suffix}") as writer:
            writer.write(FRAME)
        contents.append((tmp_path / f"{name}{suffix}").read_bytes())
    assert contents[0] == contents[1]


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet", ".xlsx"])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    path.write_bytes(b"old")

    def fail_midway() -> None:
        with TableWriter(path) as writer:
            writer.write(FRAME)
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail_midway()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


DANGEROUS = ["=cmd|'/c calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "＝1+1", "＠x"]
HARMLESS = ["-5", "+3.5", "-1e-3", "a=b", "", "x@y", "1-2"]


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".xlsx"])
def test_text_that_a_spreadsheet_would_run_is_escaped(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    cells = pd.Series(DANGEROUS + HARMLESS + ["nul\0byte"], dtype="str")
    with TableWriter(path) as writer:
        writer.write(pd.DataFrame({"key": np.arange(len(cells)), "=head": cells}))
    if suffix == ".xlsx":
        sheet = openpyxl.load_workbook(path)["table"]
        rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
        assert all(cell.data_type != "f" for row in sheet.iter_rows() for cell in row)
    else:
        raw = path.read_bytes() if suffix == ".csv" else gzip.decompress(path.read_bytes())
        rows = list(csv.reader(io.StringIO(raw.decode(), newline="")))
    written = [row[1] or "" for row in rows]
    assert written[0] == "'=head"
    assert written[1 : 1 + len(DANGEROUS)] == ["'" + cell for cell in DANGEROUS] or suffix == ".xlsx"
    assert all(cell.startswith("'") for cell in written[1 : 1 + len(DANGEROUS)])
    assert written[1 + len(DANGEROUS) : -1] == HARMLESS
    assert written[-1] == "nul\ufffdbyte"


def test_wrong_endings_and_folders_are_refused_before_any_work(tmp_path: Path) -> None:
    for path, words in (
        (tmp_path / "out.txt", "written as .csv.gz, .csv, .parquet, .xlsx"),
        (tmp_path / "absent" / "out.csv", "does not exist"),
    ):
        with pytest.raises(InputError, match=words):
            TableWriter(path)
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        TableWriter(tmp_path / "folder.csv")


def test_frames_of_other_columns_are_refused(tmp_path: Path) -> None:
    with TableWriter(tmp_path / "out.csv") as writer:
        writer.write(FRAME)
        with pytest.raises(ValueError, match="must stay"):
            writer.write(FRAME[["id"]])


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet", ".xlsx"])
def test_a_table_without_rows_is_a_header_and_one_without_columns_is_a_mistake(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    with pytest.raises(ValueError, match="nothing was written"), TableWriter(path):
        pass
    with pytest.raises(ValueError, match="at least one column"), TableWriter(path) as writer:
        writer.write(pd.DataFrame())
    assert not list(tmp_path.iterdir())
    with TableWriter(path) as writer:
        writer.write(FRAME.iloc[:0])
    with pytest.raises(InputError, match="no rows"):
        read_table(path)


def test_objects_of_several_types_are_written_as_text(tmp_path: Path) -> None:
    with TableWriter(tmp_path / "out.csv") as writer:
        writer.write(pd.DataFrame({"a": [1, "x", None, 2.5]}, dtype=object))
    assert (tmp_path / "out.csv").read_text().split("\n") == ["a", "1", "x", "", "2.5", ""]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(st.floats(allow_nan=True), min_size=1, max_size=20))
def test_numbers_are_written_to_the_last_bit(tmp_path: Path, values: list[float]) -> None:
    path = tmp_path / "out.csv"
    with TableWriter(path) as writer:
        writer.write(pd.DataFrame({"key": "k", "x": np.array(values, dtype=float)}))
    np.testing.assert_array_equal(read_table(path, numbers=("x",)).frame["x"].to_numpy(float), values)


FULL_DISK = """
import resource, sys
from pathlib import Path
import numpy as np, pandas as pd
from core.errors import AssayError
from data.tables import TableWriter
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    with TableWriter(Path(sys.argv[1])) as writer:
        for _ in range(40):
            writer.write(pd.DataFrame({"x": np.random.default_rng(0).random(50_000)}))
except AssayError as error:
    print("AssayError:", error)
"""


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet"])
def test_a_full_disk_is_one_clear_error_and_leaves_nothing(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True, check=False)
    assert done.stdout.startswith(f"AssayError: {path} could not be written"), done.stderr
    assert not list(tmp_path.iterdir())
