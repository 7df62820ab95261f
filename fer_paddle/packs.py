"""The `.npz` packs: images as lossless PNG sheets beside plain arrays."""

from __future__ import annotations

import os
import zipfile
import zlib
from pathlib import Path

import numpy as np

from fer_paddle.images import read_image, to_gray

# What np.load and zipfile raise on damaged, encrypted and foreign files.
_DAMAGE = (zipfile.BadZipFile, zlib.error, ValueError, EOFError, OSError, NotImplementedError, RuntimeError)


def load_pack(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Read a pack -> uint8 [N, H, W]."""
    path = Path(path)
    arrays = _read_archive(path)
    shape, per_row = _layout(arrays, path)
    sheets = sorted(name for name in arrays if name.startswith("sheet"))
    tiles = [_cut_sheet(arrays.pop(name), shape, per_row, path) for name in sheets]
    images = np.concatenate(tiles)[: shape[0]] if tiles else np.zeros((0, *shape[1:]), np.uint8)
    if images.shape != shape:
        raise ValueError(f"expected {shape[0]} images in {path}, got {len(images)}")
    return {**arrays, "images": images}


def _read_archive(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise FileNotFoundError(f"expected a pack, found no file at {path}")
    if not zipfile.is_zipfile(path):  # np.load also reads other kinds of files
        raise ValueError(f"expected a whole .npz pack at {path}, got another kind of file or a truncated one")
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
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
