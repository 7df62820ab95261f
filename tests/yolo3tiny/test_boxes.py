"""Box conversions, overlap from a table of edge cases, and letterbox geometry checked on pixels."""

import cv2
import numpy as np
import pytest

from yolo3tiny import boxes

TEN = (0.0, 0.0, 10.0, 10.0)


@pytest.mark.parametrize(
    ("other", "overlap", "expected"),
    [
        (TEN, 100, 1.0),  # the same box
        ((20, 20, 30, 30), 0, 0.0),  # apart on both axes: two negative extents must not multiply to an area
        ((0, 20, 10, 30), 0, 0.0),  # apart on one axis
        ((10, 0, 20, 10), 0, 0.0),  # sharing an edge
        ((10, 10, 20, 20), 0, 0.0),  # sharing a corner
        ((5, 0, 15, 10), 50, 50 / 150),  # shifted by half
        ((5, 5, 15, 15), 25, 25 / 175),  # shifted by half on both axes
        ((2, 2, 4, 4), 4, 0.04),  # inside
        ((-10, -10, 20, 20), 100, 100 / 900),  # around
        ((0, -5, 10, 5), 50, 50 / 150),  # partly at negative coordinates
        ((5, 5, 5, 5), 0, 0.0),  # a point
        ((0, 5, 10, 5), 0, 0.0),  # a line
        ((8, 8, 2, 2), 0, 0.0),  # inside out
    ],
)
def test_iou_and_intersection_of_edge_cases(other: tuple, overlap: float, expected: float) -> None:
    first, second = np.array([TEN]), np.array([other], dtype=np.float64)
    assert boxes.intersection(first, second)[0, 0] == overlap
    assert boxes.iou(first, second)[0, 0] == pytest.approx(expected)
    assert boxes.iou(second, first)[0, 0] == pytest.approx(expected)


def test_conversions_say_the_same_box() -> None:
    xyxy = np.array([[10, 20, 40, 80]], dtype=np.float32)
    np.testing.assert_array_equal(boxes.xyxy_to_cxcywh(xyxy), [[25, 50, 30, 60]])
    np.testing.assert_array_equal(boxes.cxcywh_to_xyxy([[25, 50, 30, 60]]), xyxy)
    # Integer boxes keep their half pixels.
    np.testing.assert_array_equal(boxes.xyxy_to_cxcywh(np.array([0, 0, 3, 5])), [1.5, 2.5, 3, 5])
    for shape in ((4,), (0, 4), (7, 4), (2, 3, 4)):
        original = np.random.default_rng(2).uniform(0, 100, shape)
        np.testing.assert_allclose(boxes.cxcywh_to_xyxy(boxes.xyxy_to_cxcywh(original)), original)


def test_area_of_a_box_inside_out_is_zero_and_clip_takes_height_first() -> None:
    np.testing.assert_array_equal(boxes.area([TEN, (5, 5, 1, 1), (1, 1, 1, 9)]), [100, 0, 0])
    clipped = boxes.clip(np.array([[-5, -5, 500, 500], [1, 2, 3, 4]]), (100, 200))
    np.testing.assert_array_equal(clipped, [[0, 0, 200, 100], [1, 2, 3, 4]])


@pytest.mark.parametrize(
    ("photo_hw", "arguments", "padded_hw", "scale", "left", "top"),
    [
        ((416, 416), {"size_hw": (416, 416)}, (416, 416), 1.0, 0, 0),  # nothing to do
        ((480, 640), {"size_hw": (416, 416)}, (416, 416), 0.65, 0, 52),  # wide: bars above and below
        ((640, 480), {"size_hw": (416, 416)}, (416, 416), 0.65, 52, 0),  # high: bars left and right
        ((100, 100), {"size_hw": (64, 128)}, (64, 128), 0.64, 32, 0),  # not square
        ((480, 640), {"longest": 416}, (320, 416), 0.65, 0, 4),  # rectangular: 312 high, up to 320
        ((1, 1000), {"longest": 416}, (32, 416), 0.416, 0, 15),  # a line keeps one pixel
        ((31, 40), {"longest": 32}, (32, 32), 0.8, 0, 3),  # 24.8 rows round up
    ],
)
def test_letterbox_table(photo_hw, arguments, padded_hw, scale, left, top) -> None:
    padded, geometry = boxes.letterbox(np.zeros((*photo_hw, 3), np.uint8), **arguments)
    assert padded.shape == (*padded_hw, 3)
    assert padded.dtype == np.uint8
    assert (geometry.left, geometry.top) == (left, top)
    assert geometry.scale == pytest.approx(scale)
    is_photo = (padded == 0).all(axis=2)
    assert (padded[~is_photo] == boxes.PAD_GRAY).all()
    ys, xs = np.nonzero(is_photo)
    assert (ys.min(), xs.min()) == (top, left)
    assert ys.max() + 1 - top == pytest.approx(max(1, photo_hw[0] * scale), abs=0.5)
    assert xs.max() + 1 - left == pytest.approx(max(1, photo_hw[1] * scale), abs=0.5)
    # Centred: the borders on both sides differ by the odd pixel at most.
    assert 0 <= (padded_hw[0] - 1 - ys.max()) - top <= 1
    assert 0 <= (padded_hw[1] - 1 - xs.max()) - left <= 1


@pytest.mark.parametrize(("side", "way"), [(96, cv2.INTER_LINEAR), (43, cv2.INTER_LINEAR), (42, cv2.INTER_AREA)])
def test_letterbox_averages_what_it_shrinks_far(side, way) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    padded, _ = boxes.letterbox(photo, longest=side, stride=1)
    assert (padded == cv2.resize(photo, (side, side), interpolation=way)).all()
