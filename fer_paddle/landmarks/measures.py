"""What the points of a face say: how far mouth and eyes are open, how much it smiles, and aligned crops of its parts.

Source: Soukupova and Cech 2016, "Real-Time Eye Blink Detection using Facial Landmarks" (eye aspect ratio).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import cv2
import numpy as np

from fer_paddle.landmarks.points import LEFT_EYE, MOUTH, OUTER_CORNERS, RIGHT_EYE, check_points

OPEN_EYE = 0.3  # eye aspect ratio of an open eye
# Points of each part, and the margin about them as a ratio of their longer side.
_CROPS = {
    "mouth": (MOUTH, 0.45),
    "left_eye": (LEFT_EYE, 0.6),
    "right_eye": (RIGHT_EYE, 0.6),
    "face": (slice(0, 68), 0.1),
}


@dataclass(frozen=True)
class Measures:
    """Measures of one face, free of its size and roll."""

    # gap of the inner lips over the width of the mouth: 0 closed, about 0.3 talking, above 0.6 wide open
    mouth_open: float
    smile: float  # how far the corners of the mouth lie above its middle, over its width: above 0 they are up
    eye_closed: float  # 0 open to 1 closed, the mean of both eyes

    def to_json(self) -> dict[str, float]:
        """Return the measures as plain JSON values."""
        return {name: round(value, 4) for name, value in asdict(self).items()}


def measure_face(points: np.ndarray) -> Measures:
    """Measure one face, points [68, 2]; ValueError where eyes or mouth have no width."""
    upright = align(points, check_points(points))
    mouth_width = _distance(upright, 48, 54)
    inner_width = _distance(upright, 60, 64)
    if min(mouth_width, inner_width, _distance(upright, 36, 39), _distance(upright, 42, 45)) <= 0:
        raise ValueError("expected eyes and a mouth with a width, got a face without")
    gap = np.mean([_distance(upright, upper, lower) for upper, lower in ((61, 67), (62, 66), (63, 65))])
    lift = upright[[51, 57, 62, 66], 1].mean() - upright[[48, 54], 1].mean()
    ratio = float(np.mean([_eye_ratio(upright[eye]) for eye in (LEFT_EYE, RIGHT_EYE)]))
    closed = np.clip(1 - ratio / OPEN_EYE, 0, 1)
    return Measures(float(gap / inner_width), float(lift / mouth_width), float(closed))


def _distance(points: np.ndarray, first: int, second: int) -> float:
    return float(np.linalg.norm(points[first] - points[second]))


def _eye_ratio(eye: np.ndarray) -> float:
    """Return the eye aspect ratio of the six points of an eye: height over width."""
    return (_distance(eye, 1, 5) + _distance(eye, 2, 4)) / (2 * _distance(eye, 0, 3))


def align(points: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Turn places [N, 2] about the middle of the eyes of a face [68, 2], so that its eyes are level: float64 [N, 2]."""
    matrix = _level(check_points(points))
    return np.asarray(places, np.float64) @ matrix[:, :2].T + matrix[:, 2]


def aligned_crop(image: np.ndarray, points: np.ndarray, part: str = "mouth", size: int = 64) -> np.ndarray:
    """Cut a part of a face out of an image, level with its eyes.

    Args:
        image: uint8 [H, W, 3] or [H, W].
        points: The 68 points of the face, [68, 2] in pixels.
        part: `mouth`, `left_eye`, `right_eye` (as the viewer sees them) or `face`.
        size: Side of the crop in pixels.

    Returns:
        uint8 [size, size, 3] or [size, size]; what lies outside the image repeats its nearest edge pixel.

    Raises:
        ValueError: The part is unknown or has no width.
    """
    if part not in _CROPS or size < 1:
        raise ValueError(f"expected a part of {', '.join(_CROPS)} and a size of 1 px or more, got {part!r} and {size}")
    chosen, margin = _CROPS[part]
    points = check_points(points)
    placed = align(points, points)[chosen]
    low, high = placed.min(0), placed.max(0)
    side = float((high - low).max()) * (1 + 2 * margin)
    if side <= 0:
        raise ValueError(f"expected a {part} with a width, got one without")
    matrix = _level(points)
    matrix[:, 2] -= (low + high) / 2 - side / 2
    matrix *= size / side
    matrix[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5  # points count from the edge, OpenCV from the center of a pixel
    # INTER_AREA does not reach warpAffine: a crop much larger than its result is blurred first.
    sigma = 0.4 * side / size
    source = cv2.GaussianBlur(image, (0, 0), sigma) if sigma > 0.8 else image
    return cv2.warpAffine(source, matrix, (size, size), borderMode=cv2.BORDER_REPLICATE)


def _level(points: np.ndarray) -> np.ndarray:
    """Return the rotation [2, 3] about the middle of the eyes that makes them level."""
    left, right = points[OUTER_CORNERS[0]], points[OUTER_CORNERS[1]]
    across = right - left
    length = float(np.hypot(*across))
    if length <= 0:
        raise ValueError("expected eyes at two places, got one place")
    cos, sin = across / length
    linear = np.array([[cos, sin], [-sin, cos]])
    center = (left + right) / 2
    return np.column_stack([linear, center - linear @ center])
