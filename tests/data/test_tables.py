import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.errors import InputError
from data.tables import open_source, read_chunks, read_table


def write(folder: Path, content: str | bytes, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_numbers_text_and_missing_cells_get_their_types(tmp_path: Path) -> None:
    frame = read_table(write(tmp_path, "n,x,city\n1,1.5,Bonn\n2,,\n3,NA,NA\n")).frame
    assert frame["n"].dtype == np.int64
    assert frame["x"].dtype == np.float64
    assert frame["x"].isna().tolist() == [False, True, True]
    assert isinstance(frame["city"].dtype, pd.StringDtype)
    assert frame["city"].tolist()[0] == "Bonn"
    assert frame["city"].isna().tolist() == [False, True, False]
    assert frame["city"].tolist()[2] == "NA"  # a country may be Namibia


def test_digits_that_a_number_would_lose_stay_text(tmp_path: Path) -> None:
    path = write(tmp_path, "padded,long,whole\n00123,1234567890123456789,9007199254740993\n4,,5\n")
    frame = read_table(path).frame
    assert frame["padded"].tolist() == ["00123", "4"]
    assert frame["long"].tolist()[0] == "1234567890123456789"
    assert frame["whole"].tolist() == [9007199254740993, 5]


def test_columns_named_as_text_come_back_as_written(tmp_path: Path) -> None:
    frame = read_table(write(tmp_path, "id,x\n1.50,1\nNA,2\n,3\n1e3,4\n"), text=("id",)).frame
    assert frame["id"].tolist()[:2] == ["1.50", "NA"]
    assert pd.isna(frame["id"][2])
    assert frame["id"][3] == "1e3"


def test_a_number_column_with_one_bad_cell_stays_text_for_the_gate(tmp_path: Path) -> None:
    frame = read_table(write(tmp_path, "a,b\n1,1\nabc,2\n3,\n"), numbers=("a", "b")).frame
    assert frame["a"].tolist() == ["1", "abc", "3"]
    assert frame["b"].dtype == np.float64


def test_infinity_and_overflow_are_kept_for_the_gate_to_refuse(tmp_path: Path) -> None:
    frame = read_table(write(tmp_path, "a,b\n1e400,inf\n2,-Infinity\n")).frame
    assert np.isinf(frame["a"][0])
    assert np.isinf(frame["b"]).all()


def test_hexadecimal_text_is_no_number(tmp_path: Path) -> None:
    assert read_table(write(tmp_path, "a,b\n0x1F,1\n0x20,2\n")).frame["a"].tolist() == ["0x1F", "0x20"]


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("gbk", "gb18030"),
        ("gb18030", "gb18030"),
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-16-le"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("utf-32", "utf-32-le"),
    ],
)
def test_encodings_are_told_by_mark_then_by_strict_decoding(tmp_path: Path, encoding: str, shown: str) -> None:
    text = "编号,城市,收入\n" + "".join(f"{row:05d},北京市海淀区,{row * 10}\n" for row in range(30))
    path = write(tmp_path, text.encode(encoding))
    source = open_source(path)
    assert source.encoding == shown
    assert source.columns == ("编号", "城市", "收入")
    frame = read_table(path).frame
    assert frame["城市"].unique().tolist() == ["北京市海淀区"]
    assert frame["编号"][7] == "00007"
    assert frame["收入"].sum() == 4350
    if shown != "utf-8":
        assert any(shown in note.lower() for note in source.notes)


def test_west_european_bytes_are_refused_and_never_guessed(tmp_path: Path) -> None:
    path = write(tmp_path, "name,x\nMüller,1\nJosé Núñez,2\nFrançois,3\n".encode("cp1252"))
    with pytest.raises(InputError, match=r"line 2.*save the file as UTF-8") as caught:
        open_source(path)
    assert caught.value.code == "UNDECODABLE"


