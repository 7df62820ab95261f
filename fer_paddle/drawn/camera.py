"""Where a drawn head stands, how it is lit and what the camera does to the picture.

A head is a sheet of face units bent over a smooth relief (2.5-D): a point (x, y) of the sheet lies at depth
`depth(x, y)`, towards the viewer. `Pose` turns that relief and projects it without perspective.

Coordinates of pictures count from the left and top edge: the centre of the first pixel is (0.5, 0.5).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import cv2
import numpy as np

MAX_YAW_DEG, MAX_PITCH_DEG, MAX_ROLL_DEG = 35.0, 25.0, 45.0
_MAP_CELLS = 24  # the map is smooth: it is solved in so many steps along a picture, and enlarged


def depth(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the relief of a head, in face units towards the viewer, for x and y of one shape."""
    across, down, nose = x * x, y - 0.05, y - 0.20
    skull = 1.15 - np.sqrt(0.64 + 1.306 * across) - np.sqrt(0.1225 + 0.25 * down * down)
    return skull + 0.24 * np.exp(-17.3 * across - 10.3 * nose * nose)


@lru_cache(maxsize=64)
def _rotation(yaw_deg: float, pitch_deg: float, roll_deg: float) -> np.ndarray:
    yaw, pitch, roll = math.radians(yaw_deg), math.radians(pitch_deg), math.radians(roll_deg)
    turn = np.array([(math.cos(yaw), 0, math.sin(yaw)), (0, 1, 0), (-math.sin(yaw), 0, math.cos(yaw))])
    nod = np.array([(1, 0, 0), (0, math.cos(pitch), -math.sin(pitch)), (0, math.sin(pitch), math.cos(pitch))])
    lean = np.array([(math.cos(roll), -math.sin(roll), 0), (math.sin(roll), math.cos(roll), 0), (0, 0, 1)])
    rotation = lean @ nod @ turn
    rotation.flags.writeable = False
    return rotation


@dataclass(frozen=True)
class Pose:
    """How a head stands in a picture."""

    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    scale: float = 1.0
    centre: tuple[float, float] = (0.0, 0.0)

    @property
    def rotation(self) -> np.ndarray:
        """The rotation from the head to the camera, float64 [3,3], not writeable."""
        return _rotation(self.yaw_deg, self.pitch_deg, self.roll_deg)

    def project(self, points: np.ndarray, behind: float | None = None) -> np.ndarray:
        """Project points of the sheet."""
        z = depth(points[..., 0], points[..., 1])[..., None] if behind is None else behind
        across, along = self._scaled
        return points @ across + z * along + self.centre

    @cached_property
    def _scaled(self) -> tuple[np.ndarray, np.ndarray]:
        return self.rotation[:2, :2].T * self.scale, self.rotation[:2, 2] * self.scale

    def sheet_map(self, height: int, width: int, scale: float, origin: tuple[float, float]) -> np.ndarray:
        """Return for every pixel of a picture the place on the sheet that is seen there, as for cv2.remap."""
        step = -(-max(height, width) // _MAP_CELLS)
        cols, rows = -(-width // step) + 2, -(-height // step) + 2  # one more at each edge than is seen
        u, v = (
            ((np.arange(count, dtype=np.float32) - 0.5) * step - middle) / self.scale
            for count, middle in ((cols, self.centre[0]), (rows, self.centre[1]))
        )
        (a, b, e), (c, d, f) = self.rotation[:2].tolist()
        area = a * d - b * c
        a, b, c, d = d / area, -b / area, -c / area, a / area
        flat_x, flat_y = a * u + (b * v)[:, None], c * u + (d * v)[:, None]
        shift_x, shift_y = a * e + b * f, c * e + d * f
        x, y = flat_x, flat_y
        # Each round leaves about tan(angle) of the error: the more the head is turned, the more rounds.
        for _ in range(2 + int(max(abs(self.yaw_deg), abs(self.pitch_deg)) / 6)):
            z = depth(x, y)
            x, y = flat_x - shift_x * z, flat_y - shift_y * z
        places = cv2.merge([(x - origin[0]) * scale - 0.5, (y - origin[1]) * scale - 0.5])
        places = cv2.resize(places, (cols * step, rows * step), interpolation=cv2.INTER_LINEAR)
        return places[step : step + height, step : step + width]


def sample_pose(rng: np.random.Generator) -> Pose:
    """Draw a pose as people stand before a camera: mostly frontal, seldom past 25 degrees."""
    yaw, pitch, roll = rng.standard_normal(3) * (12.0, 6.0, 6.0)
    limits = ((yaw, MAX_YAW_DEG), (pitch, 16.0), (roll, 22.0))
    yaw_deg, pitch_deg, roll_deg = (max(-most, min(float(angle), most)) for angle, most in limits)
    return Pose(yaw_deg, pitch_deg, roll_deg)


@dataclass(frozen=True)
class Light:
    """One lamp and the light of the room."""

    direction: np.ndarray
    ambient: float
    tint_bgr: np.ndarray


def sample_light(rng: np.random.Generator) -> Light:
    """Draw a light that mostly comes from above and before the face."""
    side, height, warmth = (rng.standard_normal(3) * (0.55, 0.3, 0.035)).tolist()
    direction = np.array([side, height - 0.55, 1.0])
    return Light(
        direction / math.hypot(*direction),
        float(rng.uniform(0.35, 0.7)),
        np.array([1 - warmth, 1.0, 1 + warmth]) * rng.uniform(0.92, 1.12),
    )


_LEVELS = np.arange(256) / 255


def expose(image: np.ndarray, rng: np.random.Generator, most_blur_px: float) -> np.ndarray:
    """Take the drawn picture with an imperfect camera: exposure, blur, noise, JPEG."""
    gamma, gain, lift = np.exp(rng.normal(0, 0.1)), rng.uniform(0.9, 1.1), rng.uniform(-6, 14)
    levels = np.minimum(np.maximum(255 * gain * _LEVELS**gamma + lift, 0), 255).astype(np.uint8)
    image = cv2.LUT(image, levels)
    sigma = rng.uniform(0.0, most_blur_px)
    if sigma > 0.3:
        image = cv2.GaussianBlur(image, (0, 0), sigma)
    grain = rng.uniform(0.01, 0.18) * rng.uniform(0.3, 1)
    noise = rng.integers(0, 256, (2, *image.shape), dtype=np.uint8)
    noise = cv2.addWeighted(noise[0], 0.5, noise[1], 0.5, 0)
    image = cv2.addWeighted(image, 1.0, noise, grain, -127.5 * grain)
    if rng.random() < 0.6:
        packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(35, 96))])[1]
        image = cv2.imdecode(packed, cv2.IMREAD_COLOR)
    return image
