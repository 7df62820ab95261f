"""Where a drawn head stands, how it is lit and what the camera does to the picture.

A head is a sheet of face units bent over a smooth relief (2.5-D): a point (x, y) of the sheet lies at depth
`depth(x, y)`, towards the viewer. `Pose` turns that relief and projects it without perspective.

Coordinates of pictures count from the left and top edge: the centre of the first pixel is (0.5, 0.5).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

MAX_YAW_DEG, MAX_PITCH_DEG, MAX_ROLL_DEG = 35.0, 25.0, 45.0
_MAP_GRID = 32  # the inverse map is smooth: it is solved on this grid and enlarged


def depth(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Gives the relief of a head, in face units towards the viewer, for x and y of one shape.

    The slope stays under 1.2 outside the nose, so that the fixed point of `Pose.sheet_map` converges.
    """
    skull = -0.8 * (np.sqrt(1 + (x / 0.7) ** 2) - 1) - 0.35 * (np.sqrt(1 + ((y - 0.05) / 0.7) ** 2) - 1)
    return skull + 0.24 * np.exp(-0.5 * ((x / 0.17) ** 2 + ((y - 0.20) / 0.22) ** 2))


@dataclass(frozen=True)
class Pose:
    """How a head stands in a picture.

    Attributes:
        yaw_deg: Above 0 the face looks to the viewer's right.
        pitch_deg: Above 0 the face looks up.
        roll_deg: Above 0 the head leans clockwise.
        scale: Pixels of a face unit.
        centre: Place of the face's origin (between the eyes, a little below) in pixels, x and y.
    """

    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    scale: float = 1.0
    centre: tuple[float, float] = (0.0, 0.0)

    @cached_property
    def rotation(self) -> np.ndarray:
        """Gives the rotation from the head to the camera: float64 [3,3]."""
        yaw, pitch, roll = np.deg2rad([self.yaw_deg, self.pitch_deg, self.roll_deg])
        turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
        nod = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
        lean = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
        return lean @ nod @ turn

    def project(self, points: np.ndarray, behind: float | None = None) -> np.ndarray:
        """Projects points of the sheet.

        Args:
            points: Face units, float [N,2].
            behind: Depth of all points instead of the relief's, for what hangs behind the head.

        Returns:
            Pixels, float64 [N,2].
        """
        z = depth(points[:, 0], points[:, 1]) if behind is None else np.full(len(points), behind)
        turned = np.column_stack([points, z]) @ self.rotation[:2].T
        return turned * self.scale + self.centre

    def sheet_map(self, height: int, width: int) -> np.ndarray:
        """Gives for every pixel the place on the sheet that is seen there: x and y, float32 [height,width,2]."""
        rows, cols = min(height, _MAP_GRID), min(width, _MAP_GRID)
        u = (np.arange(cols, dtype=np.float32) + 0.5) * np.float32(width / cols) - np.float32(self.centre[0])
        v = (np.arange(rows, dtype=np.float32) + 0.5) * np.float32(height / rows) - np.float32(self.centre[1])
        u, v = u / np.float32(self.scale), v[:, None] / np.float32(self.scale)
        (a, b, e), (c, d, f) = self.rotation[:2].astype(np.float32)
        a, b, c, d = np.array([d, -b, -c, a]) / (a * d - b * c)
        flat_x, flat_y = a * u + b * v, c * u + d * v
        shift_x, shift_y = a * e + b * f, c * e + d * f
        x, y = flat_x, flat_y
        for _ in range(5):
            z = depth(x, y)
            x, y = flat_x - shift_x * z, flat_y - shift_y * z
        grid = cv2.resize(cv2.merge([x, y]), (width, height), interpolation=cv2.INTER_CUBIC)
        return grid


def sample_pose(rng: np.random.Generator) -> Pose:
    """Draws a pose as people stand before a camera: mostly frontal, seldom past 25 degrees."""
    yaw, pitch, roll = rng.standard_normal(3) * (12.0, 6.0, 6.0)
    return Pose(
        float(np.clip(yaw, -MAX_YAW_DEG, MAX_YAW_DEG)), float(np.clip(pitch, -16, 16)), float(np.clip(roll, -22, 22))
    )


@dataclass(frozen=True)
class Light:
    """One lamp and the light of the room.

    Attributes:
        direction: From the face to the lamp, camera axes (x right, y down, z to the viewer), unit length.
        ambient: Share of light that comes from everywhere, 0 to 1.
        tint_bgr: Colour of the light, float64 [3], near 1.
    """

    direction: np.ndarray
    ambient: float
    tint_bgr: np.ndarray


def sample_light(rng: np.random.Generator) -> Light:
    """Draws a light that mostly comes from above and before the face."""
    direction = np.array([rng.normal(0, 0.55), rng.normal(-0.55, 0.3), 1.0])
    warmth = rng.normal(0, 0.035)
    return Light(
        direction / np.linalg.norm(direction),
        float(rng.uniform(0.35, 0.7)),
        np.array([1 - warmth, 1.0, 1 + warmth]) * rng.uniform(0.85, 1.12),
    )


def expose(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Takes the drawn picture with an imperfect camera: exposure, blur, noise, JPEG.

    Args:
        image: uint8 [H,W,3] BGR.
        rng: Source of chance.

    Returns:
        uint8 [H,W,3] BGR.
    """
    gamma, gain, lift = np.exp(rng.normal(0, 0.12)), rng.uniform(0.85, 1.1), rng.uniform(-6, 14)
    levels = np.clip(255 * gain * (np.arange(256) / 255) ** gamma + lift, 0, 255).astype(np.uint8)
    image = cv2.LUT(image, levels)
    sigma = rng.uniform(0.0, 0.9) * max(image.shape[0] / 110, 0.6)
    if sigma > 0.3:
        image = cv2.GaussianBlur(image, (0, 0), sigma)
    grain = rng.uniform(0.01, 0.09) * rng.uniform(0.3, 1)
    noise = rng.integers(0, 256, (2, *image.shape), dtype=np.uint8)
    noise = cv2.subtract(noise[0], noise[1], dtype=cv2.CV_16S)
    image = cv2.addWeighted(image, 1.0, noise, grain, 0, dtype=cv2.CV_8U)
    if rng.random() < 0.7:
        quality = int(rng.integers(35, 96))
        image = cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)
    return image