def test_chinese_text_behind_a_long_ascii_head_is_still_read(tmp_path: Path) -> None:
    head = "id,city\n" + "".join(f"{row},plain\n" for row in range(60_000))
    path = write(tmp_path, head.encode() + "60000,上海浦东新区\n".encode("gbk"))
    assert open_source(path).encoding == "utf-8"
    assert read_table(path).frame["city"].iloc[-1] == "上海浦东新区"


def test_bytes_that_are_no_text_are_named_by_line(tmp_path: Path) -> None:
    head = "id,city\n" + "".join(f"{row},北京\n" for row in range(60_000))
    path = write(tmp_path, head.encode() + b"60000,\xff\xfe\xfa\n")
    with pytest.raises(InputError, match=r"near line 60002") as caught:
        read_table(path)
    assert caught.value.code == "UNDECODABLE"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_are_found(tmp_path: Path, delimiter: str) -> None:
    rows = [["a", "b", "c"], ["1", "x y", "2.5"], ["2", "z", "3.5"]]
    path = write(tmp_path, "\n".join(delimiter.join(row) for row in rows) + "\n")
    source = open_source(path)
    assert (source.delimiter, source.columns) == (delimiter, ("a", "b", "c"))
    assert read_table(path).frame["c"].sum() == 6.0


def test_commas_inside_text_do_not_beat_the_real_delimiter(tmp_path: Path) -> None:
    source = open_source(write(tmp_path, "id;note\n1;a, b, c\n2;d, e, f\n3;g, h, i\n"))
    assert source.delimiter == ";"


def test_decimal_commas_are_read_as_numbers_and_dates_with_points_are_not(tmp_path: Path) -> None:
    path = write(tmp_path, "a;b;d\n1,5;1.234,50;31.12.2024\n-2,25;7,00;01.02.2023\n")
    source = open_source(path)
    assert source.decimal == ","
    assert "numbers are written with a decimal comma" in source.notes
    frame = read_table(path).frame
    assert frame["a"].tolist() == [1.5, -2.25]
    assert frame["b"].tolist() == [1234.5, 7.0]
    assert frame["d"].tolist() == ["31.12.2024", "01.02.2023"]


def test_excels_hint_line_and_blank_lines_before_the_header_are_skipped(tmp_path: Path) -> None:
    path = write(tmp_path, "sep=;\n\na;b\n1;2\n")
    assert read_table(path).frame.to_dict("list") == {"a": [1], "b": [2]}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", [True, False])
def test_all_line_ends_are_read(tmp_path: Path, end: str, last: bool) -> None:
    path = write(tmp_path, end.join(["a,b", "1,2", "3,4"]) + (end if last else ""))
    assert read_table(path).frame.to_dict("list") == {"a": [1, 3], "b": [2, 4]}


def test_ragged_rows_keep_their_place_and_say_what_is_wrong(tmp_path: Path) -> None:
    path = write(tmp_path, "id,x,y\n001,1,2\n002,1\n\n003,1,2,3\n004,5,6\n")
    chunk = read_table(path, text=("id",))
    assert chunk.frame["id"].tolist() == ["001", "002", "003", "004"]
    assert chunk.errors == {
        1: "RAGGED_ROW: row 2 holds too few values (2); the header names 3",
        2: "RAGGED_ROW: row 3 holds too many values (4); the header names 3",
    }
    assert chunk.frame["x"].isna().tolist() == [False, True, True, False]
    assert chunk.frame["y"].tolist()[3] == 6
    assert chunk.rows.tolist() == [0, 1, 2, 3]


def test_ragged_rows_keep_their_place_across_blocks_chunks_and_filters(tmp_path: Path) -> None:
    lines = [f"{row},{'train' if row % 3 else 'test'},{row % 7}" for row in range(400_000)]
    for row in (5, 199_999, 200_002, 399_998):
        lines[row] += ",extra"
    path = write(tmp_path, "id,split,x\n" + "\n".join(lines) + "\n")
    found: dict[int, str] = {}
    for chunk in read_chunks(path, rows=33_333, text=("id",), where={"split": "train"}):
        assert (chunk.frame["id"].astype(int) == chunk.rows).all()
        assert chunk.first_row == chunk.rows[0]
        found.update({int(chunk.rows[at]): words for at, words in chunk.errors.items()})
    assert sorted(found) == [5, 199_999, 200_002, 399_998]
    assert "row 400" in found[399_998] or "row 399999" in found[399_998]


