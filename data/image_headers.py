"""What a picture file says about itself, read by us before any decoder sees it.

Formats are told by their first bytes, never by the file's name. PNG, JPEG, BMP and TIFF are read; everything else is
refused by name. The size comes out of the header in microseconds, so that a decompression bomb costs nothing, and the
frame of the file is walked to its end, because decoders accept much that is broken: PNG chunks carry a CRC-32 that
libraries check only in part, and a JPEG whose end is missing decodes to a picture with a grey lower half.

What cannot be seen here: a bit flipped inside the compressed data of a JPEG, which carries no checksum.
Sources: PNG (W3C, third edition), ISO/IEC 10918-1 annex B, TIFF 6.0 and BigTIFF, Microsoft's BITMAPINFOHEADER.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from core.errors import InputError

Format = Literal["PNG", "JPEG", "BMP", "TIFF"]

READABLE: dict[bytes, Format] = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"BM": "BMP",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
    b"II+\x00": "TIFF",
    b"MM\x00+": "TIFF",
}
# Kinds that people do send: refused, but called by their name. The second number is where the bytes stand.
REFUSED: tuple[tuple[bytes, int, str], ...] = (
    (b"GIF8", 0, "a GIF"),
    (b"RIFF", 0, "a WebP or other RIFF file"),
    (b"ftyp", 4, "a HEIC, AVIF or video file"),
    (b"%!PS", 0, "an EPS or PostScript file"),
    (b"\xc5\xd0\xd3\xc6", 0, "an EPS file"),
    (b"%PDF", 0, "a PDF"),
    (b"8BPS", 0, "a Photoshop file"),
    (b"\x00\x00\x00\x0cjP  ", 0, "a JPEG 2000 file"),
    (b"\xff\x4f\xff\x51", 0, "a JPEG 2000 file"),
    (b"\xff\x0a", 0, "a JPEG XL file"),
    (b"\x00\x00\x01\x00", 0, "an icon"),
    (b"PK\x03\x04", 0, "a ZIP archive"),
)
# In the compressed data of a JPEG, FF is followed by 00 (a stuffed byte), D0-D7 (a restart) or FF (fill).
JPEG_MARKER = re.compile(rb"\xff+([^\x00\xd0-\xd7\xff])")
JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0..SOF15 without DHT, JPG and DAC
BMP_HEADER_SIZES = frozenset({12, 40, 52, 56, 64, 108, 124})
TIFF_SIZES = {1: 1, 3: 2, 4: 4, 16: 8}  # bytes a value of the types BYTE, SHORT, LONG, LONG8
TIFF_LETTERS = {1: "B", 3: "H", 4: "I", 16: "Q"}
MAX_TIFF_PAGES = 1000


@dataclass(frozen=True, kw_only=True)
class Header:
    """The facts that decide how a picture is decoded."""

    format: Format
    width_px: int  # as stored, before any rotation
    height_px: int
    channels: int
    bits: int  # a sample, as stored
    sample: Literal["unsigned", "signed", "float"] = "unsigned"
    used_bits: int | None = None  # significant bits where the file states them (PNG sBIT, TIFF SMaxSampleValue)
    exif: bytes = b""  # the EXIF block of a PNG or JPEG; a TIFF is turned by the decoders
    white_is_zero: bool = False
    planar: bool = False  # a TIFF with its channels one after the other
    pages: int = 1  # full-size pictures in the file
    frame: int = 0  # where the asked page stands among all pictures of the file, thumbnails counted
    trailing_bytes: int = 0  # bytes after the end of the picture


def read_header(content: bytes, *, name: str, page: int = 0) -> Header:
    """Read format and size, and walk the file's frame to its end; of a TIFF, those of page `page`.

    Raises InputError with code BAD_IMAGE (empty, garbage, cut off, checksum wrong) or UNSUPPORTED_IMAGE (a kind of
    file, or of sample, that is not read). `name` is what the message calls the picture.
    """
    kind = picture_format(content, name=name)
    readers = {"PNG": _png_header, "JPEG": _jpeg_header, "BMP": _bmp_header}
    try:
        header = _tiff_header(content, name, page) if kind == "TIFF" else readers[kind](content, name)
    except (struct.error, IndexError, OverflowError) as error:
        raise bad_image(name, f"the header of the {kind} file points past its {len(content)} bytes") from error
    if header.width_px < 1 or header.height_px < 1:
        raise bad_image(name, f"its header says {header.width_px} x {header.height_px} pixels")
    return header


def picture_format(content: bytes, *, name: str) -> Format:
    """Return the format by the first bytes, or raise InputError."""
    if not content:
        raise bad_image(name, "the file is empty (0 bytes)")
    for magic, readable in READABLE.items():
        if content.startswith(magic):
            return readable
    for magic, offset, words in REFUSED:
        if content[offset : offset + len(magic)] == magic:
            raise unsupported(name, f"is {words}")
    start = content[:256].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<svg", b"<?xml", b"<!doctype")):
        raise unsupported(name, "is an SVG or other XML text")
    raise bad_image(name, f"the file is no picture: it begins with {content[:8].hex(' ')}")


def bad_image(name: str, what: str) -> InputError:
    """An error for a picture that is broken."""
    return InputError(f"{name}: {what}; take or copy the picture again", code="BAD_IMAGE")


def unsupported(name: str, what: str) -> InputError:
    """An error for a picture that may be whole, but is of a kind that is not read."""
    words = f"{name} {what}; PNG, JPEG, BMP and TIFF of one page, grey or colour, are read: save it as PNG"
    return InputError(words, code="UNSUPPORTED_IMAGE")


def _png_header(content: bytes, name: str) -> Header:
    width, height, bits, colour = struct.unpack_from(">IIBB", content, 16)
    used_bits, pages, exif, end = None, 1, b"", 0
    for kind, start, length in _png_chunks(content, name):
        if kind == b"sBIT":
            used_bits = max(content[start : start + length], default=None)
        elif kind == b"eXIf":
            exif = content[start : start + length]
        elif kind == b"acTL":
            pages = max(1, int(struct.unpack_from(">I", content, start)[0]))
        end = start + length + 4
    if used_bits is not None and not 1 <= used_bits <= bits:
        used_bits = None
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour)
    if channels is None:
        raise bad_image(name, f"the PNG header says colour type {colour}")
    return Header(
        format="PNG",
        width_px=width,
        height_px=height,
        channels=channels,
        bits=bits,
        used_bits=used_bits,
        exif=exif,
        pages=pages,
        trailing_bytes=len(content) - end,
    )


def _png_chunks(content: bytes, name: str) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and length of every chunk up to IEND; a wrong CRC or a missing end is an error."""
    view, position, kind = memoryview(content), 8, b""
    while kind != b"IEND":
        if position + 12 > len(content):
            raise bad_image(name, f"the PNG file is cut off after {len(content)} bytes")
        length, kind = struct.unpack_from(">I4s", content, position)
        if position + 12 + length > len(content):
            raise bad_image(name, f"the PNG file is cut off after {len(content)} bytes")
        (crc,) = struct.unpack_from(">I", content, position + 8 + length)
        if zlib.crc32(view[position + 4 : position + 8 + length]) != crc:
            raise bad_image(name, f"the PNG chunk at byte {position} does not match its checksum")
        if position == 8 and (kind != b"IHDR" or length != 13):
            raise bad_image(name, "the PNG file does not begin with its header")
        yield kind, position + 8, length
        position += 12 + length


