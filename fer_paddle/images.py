"""Images: the one definition of reading, writing, cropping, resizing and normalizing them.

Training and every runtime use these functions, so that a network sees the same pixels in both. An image is a
uint8 array, [H,W,3] BGR or [H,W] gray; anything else is a ValueError.
"""

from __future__ import annotations

import io
import logging
import math
import operator
import os
from collections.abc import Callable, Sequence
from pathlib import Path, PureWindowsPath
from typing import Any

import cv2
import numpy as np
from PIL import Image

from fer_paddle.decoding import ENOUGH_PIXELS as ENOUGH_PIXELS
from fer_paddle.decoding import FORMATS, HEIF_SUFFIXES
from fer_paddle.decoding import convert_pillow as convert_pillow
from fer_paddle.decoding import read_header as read_header
from fer_paddle.decoding import read_image as read_image
from fer_paddle.decoding import read_orientation as read_orientation
from fer_paddle.decoding import read_size as read_size
from fer_paddle.files import check_number, replacing
from fer_paddle.messages import track

logger = logging.getLogger(__name__)

MAX_CROP_SIDE = 10_000
BATCH = 64
# Mean and standard deviation of all pixels of FER2013's Training split, scaled to 0..1.
FER_MEAN = 0.5077
FER_STD = 0.2550

_SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "PNG": {"compress_level": 3},
    "WEBP": {"quality": 95},
    "TIFF": {"compression": "tiff_lzw"},
    "AVIF": {"quality": 90},
}


def write_image(path: str | os.PathLike[str], image: np.ndarray) -> None:
    """Write an image in the format that the extension names; the file appears whole or not at all.

    PNG, BMP and TIFF keep every pixel; JPEG and WebP have quality 95, AVIF 90, and a GIF in color has 256 colors.
    The name ends in one of FORMATS; the image is uint8 [H,W,3] BGR or [H,W] gray.
    """
    check_image(image)
    path = Path(path)
    kind = FORMATS.get(path.suffix.lower())
    if kind is None or path.is_dir():
        raise ValueError(f"expected the name of a file that ends in {', '.join(FORMATS)}, got {str(path)!r}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{str(path)!r}: expected an existing folder to write into")
    encoded = io.BytesIO()
    mode, size_wh = ("L", "L") if image.ndim == 2 else ("RGB", "BGR"), (image.shape[1], image.shape[0])
    try:
        pixels = Image.frombuffer(mode[0], size_wh, np.ascontiguousarray(image), "raw", mode[1], 0, 1)
        pixels.save(encoded, kind, **_SAVE_OPTIONS.get(kind, {}))
    except (OSError, ValueError) as error:
        got = f"{describe(image)} ({error})"
        raise ValueError(f"{str(path)!r}: expected an image that fits into {kind}, got {got}") from error
    with replacing(path) as temporary:
        temporary.write_bytes(encoded.getbuffer())


def list_images(
    folder: str | os.PathLike[str], unreadable: list[Path] | None = None, others: list[Path] | None = None
) -> list[Path]:
    """Return the images in a folder and those below it, by extension, as sorted paths that begin with `folder`.

    Names that start with a dot are skipped. Linked folders are followed, each real folder once, none above `folder`.
    HEIC is listed too.
    Folders that cannot be read are passed over: added to `unreadable`, where it is given, else named in a warning;
    OSError: that is all of it.
    Files that are no images are added to `others`.
    """
    folder = Path(folder)
    if not folder.exists():
        raise FileNotFoundError(f"{str(folder)!r}: expected a folder of images, found no such folder")
    if not folder.is_dir():
        raise ValueError(f"{str(folder)!r}: expected a folder of images, got a file")
    found, seen = [], set(map(str, Path(os.path.realpath(folder)).parents))

    def note(error: OSError) -> None:
        if unreadable is None and Path(error.filename) == folder:
            raise OSError(f"expected a folder that can be read, got {folder}") from error
        if unreadable is None:
            logger.warning("left out, since it cannot be read: %s", error.filename)
        else:
            unreadable.append(Path(error.filename))

    for place, folders, names in os.walk(folder, onerror=note, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        paths = [Path(place, name) for name in names if not name.startswith(".")]
        for path in paths:
            if path.suffix.lower() in (*FORMATS, *HEIF_SUFFIXES):
                found.append(path)
            elif others is not None:
                others.append(path)
    return sorted(found)


def path_ends(name: Any) -> list[str]:
    """Return the ends of a path that a table names, "/" between folders, the longest first.

    Tables keep paths of other machines, such as C:\\faces\\a.jpg; no end leads out of the folder it is looked for in.
    """
    path = PureWindowsPath(name)
    parts = path.parts[1:] if path.anchor else path.parts
    parts = parts[len(parts) - parts[::-1].index("..") :] if ".." in parts else parts
    if not parts:
        raise ValueError(f"expected the name of a file, got {name!r}")
    return ["/".join(parts[start:]) for start in range(len(parts))]


def is_file(path: Path) -> bool:
    """Return whether a file is there that a table names, perhaps by a name that is too long for any."""
    return os.path.isfile(path)  # noqa: PTH113  Path.is_file raises OSError then


def find_named(name: Any, *places: Path) -> Path:
    """Return the file that a table names, in one of the places, by the longest end of its path that is there."""
    ends = path_ends(name)
    found = (place / end for end in ends for place in places if is_file(place / end))
    return next(found, places[0] / ends[0])


def to_bgr(image: np.ndarray) -> np.ndarray:
    """Turn gray uint8 [H,W] to BGR [H,W,3]; BGR stays as it is."""
    check_image(image)
    return cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if image.ndim == 2 else image


def to_gray(image: np.ndarray) -> np.ndarray:
    """Turn BGR uint8 [H,W,3] to gray uint8 [H,W], 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601); gray stays as it is."""
    check_image(image)
    return image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)


