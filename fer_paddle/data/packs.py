"""The `.npz` packs: pictures as lossless PNG sheets beside plain arrays."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import cv2
import numpy as np


def load_pack(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Reads a pack.

    Args:
        path: A `.npz` with `shape` (N, H, W[, 3]), `per_row` (pictures in a row of a sheet), `sheet...` (PNG bytes)
            and further arrays.

    Returns:
        Every further array under its name, and `images`, uint8 [N, H, W] or [N, H, W, 3] in RGB.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is damaged or no pack.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"expected a pack, found no file at {path}")
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (zipfile.BadZipFile, ValueError, EOFError, OSError) as error:
        raise ValueError(f"expected a whole .npz pack at {path}, got: {error}") from error
    if not {"shape", "per_row"} <= arrays.keys():
        raise ValueError(f"expected a pack with 'shape' and 'per_row' at {path}, got {sorted(arrays)}")
    shape, per_row = tuple(int(n) for n in arrays.pop("shape")), int(arrays.pop("per_row"))
    sheets = sorted(name for name in arrays if name.startswith("sheet"))
    tiles = [_cut_sheet(arrays.pop(name), shape, per_row, path) for name in sheets]
    images = np.concatenate(tiles)[: shape[0]] if tiles else np.zeros((0, *shape[1:]), np.uint8)
    if images.shape != shape:
        raise ValueError(f"expected {shape[0]} pictures in {path}, got {len(images)}")
    return {**arrays, "images": images}


def _cut_sheet(encoded: np.ndarray, shape: tuple[int, ...], per_row: int, path: Path) -> np.ndarray:
    """Cuts one decoded PNG sheet into its pictures, uint8 [rows * per_row, H, W(, 3)]."""
    gray = len(shape) == 3
    sheet = cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE if gray else cv2.IMREAD_COLOR)
    height, width = shape[1:3]
    if sheet is None or sheet.shape[0] % height or sheet.shape[1] != per_row * width:
        raise ValueError(f"expected a PNG sheet of {height}x{width} pictures, {per_row} a row, in {path}")
    if not gray:
        sheet = cv2.cvtColor(sheet, cv2.COLOR_BGR2RGB)
    rows = sheet.shape[0] // height
    tiles = sheet.reshape(rows, height, per_row, width, *shape[3:]).swapaxes(1, 2)  # [rows, per_row, H, W(, 3)]
    return tiles.reshape(rows * per_row, height, width, *shape[3:])

