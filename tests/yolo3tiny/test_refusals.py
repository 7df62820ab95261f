"""Arguments out of range are refused in one line, from boxes to files."""

import dataclasses

import numpy as np
import pytest

from fer_paddle import Classifier
from fer_paddle.landmarks.predict import Landmarker
from yolo3tiny import boxes
from yolo3tiny.anchors import kmeans_anchors
from yolo3tiny.decode import decode_above, nms
from yolo3tiny.detection import recover_img
from yolo3tiny.export import is_detector
from yolo3tiny.keypoint.decode import decode
from yolo3tiny.keypoint.model import KeypointNetwork
from yolo3tiny.keypoint.predict import KeypointDetector
from yolo3tiny.keypoint.recipes import STRIPS
from yolo3tiny.keypoint.strips import draw_strip
from yolo3tiny.losses import Yolo3Loss
from yolo3tiny.metrics import average_precision
from yolo3tiny.photos import Photo
from yolo3tiny.predict import WEIGHTS, Detector
from yolo3tiny.quantize import DetectorQuantizeTask
from yolo3tiny.recipes import CROWD
from yolo3tiny.rotations import find_faces

IMAGE = np.zeros((48, 64, 3), np.uint8)
NOTHING = np.zeros((0, 4)), np.zeros(0)
MAP = np.zeros((1, 5, 1, 1), np.float32)
WRONG = [
    lambda folder: boxes.area(np.zeros((3, 5))),
    lambda folder: boxes.letterbox(IMAGE, (416, 400)),
    lambda folder: boxes.letterbox(IMAGE, longest=0),
    lambda folder: kmeans_anchors(np.ones((50, 2)), k=2),  # many boxes, one size: clusters would be equal
    lambda folder: kmeans_anchors([(5, 5), (5, np.nan)], k=1),
    lambda folder: kmeans_anchors(np.ones((5, 4)), k=1),  # boxes instead of sizes
    lambda folder: Yolo3Loss().build_targets(np.zeros((1, 135, 6)), [(3, 3), (6, 6)], [np.zeros((1, 2, 4))]),
    lambda folder: Yolo3Loss().build_targets(np.zeros((1, 135, 6)), [(3, 3), (6, 6)], [np.zeros((2, 2, 4)), [[0, 0]]]),
    lambda folder: average_precision([NOTHING], []),
    lambda folder: average_precision([NOTHING], [NOTHING], 0.0),
    lambda folder: average_precision([(np.zeros((1, 4)), [np.nan])], [NOTHING]),
    lambda folder: average_precision([(np.zeros((2, 4)), np.zeros(3))], [NOTHING]),
    lambda folder: nms(np.zeros((3, 4)), np.zeros(2)),
    lambda folder: nms(np.zeros((3, 4)), np.zeros(3), 45),  # a percentage
    lambda folder: decode_above([np.zeros((1, 18, 1, 1)), np.zeros((1, 18, 2, 2))], 1.5),
    lambda folder: Photo("a", b"", np.zeros((2, 4)), np.zeros(3, bool), (1, 1)),
    lambda folder: Photo("a", b"", np.zeros((2, 4)), np.zeros(2), (1, 1)),  # ~ignore of numbers would be no mask
    lambda folder: recover_img(np.zeros((5, 5))),
    lambda folder: Detector(forward=lambda images: [])(IMAGE, nms_iou=1.5),
    lambda folder: is_detector(folder / "none.pt"),
    lambda folder: DetectorQuantizeTask(WEIGHTS, [], []),
    lambda folder: dataclasses.replace(CROWD, batch_size=0),
    lambda folder: dataclasses.replace(CROWD, warmup_epochs=11),
    lambda folder: decode(np.full((1, 5, 2, 2), np.nan)),
    lambda folder: decode(MAP, float("nan")),
    lambda folder: decode(MAP, 45),
    lambda folder: find_faces(Detector(forward=lambda images: []), IMAGE, min_face=float("nan")),
    lambda folder: find_faces(Detector(forward=lambda images: []), IMAGE, min_face=-1),
    *(lambda folder, kind=kind: kind("") for kind in (Classifier, Detector, Landmarker, KeypointDetector)),
    *(lambda folder, kind=kind: kind(threads=1.5) for kind in (Classifier, Detector, Landmarker, KeypointDetector)),
    lambda folder: Landmarker()(IMAGE, np.zeros((4, 3))),
    lambda folder: KeypointNetwork(0),
    lambda folder: dataclasses.replace(STRIPS, strips=0),
    lambda folder: dataclasses.replace(STRIPS, sizes=((0, 100),)),
    lambda folder: draw_strip("sea"),
]


@pytest.mark.parametrize("call", WRONG)
def test_refuses(call, tmp_path):
    with pytest.raises((ValueError, FileNotFoundError), match=r"expected|lacks") as caught:
        call(tmp_path)
    assert "\n" not in str(caught.value)
