"""Picture files to arrays: every common format and kind of pixel, within 1 GB of memory.

The public name is `fer_paddle.images.read_image`. Pillow decodes, for OpenCV reads no GIF and, on Windows, no
path beyond ASCII. Pillow's size limit, its warning and the warning filters of the process stay as they are.
"""

from __future__ import annotations

import io
import os
import re
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import (
    BITSPERSAMPLE,
    PHOTOMETRIC_INTERPRETATION,
    ROWSPERSTRIP,
    TILELENGTH,
    TILEWIDTH,
    TiffImageFile,
)
from PIL.WebPImagePlugin import WebPImageFile

MAX_PIXELS = 100_000_000
MAX_SIDE = 65_535

_PICTURE = "a JPEG, PNG, BMP, WebP, GIF or TIFF picture"
_MAX_DECODING_BYTES = 1_000_000_000
_STRIP_PIXELS = 4_000_000
_ORIENTATION = 0x0112
_READERS = {
    rb"\xff\xd8\xff": JpegImageFile,
    rb"\x89PNG\r\n\x1a\n": PngImageFile,
    rb"BM": BmpImageFile,
    rb"GIF8[79]a": GifImageFile,
    rb"II[*+]\0|MM\0[*+]": TiffImageFile,
    rb"RIFF....WEBP": WebPImageFile,
}
# EXIF orientation -> the view of the upright image [H,W,3] that lies as the stored one does.
_STORED_VIEWS = {
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.transpose(1, 0, 2),
    6: lambda upright: upright.transpose(1, 0, 2)[::-1],
    7: lambda upright: upright.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda upright: upright.transpose(1, 0, 2)[:, ::-1],
}
# What Pillow's readers raise on damaged files; DecompressionBombError stands below Exception alone.
_DAMAGE = (OSError, SyntaxError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError)
_DAMAGE += (AssertionError, EOFError, MemoryError, struct.error, Image.DecompressionBombError)
_warnings_lock = threading.Lock()


def read_image(source: str | os.PathLike[str] | bytes) -> np.ndarray:
    """Reads a picture of any common kind.

    JPEG, PNG, BMP, WebP, GIF (first frame) and TIFF (first page): gray, palette, RGB or CMYK of 1 to 16 bits,
    also int (0..65535) and float (0..1) TIFF. EXIF orientation is applied, transparency laid over white,
    colour profiles are ignored. A damaged EXIF block does no harm.

    Args:
        source: A path, or the bytes of a picture file.

    Returns:
        uint8 [H,W,3], BGR, contiguous.

    Raises:
        FileNotFoundError: The path does not exist.
        ValueError: Another kind of file, a damaged, truncated or empty one, or one of which the header says
            that it is larger than MAX_PIXELS or MAX_SIDE, or takes more than 1 GB to decode.
    """
    if isinstance(source, bytes):
        return _read_stream(io.BytesIO(source), f"{len(source)} bytes")
    if not isinstance(source, (str, os.PathLike)):
        raise ValueError(f"expected a path or the bytes of a picture file, got {type(source).__name__}")
    path = Path(source)
    name = repr(str(path))
    try:
        if path.is_dir():
            raise ValueError(f"{name}: expected {_PICTURE}, got a folder")
        if path.exists():
            with path.open("rb") as file:
                return _read_stream(file, name)
    except OSError as error:
        raise ValueError(f"{name}: expected {_PICTURE}, got an unreadable file ({error})") from error
    raise FileNotFoundError(f"{name}: expected {_PICTURE}, found no such file")


def _read_stream(file: BinaryIO, name: str) -> np.ndarray:
    start = file.read(30)
    file.seek(0)
    reader = next((reader for known, reader in _READERS.items() if re.match(known, start, re.DOTALL)), None)
    if reader is None:
        got = f"a file that starts {start[:12]!r}" if start else "an empty file"
        raise ValueError(f"{name}: expected {_PICTURE}, got {got}")
    if reader is WebPImageFile:
        # Before Pillow looks, for it makes room for two canvases at once; then a copy and the image.
        width, height = _webp_size(start)
        _check_size(name, reader.format, width, height, 16 * width * height)
    # The format's own class instead of Image.open, whose size limit and warning belong to the whole process.
    with _damage_named(name, reader.format), _warnings_off():
        image = reader(file)
        needed = _decoding_bytes(image)
        _scale_transparent_color(image)
    _check_size(name, reader.format, *image.size, needed)
    with _damage_named(name, reader.format):
        # A TIFF warns of its size and of its tags while its pixels are read.
        with _warnings_off() if reader is TiffImageFile else nullcontext():
            image.load()
        return _to_bgr(image)


