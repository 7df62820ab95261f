"""evaluate: its figures on photos whose answer is known, then those of the network that ships."""

import dataclasses

import numpy as np
import pytest

from tests.yolo3tiny.samples import make_photo
from yolo3tiny.evaluate import evaluate
from yolo3tiny.predict import Detections, Detector
from yolo3tiny.splits import choose_split, find_photos


class Answers:
    """A detector that gives one prepared answer after the other."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.min_scores = []

    def __call__(self, image, min_score):
        self.min_scores.append(min_score)
        boxes, scores = self.answers.pop(0)
        return Detections(np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32))


ONE, TWO = (10, 10, 40, 50), (50, 60, 90, 92)


def test_each_source_has_its_own_figure():
    photos = [
        make_photo("a", [ONE], source="x"),
        make_photo("b", [ONE, TWO], source="y"),
        make_photo("c", [], source="z"),
    ]
    figures = evaluate(Answers(([ONE], [0.9]), ([ONE], [0.8]), ([], [])), photos)
    assert (figures["ap_x"], figures["ap_y"]) == (1.0, 0.5)
    assert "ap_z" not in figures  # no face, so nothing to find
    assert figures["ap"] == pytest.approx(2 / 3)


# What the shipped networks must reach: average precision at IoU 0.5.
@pytest.mark.parametrize(
    ("name", "pack", "split", "least"),
    [
        ("yolo3tiny.face", "facedet.tar", "val", {"ap": 0.86, "ap_mask853": 0.77}),
        ("yolo3tiny.face", "facedet_pseudo.tar", "held_out", {"ap": 0.80}),
        ("yolo3lite.face", "facedet.tar", "val", {"ap": 0.84, "ap_mask853": 0.79}),
        ("yolo3lite.face", "facedet_pseudo.tar", "held_out", {"ap": 0.80}),
    ],
)
def test_what_the_shipped_networks_reach(name, pack, split, least, data_pack):
    figures = evaluate(Detector(name), choose_split(find_photos(data_pack(pack)), split))
    assert all(figures[name] >= value for name, value in least.items()), figures


def test_no_faces():
    ignored = dataclasses.replace(make_photo("a", [ONE]), ignore=np.array([True]))
    for photos in ([], [make_photo("a", [])], [ignored]):
        with pytest.raises(ValueError, match=f"got {len(photos)} photos without one"):
            evaluate(Answers(), photos)
