"""Every kind of picture that a station may send, made here as a real file."""

import contextlib
import io
import resource
import struct
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from core.errors import InputError
from data.images import decode, read_image

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


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF"])
def test_a_lossless_picture_comes_back_as_it_was(form: str) -> None:
    image = decode(encoded(scene(), form), image_id="a", path="a.x")
    assert np.array_equal(image.pixels, scene())
    assert image.pixels.dtype == np.uint8
    assert (image.height_px, image.width_px, image.notes) == (40, 60, ())


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "JPEG"])
def test_grey_becomes_three_equal_channels(form: str) -> None:
    pixels = pixels_of(encoded(scene()[..., 0], form))
    assert pixels.shape == (40, 60, 3)
    assert (pixels == pixels[..., :1]).all()


def test_a_jpeg_is_decoded_close_to_what_was_saved() -> None:
    pixels = pixels_of(encoded(scene(), "JPEG", quality=95, subsampling=0))
    assert np.abs(pixels.astype(int) - scene()).max() <= 6


def test_a_progressive_jpeg_is_read() -> None:
    assert pixels_of(encoded(scene(), "JPEG", progressive=True)).shape == (40, 60, 3)


def test_a_jpeg_with_restart_markers_is_read() -> None:
    assert pixels_of(encoded(scene(), "JPEG", restart_marker_blocks=1)).shape == (40, 60, 3)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "PNG16", "TIFF", "TIFF16"])
def test_exif_orientation_is_applied(form: str, orientation: int) -> None:
    upright = scene()
    stored = np.asarray(
        {
            1: upright,
            2: upright[:, ::-1],
            3: upright[::-1, ::-1],
            4: upright[::-1],
            5: upright.transpose(1, 0, 2),
            6: np.rot90(upright),
            7: upright[::-1, ::-1].transpose(1, 0, 2),
            8: np.rot90(upright, -1),
        }[orientation]
    )
    stored = np.ascontiguousarray(stored)
    exif = Image.Exif()
    exif[0x0112] = orientation
    if form == "TIFF16":
        tags = [(274, 3, 1, orientation, True)]
        content = tiff(stored.astype(np.uint16) * 257, photometric="rgb", extratags=tags)
    elif form == "PNG16":
        plain = cv2.imencode(".png", stored[..., ::-1].astype(np.uint16) * 257)[1].tobytes()
        content = plain[:33] + chunk(b"eXIf", exif.tobytes()[6:]) + plain[33:]
    else:
        content = encoded(stored, form, exif=exif, quality=100, **({"subsampling": 0} if form == "JPEG" else {}))
    pixels = pixels_of(content)
    assert pixels.shape == upright.shape
    assert np.abs(pixels.astype(int) - upright).max() <= 4
    assert pixels.flags.c_contiguous