def _jpeg_header(content: bytes, name: str) -> Header:
    frame: Header | None = None
    exif, position = b"", 2
    while True:
        marker = JPEG_MARKER.search(content, position)
        if marker is None:
            raise bad_image(name, f"the JPEG file is cut off after {len(content)} bytes")
        code = marker[1][0]
        if code == 0xD9:  # the end of the picture
            break
        if code == 0x01:  # TEM stands alone
            position = marker.end()
            continue
        (length,) = struct.unpack_from(">H", content, marker.end())
        if code in JPEG_FRAMES:
            bits, height, width, channels = struct.unpack_from(">BHHB", content, marker.end() + 2)
            frame = Header(format="JPEG", width_px=width, height_px=height, channels=channels, bits=bits)
        if code == 0xE1 and content.startswith(b"Exif\0\0", marker.end() + 2):
            exif = content[marker.end() + 2 : marker.end() + length]
        position = marker.end() + max(2, length)
    if frame is None:
        raise bad_image(name, "the JPEG file ends before its frame header")
    if frame.bits != 8:
        raise unsupported(name, f"is a JPEG with {frame.bits} bits a sample")
    return replace(frame, exif=exif, trailing_bytes=len(content) - marker.end())


def _bmp_header(content: bytes, name: str) -> Header:
    (size,) = struct.unpack_from("<I", content, 14)
    if size not in BMP_HEADER_SIZES:
        raise bad_image(name, f"the file begins with BM, but its header says it is {size} bytes long")
    width, height, planes, bits = struct.unpack_from("<HHHH" if size == 12 else "<iiHH", content, 18)
    if planes != 1 or bits not in {1, 4, 8, 16, 24, 32}:
        raise bad_image(name, f"the BMP header says {planes} planes of {bits} bits")
    channels = 1 if bits <= 8 else 3
    return Header(format="BMP", width_px=width, height_px=abs(height), channels=channels, bits=8)


