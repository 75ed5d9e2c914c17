"""A page of HTML, well-formed or not, as a tree. Tagged pages must be XML; others may be as browsers take them."""

from lxml import etree

from core.errors import InputError
from pipelines.finance.reports.markup import parse, to_utf8, unpack

TAGGED = (b"<ix:", b"<xbrli:", b"www.xbrl.org/2013/inlineXBRL")


def parse_page(content: bytes, file: str) -> etree._Element:
    """The root element. InputError: a tagged page that is no XML, too much of anything, or nothing to read."""
    try:
        return parse(content, file)
    except InputError as error:
        if error.code != "BAD_MARKUP" or any(mark in content for mark in TAGGED):
            raise
    text = to_utf8(unpack(content, file), file)
    parser = etree.HTMLParser(encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(text, parser)
    except etree.XMLSyntaxError as error:
        raise InputError(f"{file}: no markup that can be read ({str(error)[:120]})", code="BAD_MARKUP") from None
    if root is None:
        raise InputError(f"{file}: an empty page", code="EMPTY_FILE")
    return root
