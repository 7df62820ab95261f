"""Calibration pictures: a few hundred that look like those to come; labels are not needed."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle.images import list_images, read_image

logger = logging.getLogger(__name__)


def choose(items: Sequence[Any] | np.ndarray, count: int, seed: int = 0) -> list[Any]:
    """Draws `count` of the items without putting back, or takes all where there are fewer; in their old order.

    Raises:
        ValueError: count is below 1, or there is no item.
    """
    if count < 1 or not len(items):
        raise ValueError(f"expected to choose 1 or more of 1 or more pictures, got {count} of {len(items)}")
    chosen = np.random.default_rng(seed).choice(len(items), min(count, len(items)), replace=False)
    return [items[index] for index in sorted(chosen)]


def read_pictures(
    folder: str | os.PathLike[str],
    count: int,
    seed: int = 0,
    progress: Callable[[Iterable[Path]], Iterable[Path]] = iter,
) -> list[np.ndarray]:
    """Reads some pictures of a folder and of those below it; unreadable ones are logged and left out.

    Args:
        folder: The folder.
        count: How many files to draw.
        seed: Of the draw.
        progress: Wraps the files for a progress bar.

    Returns:
        uint8 [H, W, 3] each, in BGR.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: It holds no picture, or none of those drawn can be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"expected a folder of calibration pictures, found none at {folder}")
    paths = list_images(folder)
    if not paths:
        raise ValueError(f"expected calibration pictures in {folder}, found no picture file")
    pictures, reason = [], ""
    for path in progress(choose(paths, count, seed)):
        try:
            pictures.append(read_image(path))
        except (ValueError, OSError) as error:
            reason = str(error)
            logger.warning("left out of the calibration: %s", reason)
    if not pictures:
        raise ValueError(
            f"expected calibration pictures in {folder}, none of {len(paths)} can be read, such as: {reason}"
        )
    return pictures


def to_batches(images: np.ndarray, batch_size: int = 32) -> list[np.ndarray]:
    """Cuts float32 [N, C, H, W] into batches, the last of which may be smaller."""
    return [images[start : start + batch_size] for start in range(0, len(images), batch_size)]
