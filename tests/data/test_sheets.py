import datetime as dt
import zipfile
from pathlib import Path

import openpyxl
import pytest
import xlsxwriter

from core.errors import InputError
from data.tables import open_source, read_chunks, read_table

Cells = list[list[object]]


def book(folder: Path, *sheets: Cells, hidden: tuple[int, ...] = (), merge: str = "") -> Path:
    path = folder / "t.xlsx"
    made = openpyxl.Workbook()
    made.remove(made.active)
    for place, cells in enumerate(sheets):
        sheet = made.create_sheet(f"sheet {place + 1}")
        for row in cells:
            sheet.append(row)
        if place in hidden:
            sheet.sheet_state = "hidden"
        if merge:
            sheet.merge_cells(merge)
    made.save(path)
    return path


def test_cells_are_read_as_a_csv_would_hold_them(tmp_path: Path) -> None:
    day = dt.datetime(2024, 1, 31)
    path = book(
        tmp_path,
        [["id", "n", "x", "day", "city", "ok"], ["00123", 1, 1.5, day, "Köln", True], ["7", 2, None, day, "NA", False]],
    )
    source = open_source(path)
    assert (source.format, source.sheet, source.notes) == ("xlsx", "sheet 1", ())
    frame = read_table(path).frame
    assert frame["id"].tolist() == ["00123", "7"]
    assert frame["n"].tolist() == [1, 2]
    assert frame["x"].isna().tolist() == [False, True]
    assert frame["day"].tolist() == ["2024-01-31"] * 2
    assert frame["city"].tolist() == ["Köln", "NA"]
    assert frame["ok"].tolist() == ["TRUE", "FALSE"]


def test_day_numbers_mixed_with_dates_are_dates_when_they_are_parsed(tmp_path: Path) -> None:
    from data.dates import parse_dates

    path = book(tmp_path, [["day", "n"], [dt.datetime(2024, 1, 1), 1], [45293, 2], ["2024-01-03", 3]])
    days = parse_dates(read_table(path).frame["day"])
    assert days.astype("datetime64[D]").astype(str).tolist() == ["2024-01-01", "2024-01-02", "2024-01-03"]


def test_a_formula_that_was_never_calculated_refuses_its_row_alone(tmp_path: Path) -> None:
    path = book(tmp_path, [["id", "x"], ["a", 1], ["b", "=1+1"], [None, None], ["c", None]])
    chunk = read_table(path, text=("id",))
    assert chunk.frame["id"].tolist() == ["a", "b", "c"]
    assert list(chunk.errors) == [1]
    assert chunk.errors[1].startswith("UNCALCULATED: column 'x'")


def test_a_formula_with_its_value_is_read_and_an_error_value_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.xlsx"
    with xlsxwriter.Workbook(path) as made:
        sheet = made.add_worksheet()
        sheet.write_row(0, 0, ["id", "x"])
        sheet.write_row(1, 0, ["a"])
        sheet.write_formula(1, 1, "=1+1", None, 2)
        sheet.write_row(2, 0, ["b"])
        sheet.write_formula(2, 1, "=1/0", None, "#DIV/0!")
    chunk = read_table(path)
    assert chunk.frame["x"][0] == 2
    assert chunk.errors == {1: "FORMULA_ERROR: column 'x' holds #DIV/0!"}


def test_rows_longer_than_the_header_are_refused_and_short_ones_are_missing(tmp_path: Path) -> None:
    path = book(tmp_path, [["id", "x"], ["a", 1], ["b", 2, 3], ["c"]])
    chunk = read_table(path, text=("id",))
    assert chunk.frame["id"].tolist() == ["a", "b", "c"]
    assert list(chunk.errors) == [1]
    assert chunk.frame["x"].isna().tolist() == [False, True, True]


def test_hidden_and_further_sheets_are_noted_and_not_read(tmp_path: Path) -> None:
    cells: Cells = [["a", "b"], [1, 2]]
    source = open_source(book(tmp_path, [["x"], [9]], cells, cells, hidden=(0,)))
    assert source.sheet == "sheet 2"
    assert source.columns == ("a", "b")
    assert source.notes == ("hidden sheets are not read: sheet 1", "sheet 'sheet 2' was read; not read: sheet 3")


@pytest.mark.parametrize(
    ("cells", "code"),
    [
        ([], "EMPTY_FILE"),
        ([["a", "b"]], "NO_ROWS"),
        ([["a", "a"], [1, 2]], "DUPLICATE_COLUMN"),
        ([[1, 2], [3, 4]], "NO_HEADER"),
    ],
)
def test_workbooks_without_a_table_are_refused(tmp_path: Path, cells: Cells, code: str) -> None:
    with pytest.raises(InputError) as caught:
        open_source(book(tmp_path, cells))
    assert caught.value.code == code


def test_merged_cells_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unmerge") as caught:
        open_source(book(tmp_path, [["a", "b"], [1, 2], [3, 4]], merge="A2:A3"))
    assert caught.value.code == "MERGED_CELLS"


def test_a_zip_that_unpacks_to_far_too_much_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = book(tmp_path, [["a", "b"], [1, 2]])
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/zeros.bin", b"\0" * (8 << 20))
    with pytest.raises(InputError, match="unpacks to") as caught:
        open_source(path)
    assert caught.value.code == "ZIP_BOMB"


def test_other_zips_and_broken_workbooks_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("loans.csv", "a,b\n1,2\n")
    with pytest.raises(InputError, match="no XLSX workbook"):
        open_source(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/workbook.xml", "<broken")
    with pytest.raises(InputError, match="damaged"):
        open_source(path)


def test_an_xml_entity_bomb_in_a_workbook_does_not_expand(tmp_path: Path) -> None:
    path = tmp_path / "t.xlsx"
    bomb = '<?xml version="1.0"?><!DOCTYPE w [<!ENTITY a "' + "x" * 1000 + '">'
    bomb += "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9)) + "]><w>&j;</w>"
    good = book(tmp_path, [["a", "b"], [1, 2]])
    with zipfile.ZipFile(good) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["xl/worksheets/sheet1.xml"] = bomb.encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    with pytest.raises(InputError):
        read_table(path)


def test_sheets_stream_in_chunks_and_filter(tmp_path: Path) -> None:
    cells: Cells = [["id", "split"]] + [[f"{row:04d}", "train" if row % 2 else "test"] for row in range(12_000)]
    path = book(tmp_path, cells)
    chunks = list(read_chunks(path, rows=2500, text=("id",), where={"split": "train"}))
    assert [len(chunk.frame) for chunk in chunks] == [2500, 2500, 1000]
    assert chunks[1].frame["id"][0] == "5001"
    assert chunks[1].first_row == 5001


def test_a_workbook_of_an_unknown_version_of_zip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "new.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    packed = bytearray(path.read_bytes())
    at = packed.index(b"PK\x01\x02") + 6  # version needed, in the list of entries
    packed[at : at + 2] = (99).to_bytes(2, "little")
    path.write_bytes(packed)
    with pytest.raises(InputError, match="the workbook is damaged") as caught:
        read_table(path)
    assert caught.value.code == "DAMAGED_FILE"
