"""Changed bytes of whole files: a report or one InputError comes out, never anything else."""

import contextlib
import gzip
import html
import json
import re
import time
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import InputError
from pipelines.finance.reports.tags.companyfacts import read_companyfacts
from pipelines.finance.reports.tags.ixbrl import read_ixbrl
from pipelines.finance.reports.tags.transforms import FORMATS, OLDER, SEC_FORMATS, transform
from pipelines.finance.reports.tags.written_dates import DATE_FORMATS
from pipelines.finance.reports.tags.xbrl import read_package
from tests.pipelines.finance.reports.tags.inline_pages import INSTANCE, MEMBERS, number, page, words, zipped

FOURTH = "http://www.xbrl.org/inlineXBRL/transformation/2020-02-12"
SEC = "http://www.sec.gov/inlineXBRL/transformation/2015-08-31"
PAGE = page(
    number("1,234.5", id="f", format="ixt:num-dot-decimal", scale="6", sign="-")
    + number("twelve", format="ixt-sec:numwordsen", contextRef="typed")
    + number("", xsi_nil="true")
    + words("<b>Note</b><ix:exclude>x</ix:exclude> one", "acme:Block", escape="true", continuedAt="c")
    + '<ix:continuation id="c">two&nbsp;</ix:continuation>'
)
FACTS = {
    "us-gaap": {"Assets": {"units": {"USD": [{"end": "2024-12-31", "val": 5, "form": "10-K", "filed": "2025-01-01"}]}}}
}
JSON = json.dumps({"entityName": "ACME", "facts": FACTS}).encode()
WRITTEN = [
    "one",
    "two",
    "twenty",
    "hundred",
    "million",
    "and",
    "-",
    ",",
    "1.5",
    "years",
    "months",
    "days",
    "no",
    "half",
]
FRAGMENTS = [
    b"<",
    b">",
    b"&",
    b"\0",
    b"\xff",
    b'"',
    b"<!DOCTYPE a [",
    b"<![CDATA[",
    b"-->",
    b"&nbsp;",
    b"\xef\xbb\xbf",
    b"9" * 50,
]
FRAGMENTS += [
    b"xsi:nil",
    b'scale="99"',
    b'contextRef=""',
    b"9999-12-31",
    b"0001-01-01T00:00:00",
    b"E+99",
    b"NaN",
    b"{",
    b"[",
    b"-",
]


VALUE = re.compile(r'(?:="|>)([^<>"]+)')
PRINTED = st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff")
VALUES = [
    "",
    "0",
    "-1",
    "99",
    "1e9",
    "١٢",
    "y",
    "i",
    "c",
    "usd",
    "true",
    "ixt:",
    ":",
    "9999-12-31T00:00:00",
    "0000-00-00",
]
VALUES += [
    "ixt:date-day-month-year",
    "ixt-sec:durwordsen",
    "ixt:zerodash",
    "us-gaap_Assets",
    "0001-01-01T00:00:00",
    "1" * 300,
]


def read_links(content: bytes) -> None:
    read_package(content).links.label("us-gaap:Cash")


def attempt(read: Callable[[bytes], object], content: bytes) -> None:
    """Read it; what fails must fail in one line, and soon."""
    begun = time.process_time()
    message = ""
    try:
        read(content)
    except InputError as error:
        message = str(error)
    assert len(message) < 600
    assert "\n" not in message
    assert time.process_time() - begun < 5


READERS: dict[str, tuple[bytes, Callable[[bytes], object]]] = {
    "page": (PAGE, lambda content: read_ixbrl(content, "x", whole=True)),
    "packed page": (gzip.compress(PAGE, mtime=0), lambda content: read_ixbrl(content, "x")),
    "wide page": (PAGE.decode().encode("utf-16"), lambda content: read_ixbrl(content, "x")),
    "instance": (INSTANCE.encode(), read_links),
    "package": (zipped(dict(MEMBERS)), read_links),
    "company facts": (JSON, lambda content: read_companyfacts(content, "x")),
}


@st.composite
def rewritten(draw: st.DrawFn, content: bytes) -> bytes:
    """Values of attributes and texts replaced, so that the markup stays well-formed."""
    text = content.decode()
    for _ in range(draw(st.integers(1, 5))):
        place = draw(st.sampled_from(list(VALUE.finditer(text))))
        other = draw(st.one_of(st.text(PRINTED, max_size=30), st.sampled_from(VALUES)))
        text = text[: place.start(1)] + html.escape(other) + text[place.end(1) :]
    return text.encode()


@st.composite
def changed(draw: st.DrawFn, content: bytes) -> bytes:
    """A few cuts, repeats and insertions anywhere."""
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.integers(0, 40)))
        middle = draw(st.one_of(st.binary(max_size=8), st.sampled_from(FRAGMENTS), st.just(content[start:end] * 2)))
        content = content[:start] + middle + content[end:]
    return content


@pytest.mark.parametrize("kind", READERS)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_changed_files_give_a_report_or_one_input_error(kind: str, data: st.DataObject) -> None:
    content, read = READERS[kind]
    attempt(read, data.draw(changed(content)))


@pytest.mark.parametrize("kind", ["page", "instance"])
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_changed_values_give_a_report_or_one_input_error(kind: str, data: st.DataObject) -> None:
    content, read = READERS[kind]
    attempt(read, data.draw(rewritten(content)))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_changed_links_give_links_or_one_input_error(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(MEMBERS)))
    attempt(read_links, zipped({**MEMBERS, name: data.draw(rewritten(MEMBERS[name].encode()))}))


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(sorted({*FORMATS, *OLDER, *DATE_FORMATS})),
    st.one_of(st.text(max_size=60), st.from_regex(r"[0-9０-９ .,年月日/a-zA-Zäé-]{1,40}", fullmatch=True)),
)
def test_a_transformation_gives_a_text_or_a_value_error(name: str, text: str) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(transform(FOURTH, name, text), str)


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(sorted(SEC_FORMATS)),
    st.one_of(
        st.text(max_size=60),
        st.lists(
            st.sampled_from(
                [
                    "one",
                    "two",
                    "twenty",
                    "hundred",
                    "million",
                    "and",
                    "-",
                    ",",
                    "1.5",
                    "years",
                    "months",
                    "days",
                    "no",
                    "half",
                ]
            )
        ).map(" ".join),
    ),
)
def test_a_transformation_of_the_sec_gives_a_text_or_a_value_error(name: str, text: str) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(transform(SEC, name, text), str)
