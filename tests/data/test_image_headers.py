"""Broken files, bombs, files of several pages and files of another kind are refused in words, at once, for nothing."""

import contextlib
import io
import resource
import struct
import time
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from core.errors import InputError
from data.images import decode

Pixels = NDArray[np.uint8]


def scene(height: int = 40, width: int = 60) -> Pixels:
    """A smooth colour picture with a different value in every corner."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([255 * x / (width - 1), 255 * y / (height - 1), 60 + 0 * x], axis=-1).round().astype(np.uint8)


def encoded(pixels: Pixels | Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def tiff(values: NDArray[np.generic], **options: object) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, **options)
    return buffer.getvalue()


def pixels_of(content: bytes, **options: int) -> Pixels:
    return decode(content, image_id="it", **options).pixels


def refusal(content: bytes, **options: int) -> InputError:
    with pytest.raises(InputError) as caught:
        decode(content, image_id="station 7/0042", **options)
    assert "\n" not in str(caught.value)
    return caught.value


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def flat_png(width: int, height: int) -> bytes:
    """A true, wholly decodable PNG of one bit a pixel, all black: a few kilobytes whatever its size."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    packer = zlib.compressobj(9)
    row = b"\0" * (1 + (width + 7) // 8)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


class TestBroken:
    def test_zero_bytes(self) -> None:
        error = refusal(b"")
        assert error.code == "BAD_IMAGE"
        assert "station 7/0042" in str(error)
        assert "0 bytes" in str(error)

    def test_garbage(self) -> None:
        assert refusal(np.random.default_rng(0).bytes(5000)).code == "BAD_IMAGE"
        assert refusal(b"\0" * 100).code == "BAD_IMAGE"
        assert refusal(b"hello").code == "BAD_IMAGE"

    @pytest.mark.parametrize("form", ["JPEG", "PNG", "BMP", "TIFF"])
    @pytest.mark.parametrize("share", [0.0, 0.02, 0.1, 0.5, 0.9, 0.99])
    def test_a_file_that_is_cut_off_is_refused(self, form: str, share: float) -> None:
        content = encoded(np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8), form)
        assert refusal(content[: max(9, int(share * len(content)))]).code == "BAD_IMAGE"

    @pytest.mark.parametrize("form", ["JPEG", "PNG"])
    def test_a_file_without_its_last_byte_is_refused(self, form: str) -> None:
        assert "cut off" in str(refusal(encoded(scene(), form)[:-1]))

    def test_a_deep_file_that_is_cut_off_is_refused(self) -> None:
        values = np.random.default_rng(1).integers(0, 65536, (64, 64), dtype=np.uint16)
        for content in (tiff(values), cv2.imencode(".png", values)[1].tobytes()):
            assert refusal(content[: len(content) // 2]).code == "BAD_IMAGE"

    def test_any_flipped_byte_of_a_png_is_noticed(self) -> None:
        content = encoded(scene(), "PNG")
        for position in range(8, len(content)):
            broken = bytearray(content)
            broken[position] ^= 0x10
            with pytest.raises(InputError):
                decode(bytes(broken), image_id="a")

    @pytest.mark.parametrize("form", ["JPEG", "PNG", "BMP", "TIFF", "DEEP TIFF", "ZIP TIFF", "LZW TIFF"])
    @given(seed=st.integers(0, 2**32 - 1), cut=st.booleans())
    @settings(max_examples=60, deadline=None)
    def test_flipped_bytes_end_in_a_picture_or_an_input_error(self, form: str, seed: int, cut: bool) -> None:
        rng = np.random.default_rng(seed)
        deep = np.arange(2400, dtype=np.uint16).reshape(40, 60)
        if form == "DEEP TIFF":
            content = bytearray(tiff(deep))
        elif form == "ZIP TIFF":
            content = bytearray(tiff(deep, compression="zlib"))
        elif form == "LZW TIFF":
            content = bytearray(encoded(scene(), "TIFF", compression="tiff_lzw"))
        else:
            content = bytearray(encoded(scene(), form))
        area = len(content) if seed % 2 else min(len(content), 300)
        for _ in range(rng.integers(1, 12)):
            content[rng.integers(0, area)] = rng.integers(0, 256)
        if cut:
            del content[rng.integers(1, len(content)) :]
        with contextlib.suppress(InputError):  # any other error fails the test
            pixels = pixels_of(bytes(content), max_pixels=1_000_000)
            assert pixels.ndim == 3
            assert pixels.shape[2] == 3

    def test_a_tiff_whose_pages_run_in_a_circle_is_refused(self) -> None:
        content = bytearray(tiff(scene()))
        (first,) = struct.unpack_from("<I", content, 4)
        (count,) = struct.unpack_from("<H", content, first)
        struct.pack_into("<I", content, first + 2 + 12 * count, first)
        assert "circle" in str(refusal(bytes(content)))

    def test_a_size_of_zero_is_refused(self) -> None:
        assert "0 x 5" in str(refusal(flat_png(0, 5)))


class TestBombs:
    def test_a_png_of_20000_by_20000_is_refused_by_its_header(self) -> None:
        content = flat_png(20_000, 20_000)
        assert len(content) < 100_000
        before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
        error = refusal(content)
        spent_s, grown_kib = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert error.code == "IMAGE_TOO_LARGE"
        assert "20000 x 20000" in str(error)
        assert spent_s < 0.1
        assert grown_kib < 10_000

    def test_every_format_is_refused_by_its_header(self) -> None:
        for form in ("PNG", "JPEG", "BMP", "TIFF"):
            assert refusal(encoded(scene(), form), max_pixels=2399).code == "IMAGE_TOO_LARGE"
            assert pixels_of(encoded(scene(), form), max_pixels=2400).shape == (40, 60, 3)

    def test_a_tiff_that_claims_more_than_it_holds_costs_no_memory(self) -> None:
        content = bytearray(tiff(np.zeros((100, 100), np.uint16)))
        first = struct.unpack_from("<I", content, 4)[0]
        for entry in range(first + 2, first + 2 + 12 * struct.unpack_from("<H", content, first)[0], 12):
            if struct.unpack_from("<H", content, entry)[0] in (256, 257):  # width and height
                struct.pack_into("<HII", content, entry + 2, 4, 1, 60_000)
        assert refusal(bytes(content)).code == "IMAGE_TOO_LARGE"

    def test_a_png_whose_text_unpacks_to_much_is_refused(self) -> None:
        text = b"note\0\0" + zlib.compress(b"a" * 90_000_000, 9)
        content = encoded(scene(), "PNG")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert refusal(content[:33] + chunk(b"zTXt", text) + content[33:]).code == "BAD_IMAGE"
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000


class TestPages:
    def test_a_tiff_of_several_pages_is_read_only_if_a_page_is_asked_for(self) -> None:
        for depth in (np.uint8, np.uint16):
            pages = np.stack([np.full((8, 8), 1000 * depth(1).itemsize % 200 + 9 * i, depth) for i in range(3)])
            content = tiff(pages, photometric="minisblack")
            assert refusal(content).code == "UNSUPPORTED_IMAGE"
            assert "3 pages" in str(refusal(content))
            assert np.array_equal(pixels_of(content, page=2, bits=8)[..., 0], pages[2])
            assert "no page 3" in str(refusal(content, page=3))

    def test_each_page_has_its_own_size_and_the_cap_holds_for_it(self) -> None:
        buffer = io.BytesIO()
        with tifffile.TiffWriter(buffer) as writer:
            writer.write(scene()[::4, ::4], photometric="rgb", subfiletype=1)
            writer.write(scene(20, 20), photometric="rgb")
            writer.write(scene(), photometric="rgb")
        content = buffer.getvalue()
        assert np.array_equal(pixels_of(content, page=1), scene())
        assert refusal(content, page=1, max_pixels=400).code == "IMAGE_TOO_LARGE"
        assert np.array_equal(pixels_of(content, page=0, max_pixels=400), scene(20, 20))

    def test_an_animated_png_is_refused(self) -> None:
        frames = [Image.fromarray(scene()), Image.fromarray(255 - scene())]
        content = encoded(frames[0], "PNG", save_all=True, append_images=frames[1:])
        assert "2 pages" in str(refusal(content))
        assert pixels_of(content, page=0).shape == (40, 60, 3)
        assert refusal(content, page=1).code == "BAD_IMAGE"

    def test_a_thumbnail_is_no_page(self) -> None:
        buffer = io.BytesIO()
        with tifffile.TiffWriter(buffer) as writer:
            writer.write(scene(), photometric="rgb")
            writer.write(scene()[::4, ::4], photometric="rgb", subfiletype=1)
        assert np.array_equal(pixels_of(buffer.getvalue()), scene())


class TestOtherFormats:
    @pytest.mark.parametrize("form", ["GIF", "WEBP", "PDF", "EPS", "ICO", "JPEG2000", "AVIF"])
    def test_another_format_is_refused_by_name(self, form: str) -> None:
        error = refusal(encoded(scene(32, 32), form))
        assert error.code == "UNSUPPORTED_IMAGE"
        assert "save it as PNG" in str(error)

    @pytest.mark.parametrize(
        "content",
        [
            b'<svg xmlns="http://www.w3.org/2000/svg"><rect width="9" height="9"/></svg>',
            b'\xef\xbb\xbf\n<?xml version="1.0"?><svg/>',
            b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 99,
            b"GIF89a" + b"\0" * 99,
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
            b"PK\x03\x04" + b"\0" * 99,
        ],
    )
    def test_svg_heic_gif_eps_and_zip_are_no_pictures_for_us(self, content: bytes) -> None:
        assert refusal(content).code == "UNSUPPORTED_IMAGE"

    def test_an_animated_gif_is_refused(self) -> None:
        frames = [Image.fromarray(scene()), Image.fromarray(255 - scene())]
        assert refusal(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])).code == "UNSUPPORTED_IMAGE"

    @pytest.mark.parametrize("form", ["PNG", "JPEG"])
    def test_a_polyglot_is_the_picture_that_it_begins_with_and_the_rest_is_noted(self, form: str) -> None:
        tail = b"PK\x03\x04<script>alert(1)</script>"
        image = decode(encoded(scene(), form) + tail, image_id="a")
        assert image.pixels.shape == (40, 60, 3)
        assert f"{len(tail)} bytes after the end of the picture ignored" in image.notes

    def test_a_png_head_on_another_body_is_refused(self) -> None:
        assert refusal(b"\x89PNG\r\n\x1a\n" + encoded(scene(), "JPEG")).code == "BAD_IMAGE"

    def test_a_bmp_head_on_text_is_refused(self) -> None:
        assert refusal(b"BM is how this letter begins, and it is long enough for a header.").code == "BAD_IMAGE"
