"""Where a head looks: its points against a 3-D mean face (PnP), as yaw, pitch and roll in degrees.

| angle | axis | above 0 |
|---|---|---|
| yaw | down through the head | the face turns to the viewer's right |
| pitch | from ear to ear | the face looks up |
| roll | out of the image | the head leans clockwise |

The rotation is roll @ pitch @ yaw, about the camera's own axes. Sources: Lepetit et al. 2009, "EPnP: An
accurate O(n) solution to the PnP problem"; OpenCV's solvePnP.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from fer_paddle.drawn.anatomy import TEMPLATE
from fer_paddle.drawn.camera import Pose as DrawnPose
from fer_paddle.drawn.camera import depth
from fer_paddle.landmarks.points import check_points

# Points that expressions move little: brows, nose, corners of the eyes and the mouth, chin. The jaw's other points are
# left out: on a turned head they mark the visible border, which is another place of the skull.
RIGID = (*range(17, 36), 36, 39, 42, 45, 48, 54, 8)
_HANDS = np.diag([1.0, 1.0, -1.0])  # the mean face counts depth towards the viewer, OpenCV's camera away from it


@dataclass(frozen=True, eq=False)
class HeadPose:
    """How a head stands before the camera; see the table at the head of this module."""

    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    rotation: np.ndarray  # float64 [3, 3], from the mean face (x right, y down, z towards the viewer) to the camera
    # float64 [3], from the camera to the head, in half widths of a face; z is away from the camera
    translation: np.ndarray

    def to_json(self) -> dict[str, float]:
        """Return the angles as plain JSON values."""
        return {name: round(float(getattr(self, name)), 2) for name in ("yaw_deg", "pitch_deg", "roll_deg")}


def mean_face() -> np.ndarray:
    """Return the 68 points of a mean face, x right, y down, z towards the viewer, float64 [68, 3]."""
    return np.column_stack([TEMPLATE, depth(TEMPLATE[:, 0], TEMPLATE[:, 1])])


def camera_matrix(size_hw: tuple[int, int]) -> np.ndarray:
    """Guess the camera of an image: its focal length is the longer side (a view of 53 degrees), its axis the center."""
    height, width = size_hw
    if height < 1 or width < 1:
        raise ValueError(f"expected an image of 1 x 1 px or more, got {width} x {height}")
    focal = float(max(height, width))
    return np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])


def estimate_pose(points: np.ndarray, size_hw: tuple[int, int]) -> HeadPose:
    """Estimate the pose of one head.

    Args:
        points: Its 68 points, [68, 2] in pixels of the image.
        size_hw: Height and width of the image in pixels.

    Raises:
        ValueError: The points are not finite, or all on one line or place.
    """
    seen = check_points(points)[list(RIGID)]
    if np.linalg.matrix_rank(seen - seen.mean(0), tol=1e-6) < 2:
        raise ValueError("expected points that are spread in two directions, got points on one line")
    model, camera, no_distortion = (mean_face() @ _HANDS)[list(RIGID)], camera_matrix(size_hw), np.zeros(4)
    # EPnP needs no guess, nor a face that is large in its image: OpenCV's SQPnP fails at 12 px of 1000. The steps of
    # Levenberg and Marquardt lessen the distances in the image.
    found, turn, shift = cv2.solvePnP(model, seen, camera, no_distortion, flags=cv2.SOLVEPNP_EPNP)
    if not found:
        raise ValueError("expected points of a face, got points that no pose explains")
    turn, shift = cv2.solvePnPRefineLM(model, seen, camera, no_distortion, turn, shift)
    rotation = _HANDS @ cv2.Rodrigues(turn)[0] @ _HANDS
    return HeadPose(*to_angles(rotation), rotation, shift.ravel())


def to_rotation(yaw_deg: float, pitch_deg: float, roll_deg: float) -> np.ndarray:
    """Return the rotation of three angles, float64 [3, 3]."""
    return DrawnPose(yaw_deg, pitch_deg, roll_deg).rotation


def to_angles(rotation: np.ndarray) -> tuple[float, float, float]:
    """Return yaw, pitch and roll of a rotation [3, 3] in degrees, the inverse of `to_rotation`."""
    pitch = math.asin(min(max(rotation[2, 1], -1.0), 1.0))
    yaw = math.atan2(-rotation[2, 0], rotation[2, 2])
    roll = math.atan2(-rotation[0, 1], rotation[1, 1])
    return math.degrees(yaw), math.degrees(pitch), math.degrees(roll)


def project(points_xyz: np.ndarray, pose: HeadPose, size_hw: tuple[int, int]) -> np.ndarray:
    """Project points [N, 3] of the mean face's frame into the image: float64 [N, 2] in pixels."""
    placed = points_xyz @ pose.rotation.T @ _HANDS + pose.translation
    image = placed @ camera_matrix(size_hw).T
    return image[:, :2] / image[:, 2:]


def draw_axes(image: np.ndarray, pose: HeadPose, length: float = 0.8) -> np.ndarray:
    """Draw the head's axes from the tip of its nose: x red (to the viewer's right), y green (down), z blue (outwards).

    `length` of an axis is in half widths of a face; the image, uint8 [H, W, 3] BGR, is not changed.
    """
    nose = mean_face()[30]
    ends = project(np.vstack([nose, nose + length * np.eye(3)]), pose, (image.shape[0], image.shape[1]))
    drawn, thickness = image.copy(), max(1, round(max(image.shape[:2]) / 250))
    start, *tips = (tuple(int(value) for value in np.clip(end, -32_000, 32_000)) for end in ends)
    for tip, color in zip(tips, ((0, 0, 255), (0, 255, 0), (255, 0, 0))):
        cv2.line(drawn, start, tip, color, thickness, cv2.LINE_AA)
    return drawn
