"""Augmentation: its settings, which cut boxes remain faces, color, blur, noise and JPEG damage.

`yolo3tiny.mosaic` does the geometry. Every function takes its random generator, so a sample is a function of
its seed. Images are uint8 [H, W, 3] in BGR; boxes are xyxy in pixels of the image they stand beside; `ignore`
marks boxes that are neither face nor background.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from yolo3tiny.boxes import area

_LUMA_BGR = np.array([0.114, 0.587, 0.299])  # ITU-R BT.601


@dataclass(frozen=True)
class AugmentConfig:
    """How strongly training images are changed. Probabilities are in 0..1, pixels are of the network's input."""

    mosaic: float = 0.5  # probability that a sample is a mosaic and not one photo
    grids: tuple[int, ...] = (2, 3, 4, 5, 6)  # cells along a side of a mosaic, one drawn for each mosaic
    # Range of the side to which a mosaic brings the faces of a photo, log-uniform.
    face_px: tuple[float, float] = (8.0, 80.0)
    max_enlarge: float = 1.5  # a mosaic never enlarges a photo more than this
    # Range of the scale of a single photo; 1 makes it fill the canvas along its longer side.
    scale: tuple[float, float] = (0.3, 2.0)
    aspect: float = 1.2  # width and height are stretched apart by up to this factor
    min_side_px: float = 6.0  # faces with a smaller side (root of the area) are ignored
    min_visible: float = 0.5  # faces of which a smaller ratio remains in the image are ignored
    min_ignore: float = 0.1  # boxes of which a smaller ratio remains are dropped
    flip: float = 0.5  # probability of a left-right flip of a photo
    color: float = 0.8  # probability of the changes by the five strengths that follow
    brightness: float = 0.15  # added to all channels, at most this ratio of full scale
    contrast: float = 0.3  # contrast is multiplied by 1 - this to 1 + this
    saturation: float = 0.5  # saturation is multiplied by 1 - this to 1 + this
    hue_deg: float = 10.0  # colors turn about the gray axis by at most this angle
    gamma: float = 0.5  # the exponent is drawn from 1 / (1 + this) to 1 + this, log-uniform
    gray: float = 0.08  # probability of a gray image
    blur: float = 0.25  # probability of a blur, Gaussian or by motion
    blur_px: tuple[float, float] = (0.4, 1.4)  # range of the Gaussian's sigma; a motion is two to six sigma long
    noise: float = 0.25  # probability of noise, Gaussian or Poisson-like
    noise_std: tuple[float, float] = (2.0, 14.0)  # range of the standard deviation of the noise in gray levels
    shrink: float = 0.15  # probability of shrinking the image and enlarging it again
    shrink_to: tuple[float, float] = (0.5, 0.9)  # range of that scale
    jpeg: float = 0.35  # probability of saving as JPEG and reading again
    jpeg_quality: tuple[int, int] = (25, 90)  # range of its quality, 1..100


def cut_boxes(
    boxes_xyxy: np.ndarray, ignore: np.ndarray, windows_xyxy: np.ndarray, config: AugmentConfig
) -> tuple[np.ndarray, np.ndarray]:
    """Cut boxes float32 [N, 4] off at the windows [N, 4] or [4] of what is seen."""
    cut = boxes_xyxy.copy()
    cut[:, :2] = np.maximum(boxes_xyxy[:, :2], windows_xyxy[..., :2])
    cut[:, 2:] = np.minimum(boxes_xyxy[:, 2:], windows_xyxy[..., 2:])
    left_over = area(cut)
    visible = left_over / np.maximum(area(boxes_xyxy), 1e-6)
    is_face = (visible >= config.min_visible) & (left_over >= config.min_side_px**2) & ~ignore
    keep = is_face | ((visible >= config.min_ignore) & (left_over >= 4))
    return cut[keep], ~is_face[keep]


