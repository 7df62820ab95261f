"""An image in, faces with their expressions out: detect, crop, classify. Starts without Paddle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from fer_paddle.expression.predict import Classifier
from fer_paddle.images import MAX_CROP_SIDE, crop_square
from fer_paddle.labels import EXPRESSIONS
from yolo3tiny.predict import Detections, Detector

# A FER2013 image is 1.10 times the longer side of the box that the shipped detector finds in it (median over the 181
# found of 300 PublicTest faces).
MARGIN = 0.05
MIN_SCORE = 0.5


@dataclass(frozen=True, eq=False)
class Face:
    """A face in an image.

    Attributes:
        box_xyxy: float32 [4] in pixels of the image.
        score: How sure the detector is, 0 to 1.
        probs: float32 [C] in the order of the classes, summing to 1.
        label: The likeliest class.
        classes: Names of the classes.
    """

    box_xyxy: np.ndarray
    score: float
    probs: np.ndarray
    label: str
    classes: tuple[str, ...] = EXPRESSIONS

    def to_json(self) -> dict:
        """Return the face as plain JSON values."""
        return {
            "box_xyxy": [round(float(side), 2) for side in self.box_xyxy],
            "score": round(self.score, 4),
            "label": self.label,
            "probs": {name: round(float(prob), 4) for name, prob in zip(self.classes, self.probs)},
        }


class Pipeline:
    """Finds the faces of an image and names their expressions.

    Args:
        detector: (image, min_score) -> Detections; None takes the one that ships.
        classifier: crops -> probabilities; None takes the one that ships.
        margin: Added to each side of the square around a face, as a ratio of its side.
        runtime: What runs the networks that ship, one of deployment.runtimes.RUNTIMES.
    """

    def __init__(
        self,
        detector: Callable[..., Detections] | None = None,
        classifier: Callable[[Sequence[np.ndarray]], np.ndarray] | None = None,
        margin: float = MARGIN,
        runtime: str = "onnx",
    ):
        self.detector = detector if detector is not None else Detector(runtime=runtime)
        self.classifier = classifier if classifier is not None else Classifier(runtime=runtime)
        self.margin, self.classes = margin, tuple(getattr(self.classifier, "classes", EXPRESSIONS))

    def __call__(self, image: np.ndarray, min_score: float = MIN_SCORE) -> list[Face]:
        """Recognize the faces of one image: image uint8 [H, W, 3]."""
        found = self.detector(image, min_score=min_score)
        crops = [crop_face(image, box, self.margin) for box in found.boxes_xyxy]
        probs = self.classifier(crops)
        return [
            Face(box, float(score), row, self.classes[int(row.argmax())], self.classes)
            for box, score, row in zip(found.boxes_xyxy, found.scores, probs)
        ]


def crop_face(image: np.ndarray, box_xyxy: np.ndarray, margin: float) -> np.ndarray:
    """Cut the square around a face by images.crop_square, of a smaller image where it would be too large."""
    length = float((box_xyxy[2:] - box_xyxy[:2]).max()) * (1 + 2 * margin)
    if length > MAX_CROP_SIDE:
        shrink = (MAX_CROP_SIDE - 1) / length  # a pixel less, for rounding
        size_wh = [max(1, int(side * shrink)) for side in image.shape[1::-1]]
        small = cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA)
        scale_xy = np.divide(size_wh, image.shape[1::-1])
        image, box_xyxy = small, box_xyxy * np.tile(scale_xy, 2)
    return crop_square(image, box_xyxy, margin)
