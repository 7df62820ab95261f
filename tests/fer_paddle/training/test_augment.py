"""The augmentation against ways of one's own: NumPy's flip and roll, and a warp by hand."""

import json

import cv2
import numpy as np
import pytest

from fer_paddle.images import resize
from fer_paddle.training.augment import AugmentConfig, augment_face
from fer_paddle.training.randaugment import apply_randaugment

OFF = AugmentConfig()


class Fixed:
    """A generator that draws what it is told: `uniform` a share of the range, -1 to 1, `random` a number."""

    def __init__(self, *uniforms: float, random: float = 0.999):
        self.uniforms, self.number = list(uniforms), random

    def uniform(self, low, high, size=None):
        middle, half = (low + high) / 2, (high - low) / 2
        drawn = [self.uniforms.pop(0) if self.uniforms else 0.0 for _ in range(size or 1)]
        values = middle + half * np.array(drawn)
        return values[0] if size is None else values

    def random(self):
        return self.number


@pytest.fixture
def smooth(noise):
    """A blurred image, 48x48: interpolation of neighbors changes it little."""
    blurred = cv2.GaussianBlur(noise(1)[0].astype(np.float32), (0, 0), 3)
    return cv2.normalize(blurred, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize(("side", "size"), [(256, 64), (256, 128), (192, 48)])
def test_off_averages_large_images_as_resize_does(noise, rng, side, size):
    """Fine noise, of which a warp alone would pick pixels; at whole ratios both are plain averages."""
    (image,) = noise(1, shape=(side, side))
    difference = augment_face(image, size, OFF, rng).astype(int) - resize(image, size)
    assert np.abs(difference).max() <= 1


def test_rotation_by_right_angles_is_numpys_and_scale_by_half_is_resize(noise):
    """A positive angle turns clockwise, for y points down."""
    (image,) = noise(1)
    for angle, turns in ((90, -1), (-90, 1), (180, 2)):
        found = augment_face(image, 48, AugmentConfig(rotate_deg=180), Fixed(angle / 180))
        np.testing.assert_array_equal(found, np.rot90(image, turns))
    found = augment_face(image, 48, AugmentConfig(scale=0.5), Fixed(0, -1))
    np.testing.assert_allclose(found[12:36, 12:36], resize(image, 24), atol=1)


def warp_by_hand(image, size, angle_deg, zoom, flip, shift_px):
    """For each pixel of the result, where it comes from, in complex numbers; read bilinearly."""
    side = len(image)
    y, x = np.mgrid[:size, :size]
    place = (x + 1j * y) - (1 + 1j) * (size - 1) / 2 - (shift_px[0] + 1j * shift_px[1])
    place = place * np.exp(-1j * np.deg2rad(angle_deg)) * side / size / zoom
    if flip:
        place = -place.conjugate()
    place += (1 + 1j) * (side - 1) / 2
    left, top = np.floor(place.real), np.floor(place.imag)
    total = 0
    for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
        weight = (1 - np.abs(place.real - left - dx)) * (1 - np.abs(place.imag - top - dy))
        columns, rows = (np.clip(value, 0, side - 1).astype(int) for value in (left + dx, top + dy))
        total = total + weight * image[rows, columns]
    return total


@pytest.mark.parametrize(
    ("size", "turn", "grow", "flip", "shift"),
    [(48, 0.0, -0.5, True, (0, 0)), (64, -1.0, 0.9, False, (0.3, -0.8)), (128, 0.5, 1.0, True, (0.2, 0.2))],
)
def test_all_geometry_together_is_one_affine_map(smooth, size, turn, grow, flip, shift):
    config = AugmentConfig(flip=0.5, rotate_deg=20, scale=0.2, shift=0.1)
    found = augment_face(smooth, size, config, Fixed(turn, grow, *shift, random=0.1 if flip else 0.9))
    shift_px = [0.1 * share * size for share in shift]
    expected = warp_by_hand(smooth, size, 20 * turn, 1 + 0.2 * grow, flip, shift_px)
    # OpenCV rounds places to a 32nd of a pixel.
    assert np.abs(found - expected).max() <= 3 and np.abs(found - expected).mean() < 0.5


@pytest.mark.parametrize(("brightness", "contrast"), [(1, 0), (-1, 0), (0, 1), (0, -1), (0.5, -0.7)])
def test_brightness_and_contrast(smooth, brightness, contrast):
    config = AugmentConfig(brightness=0.1, contrast=0.2)
    found = augment_face(smooth, 48, config, Fixed(0, 0, 0, 0, contrast, brightness))
    mean = smooth.mean()
    expected = (smooth - mean) * (1 + 0.2 * contrast) + mean + 25.5 * brightness
    np.testing.assert_allclose(found, np.clip(np.rint(expected), 0, 255), atol=1)


def test_erase_fills_one_rectangle_within_its_area():
    image = np.full((64, 64), 128, np.uint8)
    areas = []
    for seed in range(200):
        found = augment_face(image, 64, AugmentConfig(erase=1, erase_area=0.2), np.random.default_rng(seed))
        rows, columns = np.nonzero(found != 128)
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        areas.append(height * width / 64**2)
        assert len(rows) > 0.9 * height * width  # full of noise, and noise seldom is 128
        # And it never leaves a small image.
        augment_face(image[:5, :5], 5, AugmentConfig(erase=1, erase_area=1), np.random.default_rng(seed))
    assert 0.01 < min(areas) < 0.05 and 0.15 < max(areas) <= 0.2


REFUSED = """
flip=-0.1 flip=1.1 rotate_deg=181 rotate_deg=-1 scale=1 shift=-0.1 brightness=2 contrast=-1 erase=NaN erase_area=0
blur=0.2 noise=-1 randaugment=1.5 randaugment=99 randaugment_strength=4
"""  # a scale of 1 has no inverse


@pytest.mark.parametrize("change", REFUSED.split())
def test_strengths_out_of_range_are_refused(change):
    name, value = change.split("=")
    with pytest.raises(ValueError, match=f"expected {name} in|an integer as {name}"):
        AugmentConfig(**{name: json.loads(value)})


@pytest.mark.parametrize("change", [apply_randaugment, augment_face])
@pytest.mark.parametrize("face", [np.zeros((9, 9)), np.zeros((9, 9, 3), np.uint8), np.zeros((9, 8), np.uint8), [[1]]])
def test_what_is_no_square_gray_face_is_refused(face, change):
    settings = (AugmentConfig(),) if change is augment_face else (1.0,)
    with pytest.raises(ValueError, match=r"^expected a face uint8 \[S, S\], got (float64|uint8|list)"):
        change(face, 1, *settings, np.random.default_rng(0))


@pytest.mark.parametrize("kind", ["shrink", "jpeg", "gamma"])
def test_damage_of_photos_is_seen_and_small(smooth, rng, kind):
    damaged = augment_face(smooth, 48, AugmentConfig(**{kind: 1.0}), rng)
    plain = augment_face(smooth, 48, OFF, np.random.default_rng(0))
    difference = np.abs(damaged.astype(int) - plain)
    assert damaged.shape == (48, 48) and damaged.dtype == np.uint8 and 0 < difference.mean() < 40
    if kind == "gamma":  # brighter or darker, never another order of the pixels
        order = np.argsort(plain, axis=None)
        assert (np.diff(damaged.ravel()[order].astype(int)) >= 0).all()
