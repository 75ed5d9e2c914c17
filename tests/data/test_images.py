"""Every depth, colour and orientation that a station may send comes out as the same RGB."""

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
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