def test_a_filter_does_not_lose_rows_whose_cells_are_shifted(tmp_path: Path) -> None:
    path = write(tmp_path, "id,note,split\n1,a,train\n2,b,c,train\n3,d,test\n4,train\n5,e,f,test\n")
    chunk = read_table(path, text=("id",), where={"split": "train"})
    assert chunk.frame["id"].tolist() == ["1", "2", "4"]
    assert sorted(chunk.errors) == [1, 2]


def test_a_nul_byte_marks_its_row_alone(tmp_path: Path) -> None:
    chunk = read_table(write(tmp_path, b"id,x\na,1\nb\0b,2\nc,3\x004\nd,5\n"), text=("id",))
    assert set(chunk.errors) == {1, 2}
    assert chunk.errors[1].startswith("NUL_BYTE: column 'id'")
    assert chunk.frame["x"].tolist()[3] == 5


def test_quoted_cells_may_hold_delimiters_quotes_and_line_ends(tmp_path: Path) -> None:
    frame = read_table(write(tmp_path, 'a,b\n"x, ""y""\nz",1\n5" pipe,2\n')).frame
    assert frame["a"].tolist() == ['x, "y"\nz', '5" pipe']


def test_an_unclosed_quote_is_named_by_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, 'a,b\n1,x\n2,"never closed\n3,y\n')
    with pytest.raises(InputError, match=r"line 3: a quote") as caught:
        read_table(path)
    assert caught.value.code == "UNCLOSED_QUOTE"


def test_an_unclosed_quote_in_the_header_or_far_down_is_found(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"line 1: a quote"):
        read_table(write(tmp_path, 'a,"b\n1,2\n3,4\n'))
    lines = [f'{row},"text {row}"' for row in range(300_000)]
    lines[250_000] = '250000,"open'
    with pytest.raises(InputError, match=r"line 250002: a quote"):
        list(read_chunks(write(tmp_path, "a,b\n" + "\n".join(lines) + "\n")))


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "EMPTY_FILE"),
        (b"\n\n  \n", "EMPTY_FILE"),
        (b"\xef\xbb\xbf", "EMPTY_FILE"),
        (b"a,b\n", "NO_ROWS"),
        (b"a,b", "NO_ROWS"),
        (b"a,b\n\n\n", "NO_ROWS"),
        (b"a,b,a\n1,2,3\n", "DUPLICATE_COLUMN"),
        (b"1,2,3\n4,5,6\n", "NO_HEADER"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1rest", "WRONG_FORMAT"),
        (b"PAR1 and no more", "DAMAGED_FILE"),
        (b"PK\x03\x04 and no more", "DAMAGED_FILE"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\1\0", "UNDECODABLE"),
        (gzip.compress(b"a,b\n1,2\n" * 1000)[:-20], "DAMAGED_FILE"),
    ],
)
def test_what_is_no_table_is_refused_in_one_line(tmp_path: Path, content: bytes, code: str) -> None:
    path = write(tmp_path, content)
    with pytest.raises(InputError) as caught:
        read_table(path)
    assert caught.value.code == code
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.csv", tmp_path):
        with pytest.raises(InputError, match=str(path)) as caught:
            open_source(path)
        assert caught.value.code == "FILE_MISSING"


def test_nameless_columns_are_named_by_position_and_noted(tmp_path: Path) -> None:
    source = open_source(write(tmp_path, ",a,\n0,1,\n1,2,\n"))
    assert source.columns == ("column_1", "a", "column_3")
    assert len(source.notes) == 2
