"""Image files to arrays, by Pillow: any common format and kind of pixel, never more than MAX_PIXELS.

The public names are in `fer_paddle.images`. OpenCV reads no GIF and, on Windows, no path beyond ASCII.
"""

from __future__ import annotations

import io
import math
import os
import stat
import struct
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TypeVar

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.TiffImagePlugin import BITSPERSAMPLE, PHOTOMETRIC_INTERPRETATION, TILELENGTH, TILEWIDTH, TiffImageFile

FORMATS = {
    ".jpg": "JPEG", ".jpeg": "JPEG", ".jfif": "JPEG", ".png": "PNG", ".bmp": "BMP", ".webp": "WEBP", ".gif": "GIF",
    ".tif": "TIFF", ".tiff": "TIFF", ".avif": "AVIF",
}  # fmt: skip
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
HEIF_SUFFIXES = (".heic", ".heif")  # listed, and read where the package pillow-heif is installed
MAX_PIXELS = 100_000_000
ENOUGH_PIXELS = 25_000_000  # for `max_pixels`, where faces are looked for or an image is shrunk all the same
MAX_SIDE = 65_535

_EXPECTED = "a JPEG, PNG, BMP, WebP, GIF, TIFF or AVIF image"
_ORIENTATION = 0x0112  # the EXIF tag
# EXIF orientation -> the upright view of the stored image [H,W,3].
_UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.transpose(1, 0, 2),
    6: lambda stored: stored[::-1].transpose(1, 0, 2),
    7: lambda stored: stored[::-1, ::-1].transpose(1, 0, 2),
    8: lambda stored: stored[:, ::-1].transpose(1, 0, 2),
}
_STRIP_PIXELS = 4_000_000
# Scans of a progressive JPEG, and the pixels of all its scans together: programs write about ten scans.
_MAX_SCANS, _MAX_SCANNED_PIXELS = 100, 1_500_000_000
# What Pillow raises on damaged files; DecompressionBombError stands below Exception alone.
_DAMAGE: tuple[type[Exception], ...] = (OSError, SyntaxError, ValueError, TypeError, LookupError, AttributeError)
_DAMAGE += (ArithmeticError, AssertionError, EOFError, MemoryError, RuntimeError, struct.error)
_DAMAGE += (Image.DecompressionBombError,)
_warnings_lock = threading.Lock()
_Result = TypeVar("_Result")


class _RefusedError(ValueError):
    """What was expected of a file that is not damaged, and what it is."""


def read_image(source: str | os.PathLike[str] | bytes, max_pixels: int | None = None) -> np.ndarray:
    """Read an image file of any common kind.

    JPEG, PNG, BMP, WebP, AVIF, GIF (first frame), TIFF (first page) and, with the package pillow-heif, HEIC: gray,
    palette, RGB or CMYK of 1 to 16 bits, also int (0..65535) and float (0..1) TIFF. EXIF orientation is applied,
    transparency is laid over white, color profiles are ignored. A damaged EXIF block does no harm.

    Args:
        source: A path, or the bytes of an image file.
        max_pixels: Give an image of more pixels at 1/2, 1/3 ... of its sides, averaged; None: as it is.

    Returns:
        uint8 [H,W,3], BGR, contiguous.

    Raises:
        FileNotFoundError: The path does not exist.
        ValueError: No regular file, another kind of file, a damaged, truncated or empty one, or one whose header says
            that it is larger than MAX_PIXELS or MAX_SIDE.
    """
    return _read(source, lambda file: _decode(file, max_pixels))


def read_size(source: str | os.PathLike[str] | bytes) -> tuple[int, int]:
    """Return the height and width that `read_image` will give, from the header alone; errors as there."""
    return _read(source, _upright_header)[:2]


def read_header(source: str | os.PathLike[str] | bytes) -> tuple[int, int, int]:
    """Return height and width as `read_size`, and the EXIF orientation, 1 to 8; from 5 on the stored sides differ."""
    return _read(source, _upright_header)


