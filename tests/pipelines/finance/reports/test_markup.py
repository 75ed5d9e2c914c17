import gzip
import time

import pytest

from core.errors import InputError
from pipelines.finance.reports.markup import decode, first_tag, parse, unpack
from pipelines.finance.reports.tags.ixbrl import read_ixbrl
from tests.pipelines.finance.reports.tags.inline_pages import number, page

BODY = "<html><body><p>净利润 1,234 元</p></body></html>"
LAUGHS = '<!DOCTYPE html [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'
EXTERNAL = '<!DOCTYPE html [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
XHTML = '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">'


def code_of(content: bytes) -> str:
    with pytest.raises(InputError) as caught:
        parse(content, "x.htm")
    assert str(caught.value).startswith("x.htm: ")
    return caught.value.code


@pytest.mark.parametrize(
    "prolog",
    [
        "",
        "\n\n  \t",
        "\ufeff",
        "\ufeff\n\ufeff",
        '\n<?xml version="1.0" encoding="UTF-8"?>',
        '<?xml version="1.0" encoding="ASCII"?>',
        '<?xml version="1.0" encoding="utf-16"?>',
        '<?xml version="1.0" encoding="no-such-thing"?>',
        "<?xml version='1.1' standalone='yes'?>\n<!-- made by > hand -->\n<?style x?>",
        "<!DOCTYPE html>",
        "<!doctype html>\n<!-- a -->",
        XHTML,
        '<?xml version="1.0"?>\n<?xml version="1.0"?>',
    ],
)
def test_prologues_of_all_kinds_are_survived(prolog: str) -> None:
    root = parse((prolog + BODY).encode(), "x.htm")
    assert "".join(map(str, root.itertext())) == "净利润 1,234 元"


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "gb18030", "gbk"]
)
def test_text_in_common_encodings_is_read(encoding: str) -> None:
    assert "净利润" in decode(BODY.encode(encoding), "x.htm")
    assert parse(BODY.encode(encoding), "x.htm").findtext("body/p") == "净利润 1,234 元"


@pytest.mark.parametrize(("declared", "text"), [("gb2312", "资产"), ("iso-8859-1", "Société"), ("big5", "資產")])
def test_a_declared_encoding_is_believed(declared: str, text: str) -> None:
    marked = f'<?xml version="1.0" encoding="{declared}"?><p>{text}</p>'
    assert parse(marked.encode(declared), "x.htm").text == text
    assert text in decode(f'<html><meta charset="{declared}"><p>{text}</p></html>'.encode(declared), "x.htm")


@pytest.mark.parametrize(
    "content",
    [
        b"<p>caf\xe9 </p>",
        b"\xff\xfe\x00",
        b"\xff\xfe<\x00p\x00\x00\xd8",
        b'<?xml version="1.0" encoding="utf-7"?><p/>',
        b'<?xml version="1.0" encoding="idna"?><p/>',
    ],
)
def test_an_encoding_is_never_guessed(content: bytes) -> None:
    assert code_of(content) == "BAD_ENCODING"


def test_named_characters_of_html_are_known_without_a_document_type() -> None:
    for prolog in ("", XHTML):
        root = parse(f"{prolog}<p>a&nbsp;b &mdash; &lt;c&gt; &amp;nbsp; &AMP;</p>".encode(), "x.htm")
        assert root.text == "a\u00a0b — <c> &nbsp; &"


@pytest.mark.parametrize(
    "prolog",
    [
        LAUGHS,
        EXTERNAL,
        "<!DOCTYPE html []>",
        '<!DOCTYPE html SYSTEM "x" [<!ATTLIST p a CDATA "b">]>',
        '<!-- a --><?b?>\n<!DOCTYPE a [ <!ENTITY % p SYSTEM "http://127.0.0.1/x"> %p; ]>',
        "<!DOCTYPE html",
        '<!DOCTYPE html "unclosed',
    ],
)
def test_document_types_that_define_something_are_refused(prolog: str) -> None:
    for encoding in ("utf-8", "utf-16"):
        assert code_of(f"{prolog}<html>&a;&x;</html>".encode(encoding)) == "DTD_REFUSED"


def test_an_unknown_entity_is_an_error_not_a_hole() -> None:
    assert code_of(b"<p>&secret;</p>") == "BAD_MARKUP"
    assert code_of(f"{XHTML}<p>&secret;</p>".encode()) == "BAD_MARKUP"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "BAD_MARKUP"),
        (b"   \n", "BAD_MARKUP"),
        (b"no markup", "BAD_MARKUP"),
        (b"<p>cut", "BAD_MARKUP"),
        (b"<p>a & b</p>", "BAD_MARKUP"),
        (b"<p>\x00</p>", "BAD_MARKUP"),
        (b"<?xml", "BAD_MARKUP"),
        (b"<!--", "BAD_MARKUP"),
        (b"<!-->", "BAD_MARKUP"),
        (b"<a>" * 100_000, "TOO_DEEP"),
        (b"<a>" * 100_000 + b"</a>" * 100_000, "TOO_DEEP"),
        (b"<r>" + b"<a/>" * 6_000_001 + b"</r>", "TOO_LARGE"),
    ],
)
def test_bad_markup_is_one_clear_error_in_bounded_time(content: bytes, code: str) -> None:
    begun = time.process_time()
    assert code_of(content) == code
    assert time.process_time() - begun < 5


def test_two_thousand_levels_are_still_read() -> None:
    assert parse(b"<a>" * 2000 + b"</a>" * 2000, "x.htm").tag == "a"


def test_the_line_of_a_fault_counts_the_prolog() -> None:
    with pytest.raises(InputError, match="line 4"):
        parse(b"<?xml version='1.0'?>\n<!-- a -->\n<p>\n</q></p>", "x.htm")


def test_gzip_is_unpacked_and_several_members_are_joined() -> None:
    assert unpack(gzip.compress(b"ab") + gzip.compress(b"cd") + b"\0\0", "x.gz") == b"abcd"
    assert read_ixbrl(gzip.compress(page(number("1"))), "x.htm.gz").company == "Acme Holdings Inc."


def test_a_gzip_that_is_cut_off_damaged_or_a_bomb_is_refused() -> None:
    packed = gzip.compress(page(number("1")))
    damaged = packed[:-8] + b"\0" * 8
    bomb = gzip.compress(b"\0" * 50_000_000)
    for content, code in (
        (packed[:-20], "TRUNCATED"),
        (damaged, "BAD_ARCHIVE"),
        (bomb, "BOMB"),
        (b"\x1f\x8b", "TRUNCATED"),
    ):
        with pytest.raises(InputError) as caught:
            unpack(content, "x.gz")
        assert caught.value.code == code


def test_a_submission_as_edgar_stores_it_is_unwrapped() -> None:
    wrapped = (
        b"<SEC-DOCUMENT>\n<DOCUMENT>\n<TYPE>10-K\n<TEXT>\n<XBRL>\n"
        + page(number("5"))
        + b"\n</XBRL>\n</TEXT>\n</DOCUMENT>"
    )
    assert [str(fact.value) for fact in read_ixbrl(wrapped, "x.txt").facts] == ["5"]


def test_the_first_tag_is_found_behind_any_prolog() -> None:
    assert first_tag(b"\xef\xbb\xbf<?xml version='1.0'?><!-- <no> --><xbrli:xbrl a='b'>") == "xbrl"
    assert first_tag("<HTML>".encode("utf-16")) == "html"
    assert first_tag(b"plain") == first_tag(b"") == first_tag(b"<!DOCTYPE a []><a/>") == ""
