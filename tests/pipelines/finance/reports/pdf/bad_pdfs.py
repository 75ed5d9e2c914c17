"""PDF files made by hand: the smallest that work, and those that are broken or made to do harm."""

import zlib
from collections.abc import Sequence
from io import BytesIO

from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

FONT = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
PAGE = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F 5 0 R >> >> >>"
WORDS = b"BT /F 12 Tf 72 720 Td (A page with enough words to be read as text.) Tj ET"


def pack(objects: Sequence[bytes], trailer: bytes = b"", size: int | None = None) -> bytes:
    """A PDF of these objects, numbered from 1; the first is the catalog."""
    out = b"%PDF-1.4\n"
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (size or len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d /Root 1 0 R %s >>\n" % (size or len(objects) + 1, trailer)
    return out + b"startxref\n%d\n%%%%EOF\n" % start


def stream(content: bytes, entries: bytes = b"") -> bytes:
    """A stream object."""
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(content), entries, content)


def flate(content: bytes, entries: bytes = b"") -> bytes:
    """A compressed stream object."""
    return stream(zlib.compress(content, 9), b"/Filter /FlateDecode " + entries)


def plain(
    pages: bytes = b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
    page: bytes = PAGE,
    contents: bytes = stream(WORDS),
    more: Sequence[bytes] = (),
    trailer: bytes = b"",
    size: int | None = None,
) -> bytes:
    """One page of words; every part can be replaced by a bad one."""
    catalog = b"<< /Type /Catalog /Pages 2 0 R >>"
    return pack([catalog, pages, page, contents, FONT, *more], trailer, size)


def without_pages() -> bytes:
    return plain(pages=b"<< /Type /Pages /Kids [] /Count 0 >>")


def many_pages(count: int) -> bytes:
    """One page object, named that often: some kilobytes that claim to be a library."""
    return plain(pages=b"<< /Type /Pages /Kids [%s] /Count %d >>" % (b"3 0 R " * count, count))


def lying_count() -> bytes:
    """Claims a hundred million pages and has one."""
    return plain(pages=b"<< /Type /Pages /Kids [3 0 R] /Count 100000000 >>")


def looping_tree() -> bytes:
    """A folder of pages that holds itself."""
    return plain(pages=b"<< /Type /Pages /Parent 2 0 R /Kids [2 0 R 2 0 R] /Count 4 >>")


def looping_xref() -> bytes:
    """A table of objects that names itself as the one before it."""
    content = plain()
    start = content.rindex(b"xref\n0")
    return content.replace(b"/Root 1 0 R ", b"/Root 1 0 R /Prev %d " % start)


def xref_bomb() -> bytes:
    """Claims two thousand million objects."""
    return plain(size=2_000_000_000)


def huge_page() -> bytes:
    return plain(page=PAGE.replace(b"[0 0 595 842]", b"[0 0 900000 900000]"))


def flate_bomb(megabytes: int) -> bytes:
    """Text that unpacks to a thousand times its size."""
    line = b"BT /F 1 Tf 1 1 Td (" + b"a" * 1000 + b") Tj ET\n"
    return plain(contents=flate(line * (megabytes * 1000)))


def nested_forms(depth: int, width: int, last: bytes = WORDS) -> bytes:
    """Drawings that draw each other: width ** depth of them at the end."""
    forms = []
    first = 6
    for level in range(depth):
        inner = b"/X Do " * width if level + 1 < depth else last
        resources = b"/Resources << /Font << /F 5 0 R >> /XObject << /X %d 0 R >> >>" % (first + level + 1)
        forms.append(stream(inner, b"/Type /XObject /Subtype /Form /BBox [0 0 595 842] " + resources))
    page = PAGE.replace(b"/Font <<", b"/XObject << /X %d 0 R >> /Font <<" % first)
    return plain(page=page, contents=stream(b"/X Do " * width), more=forms)


def scanned() -> bytes:
    """Pages that hold nothing but a grey picture."""
    picture = flate(
        b"\x80" * 10_000,
        b"/Type /XObject /Subtype /Image /Width 100 /Height 100 /ColorSpace /DeviceGray /BitsPerComponent 8",
    )
    page = PAGE.replace(b"/Font <<", b"/XObject << /X 6 0 R >> /Font <<")
    return plain(page=page, contents=stream(b"q 595 0 0 842 0 0 cm /X Do Q"), more=[picture])


def encrypted(user: str) -> bytes:
    """Opens with the password `user` (an empty one: with none), and forbids copying."""
    out = BytesIO()
    canvas = Canvas(out, encrypt=StandardEncryption(user, ownerPassword="owner", canCopy=0))
    canvas.drawString(72, 720, "A page with enough words to be read as text.")
    canvas.save()
    return out.getvalue()


def of_words(text: str = "A page with enough words to be read as text.") -> bytes:
    out = BytesIO()
    canvas = Canvas(out)
    canvas.drawString(72, 720, text)
    canvas.save()
    return out.getvalue()
