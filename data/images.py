"""One decoder for training and serving: any station picture becomes (H, W, 3) uint8 RGB, or an InputError.

Decisions, taken once and here, so that a model sees in service what it saw in training:

- The header is read by us (`data.image_headers`); Pillow decodes pictures of 8 bits and less, because it raises on a
  file that is cut off where OpenCV may not; OpenCV decodes samples of more than 8 bits, which Pillow would cut.
- Orientation: the EXIF tag (TIFF tag 274) is applied, so that pixels stand as a person sees them.
- 16 bits: the significant bits are those that the caller gives (`bits`, from the station's recipe), else those that
  the file states (PNG sBIT, TIFF SMaxSampleValue), else 12 where no value passes 4,095 and 16 otherwise. The two lie
  a factor of 16 apart, so that one station's pictures are not scaled now one way and now the other; a guess of 10 or
  14 bits would be. The highest eight significant bits are kept; values above the range become 255.
- float: values within 0..1 are times 255, values within 0..255 are rounded; any NaN, infinity, negative or larger
  value refuses the picture.
- alpha is blended over black; CMYK and palettes are converted by Pillow's fixed formulae; colour profiles are ignored.
- A file with several pages is refused unless the caller says which page.

Everything that was converted stands in `StationImage.notes`.
"""

import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import BmpImagePlugin, Image, JpegImagePlugin, PngImagePlugin, TiffImagePlugin

from core.errors import InputError
from data.image_headers import Header, bad_image, read_header, unsupported
from data.records import StationImage

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"})  # for the listing of folders
MAX_PIXELS = 64_000_000
MAX_FILE_BYTES = 1 << 30
EXIF_ORIENTATION = 0x0112
# The classes themselves, not Image.open: no format but these four is ever tried, whatever else is registered.
PLUGINS: dict[str, Callable[[BytesIO], Image.Image]] = {
    "PNG": PngImagePlugin.PngImageFile,
    "JPEG": JpegImagePlugin.JpegImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
}
# What Pillow's decoders have been seen to raise on broken files.
DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    EOFError,
    OverflowError,
    RuntimeError,
    struct.error,
    zlib.error,
)
UPRIGHT = {
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.transpose(1, 0, 2),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: pixels[::-1, ::-1].transpose(1, 0, 2),
    8: lambda pixels: np.rot90(pixels),
}


def decode(
    content: bytes,
    *,
    image_id: str,
    path: str | None = None,
    max_pixels: int = MAX_PIXELS,
    bits: int | None = None,
    page: int | None = None,
) -> StationImage:
    """Decode the bytes of one picture file.

    `max_pixels` caps width times height, checked in the header before any memory is taken. `bits` (8..16) says how
    many bits of a 16-bit sample the station uses; `page`, from 0, which page of a file of several is meant.
    Raises InputError with code BAD_IMAGE, UNSUPPORTED_IMAGE or IMAGE_TOO_LARGE.
    """
    name = path or image_id
    if bits is not None and not 8 <= bits <= 16:
        raise InputError(f"bits must lie in 8..16 (of a 16-bit sample), got {bits}")
    header = read_header(content, name=name, page=page or 0)
    _refuse_what_is_too_large(header, name, max_pixels)
    _refuse_what_is_not_read(header, name, page)
    if header.bits > 8:
        pixels, notes, orientation = _decode_deep(content, header, name, bits)
    else:
        pixels, notes, orientation = _decode_8_bit(content, header, name)
    if orientation in UPRIGHT:
        pixels = np.ascontiguousarray(UPRIGHT[orientation](pixels))
        notes.append(f"EXIF orientation {orientation} applied")
    if header.trailing_bytes:
        notes.append(f"{header.trailing_bytes} bytes after the end of the picture ignored")
    return StationImage(image_id=image_id, pixels=pixels, path=path, notes=tuple(notes))


def read_image(
    path: Path,
    *,
    image_id: str | None = None,
    max_pixels: int = MAX_PIXELS,
    bits: int | None = None,
    page: int | None = None,
) -> StationImage:
    """Read and decode one file; its name is the id unless one is given. Raises InputError that names the file."""
    if not path.exists():
        raise InputError(f"{path}: there is no such file; check the path", code="BAD_IMAGE")
    if not path.is_file():
        raise InputError(f"{path} is no file; give a picture, PNG, JPEG, BMP or TIFF", code="BAD_IMAGE")
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        words = f"{path} has {size:,} bytes; at most {MAX_FILE_BYTES:,} are read: crop or compress the picture"
        raise InputError(words, code="IMAGE_TOO_LARGE")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}); check its permissions", code="BAD_IMAGE"
        ) from error
    return decode(content, image_id=image_id or path.name, path=str(path), max_pixels=max_pixels, bits=bits, page=page)


def _refuse_what_is_too_large(header: Header, name: str, max_pixels: int) -> None:
    if header.width_px * header.height_px > max_pixels:
        raise InputError(
            f"{name} has {header.width_px} x {header.height_px} pixels; "
            f"at most {max_pixels:,} pixels are decoded: crop or scale the picture",
            code="IMAGE_TOO_LARGE",
        )


def _refuse_what_is_not_read(header: Header, name: str, page: int | None) -> None:
    if header.pages > 1 and page is None:
        raise unsupported(name, f"holds {header.pages} pages and no page was asked for")
    if page and header.format != "TIFF":
        raise InputError(f"{name}: page must be 0 in a {header.format} file, got {page}", code="BAD_IMAGE")
    if not 1 <= header.channels <= 4:
        raise unsupported(name, f"has {header.channels} channels")
    if header.bits <= 8 and header.sample != "unsigned":
        raise unsupported(name, f"has {header.sample} samples of {header.bits} bits")
    if header.bits > 8 and header.planar:  # OpenCV would read the first plane and leave the others black
        raise unsupported(name, f"keeps channels of {header.bits} bits in separate planes")


