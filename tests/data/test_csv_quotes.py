import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.csv_quotes import open_quote_at, record_end, torn_quote_at


@pytest.mark.parametrize(
    ("block", "at"),
    [
        (b"a,b\n", None),
        (b'"a","b"\n', None),
        (b'a,"b\n', 2),
        (b'5" pipe,6" pipe\n', None),
        (b'"a""b",c\n', None),
        (b'x,"a""', 2),
        (b'"a\nb",c\n1,"', 10),
    ],
)
def test_only_a_quote_at_the_beginning_of_a_cell_opens_it(block: bytes, at: int | None) -> None:
    assert open_quote_at(block, ",") == at


def test_blocks_are_cut_behind_whole_records() -> None:
    assert record_end(b'1,2\n3,"a\nb', ",") == 4
    assert record_end(b'"a\nb","c\nd', ",") == 0
    assert record_end(b'1,5" pipe\n2,x\n3', ",") == 14
    assert record_end(b"no line end", ",") == 0


def test_a_quote_closed_by_the_next_cells_quote_is_found() -> None:
    assert torn_quote_at(b'1,"ok"\n2,"open\n3,"text"\n', ",") == 9
    assert torn_quote_at(b'1,"two\nlines"\n2,"ok" x\n', ",") is None


@given(rows=st.lists(st.lists(st.text(alphabet='ab",\n', max_size=6), min_size=2, max_size=2), min_size=1, max_size=6))
def test_every_cut_of_a_well_formed_text_leaves_whole_records(rows: list[list[str]]) -> None:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    text = out.getvalue().encode()
    for stop in range(len(text) + 1):
        cut = record_end(text[:stop], ",")
        assert list(csv.reader(io.StringIO(text[:cut].decode(), newline=""))) == rows[: len(_read(text[:cut]))]
    assert open_quote_at(text, ",") is None


def _read(text: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.decode(), newline="")))
