"""Where boxes come to lie, checked on the pixels: photos with one rectangle of a color of its own each."""

import dataclasses

import numpy as np
import pytest

from tests.yolo3tiny.samples import STILL
from yolo3tiny.mosaic import Pyramid, mosaic, scale_and_crop

COLOURS = [(255, green, red) for green in range(0, 256, 15) for red in range(0, 256, 15)]


def make_photo(color: tuple[int, int, int], rng: np.random.Generator) -> Pyramid:
    """A black photo with one "face": a rectangle of the color, away from the borders."""
    width, height = rng.integers(120, 420, 2)
    side_w, side_h = rng.integers(40, 100, 2)
    x1, y1 = rng.integers(5, (width - side_w - 5, height - side_h - 5))
    image = np.zeros((height, width, 3), np.uint8)
    image[y1 : y1 + side_h, x1 : x1 + side_w] = color
    return Pyramid(image, np.float32([[x1, y1, x1 + side_w, y1 + side_h]]), np.array([False]))


def find_rectangle(image: np.ndarray, color: tuple[int, int, int]) -> np.ndarray | None:
    """The rectangle of the color, xyxy, from the pixels; its edges are where the color fades to half."""
    image = image.astype(float)
    blue = image[..., 0]
    # A pixel mixed with black keeps the ratio of its channels.
    ratio = image[..., 1:] * 255 / np.maximum(blue, 1)[..., None]
    mask = (blue >= 128) & (np.abs(ratio - color[1:]) < 5).all(axis=-1)
    if not mask.any():
        return None
    ys, xs = np.nonzero(mask)
    return np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])


def check_boxes(image: np.ndarray, boxes: np.ndarray, ignore: np.ndarray, colors: list) -> int:
    """Every box has its rectangle and every large rectangle its box; returns the number of faces."""
    left = list(range(len(boxes)))
    for color in colors:
        seen = find_rectangle(image, color)
        if seen is None:
            continue
        distance = np.abs(boxes[left] - seen).max(axis=1) if left else np.array([np.inf])
        side = np.sqrt(np.prod(seen[2:] - seen[:2]))
        if distance.min() > 1.6:  # a pixel of blur at each edge
            assert side < 12, f"the rectangle {seen} has no box"
        else:
            left.pop(int(distance.argmin()))
    assert not [boxes[index] for index in left if not ignore[index]], "a face box has no rectangle"
    return int((~ignore).sum())


@pytest.mark.parametrize("flip", [0, 1])
@pytest.mark.parametrize("scale", [(0.3, 0.3), (0.5, 0.5), (1.0, 1.0), (2.0, 2.0), (0.3, 2.0)])
def test_boxes_of_a_single_photo_fit_its_pixels(scale: tuple[float, float], flip: int) -> None:
    config = dataclasses.replace(STILL, scale=scale, flip=flip)
    rng, faces = np.random.default_rng(1), 0
    for color in COLOURS[::25]:
        image, boxes, ignore = scale_and_crop(make_photo(color, rng), 160, rng, config)
        assert image.shape == (160, 160, 3) and image.dtype == np.uint8
        faces += check_boxes(image, boxes, ignore, [color])
    assert faces >= 6


@pytest.mark.parametrize("grid", [1, 2, 3, 4, 6])
def test_boxes_of_a_mosaic_fit_its_pixels(grid: int) -> None:
    config = dataclasses.replace(STILL, face_px=(16, 48))
    for seed in range(3):
        rng, used = np.random.default_rng((grid, seed)), []

        def pick(rng=rng, used=used) -> Pyramid:
            used.append(COLOURS[len(used)])
            return make_photo(used[-1], rng)

        image, boxes, ignore = mosaic(pick, grid, 320, rng, config)
        assert check_boxes(image, boxes, ignore, used) >= 0.6 * len(used)
        assert len(used) >= grid**2


def test_small_faces_are_not_shrunk_until_they_are_none() -> None:
    photo = Pyramid(np.zeros((416, 416, 3), np.uint8), np.float32([[100, 100, 112, 112]]), np.array([False]))
    config = dataclasses.replace(STILL, scale=(0.1, 1.0), aspect=1.0, face_px=(8.0, 80.0))
    for seed in range(20):
        _, found, ignore = scale_and_crop(photo, 416, np.random.default_rng(seed), config)
        assert ignore.tolist() == [False] and found[0, 2] - found[0, 0] >= 7.9
