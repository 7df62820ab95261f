"""RandAugment and the other later changes of `augment_face`, against NumPy and by their promises."""

import numpy as np
import pytest

from fer_paddle.drawn import draw_face
from fer_paddle.images import to_gray
from fer_paddle.training.augment import AugmentConfig, augment_face
from fer_paddle.training.randaugment import OPERATIONS


@pytest.fixture(scope="module")
def face():
    return to_gray(draw_face("happy", seed=0, size=64).image)


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_each_operation_does_and_leaves(face, name):
    operation, before = OPERATIONS[name], face.copy()
    for strength in (-3.0, -1.0, 0.0, 0.4, 3.0):
        found = operation(face, strength)
        assert found.shape == face.shape and found.dtype == np.uint8
        np.testing.assert_array_equal(face, before)
    assert name in ("autocontrast", "equalize") or (operation(face, 0.0) == face).all()
    assert (operation(face, 2.0) != face).any() == (name != "identity")
    for level in (0, 7, 255):  # one gray level stays one
        assert np.ptp(operation(np.full((16, 16), level, np.uint8), 1.0)) == 0


def test_operations_by_hand(face):
    low, high = int(face.min()), int(face.max())
    stretched = np.rint((face.astype(float) - low) * 255 / (high - low))
    np.testing.assert_allclose(OPERATIONS["autocontrast"](face, 1.0), stretched, atol=1)
    np.testing.assert_array_equal(OPERATIONS["posterize"](face, 3.0), face // 16 * 16)
    np.testing.assert_array_equal(OPERATIONS["solarize"](face, 3.0), 255 - face)
    np.testing.assert_allclose(OPERATIONS["brightness"](face, -1.0), np.rint(face * 0.7), atol=1)
    step = np.repeat(np.uint8([[80, 80, 80, 170, 170, 170]]), 6, axis=0)  # its mean about the edge: 102.5 and 147.5
    np.testing.assert_allclose(OPERATIONS["sharpness"](step, -3.0)[3], [80, 80, 100, 150, 170, 170], atol=1)
    np.testing.assert_allclose(OPERATIONS["sharpness"](step, 3.0)[3], [80, 80, 60, 190, 170, 170], atol=1)
    shifted = OPERATIONS["shift_x"](face, 2.5)  # 24 px of 64
    np.testing.assert_array_equal(shifted[:, 24:], face[:, :40])


def test_later_changes_draw_after_the_others(face):
    """What is on already stays as it was when one of them is added."""
    both = AugmentConfig(flip=0.5, rotate_deg=10, shift=0.1, noise=1e-6)
    first = AugmentConfig(flip=0.5, rotate_deg=10, shift=0.1)
    for seed in range(10):
        made = [augment_face(face, 64, config, np.random.default_rng(seed)) for config in (first, both)]
        np.testing.assert_array_equal(*made)