def log_uniform(low: float, high: float, rng: np.random.Generator) -> float:
    """Draw a number between low and high (both above 0), as likely between 1 and 2 as between 10 and 20."""
    return low * (high / low) ** rng.random()


def change_color(image: np.ndarray, rng: np.random.Generator, config: AugmentConfig) -> np.ndarray:
    """Change brightness, contrast, saturation, hue and gamma of an image uint8 [H, W, 3], or make it gray."""
    is_gray = rng.random() < config.gray
    if rng.random() < config.color:
        saturation = rng.uniform(1 - config.saturation, 1 + config.saturation)
        contrast = rng.uniform(1 - config.contrast, 1 + config.contrast)
        offset = 255 * rng.uniform(-config.brightness, config.brightness) + 128 * (1 - contrast)
        turn = cv2.Rodrigues(np.full(3, math.radians(rng.uniform(-1, 1) * config.hue_deg) / math.sqrt(3)))[0]
        to_gray = np.tile(_LUMA_BGR, (3, 1))
        matrix = contrast * (saturation * turn + (1 - saturation) * to_gray @ turn)
        image = cv2.transform(image, np.column_stack([matrix, np.full(3, offset)]))
        gamma = log_uniform(1 / (1 + config.gamma), 1 + config.gamma, rng)
        image = cv2.LUT(image, np.uint8(np.round(255 * (np.arange(256) / 255) ** gamma)))
    return cv2.transform(image, np.tile(_LUMA_BGR, (3, 1))) if is_gray else image


def damage(image: np.ndarray, rng: np.random.Generator, config: AugmentConfig) -> np.ndarray:
    """Perhaps blur an image uint8 [H, W, 3], shrink and enlarge it, add noise, save it as JPEG."""
    if rng.random() < config.blur:
        image = _blur(image, log_uniform(*config.blur_px, rng), rng)
    if rng.random() < config.shrink:
        height, width = image.shape[:2]
        scale = rng.uniform(*config.shrink_to)
        small = cv2.resize(image, (max(1, round(width * scale)), max(1, round(height * scale))))
        image = cv2.resize(small, (width, height))
    if rng.random() < config.noise:
        image = _add_noise(image, log_uniform(*config.noise_std, rng), rng)
    if rng.random() < config.jpeg:
        quality = int(rng.integers(config.jpeg_quality[0], config.jpeg_quality[1] + 1))
        jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        image = cv2.imdecode(jpeg, cv2.IMREAD_COLOR)
    return image


def _blur(image: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    if rng.random() < 0.7:
        return cv2.GaussianBlur(image, (0, 0), sigma)
    length = sigma * rng.uniform(2, 6)
    side = 2 * math.ceil(length / 2) + 1
    kernel = np.zeros((side, side), np.float32)
    step = np.array([math.cos(angle := rng.uniform(0, math.pi)), math.sin(angle)]) * length / 2
    middle = side // 2
    ends = (np.stack([middle - step, middle + step]) * 16).round().astype(int)
    cv2.line(kernel, ends[0].tolist(), ends[1].tolist(), 1.0, lineType=cv2.LINE_8, shift=4)
    return cv2.filter2D(image, -1, kernel / kernel.sum())


def _add_noise(image: np.ndarray, std: float, rng: np.random.Generator) -> np.ndarray:
    cv2.setRNGSeed(int(rng.integers(2**31)))  # three times as fast as NumPy's normal numbers
    # As one channel: given a number, OpenCV's randn fills the first channel only.
    noise = np.empty((image.shape[0], image.shape[1] * 3), np.int16)
    noise = cv2.randn(noise, 0, std).reshape(image.shape)
    if rng.random() < 0.5:  # as photons: the variance grows with the light
        strength = np.sqrt(np.arange(256) / 255).astype(np.float32)
        noise = cv2.multiply(noise, cv2.LUT(image, strength), dtype=cv2.CV_16S)
    return cv2.add(image, noise, dtype=cv2.CV_8U)
