"""Faces with points as the samples a network trains on."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from fer_paddle.images import cut_square, normalize, resize, to_gray
from fer_paddle.landmarks.data.faces import LandmarkFaces
from fer_paddle.landmarks.points import flip_points
from fer_paddle.training.augment import AugmentConfig, change_pixels, draw_affine
from fer_paddle.training.loader import EpochData


class LandmarkData(EpochData):
    """Normalized crops with their points; without `augment` every face is cut as `Landmarker` does."""

    def __init__(
        self,
        faces: LandmarkFaces,
        size: int | Sequence[tuple[int, int]],
        margin: float,
        augment: AugmentConfig | None = None,
        seed: int = 0,
    ):
        super().__init__(size, seed)
        self.faces, self.margin, self.augment = faces, margin, augment

    def __len__(self) -> int:
        return len(self.faces)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return (crop float32 [1, size, size], points float32 [68, 2] as ratios of its sides)."""
        crop, points = self.draw(index)
        return normalize(crop)[None], (points / self.size).astype(np.float32)

    def draw(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return a sample to look at: gray uint8 [size, size] and points float64 [68, 2] in its pixels."""
        image, points = self.faces.images[index], self.faces.points[index].astype(np.float64)
        box = self.faces.boxes_xyxy[index].astype(np.float64)
        if self.augment is None:
            crop, corner = cut_square(image, box, self.margin)
            return resize(to_gray(crop), self.size), (points - corner) * (self.size / crop.shape[0])
        rng = self.rng(index)
        side = float((box[2:] - box[:2]).max()) * (1 + 2 * self.margin)
        matrix = draw_affine((box[:2] + box[2:]) / 2, side, self.size, self.augment, rng)
        crop = cv2.warpAffine(to_gray(image), matrix, (self.size, self.size), borderMode=cv2.BORDER_REPLICATE)
        placed = (points - 0.5) @ matrix[:, :2].T + matrix[:, 2] + 0.5
        if np.linalg.det(matrix[:, :2]) < 0:  # mirrored: left and right change their index, the places are right
            placed = flip_points(placed, 0) * (-1, 1)
        return change_pixels(crop, self.augment, rng), placed
