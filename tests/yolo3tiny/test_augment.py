"""Settings, the rule for cut boxes as a table, and the changes of pixels."""

import dataclasses

import numpy as np
import pytest

from tests.yolo3tiny.samples import STILL
from yolo3tiny.augment import AugmentConfig, change_color, cut_boxes, damage


def make_image(seed: int = 0) -> np.ndarray:
    """Smooth colors with a few edges, as in photos."""
    rng = np.random.default_rng(seed)
    image = np.repeat(np.repeat(rng.integers(40, 216, (8, 9, 3)), 8, axis=0), 8, axis=1)
    return image.astype(np.uint8)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize(
    ("box", "ignored", "expected", "expected_ignored"),
    [
        ((10, 10, 30, 30), False, (10, 10, 30, 30), False),  # whole
        ((-10, 10, 10, 30), False, (0, 10, 10, 30), False),  # exactly half remains
        ((-11, 10, 9, 30), False, (0, 10, 9, 30), True),  # less than half: neither face nor background
        ((-19, 10, 1, 30), False, None, None),  # 0.05 of it: dropped
        ((10, 10, 16, 16), False, (10, 10, 16, 16), False),  # a side of exactly 6 px
        ((10, 10, 15.9, 16), False, (10, 10, 15.9, 16), True),  # smaller: ignored
        ((10, 10, 14, 20), False, (10, 10, 14, 20), False),  # the side is the root of the area: 6.3
        ((10, 10, 11, 11), False, None, None),  # too small to matter
        ((10, 10, 30, 30), True, (10, 10, 30, 30), True),  # an ignored box stays ignored
    ],
)
def test_cut_boxes(
    box: tuple[float, ...], ignored: bool, expected: tuple[float, ...] | None, expected_ignored: bool | None
) -> None:
    window = np.float32([0, 0, 100, 100])
    config = AugmentConfig(min_visible=0.5, min_ignore=0.1, min_side_px=6)
    boxes, ignore = cut_boxes(np.float32([box]), np.array([ignored]), window, config)
    if expected is None:
        assert boxes.shape == (0, 4) and ignore.shape == (0,)
    else:
        np.testing.assert_allclose(boxes, [expected], rtol=1e-6)
        assert ignore.tolist() == [expected_ignored]


@pytest.mark.parametrize("name", ["", "color", "gray", "blur", "noise", "shrink", "jpeg"])
def test_each_change_alone_and_none(name: str) -> None:
    config = dataclasses.replace(STILL, **{name: 1} if name else {})
    image = make_image()
    before = image.copy()
    for seed in range(8):
        results = []
        for generator in (rng(seed), rng(seed)):
            results.append(damage(change_color(image, generator, config), generator, config))
        np.testing.assert_array_equal(*results)  # the generator decides alone
        assert results[0].shape == image.shape and results[0].dtype == np.uint8
        assert (results[0] != image).any() == bool(name)
        np.testing.assert_array_equal(image, before)
