"""Faces, or boxes of another class, in an image of any size. ONNX Runtime by default; starts without Paddle."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle.deployment.runtimes import Runner, load_runner, network_file, used_as
from fer_paddle.deployment.runtimes.base import Forward
from fer_paddle.files import check_number, is_number
from fer_paddle.images import describe, to_bgr
from fer_paddle.weights import DETECTION
from yolo3tiny.anchors import ANCHORS, STRIDES, anchor_masks
from yolo3tiny.boxes import clip, iou, letterbox
from yolo3tiny.decode import check_heads, decode_above, nms

DEFAULT, TINY = "yolo3lite.face", "yolo3tiny.face"  # TINY: the tutorial's network, which chapters prune and quantize
WEIGHTS = Path(__file__).parent / "weights" / f"{DEFAULT}.onnx"
LOADER = "yolo3tiny.files:DetectorModel.load"  # imports Paddle
FAST = 320  # longer side of the input in pixels of a fast detector
CLASSES = ("face",)
CHANNELS, SCALE = "BGR", "1/255"  # what `to_input` does
NMS_IOU = 0.45
MAX_SIDE = 4096  # of the network's input, as on the command line
# Half of the faces that score at least HINT are below SMALL_PX of the network's input: look closer. Measured on 120
# photos of crowds, see docs/results.md.
HINT, SMALL_PX = 0.2, 20
CLOSEST = 4  # the largest look as a multiple of the first
# A box that scores at least DOUBT but below SURE, its longer side above LARGE of the image's, its IoU with the sure
# ones below ELSEWHERE: look from afar. Measured on facedet val, see docs/results.md.
DOUBT, SURE, LARGE, ELSEWHERE = 0.05, 0.5, 0.1, 0.2
LONG = 3  # ratio of the sides above which an image is a panorama


@dataclass(frozen=True, eq=False)
class Detections:
    """Faces found in one image, best first; anything else is a ValueError.

    Attributes:
        boxes_xyxy: float32 [N, 4], left, top, right, bottom in pixels of the image, with area.
        scores: float32 [N] in 0..1, falling.
    """

    boxes_xyxy: np.ndarray
    scores: np.ndarray

    def __post_init__(self) -> None:
        boxes, scores = self.boxes_xyxy, self.scores
        are_float32 = all(isinstance(array, np.ndarray) and array.dtype == np.float32 for array in (boxes, scores))
        if not are_float32 or scores.ndim != 1 or boxes.shape != (len(scores), 4):
            got = f"{describe(boxes)} and {describe(scores)}"
            raise ValueError(f"expected boxes float32 [N, 4] and scores float32 [N], got {got}")
        # Every comparison is False for NaN.
        if not (boxes[:, 2:] > boxes[:, :2]).all() or not np.isfinite(boxes).all():
            raise ValueError("expected finite boxes with left < right and top < bottom, got others")
        if not ((scores >= 0) & (scores <= 1)).all() or not (scores[1:] <= scores[:-1]).all():
            raise ValueError("expected scores in 0..1, best first, got others")

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True)
class NetworkSettings:
    """What a network was made for; an ONNX file carries it as metadata. Anything else is a ValueError."""

    # Width and height in input pixels of all anchors, by area; each head has equally many.
    anchors: Sequence[Sequence[float]] = ANCHORS
    longest: int = 416  # the longer side of the network's input in pixels
    strides: Sequence[int] = STRIDES  # input pixels per cell of each head, the coarsest first
    classes: Sequence[str] = CLASSES  # the name of the one class

    def __post_init__(self) -> None:
        try:
            sizes = np.asarray(self.anchors, np.float64)
            are_numbers = all(is_number(side) for size in self.anchors for side in size)
        except (TypeError, ValueError):  # ragged, or no numbers
            sizes, are_numbers = np.zeros(0), False
        if not are_numbers or sizes.shape[1:] != (2,) or not (np.isfinite(sizes) & (sizes > 0)).all():
            raise ValueError(f"expected anchors of positive sides, got {self.anchors!r}")
        if not is_number(self.longest, Integral) or not 1 <= self.longest <= MAX_SIDE:
            raise ValueError(f"expected the longest side in whole pixels, 1 to {MAX_SIDE}, got {self.longest!r}")
        strides = self.strides if isinstance(self.strides, Sequence) else ()
        whole = all(is_number(side, Integral) for side in strides)
        if not strides or not whole or not all(1 <= side <= strides[0] <= MAX_SIDE for side in strides):
            raise ValueError(f"expected the strides of the heads in pixels, the coarsest first, got {self.strides!r}")
        classes = self.classes if isinstance(self.classes, (list, tuple)) else ()
        if len(classes) != 1 or not isinstance(classes[0], str):
            raise ValueError(f"expected a detector of one class, got {self.classes!r}")
        anchor_masks(len(sizes), strides)

    def to_json(self) -> dict[str, Any]:
        """Return the settings as JSON values, for a card."""
        return {
            "anchors": np.asarray(self.anchors, np.float64).tolist(),
            "longest": int(self.longest),
            "strides": list(self.strides),
            "classes": list(self.classes),
        }

    def to_metadata(self) -> dict[str, str]:
        """Return the settings as the metadata of an ONNX file."""
        values = {name: json.dumps(value, ensure_ascii=False) for name, value in self.to_json().items()}
        return values | {"channels": CHANNELS, "scale": SCALE}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> NetworkSettings:
        """Read the metadata of an ONNX file; what is not there keeps its default."""
        own = cls().to_metadata()
        for name in ("channels", "scale"):
            if (found := metadata.get(name, own[name])) != own[name]:
                raise ValueError(f"expected a face detector with {name} {own[name]}, got {found}")
        try:
            names = [field.name for field in dataclasses.fields(cls) if field.name in metadata]
            values = {name: json.loads(metadata[name]) for name in names}
        except ValueError as error:
            raise ValueError(f"expected anchors, longest, strides and classes as JSON, got: {error}") from error
        for name in ("strides", "classes"):
            if isinstance(values.get(name), list):
                values[name] = tuple(values[name])
        return cls(**values)


def load_network(weights: str | os.PathLike[str] | None = None, runtime: str | None = None, threads: int = 0) -> Runner:
    """Load the detector's network for `Detector(forward=...)`, and run it once; arguments and errors as load_runner."""
    path = network_file(DEFAULT if weights is None else weights, DETECTION, runtime)
    runner = load_runner(path, runtime, threads, loader=LOADER)
    with used_as(DETECTION, runner.metadata, path):
        settings = NetworkSettings.from_metadata(runner.metadata)
        heads = runner(np.zeros((1, 3, settings.strides[0], settings.strides[0]), np.float32))
        check_heads(heads, len(settings.anchors), settings.strides)
    return runner


