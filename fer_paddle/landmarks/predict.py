"""An image and the boxes of its faces in, 68 points of each out. Starts without Paddle."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from numbers import Integral

import numpy as np

from fer_paddle.deployment.runtimes import load_runner, network_file, used_as
from fer_paddle.deployment.runtimes.base import Forward
from fer_paddle.files import is_number
from fer_paddle.images import BATCH, FER_MEAN, FER_STD, cut_square, faces_to_batch, shrink_for_crop, to_floats
from fer_paddle.landmarks.points import NUM_POINTS

DEFAULT = "landmarks.68"
LOADER = "fer_paddle.landmarks.files:LandmarkModel.load"  # imports Paddle
TASK = "landmarks"  # in the card and in the metadata
INPUT = "gray face crop, float32 [N, 1, size, size], (pixel / 255 - mean) / std"


@dataclass(frozen=True)
class LandmarkSettings:
    """How to use a landmark network: its card and the metadata of every deployed file say it."""

    input_size: int  # side of the crops in pixels
    margin: float  # added to each side of the square around a face's box, as a ratio of its side

    def __post_init__(self) -> None:
        is_size = is_number(self.input_size, Integral) and self.input_size >= 1
        if not is_size or not is_number(self.margin) or not 0 <= self.margin < 10:
            got = f"{self.input_size!r} and {self.margin!r}"
            raise ValueError(f"expected an input_size of 1 px or more and a margin of 0 or more, got {got}")

    def to_metadata(self) -> dict[str, str]:
        """Return the settings as the metadata of an ONNX file."""
        words = {"task": TASK, "points": NUM_POINTS, **asdict(self), "mean": FER_MEAN, "std": FER_STD, "input": INPUT}
        return {name: str(word) for name, word in words.items()}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> LandmarkSettings:
        """Read the metadata of a deployed file; ValueError where it is another network's."""
        own = cls(1, 0.0).to_metadata()
        for name in ("points", "mean", "std"):
            if metadata.get(name) != own[name]:
                raise ValueError(f"expected a landmark network with {name} {own[name]}, got {metadata.get(name)}")
        try:
            return cls(json.loads(metadata["input_size"]), float(metadata["margin"]))
        except (KeyError, ValueError) as error:
            raise ValueError(f"expected input_size and margin in the metadata, got: {error}") from error


class Landmarker:
    """Finds the 68 points of faces, in iBUG's order.

    Args:
        weights: A network that ships, by name, or a file that the runtime reads; None takes DEFAULT.
        forward: Used instead of a file: any callable crops float32 [N, 1, S, S] -> [points float32 [N, 68, 2]].
        settings: How to use it; None reads them from the metadata of `forward`.
        threads: Threads of the runtime; 0 lets it choose.
        runtime: What runs the file, one of deployment.runtimes.RUNTIMES; None takes the one it was made for.
    """

    def __init__(
        self,
        weights: str | os.PathLike[str] | None = None,
        forward: Forward | None = None,
        settings: LandmarkSettings | None = None,
        threads: int = 0,
        runtime: str | None = None,
    ):
        if weights is not None and forward is not None:
            raise ValueError("expected weights or forward, got both")
        path = network_file(DEFAULT if weights is None else weights, TASK, runtime) if forward is None else "`forward`"
        self.forward = load_runner(path, runtime, threads, loader=LOADER) if forward is None else forward
        told = getattr(self.forward, "metadata", {})
        with used_as(TASK, told, path):
            self.settings = settings or LandmarkSettings.from_metadata(told)

    def __call__(self, image: np.ndarray, boxes_xyxy: np.ndarray) -> np.ndarray:
        """Find the points of the faces of one image, uint8 BGR [H, W, 3] or gray [H, W], by boxes [N, 4] in pixels.

        Returns:
            float32 [N, 68, 2] in pixels from the image's left and top edge; a point may lie outside of the image.

        Raises:
            ValueError: A box has no area, is not finite or lies wholly outside the image.
        """
        boxes = to_floats(boxes_xyxy, "boxes [N, 4]")
        if not boxes.size:
            return np.zeros((0, NUM_POINTS, 2), np.float32)
        if boxes.ndim != 2 or boxes.shape[1] != 4:
            raise ValueError(f"expected boxes [N, 4], got {list(boxes.shape)}")
        crops, corners, sides = zip(*(self._cut(image, box) for box in boxes))
        parts = []
        for start in range(0, len(crops), BATCH):
            batch = faces_to_batch(list(crops[start : start + BATCH]), self.settings.input_size)
            parts.append(np.asarray(self.forward(batch)[0], np.float64).reshape(len(batch), NUM_POINTS, 2))
        points = np.array(corners)[:, None] + np.concatenate(parts) * np.array(sides)[:, None]
        return points.astype(np.float32)

    def _cut(self, image: np.ndarray, box_xyxy: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the crop of a face, and its left top corner [2] and sides [2] in pixels of the image."""
        shrunk, box, scale_xy = shrink_for_crop(image, box_xyxy, self.settings.margin)
        crop, corner = cut_square(shrunk, box, self.settings.margin)
        return crop, np.array(corner) / scale_xy, crop.shape[0] / scale_xy
