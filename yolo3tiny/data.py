"""Face photos as augmented samples for training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from fer_paddle.training.loader import EpochData
from yolo3tiny.augment import AugmentConfig
from yolo3tiny.boxes import area, xyxy_to_cxcywh
from yolo3tiny.mosaic import Pyramid, augment
from yolo3tiny.photos import Photo
from yolo3tiny.predict import to_input

MAX_BOXES = 200  # of a sample; of more, the smallest ignored boxes are left out first, then the smallest faces


class FaceTrainingData(EpochData):
    """Augmented samples of face photos; paddle.io.DataLoader takes it as a dataset.

    A sample depends on (seed, epoch, index) alone: on no other sample, no order and no number of workers. Call
    `set_epoch` before each epoch (and before workers are started).

    Args:
        photos: The photos; one that is twice in the list is seen twice in an epoch.
        size: Side of the samples in pixels, a multiple of 32; or pairs (first epoch, side) in rising
            order, from epoch 0.
        config: How photos are changed.
        seed: Seed of all randomness, together with the epoch and the index.
        cache_mb: Decoded photos are kept in memory up to this size; 0 keeps none.
    """

    def __init__(
        self,
        photos: Sequence[Photo],
        size: int | Sequence[tuple[int, int]] = 416,
        config: AugmentConfig = AugmentConfig(),
        seed: int = 0,
        cache_mb: int = 2000,
    ) -> None:
        if not photos:
            raise ValueError("expected at least one photo, got none")
        super().__init__(size, seed)
        self.photos, self.config = list(photos), config
        self._longest = math.ceil(max(side for _, side in self.sizes) * config.scale[1])
        self._cache: dict[int, Pyramid] = {}
        self._cache_left = cache_mb * 2**20

    def __len__(self) -> int:
        """Return the samples of an epoch: one for each photo of the list."""
        return len(self.photos)

    def __getitem__(self, index: int) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
        """Draw a sample -> float32 [3, size, size]."""
        image, boxes_xyxy, ignore = self.draw(index)
        return to_input(image), self._pad(boxes_xyxy, ignore)

    def draw(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw a sample to look at: uint8 [size, size, 3] BGR, boxes_xyxy float32 [K, 4], ignore bool [K]."""
        if not 0 <= index < len(self.photos):
            raise IndexError(f"expected 0 <= index < {len(self.photos)}, got {index}")
        rng = self.rng(index)

        def pick() -> Pyramid:
            return self._load(int(rng.random() * len(self)))

        return augment(self._load(index), pick, self.size, rng, self.config)

    def _load(self, index: int) -> Pyramid:
        photo = self.photos[index]
        if (pyramid := self._cache.get(id(photo))) is not None:
            return pyramid
        pyramid = Pyramid(photo.read(), photo.boxes_xyxy, photo.ignore, self._longest)
        if pyramid.nbytes <= self._cache_left:
            self._cache_left -= pyramid.nbytes
            self._cache[id(photo)] = pyramid
        return pyramid

    def _pad(self, boxes_xyxy: np.ndarray, ignore: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if len(boxes_xyxy) > MAX_BOXES:
            order = np.lexsort((-area(boxes_xyxy), ignore))[:MAX_BOXES]
            boxes_xyxy, ignore = boxes_xyxy[order], ignore[order]
        padded = np.zeros((MAX_BOXES, 4), np.float32)
        padded_ignore = np.zeros(MAX_BOXES, np.float32)
        padded[: len(boxes_xyxy)] = xyxy_to_cxcywh(boxes_xyxy) / self.size
        padded_ignore[: len(ignore)] = ignore
        return padded, padded_ignore


def repeat_photos(photos: Sequence[Photo], times: Mapping[str, int]) -> list[Photo]:
    """Repeat the photos of each source as often as `times` says, once where it says nothing."""
    sources = {photo.source for photo in photos}
    for source, number in times.items():
        if source not in sources or number < 0:
            expected = f"sources among {sorted(sources)} and 0 times or more"
            raise ValueError(f"expected {expected}, got {source!r}: {number}")
    return [photo for photo in photos for _ in range(times.get(photo.source, 1))]