class Detector:
    """Finds faces.

    Args:
        weights: A network that ships, by name, or a file that the runtime reads; None takes DEFAULT.
        forward: Used instead of a file: any callable images float32 [N, 3, H, W] -> the heads of the network. Its
            attribute `metadata`, where it has one, is read as that of a file.
        anchors: Width and height in input pixels of all anchors; None reads them from the metadata.
        longest: The longer side of the network's input in pixels; None reads it from the metadata.
        strides: Input pixels per cell of each head, the coarsest first; None reads them from the metadata.
        threads: Threads of the runtime; 0 lets it choose.
        runtime: What runs the file, one of fer_paddle.deployment.runtimes.RUNTIMES; None takes the one it was made for.
        fast: Look at 320 px: in a fraction of the time, but not for faces smaller than a thirtieth of the image.

    Where the faces of an image larger than `longest` are small, as in a crowd, it looks again at twice the size, and
    perhaps once more, which takes 4 and 16 times as long; where it doubts a large face, such as one that fills the
    image, at half the size, too. An image more than LONG times as long as wide is seen in pieces twice as long as wide.
    With `longest` given, or `fast`, one look at the whole is all.
    """

    def __init__(
        self,
        weights: str | os.PathLike[str] | None = None,
        forward: Forward | None = None,
        *,
        anchors: Sequence[Sequence[float]] | None = None,
        longest: int | None = None,
        strides: Sequence[int] | None = None,
        threads: int = 0,
        runtime: str | None = None,
        fast: bool = False,
    ):
        if weights is not None and forward is not None:
            raise ValueError("expected weights or forward, got both")
        if fast and longest is not None:
            raise ValueError(f"expected fast or longest, got both, longest {longest}")
        longest = FAST if fast else longest
        self.closest = 1 if longest is not None else CLOSEST
        self.forward = load_network(weights, runtime, threads) if forward is None else forward
        asked = {"anchors": anchors, "longest": longest, "strides": strides}
        given: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
        told = NetworkSettings.from_metadata(getattr(self.forward, "metadata", {}))
        self.settings = dataclasses.replace(told, **given)

    def __call__(self, image: np.ndarray, min_score: float = 0.5, nms_iou: float = NMS_IOU) -> Detections:
        """Find the faces of one image.

        Args:
            image: uint8 [H, W, 3] in BGR, or gray [H, W].
            min_score: Lowest score of a face, 0 to 1.
            nms_iou: Of two boxes that overlap by more, 0 to 1, the likelier one stays.

        Returns:
            The faces, the likeliest first; boxes in pixels of the image.

        Raises:
            ValueError: It is no such image, or a threshold lies outside of 0..1.
        """
        check_number("min_score", min_score, 0, 1)
        image = to_bgr(image)
        if self.closest > 1 and max(image.shape[:2]) > LONG * min(image.shape[:2]):
            return self._find_in_pieces(image, min_score, nms_iou)
        return self._find(image, min_score, nms_iou)

    def _find_in_pieces(self, image: np.ndarray, min_score: float, nms_iou: float) -> Detections:
        """Find the faces of a panorama: each piece overlaps half of the next and answers for its middle."""
        axis, step = int(image.shape[1] > image.shape[0]), max(min(image.shape[:2]), self.settings.longest // 2)
        starts, parts = range(0, image.shape[axis] - step, step), []
        for start in starts:
            piece = image[:, start : start + 2 * step] if axis else image[start : start + 2 * step]
            found = self._find(piece, min_score, nms_iou)
            placed = found.boxes_xyxy + np.array([start * axis, start * (1 - axis)] * 2, np.float32)
            centers = placed[:, [1 - axis, 3 - axis]].mean(axis=1)
            first, last = start + 0.4 * step if start else 0, start + (2 if start == starts[-1] else 1.6) * step
            own = (centers >= first) & (centers <= last)
            parts.append(Detections(placed[own], found.scores[own]))
        return _join(parts, nms_iou)

    def _find(self, image: np.ndarray, min_score: float, nms_iou: float) -> Detections:
        """Find the faces of an image, closer where they are small, from afar where a large one is in doubt."""
        longest = self.settings.longest
        if self.closest == 1:
            return self._look(image, longest, min_score, nms_iou)
        most, least = min(max(image.shape[:2]), self.closest * longest), min(min_score, DOUBT)
        found = self._look(image, longest, least, nms_iou)
        while longest < most and are_small(found, image, longest):
            longest *= 2
            found = self._look(image, longest, least, nms_iou)
        if has_doubts(found, image):
            afar = self._look(image, self.settings.longest // 2, least, nms_iou)
            found = _join([found, afar], nms_iou)
        likely = found.scores >= min_score
        return Detections(found.boxes_xyxy[likely], found.scores[likely])

    def _look(self, image: np.ndarray, longest: int, min_score: float, nms_iou: float) -> Detections:
        """Find the faces of an image whose longer side is `longest` px to the network."""
        strides = self.settings.strides
        padded, placed = letterbox(image, longest=longest, stride=strides[0])
        heads = self.forward(to_input(padded)[None])
        boxes, scores = decode_above(heads, min_score, self.settings.anchors, strides=strides)[0]
        kept = nms(boxes, scores, nms_iou)
        inside = clip(placed.to_photo(boxes[kept]), (image.shape[0], image.shape[1]))
        has_area = (inside[:, 2:] > inside[:, :2]).all(axis=1)  # a box wholly in the gray border has none left
        return Detections(inside[has_area], scores[kept][has_area].astype(np.float32, copy=False))


def are_small(found: Detections, image: np.ndarray, longest: int) -> bool:
    """Tell whether most of what was found in an image, whose longer side was `longest` px, is below SMALL_PX."""
    boxes = found.boxes_xyxy[found.scores >= HINT]
    sides = (boxes[:, 2:] - boxes[:, :2]).max(axis=1) * longest / max(image.shape[:2])
    return len(boxes) > 0 and float(np.median(sides)) < SMALL_PX


def has_doubts(found: Detections, image: np.ndarray) -> bool:
    """Tell whether a large face of an image is in doubt, and is none that another box is sure of."""
    boxes, scores = found.boxes_xyxy, found.scores
    large = (boxes[:, 2:] - boxes[:, :2]).max(axis=1) > LARGE * max(image.shape[:2])
    doubted = boxes[large & (scores >= DOUBT) & (scores < SURE)]
    return bool((iou(doubted, boxes[scores >= SURE]) < ELSEWHERE).all(axis=1).any())


def _join(looks: Sequence[Detections], nms_iou: float) -> Detections:
    """Return the faces of several looks: of those that overlap the likelier one."""
    boxes = np.concatenate([look.boxes_xyxy for look in looks])
    scores = np.concatenate([look.scores for look in looks])
    kept = nms(boxes, scores, nms_iou)
    return Detections(boxes[kept], scores[kept])


def to_input(image: np.ndarray) -> np.ndarray:
    """Turn uint8 [H, W, 3] in BGR into the network's float32 [3, H, W] in 0..1, still blue, green, red."""
    return np.multiply(image.transpose(2, 0, 1), np.float32(1 / 255), dtype=np.float32, order="C")
