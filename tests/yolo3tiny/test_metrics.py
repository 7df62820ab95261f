"""Average precision against tables worked by hand."""

import math

import numpy as np
import pytest

from yolo3tiny.metrics import average_precision

NOTHING = np.zeros((0, 4)), np.zeros(0)


def faces(*rows: tuple) -> tuple[np.ndarray, np.ndarray]:
    """Rows (x, y, side, value) of square boxes as boxes xyxy and their scores or ignore flags."""
    table = np.array(rows, dtype=float).reshape(-1, 4)
    x, y, side, value = table.T
    return np.stack([x, y, x + side, y + side], axis=1), value


def test_the_table_worked_by_hand() -> None:
    # Photo A: truths T1 at (0, 0) and T2 at (50, 0), an ignored box at (0, 50). Photo B: truth T3 at (0, 0).
    #
    # score  photo  lies on                    counts as   right  wrong   precision   recall
    #  0.95    A    T1                         right           1      0         1      1/3
    #  0.90    A    the ignored box            left out
    #  0.85    A    T1 again                   wrong           1      1       1/2      1/3
    #  0.80    B    T3, IoU 10/12              right           2      1       2/3      2/3
    #  0.70    B    nothing                    wrong           2      2       1/2      2/3
    #  0.60    A    T2, IoU 6/10               right           3      2       3/5      1
    #  0.50    A    T2, IoU 4/10, below 0.5    wrong           3      3       1/2      1
    #
    # Precision made monotone: 1 up to recall 1/3, 2/3 up to 2/3, 3/5 up to 1.
    # AP = (1 + 2/3 + 3/5) / 3 = 34/45.
    truths = [faces((0, 0, 10, 0), (50, 0, 10, 0), (0, 50, 20, 1)), faces((0, 0, 10, 0))]
    in_a = [(0, 0, 10, 10, 0.95), (0, 50, 20, 70, 0.90), (0, 0, 10, 10, 0.85)]
    in_a += [(50, 0, 60, 6, 0.60), (50, 0, 60, 4, 0.50)]
    in_b = [(0, 0, 10, 12, 0.80), (30, 30, 40, 40, 0.70)]
    detections = [(np.array(rows)[:, :4], np.array(rows)[:, 4]) for rows in (in_a, in_b)]

    result = average_precision(detections, truths)
    np.testing.assert_allclose(result.scores, [0.95, 0.85, 0.80, 0.70, 0.60, 0.50])
    np.testing.assert_allclose(result.precision, [1, 1 / 2, 2 / 3, 1 / 2, 3 / 5, 1 / 2])
    np.testing.assert_allclose(result.recall, [1 / 3, 1 / 3, 2 / 3, 2 / 3, 1, 1])
    assert result.ap == pytest.approx(34 / 45)
    assert result.num_truths == 3


FACE, SAME = (0, 0, 10, 0), (0, 0, 10)


@pytest.mark.parametrize(
    ("detections", "truths", "expected"),
    [
        ([(*SAME, 0.9)], [FACE], 1.0),
        ([(*SAME, 0.9), (50, 50, 10, 0.1)], [FACE], 1.0),  # a wrong one after full recall costs nothing
        ([(*SAME, 0.1), (50, 50, 10, 0.9)], [FACE], 0.5),  # before it, it does
        ([(*SAME, 0.9), (*SAME, 0.8), (50, 0, 10, 0.7)], [FACE, (50, 0, 10, 0)], 5 / 6),  # before it
        # Inside an ignored crowd, IoU 1/25: left out for its share, not for its IoU.
        ([(*SAME, 0.1), (60, 60, 10, 0.9)], [FACE, (50, 50, 50, 1)], 1.0),
        # Half of it in the ignored box: still left out. A little less: wrong.
        ([(*SAME, 0.1), (95, 50, 10, 0.9)], [FACE, (50, 50, 50, 1)], 1.0),
        ([(*SAME, 0.1), (96, 50, 10, 0.9)], [FACE, (50, 50, 50, 1)], 0.5),
        # Around the ignored box: a quarter of its own area in it is too little, 36/49 is an IoU above 0.5.
        ([(*SAME, 0.1), (50, 50, 20, 0.9)], [FACE, (50, 50, 10, 1)], 0.5),
        ([(*SAME, 0.1), (50, 50, 7, 0.9)], [FACE, (50, 50, 6, 1)], 1.0),
        # A truth inside an ignored box counts, and a second detection there is excused.
        ([(*SAME, 0.9), (*SAME, 0.8)], [FACE, (0, 0, 30, 1)], 1.0),
        ([], [(0, 0, 30, 1), FACE], 0.0),
        # The better of two goes to the truth it overlaps most, and leaves the other one to the next.
        ([(1, 0, 10, 0.9), (0, 0, 10, 0.8)], [FACE, (2, 0, 10, 0)], 1.0),
        # Both truths are over the threshold for the second, whose best is taken: it gets the other.
        ([(0, 0, 10, 0.9), (1, 0, 10, 0.8)], [FACE, (3, 0, 10, 0)], 1.0),
    ],
)
def test_table_of_single_photos(detections: list, truths: list, expected: float) -> None:
    result = average_precision([faces(*detections)], [faces(*truths)])
    assert result.ap == pytest.approx(expected)


@pytest.mark.parametrize("truths", [[], [NOTHING], [([], [])], [faces((0, 0, 10, 1))]])  # lists do for arrays, too
def test_without_truths_ap_is_nan(truths: list) -> None:
    result = average_precision([faces((50, 50, 10, 0.9))] * len(truths), truths)
    assert math.isnan(result.ap) and result.num_truths == 0
    face = [(0, 0, 10, 10)]
    assert average_precision([([], []), (face, [0.9])], [([], []), (face, [0])]).ap == 1.0