def _read(source: str | os.PathLike[str] | bytes, read: Callable[[BinaryIO], _Result]) -> _Result:
    """Call a function with the open file; the errors name the file."""
    if not isinstance(source, (str, os.PathLike, bytes)):
        raise ValueError(f"expected a path or the bytes of an image file, got {type(source).__name__}")
    name = f"{len(source)} bytes" if isinstance(source, bytes) else repr(os.fspath(source))
    try:
        with _open_regular(source) as file:
            return read(file)
    except FileNotFoundError:
        reason = None
    except _RefusedError as error:
        reason = str(error)
    except _DAMAGE as error:
        reason = " ".join(f"expected a readable image, got {type(error).__name__}: {error}".split())
    # Not within `except`: an error that is kept must not keep the pixels decoded so far.
    if reason is None:
        raise FileNotFoundError(f"{name}: expected {_EXPECTED}, found no such file")
    raise ValueError(f"{name}: {reason}")


def _open_regular(source: str | os.PathLike[str] | bytes) -> BinaryIO:
    """Open a file for reading, but no folder, pipe or device, which might never end."""
    if isinstance(source, bytes):
        return io.BytesIO(source)
    try:
        mode = Path(source).stat().st_mode
    except (NotADirectoryError, ValueError) as error:  # a zero byte in the name
        raise FileNotFoundError(source) from error
    if not stat.S_ISREG(mode):
        folder = "a folder" if os.access(source, os.R_OK) else "a folder that cannot be read"
        raise _RefusedError(f"expected {_EXPECTED}, got {folder if stat.S_ISDIR(mode) else 'no regular file'}")
    return Path(source).open("rb")


def _open_image(file: BinaryIO) -> Image.Image:
    """Read the header of an image file and check its size."""
    start = file.read(30)
    file.seek(0)
    if start[8:12] == b"WEBP":
        _check_pixels(*_webp_size(start))  # before Pillow looks, which makes room for two canvases at once
    formats = sorted({*FORMATS.values()})
    if start[4:8] == b"ftyp" and start[8:12] in _HEIF_BRANDS:
        try:
            from pillow_heif import register_heif_opener
        except ImportError as error:
            raise _RefusedError("expected the package pillow-heif for HEIC images: pip install pillow-heif") from error
        register_heif_opener()
        formats.append("HEIF")
    try:
        with _warnings_off():
            image = Image.open(file, formats=formats)
    except UnidentifiedImageError as error:
        got = f"a file that starts {start[:12]!r}" if start else "an empty file"
        raise _RefusedError(f"expected {_EXPECTED}, got {got}") from error
    _check_pixels(*image.size)
    if isinstance(image, TiffImageFile):
        _check_pixels(image.tag_v2.get(TILEWIDTH, 1), image.tag_v2.get(TILELENGTH, 1))
    if image.info.get("progressive"):
        scans = sum(block.count(b"\xff\xda") for block in iter(lambda: file.read(1 << 20), b""))
        if scans > _MAX_SCANS or scans * image.width * image.height > _MAX_SCANNED_PIXELS:
            raise _RefusedError(f"expected a JPEG of at most {_MAX_SCANS} scans, fewer of a large one, got {scans}")
    return image


def _check_pixels(width: int, height: int) -> None:
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        limit = f"at most {MAX_PIXELS // 10**6} megapixels and {MAX_SIDE} pixels a side"
        raise _RefusedError(f"expected an image of {limit}, got {width} x {height} pixels")


