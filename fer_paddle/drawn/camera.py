"""Pose, light and camera of a drawn head: a sheet of face units bent over a smooth relief (2.5-D), seen without
perspective. Pixels count from the left and top edge: the center of the first is (0.5, 0.5).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

MAX_YAW_DEG, MAX_PITCH_DEG, MAX_ROLL_DEG = 35.0, 25.0, 45.0
_MAP_CELLS = 24  # the map is smooth: it is solved in so many steps along an image, and enlarged


def depth(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the relief of a head, in face units towards the viewer, for x and y of one shape."""
    across, down, nose = x * x, y - 0.05, y - 0.20
    skull = 1.15 - np.sqrt(0.64 + 1.306 * across) - np.sqrt(0.1225 + 0.25 * down * down)
    return skull + 0.24 * np.exp(-17.3 * across - 10.3 * nose * nose)


@dataclass(frozen=True)
class Pose:
    """How a head stands in an image."""

    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    scale: float = 1.0
    center: tuple[float, float] = (0.0, 0.0)

    @cached_property
    def rotation(self) -> np.ndarray:
        """The rotation from the head to the camera, float64 [3,3]."""
        angles = [math.radians(angle) for angle in (self.yaw_deg, self.pitch_deg, self.roll_deg)]
        (cos_y, cos_p, cos_r), (sin_y, sin_p, sin_r) = map(math.cos, angles), map(math.sin, angles)
        turn = np.array([(cos_y, 0, sin_y), (0, 1, 0), (-sin_y, 0, cos_y)])
        nod = np.array([(1, 0, 0), (0, cos_p, -sin_p), (0, sin_p, cos_p)])
        return np.array([(cos_r, -sin_r, 0), (sin_r, cos_r, 0), (0, 0, 1)]) @ nod @ turn

    def project(self, points: np.ndarray, behind: float | None = None) -> np.ndarray:
        """Project points of the sheet."""
        z = depth(points[..., 0], points[..., 1])[..., None] if behind is None else behind
        return self.scale * (points @ self.rotation[:2, :2].T + z * self.rotation[:2, 2]) + self.center

    def sheet_map(self, height: int, width: int, scale: float, origin: tuple[float, float]) -> np.ndarray:
        """Return for every pixel of an image the place on the sheet that is seen there, as for cv2.remap."""
        step = -(-max(height, width) // _MAP_CELLS)
        cols, rows = -(-width // step) + 2, -(-height // step) + 2  # one more at each edge than is seen
        u, v = (
            ((np.arange(count, dtype=np.float32) - 0.5) * step - middle) / self.scale
            for count, middle in ((cols, self.center[0]), (rows, self.center[1]))
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
    limits = np.array([MAX_YAW_DEG, 16.0, 22.0])
    return Pose(*np.clip(rng.standard_normal(3) * (12.0, 6.0, 6.0), -limits, limits).tolist())


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


def expose(image: np.ndarray, rng: np.random.Generator, most_blur_px: float) -> np.ndarray:
    """Take the drawn image with an imperfect camera: exposure, blur, noise, JPEG."""
    gamma, gain, lift = np.exp(rng.normal(0, 0.1)), rng.uniform(0.9, 1.1), rng.uniform(-6, 14)
    image = cv2.LUT(image, np.clip(255 * gain * (np.arange(256) / 255) ** gamma + lift, 0, 255).astype(np.uint8))
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