def test_a_broken_exif_block_leaves_the_picture_as_stored() -> None:
    content = encoded(scene(), "JPEG", exif=b"Exif\0\0" + b"\xff" * 40)
    assert pixels_of(content).shape == (40, 60, 3)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_upright(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert pixels_of(encoded(scene(), "JPEG", exif=exif)).shape == (40, 60, 3)


class TestDepth:
    def test_a_16_bit_png_keeps_its_high_byte(self) -> None:
        values = np.linspace(0, 65535, 2400).astype(np.uint16).reshape(40, 60)
        image = decode(cv2.imencode(".png", values)[1].tobytes(), image_id="a")
        assert np.array_equal(image.pixels[..., 0], values >> 8)
        assert "16 bit scaled to 8, of which 16 are used" in image.notes

    def test_16_bit_colour_keeps_the_order_of_its_channels(self) -> None:
        values = scene().astype(np.uint16) * 257
        content = cv2.imencode(".png", values[..., ::-1])[1].tobytes()
        assert np.array_equal(pixels_of(content), scene())

    def test_16_bit_alpha_is_blended_over_black(self) -> None:
        values = np.full((4, 4, 4), 65535, np.uint16)
        values[:2, :, 3] = 0
        pixels = pixels_of(cv2.imencode(".png", values)[1].tobytes())
        assert (pixels[:2] == 0).all()
        assert (pixels[2:] == 255).all()

    @pytest.mark.parametrize("compression", [None, "zlib"])
    def test_a_tiff_with_12_bit_data_fills_the_range(self, compression: str | None) -> None:
        values = np.linspace(0, 4095, 2400).astype(np.uint16).reshape(40, 60)
        image = decode(tiff(values, compression=compression, photometric="minisblack"), image_id="a")
        assert np.array_equal(image.pixels[..., 1], values >> 4)
        assert "16 bit scaled to 8, of which 12 are used" in image.notes

    def test_two_pictures_of_a_12_bit_camera_are_scaled_alike_though_one_is_dark(self) -> None:
        dark, bright = np.full((8, 8), 900, np.uint16), np.full((8, 8), 3600, np.uint16)
        assert pixels_of(tiff(bright)).max() == 4 * pixels_of(tiff(dark)).max() + 1

    def test_the_recipe_and_then_the_file_say_how_many_bits_are_used(self) -> None:
        values = np.full((8, 8), 1023, np.uint16)
        assert pixels_of(tiff(values), bits=10).max() == 255
        assert pixels_of(tiff(values, extratags=[(281, 3, 1, 1023, True)])).max() == 255
        assert pixels_of(tiff(values)).max() == 63
        plain = cv2.imencode(".png", values)[1].tobytes()
        stated = plain[:33] + chunk(b"sBIT", b"\x0a") + plain[33:]
        assert pixels_of(stated).max() == 255

    def test_values_above_the_stated_bits_are_white(self) -> None:
        assert pixels_of(tiff(np.full((8, 8), 60000, np.uint16)), bits=12).min() == 255

    def test_white_is_zero_is_inverted(self) -> None:
        values = np.zeros((8, 8), np.uint16)
        assert pixels_of(tiff(values, photometric="miniswhite")).min() == 255
        assert pixels_of(tiff(values.astype(np.uint8), photometric="miniswhite")).min() == 255

    @pytest.mark.parametrize(("scale", "note"), [(1.0, "float times 255"), (255.0, "float times 1 ")])
    def test_a_float_tiff_is_read_as_0_to_1_or_0_to_255(self, scale: float, note: str) -> None:
        values = (np.linspace(0, 1, 64).reshape(8, 8) * scale).astype(np.float32)
        image = decode(tiff(values), image_id="a")
        assert (image.pixels.min(), image.pixels.max()) == (0, 255)
        assert note in image.notes[0]

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -1.0, 256.0, 1e30])
    def test_a_float_tiff_with_a_value_out_of_range_is_refused(self, value: float) -> None:
        values = np.full((8, 8), 0.5, np.float32)
        values[3, 3] = value
        assert refusal(tiff(values)).code == "BAD_IMAGE"

    @pytest.mark.parametrize("value", [-5, 70_000])
    def test_a_32_bit_tiff_is_read_within_16_bits_only(self, value: int) -> None:
        values = np.full((8, 8), 40_000, np.int32)
        assert pixels_of(tiff(values)).max() == 40_000 >> 8
        values[0, 0] = value
        assert "0..65535" in str(refusal(tiff(values)))

    def test_deep_planes_one_after_the_other_are_refused(self) -> None:
        planes = np.moveaxis(scene().astype(np.uint16) * 257, -1, 0)
        content = tiff(np.ascontiguousarray(planes), photometric="rgb", planarconfig="separate")
        assert refusal(content).code == "UNSUPPORTED_IMAGE"

    def test_bits_out_of_range_are_refused(self) -> None:
        assert "8..16" in str(refusal(tiff(np.zeros((2, 2), np.uint16)), bits=17))


