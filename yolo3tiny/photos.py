"""Photos with the faces marked in them, whatever the format of their table.

One policy for all formats: boxes are cut off at the border of their picture; a box without area inside it is
dropped, and a logged warning says how many were.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from fer_paddle.images import read_image
from yolo3tiny.boxes import area, clip

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Photo:
    """A photo and the faces marked in it.

    Attributes:
        name: The picture as its table names it, "/" between folders.
        image: Where the picture is: a path, the bytes of its file, or a callable that gives uint8 [H, W, 3]
            in BGR.
        boxes_xyxy: float32 [N, 4] in pixels, within the picture.
        ignore: bool [N]; True marks a box that is neither face nor background.
        size_hw: Height and width in pixels.
        source: The collection the photo comes from, "" if unknown.
        split: "train", "val" ..., "" if unknown.
    """

    name: str
    image: str | os.PathLike[str] | bytes | Callable[[], np.ndarray]
    boxes_xyxy: np.ndarray
    ignore: np.ndarray
    size_hw: tuple[int, int]
    source: str = ""
    split: str = ""

    def __post_init__(self) -> None:
        if self.ignore.dtype != bool or self.boxes_xyxy.shape != (*self.ignore.shape, 4):
            got = f"{self.boxes_xyxy.shape} and {self.ignore.dtype} {self.ignore.shape}"
            raise ValueError(f"{self.name}: expected boxes [N, 4] and ignore bool [N], got {got}")

    def read(self) -> np.ndarray:
        """Read the picture, uint8 [H, W, 3] in BGR.

        Raises:
            ValueError: If it cannot be read, or has not the size for which its boxes were made.
        """
        image = self.image() if callable(self.image) else read_image(self.image)
        if image.shape[:2] != self.size_hw:
            expected, got = (f"{width} x {height}" for height, width in (self.size_hw, image.shape[:2]))
            raise ValueError(f"{self.name}: expected {expected} pixels as annotated, got a picture of {got}")
        return image


class PhotoCollector:
    """Gathers the photos of one table and applies the policy for boxes."""

    def __init__(self, table: str) -> None:
        """Begin with none; `table` says what is being read, for messages."""
        self.table = table
        self.photos: list[Photo] = []
        self._dropped = 0

    def add(
        self,
        name: str,
        image: str | os.PathLike[str] | bytes,
        size_hw: tuple[int, int],
        boxes_xyxy: np.ndarray,
        ignore: Sequence[bool],
        source: str = "",
        split: str = "",
    ) -> None:
        """Add a photo; its boxes [N, 4] may reach out of the picture or have no area.

        Raises:
            ValueError: If a coordinate is not finite, or the size is not positive.
        """
        boxes_xyxy = np.asarray(boxes_xyxy, np.float32).reshape(-1, 4)
        if not np.isfinite(boxes_xyxy).all() or min(size_hw) < 1:
            got = f"{boxes_xyxy.tolist()} in {size_hw[1]} x {size_hw[0]} pixels"
            raise ValueError(f"{self.table}: {name}: expected finite boxes and a positive size, got {got}")
        boxes_xyxy = clip(boxes_xyxy, size_hw)
        keep = area(boxes_xyxy) > 0
        self._dropped += int((~keep).sum())
        ignore = np.array(ignore, bool)[keep]
        self.photos.append(Photo(name, image, boxes_xyxy[keep], ignore, size_hw, source, split))

    def finish(self) -> list[Photo]:
        """The photos; logs how many boxes were dropped.

        Raises:
            ValueError: If there is no photo.
        """
        if not self.photos:
            raise ValueError(f"{self.table}: expected annotated photos, found none")
        if self._dropped:
            _LOG.warning("%s: dropped %d boxes without area inside their picture", self.table, self._dropped)
        return self.photos


def hold_out(photos: Sequence[Photo], every: int = 10) -> tuple[list[Photo], list[Photo]]:
    """Split photos that have no split of their own by their position: the first of every ten is held out.

    Args:
        photos: The photos in the order of their table (facedet_pseudo: all of it, before any other choice).
        every: One of so many is held out, 2 or more.

    Returns:
        (training, held_out): held_out has the positions 0, every, 2 * every ..., training the others.

    Raises:
        ValueError: If every is below 2.
    """
    if every < 2:
        raise ValueError(f"expected every >= 2, got {every}")
    return [photo for index, photo in enumerate(photos) if index % every], list(photos[::every])
