"""The filter against its authors' package, and ids over frames that a test makes up."""

from dataclasses import replace

import numpy as np
import pytest

from fer_paddle.labels import EXPRESSIONS
from fer_paddle.pipeline import Face
from fer_paddle.tracking import OneEuro, Tracker

RATE = 30.0


def face(x, y=100.0, side=80.0, score=0.9, label="happy"):
    probs = np.full(7, 0.05, np.float32)
    probs[EXPRESSIONS.index(label)] = 0.7
    return Face(np.array([x, y, x + side, y + side], np.float32), score, probs, label)


def follow(frames, rate=RATE, **settings):
    """Ids of each frame."""
    tracker = Tracker(**settings)
    return [[number for number, _ in tracker(faces, index / rate)] for index, faces in enumerate(frames)]


def test_filter_gives_what_its_authors_give():
    """Values of the package OneEuroFilter 0.2.1 with freq=30, mincutoff=1.5, beta=0.7, dcutoff=1."""
    filtered = OneEuro(1.5, 0.7, 1.0)
    values = zip([1, 2, 1.5, 4, 9, 8.5], [0, 1 / 30, 2 / 30, 0.15, 0.2, 0.5])
    expected = [1, 1.5182589191, 1.5094605675, 3.6203640857, 8.4220177796, 8.4961678124]
    np.testing.assert_allclose([filtered(value, seconds) for value, seconds in values], expected, atol=1e-9)
    with pytest.raises(ValueError, match=r"expected a time after 0.5 s, got 0.5 s"):
        filtered(1, 0.5)


@pytest.mark.parametrize("name", ["start_score", "min_iou", "max_gap_seconds", "smoothing_seconds"])
@pytest.mark.parametrize("value", [-1, np.nan])
def test_a_tracker_takes_no_settings_below_zero(name, value):
    with pytest.raises(ValueError, match=f"expected {name} .*, got {value}"):
        Tracker(**{name: value})


def test_a_still_face_shakes_less_and_a_moving_one_lags_little():
    rng, tracker = np.random.default_rng(0), Tracker()
    noisy = [face(100 + rng.normal()) for _ in range(200)]
    still = [tracker([one], index / RATE)[0][1].box_xyxy[0] for index, one in enumerate(noisy)]
    assert np.std(still[30:]) < 0.6 * np.std([one.box_xyxy[0] for one in noisy[30:]])
    tracker = Tracker()
    moving = [tracker([face(200 * index / RATE)], index / RATE)[0][1].box_xyxy[0] for index in range(60)]
    lags = 200 * np.arange(60) / RATE - moving
    assert lags.max() < 6 and lags[-1] < 3  # pixels, of a face that is 80 wide and crosses 200 a second


MOVES = [
    # what happens, the faces of each frame, ids of the last frame, ids ever given
    ("two cross at different heights", [[face(10 * k), face(290 - 10 * k, 140)] for k in range(30)], [1, 2], 2),
    ("fast: a face moves by its width in four frames", [[face(20 * k)] for k in range(30)], [1], 1),
    ("unseen for half a second, moving", [[face(4 * k)] if not 10 <= k < 25 else [] for k in range(40)], [1], 1),
    ("unseen for two seconds", [[face(50)] if not 10 <= k < 70 else [] for k in range(80)], [2], 2),
    ("a second face comes", [[face(50)] + [face(300)] * (k > 5) for k in range(10)], [1, 2], 2),
    ("faces in another order", [[face(50), face(300)][:: (-1) ** k] for k in range(10)], [1, 2], 2),
    ("a weak face goes on", [[face(50, score=0.9 if k < 3 else 0.35)] for k in range(10)], [1], 1),
]


def test_points_are_filtered_as_boxes_are():
    rng, tracker = np.random.default_rng(0), Tracker()
    spread = np.float32([[0, 0], [80, 0], [40, 80]])
    noisy = [replace(face(100), points=spread + 100 + rng.normal(size=(3, 2)).astype(np.float32)) for _ in range(200)]
    still = [tracker([one], index / RATE)[0][1].points for index, one in enumerate(noisy)]
    assert np.std([points[0, 0] for points in still[30:]]) < 0.6 * np.std([one.points[0, 0] for one in noisy[30:]])


@pytest.mark.parametrize(("frames", "last", "count"), [move[1:] for move in MOVES], ids=[move[0] for move in MOVES])
def test_ids_last(frames, last, count):
    ids = follow(frames, start_score=0.5)
    assert ids[-1] == last
    assert len({number for frame in ids for number in frame}) == count


def test_one_wrong_frame_does_not_change_the_label_and_a_lasting_change_does():
    tracker = Tracker()
    labels = ["happy"] * 20 + ["sad"] + ["happy"] * 20 + ["surprise"] * 20
    named = [tracker([face(50, label=label)], index / RATE)[0][1] for index, label in enumerate(labels)]
    assert {one.label for one in named[:41]} == {"happy"} and named[-1].label == "surprise"
    assert all(one.probs.sum() == pytest.approx(1) for one in named)


def test_no_frame_without_faces_fails_and_old_ones_are_forgotten():
    tracker = Tracker()
    assert tracker([], 0.0) == []
    for index in range(1, 200):
        tracker([face(500 * (index % 2))], index * 2.0)
    assert len(tracker._tracks) == 1