def _tiff_header(content: bytes, name: str, page: int) -> Header:
    frames = enumerate(_tiff_pages(content, name))
    pages = [(frame, tags) for frame, tags in frames if not tags.get(254, (0,))[0] & 1]  # 1: a thumbnail
    if not 0 <= page < len(pages):
        raise InputError(f"{name} has {len(pages)} pages, and no page {page} (the first is 0)", code="BAD_IMAGE")
    frame, tags = pages[page]
    sample = {1: "unsigned", 2: "signed", 3: "float", 4: "unsigned"}.get(tags.get(339, (1,))[0])
    if sample is None:
        raise unsupported(name, f"is a TIFF with sample format {tags[339][0]}")
    highest = max(tags.get(281, (0,)))
    bits = max(tags.get(258, (1,)))
    return Header(
        format="TIFF",
        width_px=tags.get(256, (0,))[0],
        height_px=tags.get(257, (0,))[0],
        channels=tags.get(277, (1,))[0],
        bits=bits,
        sample=sample,  # type: ignore[arg-type]  # mypy does not narrow a dict's values to literals
        used_bits=highest.bit_length() if 1 < highest < 2**bits - 1 else None,
        white_is_zero=tags.get(262, (1,))[0] == 0,
        planar=tags.get(284, (1,))[0] == 2 and tags.get(277, (1,))[0] > 1,
        pages=len(pages),
        frame=frame,
    )


def _tiff_pages(content: bytes, name: str) -> Iterator[dict[int, tuple[int, ...]]]:
    """Yield the whole-number tags of every page; a loop of pages is an error."""
    order = "<" if content[:2] == b"II" else ">"
    big = struct.unpack_from(order + "H", content, 2)[0] == 43
    offset_letter, count_letter, entry_bytes = ("Q", "Q", 20) if big else ("I", "H", 12)
    (offset,) = struct.unpack_from(order + offset_letter, content, 8 if big else 4)
    seen: set[int] = set()
    while offset:
        if offset in seen or len(seen) >= MAX_TIFF_PAGES:
            raise bad_image(name, f"the TIFF file's pages run in a circle or pass {MAX_TIFF_PAGES}")
        seen.add(offset)
        (count,) = struct.unpack_from(order + count_letter, content, offset)
        first = offset + struct.calcsize(order + count_letter)
        end = first + count * entry_bytes
        if end > len(content):
            raise bad_image(name, f"the TIFF file is cut off after {len(content)} bytes")
        yield dict(_tiff_tag(content, entry, order, big) for entry in range(first, end, entry_bytes))
        (offset,) = struct.unpack_from(order + offset_letter, content, end)


def _tiff_tag(content: bytes, entry: int, order: str, big: bool) -> tuple[int, tuple[int, ...]]:
    """Return a tag's number and at most eight of its values; values that are no whole numbers are left out as 0."""
    number, kind, count = struct.unpack_from(order + ("HHQ" if big else "HHI"), content, entry)
    place = entry + (12 if big else 8)
    if kind not in TIFF_SIZES or count < 1:
        return number, (0,)
    if count * TIFF_SIZES[kind] > (8 if big else 4):
        (place,) = struct.unpack_from(order + ("Q" if big else "I"), content, place)
    return number, struct.unpack_from(f"{order}{min(count, 8)}{TIFF_LETTERS[kind]}", content, place)