def resize(image: np.ndarray, size: int) -> np.ndarray:
    """Resize uint8 [H,W] or [H,W,3] to `size` x `size` pixels, each axis by itself.

    An axis that shrinks is averaged over its area, so that nothing aliases; one that grows is linear, which,
    unlike cubic, never overshoots at an edge.
    """
    check_image(image)
    size = _check_size(size)
    height, width = image.shape[:2]
    smaller = cv2.resize(image, (min(width, size), min(height, size)), interpolation=cv2.INTER_AREA)
    return cv2.resize(smaller, (size, size), interpolation=cv2.INTER_LINEAR)


def crop_square(image: np.ndarray, box_xyxy: Sequence[float] | np.ndarray, margin: float = 0.0) -> np.ndarray:
    """Cut the square around a box; what lies outside the image repeats its nearest edge pixel.

    Args:
        image: uint8 [H,W,3] or [H,W].
        box_xyxy: x1, y1, x2, y2 in pixels, the edges of the box: [0, 0, W, H] is the whole image.
        margin: Added on each side, as a ratio of the longer side of the box; 0 or more.

    Returns:
        uint8 [side,side,3] or [side,side], a copy; side is the box's longer side * (1 + 2 * margin), rounded.

    Raises:
        ValueError: An empty or non-finite box, one wholly outside the image, a negative margin, or a square of more
            than MAX_CROP_SIDE pixels a side.
    """
    return cut_square(image, box_xyxy, margin)[0]


def cut_square(
    image: np.ndarray, box_xyxy: Sequence[float] | np.ndarray, margin: float = 0.0
) -> tuple[np.ndarray, tuple[int, int]]:
    """Cut as `crop_square`, and return where the crop's left and top edge lie in the image, too."""
    check_image(image)
    height, width = image.shape[:2]
    box = _check_box(box_xyxy)
    x1, y1, x2, y2 = box.tolist()
    if x2 <= 0 or y2 <= 0 or x1 >= width or y1 >= height:
        raise ValueError(f"expected a box that meets the {width} x {height} image, got {box.tolist()}")
    check_number("margin", margin)
    length = max(x2 - x1, y2 - y1) * (1 + 2 * margin)
    if length > MAX_CROP_SIDE:
        raise ValueError(f"expected a square of at most {MAX_CROP_SIDE} pixels a side, got {length:.0f}")
    side = max(1, _round(length))
    corner = _round((x1 + x2 - side) / 2), _round((y1 + y2 - side) / 2)
    x_from, x_to, left, right = _span(corner[0], side, width)
    y_from, y_to, top, bottom = _span(corner[1], side, height)
    crop = cv2.copyMakeBorder(image[y_from:y_to, x_from:x_to], top, bottom, left, right, cv2.BORDER_REPLICATE)
    return crop, corner


