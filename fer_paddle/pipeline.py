"""An image in, faces with their expressions out: detect, crop, classify. Starts without Paddle."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import Image

from fer_paddle.expression.predict import Classifier
from fer_paddle.files import check_number
from fer_paddle.images import convert_pillow, crop_square, describe, read_image, shrink_for_crop, to_bgr
from fer_paddle.labels import EXPRESSIONS
from fer_paddle.landmarks.measures import Measures, measure_face
from fer_paddle.landmarks.points import NUM_POINTS
from fer_paddle.landmarks.pose import HeadPose, estimate_pose
from fer_paddle.landmarks.predict import Landmarker
from yolo3tiny.predict import Detections, Detector
from yolo3tiny.rotations import ROTATIONS, find_faces, turn, turn_back, turn_points_back

if TYPE_CHECKING:
    from fer_paddle.collect.fetch import FetchPolicy

ImageSource = np.ndarray | Image.Image | bytes | str | os.PathLike[str]
Channels = Literal["BGR", "RGB"]

# A FER2013 image is 1.10 times the longer side of the box that the shipped detector finds in it (median over the 181
# found of 300 PublicTest faces).
MARGIN = 0.05
MIN_SCORE = 0.5
MAX_URL_BYTES = 20_000_000
MIN_PROB = 0.5


@dataclass(frozen=True, eq=False)
class Face:
    """A face in an image.

    Attributes:
        box_xyxy: float32 [4] in pixels of the image.
        score: How sure the detector is, 0 to 1.
        probs: float32 [C] in the order of the classes, summing to 1.
        label: The likeliest class.
        classes: Names of the classes.
        rotation_deg: Degrees clockwise that turn the image so that the face stands upright: 0, 90, 180 or 270.
        points: float32 [68, 2] in pixels of the image, see landmarks.points; None where they are not asked for.
        image_hw: Height and width of the image in pixels, where there are points.
    """

    box_xyxy: np.ndarray
    score: float
    probs: np.ndarray
    label: str
    classes: tuple[str, ...] = EXPRESSIONS
    rotation_deg: int = 0
    points: np.ndarray | None = None
    image_hw: tuple[int, int] = (0, 0)

    @property
    def sure(self) -> bool:
        """Whether the label has a probability of MIN_PROB or more; an unsure one is drawn with a question mark."""
        return bool(self.probs.max() >= MIN_PROB)

    @cached_property
    def pose(self) -> HeadPose | None:
        """Where the head looks, by its points; None without."""
        return None if self.points is None else estimate_pose(self.points, self.image_hw)

    @cached_property
    def measures(self) -> Measures | None:
        """How far mouth and eyes are open, and how much it smiles, by its points; None without."""
        return None if self.points is None else measure_face(self.points)

    def to_json(self) -> dict:
        """Return the face as plain JSON values."""
        found = {
            "box_xyxy": [round(float(side), 2) for side in self.box_xyxy],
            "score": round(self.score, 4),
            "label": self.label,
            "sure": self.sure,
            "probs": {name: round(float(prob), 4) for name, prob in zip(self.classes, self.probs)},
            **({"rotation_deg": self.rotation_deg} if self.rotation_deg else {}),
        }
        if self.points is None or self.pose is None or self.measures is None:  # all or none of them
            return found
        points = np.round(self.points.astype(float), 2).tolist()
        return found | {"pose": self.pose.to_json(), "measures": self.measures.to_json(), "points_xy": points}


class Pipeline:
    """Finds the faces of an image and names their expressions. Threads may share one; a process pool may pickle it.

    Args:
        detector: (image, min_score) -> Detections; None takes the one that ships.
        classifier: crops -> probabilities; None takes the one that ships.
        margin: Added to each side of the square around a face, as a ratio of its side.
        runtime: What runs the networks that ship, one of deployment.runtimes.RUNTIMES; None takes ONNX Runtime.
        min_face: Least longer side of a face's box in pixels.
        rotations: Degrees clockwise, of yolo3tiny.rotations.ROTATIONS, by which images are turned to find other faces,
            too; each takes as long as the image as it is.
        landmarks: Also find the 68 points of each face, its pose and measures: by the network that ships, or by
            (image, boxes [N, 4]) -> points [N, 68, 2].
    """

    def __init__(
        self,
        detector: Callable[..., Detections] | None = None,
        classifier: Callable[[Sequence[np.ndarray]], np.ndarray] | None = None,
        margin: float = MARGIN,
        runtime: str | None = None,
        min_face: float = 0,
        rotations: Sequence[int] = (),
        landmarks: bool | Callable[[np.ndarray, np.ndarray], np.ndarray] = False,
    ):
        if unknown := set(rotations) - ROTATIONS.keys():
            raise ValueError(f"expected rotations of {', '.join(map(str, ROTATIONS))}, got {sorted(unknown)}")
        check_number("margin", margin)
        landmarker = None if isinstance(landmarks, bool) else landmarks
        parts = (detector, "Detector"), (classifier, "Classifier"), (landmarker, "Landmarker")
        for part, kind in parts:
            if part is not None and not callable(part):
                raise ValueError(f"expected a callable such as {kind}({part!r}), got {part!r}")
        self.detector = detector if detector is not None else Detector(runtime=runtime)
        self.classifier = classifier if classifier is not None else Classifier(runtime=runtime)
        self.min_face, self.rotations = min_face, tuple(rotations)
        self.landmarker = Landmarker(runtime=runtime) if landmarks is True else landmarker
        self.margin, self.classes = margin, tuple(getattr(self.classifier, "classes", EXPRESSIONS))

    def __call__(
        self,
        image: ImageSource,
        min_score: float = MIN_SCORE,
        *,
        min_face: float | None = None,
        channels: Channels = "BGR",
        allow_url: bool = False,
        landmarks: bool = True,
    ) -> list[Face]:
        """Recognize the faces of one image.

        Args:
            image: Of any kind that `open_image` takes, with its other arguments.
            min_score: Lowest score of a face, 0 to 1.
            min_face: Instead of that of the pipeline.
            landmarks: False finds no points, though the pipeline could.

        Returns:
            The faces, the likeliest first.
        """
        image = open_image(image, channels, allow_url)
        least = self.min_face if min_face is None else min_face
        found, turns = find_faces(self.detector, image, min_score, least, self.rotations)
        crops = [turn(crop_face(image, box, self.margin), degrees) for box, degrees in zip(found.boxes_xyxy, turns)]
        probs = self.classifier(crops)
        faces = [
            Face(box, float(score), row, self.classes[int(row.argmax())], self.classes, int(degrees))
            for box, score, row, degrees in zip(found.boxes_xyxy, found.scores, probs, turns)
        ]
        if self.landmarker is None or not landmarks:
            return faces
        points, image_hw = self._find_points(self.landmarker, image, found, turns), (image.shape[0], image.shape[1])
        return [replace(face, points=row, image_hw=image_hw) for face, row in zip(faces, points)]

    @staticmethod
    def _find_points(
        landmarker: Callable[[np.ndarray, np.ndarray], np.ndarray],
        image: np.ndarray,
        found: Detections,
        turns: np.ndarray,
    ) -> np.ndarray:
        """Find the points of faces, each in the image turned upright: float32 [N, 68, 2] in pixels of the image."""
        points = np.zeros((len(found), NUM_POINTS, 2), np.float32)
        for degrees in np.unique(turns).tolist():
            chosen, upright = turns == degrees, turn(image, degrees)
            boxes = Detections(found.boxes_xyxy[chosen], found.scores[chosen])
            if degrees:
                boxes = turn_back(boxes, 360 - degrees, (upright.shape[0], upright.shape[1]))
            placed = landmarker(upright, boxes.boxes_xyxy)
            points[chosen] = turn_points_back(placed, degrees, (image.shape[0], image.shape[1]))
        return points


def open_image(source: ImageSource, channels: Channels = "BGR", allow_url: bool = False) -> np.ndarray:
    """Return any image as uint8 [H, W, 3] in BGR; every way into the pipeline leads through here.

    Args:
        source: A path, the bytes of an image file, a Pillow image, an array uint8 [H, W, 3] or gray [H, W], or a URL.
        channels: The order of an array's channels: BGR, as OpenCV reads it, or RGB.
        allow_url: Fetch a URL, see `fetch_image`.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is none of these, no readable image, or a URL that is not allowed.
        OSError: The server of a URL cannot be reached.
    """
    if isinstance(source, np.ndarray):
        bgr = to_bgr(source)
        if channels not in ("BGR", "RGB"):
            raise ValueError(f"expected the channels BGR or RGB, got {channels!r}")
        return bgr if channels == "BGR" else np.ascontiguousarray(bgr[..., ::-1])
    if isinstance(source, Image.Image):
        return convert_pillow(source)
    if not isinstance(source, (str, os.PathLike, bytes)):
        raise ValueError(f"expected an array, a Pillow image, a path or the bytes of a file, got {describe(source)}")
    if not is_url(source):
        return read_image(source)
    if not allow_url:
        raise ValueError(f"expected allow_url (--allow-url) before {source!r} is fetched, got none")
    return read_image(fetch_image(str(source)))


def is_url(source: object) -> bool:
    """Tell whether a source is the URL of a web server."""
    return isinstance(source, str) and source.lower().startswith(("http://", "https://"))


def fetch_image(url: str, policy: FetchPolicy | None = None) -> bytes:
    """Fetch an image by the crawler's rules: public addresses alone, robots.txt obeyed, bounded in time and size."""
    from fer_paddle.collect.fetch import Expect, Fetcher, FetchPolicy

    with Fetcher(policy or FetchPolicy()) as fetcher:
        return fetcher.get(url, Expect(MAX_URL_BYTES, ("image/",))).body


def crop_face(image: np.ndarray, box_xyxy: np.ndarray, margin: float) -> np.ndarray:
    """Cut the square around a face by images.crop_square, of a smaller image where it would be too large."""
    image, box_xyxy, _ = shrink_for_crop(image, box_xyxy, margin)
    return crop_square(image, box_xyxy, margin)
