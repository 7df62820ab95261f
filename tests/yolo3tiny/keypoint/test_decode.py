"""Marks to cells and back: the same bits, at borders of cells too."""

import numpy as np
import pytest

from yolo3tiny.keypoint.decode import IGNORED, STRIDE, decode, match
from yolo3tiny.keypoint.predict import KeypointDetector

GRID = (10, 60)
SURE = 30.0


def perfect(offsets, classes, num_classes=2):
    """Outputs [1, 3 + C, H, W] of a network that says exactly what `match` asks for."""
    logits = SURE * (np.arange(1 + num_classes)[:, None, None] == np.maximum(classes, 0))
    return np.concatenate([offsets, logits])[None].astype(np.float32)


def borders(rng, count):
    """Points on borders and corners of cells, and the next float32 below them."""
    points = np.float32(STRIDE) * rng.integers(1, (GRID[1], GRID[0]), (count, 2)).astype(np.float32)
    return np.where(rng.random((count, 2)) < 0.5, points, np.nextafter(points, np.float32(0)))


def spread(rng, count):
    return rng.uniform(0, (GRID[1] * STRIDE, GRID[0] * STRIDE), (count, 2)).astype(np.float32)


@pytest.mark.parametrize("points", [spread, borders])
@pytest.mark.parametrize("seed", range(100))
def test_decode_undoes_match_bit_by_bit(seed, points):
    rng = np.random.default_rng(seed)
    centers = points(rng, 12)
    near = np.abs(centers[:, None] - centers).max(axis=2) < STRIDE
    centers = centers[~np.tril(near, -1).any(axis=1)]  # those that are apart from all before
    labels = rng.integers(2, size=len(centers))
    offsets, classes = match(centers, labels, np.zeros(len(centers), bool), GRID)
    assert (offsets >= 0).all() and (offsets < 1).all()
    assert sorted(classes[classes > 0]) == sorted(1 + labels)

    found = decode(perfect(offsets, classes))[0]
    order = np.lexsort(found.centers.T), np.lexsort(centers.T)
    assert (found.centers[order[0]] == centers[order[1]]).all()
    assert (found.labels[order[0]] == labels[order[1]]).all() and (found.scores > 0.999).all()


def test_ignored_marks_are_neither_marks_nor_background():
    offsets, classes = match([[40, 8], [100, 8]], [1, 0], np.array([False, True]), (1, 4))
    assert classes.tolist() == [[0, 2, 0, IGNORED]] and offsets[:, 0, 1].tolist() == [0.25, 0.25]
    both = match([[40, 8], [41, 8]], [1, 0], np.array([False, True]), (1, 4))[1]
    assert both.tolist() == [[0, 2, 0, 0]]  # a mark wins against an ignored one in its cell


@pytest.mark.parametrize(
    ("centers", "says"),
    [
        ([[-0.1, 5]], "expected marks in 128 x 32 px"),
        ([[128, 5]], "expected marks in 128 x 32 px"),
        ([[float("nan"), 5]], "expected marks in 128 x 32 px"),
        ([[3, 5], [31, 31]], "at most one mark in a cell of 32 px, got two: [[3.0, 5.0], [31.0, 31.0]]"),
    ],
)
def test_what_cells_cannot_say(centers, says):
    with pytest.raises(ValueError) as caught:
        match(centers, [0] * len(centers), np.zeros(len(centers), bool), (1, 4))
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("second", "label", "marks"),
    [
        ((0.01, 0.5), 0, [((31.68, 16), 0.8)]),  # one mark on the border of two cells
        ((0.01, 0.5), 1, []),
        ((0.3, 0.5), 0, []),  # 10 px beside it
    ],
)
def test_cells_that_name_one_mark_share_its_score(second, label, marks):
    outputs = np.zeros((1, 5, 1, 2), np.float32)
    outputs[0, :2, 0, 0], outputs[0, :2, 0, 1] = (0.99, 0.5), second
    probs = np.array([[0.5, 0.45, 0.05], [0.6, 0.05, 0.05]])
    probs[1, 1 + label] = 0.35
    outputs[0, 2:, 0] = np.log(probs / probs.sum(axis=1, keepdims=True)).T
    found = decode(outputs)[0]
    assert found.labels.tolist() == [0] * len(marks)
    np.testing.assert_allclose(found.centers.reshape(-1), [side for place, _ in marks for side in place], rtol=1e-6)
    np.testing.assert_allclose(found.scores, [score for _, score in marks], rtol=1e-6)


def test_a_score_is_the_softmax_of_the_class():
    from scipy.special import softmax

    outputs = np.random.default_rng(0).normal(0, 3, (3, 5, 4, 6)).astype(np.float32)
    outputs[:, :2] = 0.5  # all marks are apart
    for image, found in zip(outputs, decode(outputs, 0.4)):
        probs = softmax(image[2:], axis=0)[1:].reshape(2, -1)
        best = np.sort(probs.max(axis=0))[::-1]
        np.testing.assert_allclose(found.scores, best[best >= 0.4], rtol=1e-5)


@pytest.mark.parametrize(("offset", "kept"), [((0.5, 0.5), [16, 16]), ((-0.1, 0.5), None), ((0.5, 1.6), None)])
def test_no_mark_lies_outside_of_the_image(offset, kept):
    """Of one cell: to the left of the image, or in the border below it that fills 50 px up to 64."""
    outputs = np.zeros((1, 4, 2, 2), np.float32)
    outputs[0, :2, 0, 0], outputs[0, 3, 0, 0] = offset, 9
    found = KeypointDetector(forward=lambda images: [outputs], classes=("a",))(np.zeros((50, 50), np.uint8), 0.9)
    assert found.centers.tolist() == ([] if kept is None else [kept])