def shrink_for_crop(
    image: np.ndarray, box_xyxy: np.ndarray, margin: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shrink an image, and a box in it, where `crop_square` would cut more than MAX_CROP_SIDE.

    The third result, float64 [2], is by what pixels were multiplied: ones where nothing was done.
    """
    box = _check_box(box_xyxy)
    length = float((box[2:] - box[:2]).max()) * (1 + 2 * margin)
    if not length > MAX_CROP_SIDE:  # NaN neither: cutting names it
        return image, box, np.ones(2)
    shrink = (MAX_CROP_SIDE - 1) / length  # a pixel less, for rounding
    size_wh = [max(1, int(side * shrink)) for side in image.shape[1::-1]]
    scale_xy = np.divide(size_wh, image.shape[1::-1])
    return cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA), box * np.tile(scale_xy, 2), scale_xy


def to_square(image: np.ndarray) -> np.ndarray:
    """Pad the shorter side with its edge pixels: uint8 [H,W,3] or [H,W] to [S,S,3] or [S,S] with S = max(H, W)."""
    check_image(image)
    height, width = image.shape[:2]
    return image if height == width else crop_square(image, (0, 0, width, height))


def _round(value: float) -> int:
    """Round halves up; Python rounds them to even, which would move every second crop by a pixel."""
    return math.floor(value + 0.5)


def _span(start: int, side: int, length: int) -> tuple[int, int, int, int]:
    """Cut [start, start + side) to [0, length), at least one pixel: its ends, and what each end lacks."""
    first = min(max(start, 0), length - 1)
    stop = max(min(start + side, length), 1)
    before = min(max(-start, 0), side - 1)
    return first, stop, before, side - (stop - first) - before


def normalize(gray: np.ndarray) -> np.ndarray:
    """Turn uint8 gray of any shape to float32 of the same shape: (gray / 255 - FER_MEAN) / FER_STD."""
    if not isinstance(gray, np.ndarray) or gray.dtype != np.uint8:
        raise ValueError(f"expected a uint8 array, got {describe(gray)}")
    return (gray.astype(np.float32) / 255 - FER_MEAN) / FER_STD


def faces_to_batch(crops: Sequence[np.ndarray] | np.ndarray, size: int) -> np.ndarray:
    """Make the input of a classifier from face crops: square, gray, resized, normalized.

    Args:
        crops: A list of uint8 images [H,W,3] BGR or [H,W] gray, each of any size; may be empty.
        size: Side of the input in pixels.

    Returns:
        float32 [N,1,size,size].
    """
    size = _check_size(size)
    check_crops(crops)
    batch = np.empty((len(crops), 1, size, size), np.uint8)
    for row, crop in zip(batch, crops):
        row[0] = resize(to_gray(to_square(crop)), size)
    return normalize(batch)


def check_crops(crops: Sequence[np.ndarray] | np.ndarray) -> None:
    """Raise ValueError for what is no list of crops, such as one image, whose rows would be taken for crops."""
    if isinstance(crops, np.ndarray):
        is_list = crops.ndim == 4 or (crops.ndim == 3 and crops.shape[2] > 4)
    else:
        is_list = isinstance(crops, Sequence) and not isinstance(crops, (str, bytes))
    if not is_list:
        raise ValueError(f"expected a list of crops, got {describe(crops)}")


def predict(
    run: Callable[[Any], np.ndarray],
    images: Sequence[np.ndarray] | np.ndarray,
    size: int | None = None,
    batch: int = BATCH,
) -> np.ndarray:
    """Return what `run` gives for images, computed batch by batch, as one array."""
    if not len(images):
        raise ValueError("expected at least one image, got none")
    starts = range(0, len(images), batch)
    parts = (images[start : start + batch] for start in (track(starts, "batches") if len(starts) > 1 else starts))
    return np.concatenate([run(part if size is None else faces_to_batch(part, size)) for part in parts])


def _check_box(box_xyxy: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return a box as float64 [4]; ValueError where it is not finite or has no area."""
    box = to_floats(box_xyxy, "a box x1, y1, x2, y2")
    if box.shape != (4,) or not np.isfinite(box).all() or (box[2:] <= box[:2]).any():
        raise ValueError(f"expected a box x1, y1, x2, y2 with x1 < x2 and y1 < y2, got {box.tolist()}")
    return box


def to_floats(numbers: Any, expected: str) -> np.ndarray:
    """Return numbers as float64; ValueError tells what was expected where they are none."""
    try:
        return np.asarray(numbers, np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"expected {expected}, got {describe(numbers)}") from error


def check_image(image: np.ndarray) -> None:
    """Raise ValueError for what is no image with pixels, uint8 BGR or gray."""
    is_image = isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.size > 0
    if not is_image or (image.ndim != 2 and (image.ndim != 3 or image.shape[2] != 3)):
        raise ValueError(f"expected a uint8 image [H,W,3] or [H,W], got {describe(image)}")


def describe(value: object) -> str:
    """Return dtype and shape of an array, or the type of what is none, for an error."""
    return f"{value.dtype} {list(value.shape)}" if isinstance(value, np.ndarray) else type(value).__name__


def _check_size(size: int) -> int:
    if not hasattr(size, "__index__") or operator.index(size) < 1:
        raise ValueError(f"expected a size of at least 1 pixel, got {size!r}")
    return operator.index(size)
