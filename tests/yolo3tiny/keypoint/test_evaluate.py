"""The figures of found marks, against SciPy's assignment and counted by hand."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from yolo3tiny.keypoint.decode import Marks
from yolo3tiny.keypoint.evaluate import evaluate, pair
from yolo3tiny.keypoint.strips import Strip

CLASSES = ("cross", "ring")


def strip_of(marks, ignored=()):
    """A strip with marks (x, y, label) and ignored ones."""
    rows = np.array([*marks, *ignored], np.float32).reshape(-1, 3)
    boxes = np.hstack([rows[:, :2] - 15, rows[:, :2] + 15])
    ignore = np.arange(len(rows)) >= len(marks)
    return Strip(np.zeros((96, 320, 3), np.uint8), boxes, rows[:, 2].astype(np.int64), ignore)


def finder(*found):
    """Gives one list of (x, y, label) after the other."""
    arrays = iter([np.array(marks, np.float32).reshape(-1, 3) for marks in found])

    def detect(image):
        marks = next(arrays)
        return Marks(marks[:, :2], marks[:, 2].astype(np.int64), np.ones(len(marks), np.float32))

    return detect


@pytest.mark.parametrize("seed", range(20))
def test_pairs_are_the_best_assignment_where_marks_are_apart(seed):
    rng = np.random.default_rng(seed)
    truths = 40.0 * rng.permutation(np.stack(np.mgrid[:4, :4], -1).reshape(-1, 2))[:6]
    found = rng.permutation(np.vstack([truths[:4] + rng.normal(0, 3, (4, 2)), rng.uniform(200, 300, (3, 2))]))
    distances = np.linalg.norm(truths[:, None] - found, axis=2)
    rows, columns = linear_sum_assignment(np.where(distances <= 16, distances, 1000))
    wanted = {(row, column) for row, column in zip(rows, columns) if distances[row, column] <= 16}
    assert set(map(tuple, pair(truths, found, 16).tolist())) == wanted


def test_figures_counted_by_hand():
    strips = [
        strip_of([(50, 50, 0), (120, 40, 1), (200, 60, 1)], ignored=[(300, 50, 0)]),
        strip_of([(80, 30, 0)]),
        strip_of([]),
    ]
    detect = finder(
        # 3 px off; the wrong class; nothing at 200; on the ignored one; on nothing
        [(53, 50, 0), (120, 40, 0), (302, 50, 0), (250, 10, 1)],
        [(80, 34, 0), (82, 30, 0)],  # the same mark twice: the nearer counts
        [],
    )
    figures = evaluate(detect, strips, CLASSES)
    assert figures["confusion"] == [[0, 1, 1], [0, 2, 0], [1, 1, 0]]
    assert (figures["error_px"], figures["error_px_p95"]) == pytest.approx((2.5, np.percentile([3, 2], 95)))
    assert figures["cost_px"] == pytest.approx((3 + 2 + 4 * 16) / 6)
    assert (figures["precision_cross"], figures["recall_cross"]) == (0.5, 1.0)
    assert (figures["precision_ring"], figures["recall_ring"], figures["f1_ring"]) == (0, 0, 0)
    assert (figures["precision"], figures["recall"]) == (0.25, 0.5)
    assert (figures["strips"], figures["marks"]) == (3, 4)


def test_nothing_found_is_zero_and_nothing_there_an_error():
    figures = evaluate(finder([]), [strip_of([(50, 50, 0)])], CLASSES)
    assert (figures["precision"], figures["recall"]) == (0, 0) and "error_px" not in figures
    assert figures["cost_px"] == 16
    with pytest.raises(ValueError, match="expected strips with marks to measure on, got 1 without one"):
        evaluate(finder([]), [strip_of([])], CLASSES)
