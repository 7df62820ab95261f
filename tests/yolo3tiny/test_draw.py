"""draw_boxes: lines where the boxes are, texts only where they have room."""

import cv2
import numpy as np
import pytest

from yolo3tiny.draw import draw_boxes

RED = (0, 0, 255)


def gray(height, width):
    return np.full((height, width, 3), 100, np.uint8)


def changed(image, drawn):
    return (image != drawn).any(axis=2)


def test_the_line_is_inside_the_box():
    image = gray(60, 80)
    drawn = draw_boxes(image, [[10, 20, 31, 41]], color_bgr=RED)
    expected = np.zeros((60, 80), bool)
    expected[20:41, 10:31] = True
    expected[21:40, 11:30] = False
    np.testing.assert_array_equal(changed(image, drawn), expected)
    assert (drawn[expected] == RED).all()


def test_the_image_is_left_alone():
    image = gray(60, 80)
    draw_boxes(image, [[10, 20, 31, 41]], [0.5])
    np.testing.assert_array_equal(image, gray(60, 80))


@pytest.mark.parametrize("boxes", [np.zeros((0, 4), np.float32), []])
def test_no_boxes_give_a_copy(boxes):
    image = gray(5, 7)
    drawn = draw_boxes(image, boxes, [])
    np.testing.assert_array_equal(drawn, image)
    assert not np.shares_memory(drawn, image)


def line_width(side, box_side):
    image = gray(side, side)
    middle = side // 2
    drawn = draw_boxes(image, [[middle, middle, middle + box_side, middle + box_side]])
    return int(changed(image, drawn)[middle + box_side // 2, : middle + box_side // 2].sum())


def test_lines_grow_with_the_picture_but_not_on_small_boxes():
    thin, medium, thick = (line_width(side, side // 3) for side in (100, 800, 2400))
    assert 1 == thin < medium < thick < 10
    assert line_width(2400, 16) == 1


@pytest.mark.parametrize(
    "box",
    [
        [-50, -50, 30, 30],
        [-10, -10, 500, 500],
        [200, 200, 300, 300],
        [-1e12, -1e12, 1e12, 1e12],  # more than OpenCV's integers hold
        [10, 10, 10, 10],
        [30, 30, 10, 10],
    ],
)
def test_boxes_may_lie_anywhere(box):
    assert draw_boxes(gray(60, 80), [box], [0.5]).shape == (60, 80, 3)


@pytest.fixture
def texts(monkeypatch):
    """The rectangles (x1, y1, x2, y2) of all texts that are written."""
    written = []
    put_text = cv2.putText

    def note(image, text, origin, font, scale, color, thickness, *rest):
        (width, height), _ = cv2.getTextSize(text, font, scale, thickness)
        written.append((origin[0], origin[1] - height, origin[0] + width, origin[1]))
        return put_text(image, text, origin, font, scale, color, thickness, *rest)

    monkeypatch.setattr(cv2, "putText", note)
    return written


@pytest.mark.parametrize(
    "box",
    [
        [0, 0, 100, 100],  # no room above
        [260, 190, 320, 240],
        [310, 100, 400, 200],  # begins near the right border
        [-60, 100, 40, 200],
        [100, -80, 200, 20],
        [0, 0, 320, 240],
        [280, 230, 360, 300],
    ],
)
def test_texts_stay_in_the_picture(box, texts):
    draw_boxes(gray(240, 320), [box], [0.98])
    ((x1, y1, x2, y2),) = texts
    assert 0 <= x1 < x2 <= 320 and 0 <= y1 < y2 <= 240


@pytest.mark.parametrize(
    ("height", "width", "box"),
    [
        (6, 300, [0, 0, 300, 6]),  # too low for a text
        (300, 12, [0, 0, 12, 300]),  # too narrow
        (1000, 1000, [500, 500, 512, 512]),  # a small face: the text would bury its neighbours
    ],
)
def test_texts_without_room_are_left_out(height, width, box, texts):
    draw_boxes(gray(height, width), [box], [0.98])
    assert texts == []


def test_texts_can_be_read_on_any_colour():
    for color in ((255, 255, 255), (0, 0, 0)):
        drawn = draw_boxes(gray(240, 320), [[50, 100, 200, 200]], [0.5], color)
        plate = drawn[:100].reshape(-1, 3)
        plate = plate[(plate != 100).any(axis=1)]
        assert np.ptp(plate) > 128


@pytest.mark.parametrize(
    ("image", "boxes", "scores"),
    [
        (gray(5, 5)[..., 0], [[0, 0, 1, 1]], None),
        (gray(5, 5).astype(np.float32), [[0, 0, 1, 1]], None),
        (gray(5, 5), [[0, 0, 1]], None),
        (gray(5, 5), [0, 0, 1, 1], None),
        (gray(5, 5), [[0, 0, 1, np.nan]], None),
        (gray(5, 5), [[0, 0, 1, 1]], [0.5, 0.5]),
        (gray(5, 5), [[0, 0, 1, 1]], 0.5),
    ],
)
def test_wrong_input_is_refused(image, boxes, scores):
    with pytest.raises(ValueError, match=r"^expected .*got"):
        draw_boxes(image, boxes, scores)
