"""Drawn strips: the same bytes for a seed, marks where they are said to be, disturbances of every kind."""

import numpy as np
import pytest

from yolo3tiny.keypoint.strips import APART_PX, LOOKS, MARK_PX, MAX_MARKS, draw_strip


@pytest.mark.parametrize("look", LOOKS)
def test_marks_lie_inside_and_apart(look):
    strips = [draw_strip(look, seed, (160, 960)) for seed in range(40)]
    counts = [len(strip.labels) for strip in strips]
    assert set(counts) == set(range(MAX_MARKS + 1))
    assert any(strip.ignore.any() for strip in strips), "no mark is cut by more than half"
    for strip in strips:
        assert strip.image.shape == (160, 960, 3) and strip.image.dtype == np.uint8
        x1, y1, x2, y2 = strip.boxes_xyxy.T
        assert (x1 >= 0).all() and (y1 >= 0).all() and (x2 <= 960).all() and (y2 <= 160).all()
        assert (x2 > x1).all() and (y2 > y1).all()
        whole = strip.centers[(x2 - x1 > MARK_PX * 0.9) & (y2 - y1 > MARK_PX * 0.9)]
        distances = np.abs(whole[:, None] - whole).max(axis=2)[~np.eye(len(whole), dtype=bool)]
        assert (distances >= APART_PX - 1e-3).all()


def test_the_center_is_that_of_the_ink():
    """Two strips of one seed that differ in the ink alone differ where the marks are, and nowhere else."""
    from dataclasses import replace

    pale = {name: replace(look, ink=(-20, -20)) for name, look in LOOKS.items()}
    dark = {name: replace(look, ink=(-60, -60)) for name, look in LOOKS.items()}
    errors = []
    for seed in range(8):
        images = []
        for looks in (pale, dark):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("yolo3tiny.keypoint.strips.LOOKS", looks)
                strip = draw_strip("belt", seed, (160, 640), drift=(0, 0))
                images.append(strip.image.astype(np.float64).mean(axis=2))
        ink = np.maximum(images[0] - images[1], 0)
        for (x, y), ignore in zip(strip.centers, strip.ignore):
            left, top = int(x) - 19, int(y) - 19
            if ignore or min(left, top) < 0 or left + 38 > 640 or top + 38 > 160:
                continue
            piece = ink[top : top + 38, left : left + 38]
            rows, columns = np.mgrid[:38, :38] + 0.5
            errors.append(
                [(columns * piece).sum() / piece.sum() + left - x, (rows * piece).sum() / piece.sum() + top - y]
            )
    assert len(errors) >= 10
    assert np.abs(np.mean(errors, axis=0)).max() < 0.3 and np.abs(errors).max() < 2  # wear is uneven