class TestColour:
    @pytest.mark.parametrize("form", ["JPEG", "TIFF"])
    def test_cmyk_is_converted_and_noted(self, form: str) -> None:
        image = decode(encoded(Image.fromarray(scene()).convert("CMYK"), form), image_id="a")
        assert image.pixels.shape == (40, 60, 3)
        assert np.abs(image.pixels.astype(int) - scene()).mean() < 4
        assert "CMYK converted" in image.notes

    @pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF"])
    def test_a_palette_is_applied(self, form: str) -> None:
        palette = Image.fromarray(scene()).quantize(64)
        image = decode(encoded(palette, form), image_id="a")
        assert np.array_equal(image.pixels, np.asarray(palette.convert("RGB")))
        assert "palette applied" in image.notes

    @pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF"])
    def test_one_bit_becomes_black_and_white(self, form: str) -> None:
        bits = Image.fromarray((scene()[..., 0] > 99).astype(np.uint8) * 255).convert("1")
        pixels = pixels_of(encoded(bits, form))
        assert np.array_equal(pixels[..., 2] == 255, scene()[..., 0] > 99)
        assert set(np.unique(pixels)) == {0, 255}

    def test_alpha_is_blended_over_black(self) -> None:
        alpha = np.full((40, 60, 1), 255, np.uint8)
        alpha[:20] = 0
        image = decode(encoded(np.concatenate([scene(), alpha], axis=-1), "PNG"), image_id="a")
        assert (image.pixels[:20] == 0).all()
        assert np.array_equal(image.pixels[20:], scene()[20:])
        assert "alpha blended over black" in image.notes

    def test_a_transparent_palette_and_a_transparent_grey_are_blended_too(self) -> None:
        palette = Image.fromarray(scene()).quantize(4)
        assert pixels_of(encoded(palette, "PNG", transparency=0)).shape == (40, 60, 3)
        grey = np.full((8, 8), 200, np.uint8)
        assert pixels_of(encoded(grey, "PNG", transparency=200)).max() == 0
        assert pixels_of(encoded(Image.fromarray(grey).convert("LA"), "PNG")).min() == 200

    def test_lab_is_refused_by_its_mode(self) -> None:
        assert "LAB" in str(refusal(encoded(Image.new("LAB", (8, 8)), "TIFF")))

    def test_five_channels_are_refused(self) -> None:
        content = tiff(np.zeros((8, 8, 5), np.uint8), photometric="minisblack", planarconfig="contig")
        assert refusal(content).code == "UNSUPPORTED_IMAGE"


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


class TestFiles:
    def test_the_first_bytes_count_and_not_the_name(self, tmp_path: Path) -> None:
        path = tmp_path / "picture.png"
        path.write_bytes(encoded(scene(), "BMP"))
        image = read_image(path)
        assert np.array_equal(image.pixels, scene())
        assert (image.image_id, image.path) == ("picture.png", str(path))

    def test_a_missing_file_a_folder_and_a_broken_file_are_named(self, tmp_path: Path) -> None:
        (tmp_path / "broken.jpg").write_bytes(b"")
        for name in ("absent.jpg", "", "broken.jpg"):
            with pytest.raises(InputError, match=str(tmp_path / name)):
                read_image(tmp_path / name)

    def test_the_same_bytes_give_the_same_picture_from_memory_and_from_disk(self, tmp_path: Path) -> None:
        path = tmp_path / "a.jpg"
        path.write_bytes(encoded(scene(), "JPEG"))
        assert np.array_equal(read_image(path).pixels, pixels_of(path.read_bytes()))


def test_the_pixels_may_be_written_to() -> None:
    for content in (encoded(scene(), "PNG"), encoded(scene()[..., 0], "JPEG"), tiff(np.zeros((4, 4), np.uint16))):
        assert pixels_of(content).flags.writeable


@pytest.mark.realdata
def test_every_picture_of_the_real_sets_is_read_without_conversion_but_of_one_bit(realdata: Path) -> None:
    folder = realdata / "data" / "inspection"
    for name in ("magnetic_tile", "deeppcb", "neu_det", "crackforest"):
        paths = sorted(path for path in (folder / name / "images").rglob("*") if path.is_file())[::9]
        assert paths
        for path in paths:
            image = read_image(path)
            assert min(image.height_px, image.width_px) > 50
            assert set(image.notes) <= {"1 bit converted"}