def _webp_size(start: bytes) -> tuple[int, int]:
    """Return width and height from the first 30 bytes of a WebP file. Source: RFC 9649, section 2."""
    if start[12:16] == b"VP8X":
        return 1 + int.from_bytes(start[24:27], "little"), 1 + int.from_bytes(start[27:30], "little")
    if start[12:16] == b"VP8L":
        bits = int.from_bytes(start[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return int.from_bytes(start[26:28], "little") & 0x3FFF, int.from_bytes(start[28:30], "little") & 0x3FFF


@contextmanager
def _warnings_off() -> Iterator[None]:
    """Silence Pillow's warnings about odd metadata; the filters are the process's, so one thread at a time."""
    with _warnings_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def read_orientation(image: Image.Image) -> int:
    """Return 1 to 8; 1 where EXIF is absent or unreadable, and for a loaded TIFF, which Pillow has turned."""
    orientation = 1
    with suppress(*_DAMAGE), _warnings_off():
        orientation = image.getexif().get(_ORIENTATION, 1)
    return orientation if orientation in _UPRIGHT else 1


def _upright_header(file: BinaryIO) -> tuple[int, int, int]:
    image = _open_image(file)
    (width, height), orientation = image.size, read_orientation(image)
    # Pillow has already turned the size of a TIFF.
    on_its_side = not isinstance(image, TiffImageFile) and orientation >= 5
    return (width, height, orientation) if on_its_side else (height, width, orientation)


def _decode(file: BinaryIO, max_pixels: int | None) -> np.ndarray:
    image = _open_image(file)
    divisor = _divisor(image, max_pixels)
    image.draft(None, (image.width // divisor, image.height // divisor))  # of a JPEG, which is faster
    stored, orientation = _to_stored(image, max_pixels)
    image.close()  # before it is turned: a large image is not held a third time
    return _turn(stored, orientation)


def convert_pillow(image: Image.Image) -> np.ndarray:
    """Return the pixels of a Pillow image as `read_image` those of a file; ValueError where they cannot be read."""
    try:
        _check_pixels(*image.size)
        return _turn(*_to_stored(image))
    except _RefusedError:
        raise
    except _DAMAGE as error:
        raise ValueError(f"expected a readable Pillow image, got {type(error).__name__}: {error}") from error


def _to_stored(image: Image.Image, max_pixels: int | None = None) -> tuple[np.ndarray, int]:
    """Decode strip by strip, whole or reduced: BGR as the file stores it, and how it is to be turned."""
    if isinstance(image, TiffImageFile):
        with _warnings_off():  # of tags, while its pixels are read
            image.load()
    image.load()
    divisor = _divisor(image, max_pixels)
    orientation, levels = read_orientation(image), _black_and_white(image)
    stored = np.empty((-(-image.height // divisor), -(-image.width // divisor), 3), np.uint8)
    rows = max(1, _STRIP_PIXELS // image.width // divisor) * divisor
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        pixels = _strip_to_bgr(strip) if levels is None else _deep_to_bgr(strip, *levels)
        stored[top // divisor : (top + rows) // divisor] = _reduce(pixels, divisor)
    return stored, orientation


def _turn(stored: np.ndarray, orientation: int) -> np.ndarray:
    """Turn decoded pixels upright."""
    return np.ascontiguousarray(_UPRIGHT[orientation](stored))


def _divisor(image: Image.Image, max_pixels: int | None) -> int:
    """Return the least n whose 1 / n of both sides leaves at most `max_pixels`."""
    return 1 if max_pixels is None else max(1, math.ceil(math.sqrt(image.width * image.height / max_pixels)))


def _reduce(pixels: np.ndarray, divisor: int) -> np.ndarray:
    """Average squares of divisor x divisor pixels; those at the right and lower edge repeat their last pixels."""
    if divisor == 1:
        return pixels
    below, right = (-side % divisor for side in pixels.shape[:2])
    whole = cv2.copyMakeBorder(pixels, 0, below, 0, right, cv2.BORDER_REPLICATE)
    return cv2.resize(whole, None, fx=1 / divisor, fy=1 / divisor, interpolation=cv2.INTER_AREA)


def _black_and_white(image: Image.Image) -> tuple[float, float] | None:
    """Return the stored values of black and white; None where Pillow has brought the pixels to 8 bits."""
    if image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
        return None
    tags = image.tag_v2 if isinstance(image, TiffImageFile) else {}
    white = 1.0 if image.mode == "F" else 4095.0 if tags.get(BITSPERSAMPLE) == (12,) else 65535.0
    return (white, 0.0) if tags.get(PHOTOMETRIC_INTERPRETATION) == 0 else (0.0, white)


def _strip_to_bgr(strip: Image.Image) -> np.ndarray:
    if strip.has_transparency_data:
        rgba = strip.convert("RGBA")
        strip = Image.new("RGB", strip.size, "white")
        strip.paste(rgba, mask=rgba)
    return cv2.cvtColor(np.asarray(strip.convert("RGB")), cv2.COLOR_RGB2BGR)


def _deep_to_bgr(strip: Image.Image, black: float, white: float) -> np.ndarray:
    values = np.asarray(strip).astype(np.float32)
    low, high = min(black, white), max(black, white)
    with np.errstate(invalid="ignore"):
        inside = values.min() >= low and values.max() <= high
    if not inside:  # NaN is not inside either
        raise ValueError(f"pixels of {values.min():g}..{values.max():g}, expected {low:g}..{high:g}")
    return cv2.cvtColor(np.rint((values - black) * (255 / (white - black))).astype(np.uint8), cv2.COLOR_GRAY2BGR)
