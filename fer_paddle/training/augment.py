"""Augmentation of gray faces: what may change about a face without changing its expression or its landmarks."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

from fer_paddle.files import check_integer, check_number
from fer_paddle.images import resize
from fer_paddle.training.randaugment import apply_randaugment, check_square

_LEAST_ERASE_AREA = 0.02


@dataclasses.dataclass(frozen=True)
class AugmentConfig:
    """Strengths of the random changes; every default of zero is "off"."""

    flip: float = 0.0  # probability of a left-right flip
    rotate_deg: float = 0.0  # largest rotation, degrees, either way
    scale: float = 0.0  # largest relative change of size, so that 0.1 draws from 0.9 to 1.1
    shift: float = 0.0  # largest shift along x and y, as a ratio of the side
    brightness: float = 0.0  # largest shift of all pixels, as a ratio of 255
    contrast: float = 0.0  # largest relative change of the contrast about the mean
    erase: float = 0.0  # probability of one random rectangle replaced by noise (Zhong et al. 2017, arXiv:1708.04896)
    erase_area: float = 0.2  # largest area of that rectangle, as a ratio of the image; the least is 0.02
    blur: float = 0.0  # largest standard deviation of a Gaussian blur, as a ratio of the side; 0.01 is 0.64 px at 64 px
    noise: float = 0.0  # largest standard deviation of Gaussian noise on each pixel, as a ratio of 255
    shrink: float = 0.0  # probability of a face of fewer pixels, half of the side or more, enlarged again
    jpeg: float = 0.0  # probability of the losses of JPEG at a quality of 20 to 80
    gamma: float = 0.0  # probability of another gamma, 0.6 to 1.6
    randaugment: int = 0  # operations of RandAugment a face; see randaugment.apply_randaugment
    randaugment_strength: float = 1.0  # their largest strength, 0 to 3, a tenth of the paper's 0 to 30

    def __post_init__(self) -> None:
        ranges = {
            "rotate_deg": (0, 180),
            "scale": (0, 0.9),
            "erase_area": (_LEAST_ERASE_AREA, 1),
            "blur": (0, 0.1),
            "randaugment": (0, 14),
            "randaugment_strength": (0, 3),
        }
        for field in dataclasses.fields(self):
            check = check_integer if field.name == "randaugment" else check_number
            check(field.name, getattr(self, field.name), *ranges.get(field.name, (0, 1)))


def augment_face(image: np.ndarray, size: int, config: AugmentConfig, rng: np.random.Generator) -> np.ndarray:
    """Draw one variant of a face uint8 [S, S] at `size` x `size` pixels; `rng` is the only source of randomness.

    Flip, rotation, scale, shift and the change of size are one affine warp: pixels are interpolated once.
    """
    check_square(image)
    if image.shape[0] > 2 * size:  # the warp makes one pixel of 2x2: it would leave out others, and alias
        image = resize(image, 2 * size)
    side = image.shape[0]
    matrix = draw_affine(np.full(2, side / 2), side, size, config, rng)
    face = cv2.warpAffine(image, matrix, (size, size), borderMode=cv2.BORDER_REPLICATE)  # bilinear
    return change_pixels(face, config, rng)


def change_pixels(face: np.ndarray, config: AugmentConfig, rng: np.random.Generator) -> np.ndarray:
    """Draw what changes the pixels of a face uint8 [S, S] where they are: light, an erased piece, blur, noise."""
    if config.brightness or config.contrast:
        gain = 1 + rng.uniform(-config.contrast, config.contrast)
        offset = 255 * rng.uniform(-config.brightness, config.brightness) + face.mean() * (1 - gain)
        levels = np.arange(256, dtype=np.float32) * gain + offset
        face = cv2.LUT(face, np.clip(np.rint(levels), 0, 255).astype(np.uint8))
    if rng.random() < config.erase:
        _erase(face, config.erase_area, rng)
    # What came later draws after the rest, and only where it is on: older settings give the samples they always gave.
    if config.randaugment:
        face = apply_randaugment(face, config.randaugment, config.randaugment_strength, rng)
    if config.blur:
        face = _blur(face, rng.uniform(0, config.blur) * face.shape[0])
    if config.noise:
        face = _add_noise(face, rng.uniform(0, config.noise), rng)
    for harm, chance in ((_shrink, config.shrink), (_compress, config.jpeg), (_bend, config.gamma)):
        if chance and rng.random() < chance:
            face = harm(face, rng)
    return face


def draw_affine(
    center_xy: np.ndarray, side: float, size: int, config: AugmentConfig, rng: np.random.Generator
) -> np.ndarray:
    """Draw the matrix [2, 3] that maps a square of an image onto `size` x `size` pixels, by centers of pixels.

    Center [2] and side of the square are in pixels from the image's left and top edge.
    """
    angle = np.deg2rad(rng.uniform(-config.rotate_deg, config.rotate_deg))
    zoom = size / side * (1 + rng.uniform(-config.scale, config.scale))
    mirror = -1.0 if rng.random() < config.flip else 1.0
    cos, sin = zoom * np.cos(angle), zoom * np.sin(angle)
    linear = np.array([[cos * mirror, -sin], [sin * mirror, cos]])
    shift = rng.uniform(-config.shift, config.shift, 2) * size
    center_from, center_to = np.asarray(center_xy) - 0.5, np.full(2, (size - 1) / 2)
    return np.column_stack([linear, center_to + shift - linear @ center_from])


def _erase(face: np.ndarray, largest_area: float, rng: np.random.Generator) -> None:
    """Fill one rectangle of `face` with noise, in place."""
    side = face.shape[0]
    area, aspect = rng.uniform(_LEAST_ERASE_AREA, largest_area), np.exp(rng.uniform(-1, 1))
    height, width = (min(max(int(side * np.sqrt(area * a)), 1), side) for a in (aspect, 1 / aspect))
    top, left = rng.integers(0, side - height + 1), rng.integers(0, side - width + 1)
    face[top : top + height, left : left + width] = rng.integers(0, 256, (height, width), np.uint8)


def _blur(face: np.ndarray, sigma_px: float) -> np.ndarray:
    """Blur by a Gaussian; one too narrow to reach the next pixel changes nothing."""
    return face if sigma_px < 0.1 else cv2.GaussianBlur(face, (0, 0), sigma_px, borderType=cv2.BORDER_REPLICATE)


def _add_noise(face: np.ndarray, deviation: float, rng: np.random.Generator) -> np.ndarray:
    """Add Gaussian noise of a standard deviation given as a ratio of 255."""
    noise = rng.standard_normal(face.shape, np.float32) * np.float32(255 * deviation)
    return np.clip(np.rint(face + noise), 0, 255).astype(np.uint8)


def _shrink(face: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Lose details as a small face in a photo does."""
    side = face.shape[0]
    return resize(resize(face, int(rng.integers((side + 1) // 2, max(side, 2)))), side)


def _compress(face: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Lose what JPEG loses."""
    content = cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 81))])[1]
    return cv2.imdecode(content, cv2.IMREAD_GRAYSCALE)


def _bend(face: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Apply the gamma of another camera."""
    levels = 255 * np.linspace(0, 1, 256) ** np.exp(rng.uniform(-0.5, 0.5))
    return cv2.LUT(face, np.rint(levels).astype(np.uint8))
