"""The `.npz` packs: images as lossless PNG sheets beside plain arrays."""

from __future__ import annotations

import math
import os
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fer_paddle.files import largest_content, replacing
from fer_paddle.images import read_image, to_gray

# What np.load and zipfile raise on damaged, encrypted and foreign files.
_DAMAGE: tuple[type[Exception], ...] = (zipfile.BadZipFile, zlib.error, ValueError, EOFError, OSError, MemoryError)
_DAMAGE += (NotImplementedError, RuntimeError)

PER_ROW, ROWS = 64, 64  # images of a row, and rows of a sheet


def save_pack(path: str | os.PathLike[str], images: np.ndarray, **columns: np.ndarray) -> Path:
    """Write gray images, uint8 [N, H, W], and other arrays as a pack that `load_pack` reads; returns its path."""
    count, height, width = images.shape
    arrays: dict[str, Any] = {"shape": np.array(images.shape, np.int32), "per_row": np.int32(PER_ROW)}
    for number, start in enumerate(range(0, count, PER_ROW * ROWS)):
        part = images[start : start + PER_ROW * ROWS]
        rows = math.ceil(len(part) / PER_ROW)
        tiles = np.zeros((rows * PER_ROW, height, width), np.uint8)
        tiles[: len(part)] = part
        sheet = tiles.reshape(rows, PER_ROW, height, width).swapaxes(1, 2).reshape(rows * height, PER_ROW * width)
        arrays[f"sheet{number:04}"] = cv2.imencode(".png", sheet)[1].ravel()
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **(arrays | columns))
    return Path(path)


def load_pack(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Read a pack -> uint8 [N, H, W]."""
    path, arrays = Path(path), read_arrays(path)
    shape, per_row = _layout(arrays, path)
    sheets = sorted(name for name in arrays if name.startswith("sheet"))
    _check_bytes(math.prod(shape), path)
    images, count = np.empty((max(shape[0], 0), *shape[1:]), np.uint8), 0
    for name in sheets:
        tiles = _cut_sheet(arrays.pop(name), shape, per_row, path)
        images[count : count + len(tiles)] = tiles[: max(shape[0] - count, 0)]
        count += len(tiles)
        if count >= shape[0]:
            break
    if len(images) != shape[0] or count < shape[0]:
        raise ValueError(f"expected {shape[0]} images in {path}, got {count}")
    return {**arrays, "images": images}


def _check_bytes(content: int, path: Path) -> None:
    if content > (most := largest_content(path)):
        raise ValueError(f"expected a .npz pack of at most {most >> 20} MB at {path}, got one of {content >> 20} MB")


def read_arrays(path: str | os.PathLike[str], names: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """Read the arrays of a .npz file, without names all of them; ValueError: it is none, lacks one, or is too large."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"expected a pack, found no file at {path}")
    if not zipfile.is_zipfile(path):  # np.load also reads other kinds of files
        raise ValueError(f"expected a whole .npz pack at {path}, got another kind of file or a truncated one")
    try:
        with zipfile.ZipFile(path) as packed:
            content = sum(member.file_size for member in packed.infolist())
    except _DAMAGE as error:
        raise ValueError(f"expected a whole .npz pack at {path}, got: {error}") from error
    _check_bytes(content, path)
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in names or archive.files}
    except KeyError as error:
        raise ValueError(f"expected {', '.join(names)} in the pack {path}, got one without: {error}") from error
    except _DAMAGE as error:
        raise ValueError(f"expected a whole .npz pack at {path}, got: {error}") from error


def _layout(arrays: dict[str, np.ndarray], path: Path) -> tuple[tuple[int, ...], int]:
    """Take `shape` and `per_row` out of the arrays of a pack."""
    found = sorted(arrays)
    shape, per_row = (np.asarray(arrays.pop(name, None)) for name in ("shape", "per_row"))
    are_integers = shape.dtype.kind in "iu" and per_row.dtype.kind in "iu" and per_row.shape == ()
    is_known = shape.shape == (3,) or (shape.shape == (4,) and shape[3] == 3)
    if not are_integers or not is_known or min(shape[1:3]) < 1:
        raise ValueError(f"expected a pack with 'shape' (N, H, W[, 3]) and 'per_row' at {path}, got {found}")
    return tuple(shape.tolist()), int(per_row)


def _cut_sheet(encoded: np.ndarray, shape: tuple[int, ...], per_row: int, path: Path) -> np.ndarray:
    """Cut one PNG sheet into its images, uint8 [rows * per_row, H, W(, 3)]."""
    height, width = shape[1:3]
    try:
        sheet = read_image(encoded.tobytes())
    except ValueError as error:
        raise ValueError(f"expected PNG sheets in {path}, got {error}") from error
    if sheet.shape[0] % height or sheet.shape[1] != per_row * width:
        got = f"{sheet.shape[0]}x{sheet.shape[1]}"
        raise ValueError(f"expected a sheet of {height}x{width} images, {per_row} a row, in {path}, got {got}")
    sheet = to_gray(sheet) if len(shape) == 3 else sheet[..., ::-1]
    rows = sheet.shape[0] // height
    tiles = sheet.reshape(rows, height, per_row, width, *shape[3:]).swapaxes(1, 2)  # [rows, per_row, H, W(, 3)]
    return tiles.reshape(rows * per_row, height, width, *shape[3:])