@contextmanager
def _damage_named(name: str, kind: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(f"{name}: expected a readable {kind} picture, got {reason}") from error


@contextmanager
def _warnings_off() -> Iterator[None]:
    """Silences Pillow's remarks on odd metadata; the filters are the process's, so one thread at a time."""
    with _warnings_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _webp_size(start: bytes) -> tuple[int, int]:
    """Gives width and height from the first 30 bytes of a WebP file. Source: RFC 9649, section 2."""
    if start[12:16] == b"VP8X":
        return 1 + int.from_bytes(start[24:27], "little"), 1 + int.from_bytes(start[27:30], "little")
    if start[12:16] == b"VP8L":
        bits = int.from_bytes(start[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return int.from_bytes(start[26:28], "little") & 0x3FFF, int.from_bytes(start[28:30], "little") & 0x3FFF


def _check_size(name: str, kind: str, width: int, height: int, needed: int) -> None:
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        limit = f"at most {MAX_PIXELS // 10**6} megapixels and {MAX_SIDE} pixels a side"
        raise ValueError(f"{name}: expected a picture of {limit}, got {width} x {height} pixels")
    if needed > _MAX_DECODING_BYTES:
        got = f"a {kind} of {width} x {height} pixels that takes {needed / 1e9:.1f} GB"
        raise ValueError(f"{name}: expected a picture that takes at most 1 GB to decode, got {got}")


def _decoding_bytes(image: ImageFile) -> int:
    """Bounds the memory that Pillow 12.0 takes to decode an image of which it knows the header."""
    width, height = image.size
    pixels = width * height
    if isinstance(image, JpegImageFile):
        return (4 + 2 * image.layers) * pixels  # the image, and all coefficients of a progressive one
    if not isinstance(image, TiffImageFile) or image.info["compression"] == "raw":
        return 8 * pixels  # the image, and a copy that turns a TIFF
    tags = image.tag_v2
    turned = tags.get(_ORIENTATION, 1) != 1
    block = tags.get(TILEWIDTH, width) * tags.get(TILELENGTH, min(tags.get(ROWSPERSTRIP, height), height))
    return (4 + 4 * turned) * pixels + block * sum(tags.get(BITSPERSAMPLE, (1,))) // 8


def _scale_transparent_color(image: ImageFile) -> None:
    """Brings a PNG's transparent colour to the 8 bits of the decoded pixels, which Pillow 12.0 leaves out."""
    color = image.info.get("transparency")
    if not isinstance(image, PngImageFile) or color is None:
        return
    stored = image.tile[0].args
    if stored in ("L;2", "L;4"):
        image.info["transparency"] = color * (85 if stored == "L;2" else 17)
    elif stored == "RGB;16B":
        image.info["transparency"] = tuple(value >> 8 for value in color)


def _to_bgr(image: ImageFile) -> np.ndarray:
    """Turns a loaded image upright and to BGR, strip by strip: a large one is never held a third time."""
    width, height = image.size
    orientation = read_orientation(image)
    upright = np.empty((width, height, 3) if orientation >= 5 else (height, width, 3), np.uint8)
    stored = _STORED_VIEWS[orientation](upright) if orientation > 1 else upright  # [height,width,3]
    levels = _black_and_white(image)
    rows = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, rows):
        strip = image.crop((0, top, width, min(top + rows, height)))
        stored[top : top + rows] = _strip_to_bgr(strip) if levels is None else _deep_to_bgr(strip, *levels)
    return upright


def read_orientation(image: Image.Image) -> int:
    """Gives 1 to 8; 1 where EXIF is absent or unreadable, and for a loaded TIFF, which Pillow has turned."""
    try:
        with _warnings_off():
            orientation = image.getexif().get(_ORIENTATION)
    except _DAMAGE:
        return 1
    return int(orientation) if orientation in _STORED_VIEWS else 1


def _black_and_white(image: ImageFile) -> tuple[float, float] | None:
    """Gives the stored values of black and white, or None where Pillow has brought the pixels to 8 bits."""
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
    gray = np.rint((values - black) * (255 / (white - black))).astype(np.uint8)
    gray[values == strip.info.get("transparency", -1)] = 255
    return cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR)