def _decode_8_bit(content: bytes, header: Header, name: str) -> tuple[NDArray[np.uint8], list[str], int]:
    try:
        with PLUGINS[header.format](BytesIO(content)) as picture:
            if header.frame:
                picture.seek(header.frame)
            if {*picture.size} != {header.width_px, header.height_px}:  # or the check of the size could be led astray
                raise ValueError(f"its headers contradict each other: {picture.size}")
            picture.load()
            return *_to_rgb(picture), _orientation(header.exif)
    except DECODER_ERRORS as error:
        raise bad_image(name, f"the {header.format} file cannot be decoded ({error})") from error


def _orientation(block: bytes) -> int:
    """Return the orientation of an EXIF block, 1 where there is none or the block is broken."""
    if not block:
        return 1
    exif = Image.Exif()
    try:
        exif.load(block)
        return int(exif.get(EXIF_ORIENTATION, 1))
    except DECODER_ERRORS:
        return 1


def _to_rgb(picture: Image.Image) -> tuple[NDArray[np.uint8], list[str]]:
    """Return (H, W, 3) uint8 and what was converted. Raises ValueError for a mode without a rule."""
    mode = picture.mode
    if mode == "RGB" and "transparency" not in picture.info:
        return np.array(picture), []
    if mode == "L" and "transparency" not in picture.info:
        return np.asarray(cv2.cvtColor(np.asarray(picture), cv2.COLOR_GRAY2RGB), np.uint8), []
    words = {"1": "1 bit converted", "P": "palette applied", "CMYK": "CMYK converted", "RGBX": "fourth channel dropped"}
    notes = [words[mode]] if mode in words else []
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        alpha = np.asarray(picture.getchannel("A"))
        black = Image.new("RGBA", picture.size, (0, 0, 0, 255))
        notes.append("alpha blended over black" if (alpha < 255).any() else "opaque alpha dropped")
        picture = Image.alpha_composite(black, picture)
    elif mode not in {"1", "P", "CMYK", "RGBX", "YCbCr"}:
        raise ValueError(f"pixels of mode {mode} have no rule")
    return np.array(picture.convert("RGB")), notes


def _decode_deep(
    content: bytes, header: Header, name: str, bits: int | None
) -> tuple[NDArray[np.uint8], list[str], int]:
    """Decode samples of more than 8 bits with OpenCV, which keeps them whole and turns TIFFs by itself."""
    cv2.utils.logging.setLogLevel(0)  # it would write to stderr what we raise
    buffer = np.frombuffer(content, np.uint8)
    try:
        found, pictures = cv2.imdecodemulti(buffer, cv2.IMREAD_UNCHANGED, range=(header.frame, header.frame + 1))
    except cv2.error as error:
        raise bad_image(name, f"the {header.format} file cannot be decoded ({error.err})") from error
    if not found:
        raise bad_image(name, f"the {header.format} file of {header.bits} bits a sample cannot be decoded")
    values: NDArray[Any] = pictures[0]
    if values.shape[0] * values.shape[1] != header.width_px * header.height_px:
        raise bad_image(name, f"its headers contradict each other: {values.shape}")
    if header.sample == "float":
        pixels, note = _floats_to_8_bit(values, name)
    else:
        pixels, note = _integers_to_8_bit(values, header, name, bits)
    return *_deep_to_rgb(pixels, [note], header), _orientation(header.exif)


def _deep_to_rgb(pixels: NDArray[np.uint8], notes: list[str], header: Header) -> tuple[NDArray[np.uint8], list[str]]:
    """Order OpenCV's grey, BGR or BGRA as RGB, alpha blended over black."""
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        if header.white_is_zero:
            pixels, notes = 255 - pixels, [*notes, "white was stored as zero, inverted"]
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB), np.uint8), notes
    if pixels.shape[2] == 4:
        notes = [*notes, "alpha blended over black"]
        pixels = (pixels[..., :3].astype(np.uint16) * pixels[..., 3:] // 255).astype(np.uint8)
    return np.ascontiguousarray(pixels[..., ::-1]), notes


def _integers_to_8_bit(
    values: NDArray[Any], header: Header, name: str, bits: int | None
) -> tuple[NDArray[np.uint8], str]:
    highest, lowest = int(values.max()), int(values.min())
    if lowest < 0 or highest > 65_535:
        raise bad_image(name, f"values run from {lowest} to {highest}; 0..65535 can be scaled to 8 bits")
    used = bits or header.used_bits or (12 if highest < 4096 else 16)
    shift = max(0, used - 8)
    pixels = np.minimum(values >> shift, 255).astype(np.uint8)
    return pixels, f"{header.bits} bit scaled to 8, of which {used} are used"


def _floats_to_8_bit(values: NDArray[Any], name: str) -> tuple[NDArray[np.uint8], str]:
    broken = int(np.count_nonzero(~np.isfinite(values)))
    if broken:
        raise bad_image(name, f"{broken} of {values.size} values are NaN or infinite")
    highest, lowest = float(values.max()), float(values.min())
    if lowest < 0 or highest > 255:
        raise bad_image(name, f"float values run from {lowest:g} to {highest:g}; 0..1 or 0..255 is allowed")
    scale = 255.0 if highest <= 1 else 1.0
    pixels = np.rint(values * scale).astype(np.uint8)
    return pixels, f"float times {scale:g} rounded to 8 bit"
