"""Arguments out of range are refused in one line, from boxes to files."""

import dataclasses

import numpy as np
import pytest

from yolo3tiny import boxes
from yolo3tiny.augment import AugmentConfig
from yolo3tiny.decode import decode_above, nms
from yolo3tiny.detection import recover_img
from yolo3tiny.export import is_detector
from yolo3tiny.keypoint.decode import decode
from yolo3tiny.keypoint.model import KeypointNetwork
from yolo3tiny.keypoint.recipes import STRIPS
from yolo3tiny.keypoint.strips import draw_strip
from yolo3tiny.photos import Photo
from yolo3tiny.predict import WEIGHTS, Detector
from yolo3tiny.quantize import DetectorQuantizeTask, read_detector_card
from yolo3tiny.recipes import CROWD

IMAGE = np.zeros((48, 64, 3), np.uint8)
MAP = np.zeros((1, 5, 1, 1), np.float32)
WRONG = [
    lambda folder: boxes.area(np.zeros((3, 5))),
    lambda folder: nms(np.zeros((3, 4)), np.zeros(2)),
    lambda folder: nms(np.zeros((3, 4)), np.zeros(3), 45),  # a percentage
    lambda folder: decode_above([np.zeros((1, 18, 1, 1)), np.zeros((1, 18, 2, 2))], 1.5),
    lambda folder: Photo("a", b"", np.zeros((2, 4)), np.zeros(3, bool), (1, 1)),
    lambda folder: Photo("a", b"", np.zeros((2, 4)), np.zeros(2), (1, 1)),  # ~ignore of numbers would be no mask
    lambda folder: recover_img(np.zeros((5, 5))),
    lambda folder: Detector(forward=lambda images: [])(IMAGE, nms_iou=1.5),
    lambda folder: is_detector(folder / "none.pt"),
    lambda folder: DetectorQuantizeTask(WEIGHTS, [], []),
    lambda folder: read_detector_card(folder / "card.safetensors"),
    lambda folder: dataclasses.replace(CROWD, batch_size=0),
    lambda folder: dataclasses.replace(CROWD, warmup_epochs=11),
    lambda folder: AugmentConfig(contrast=2),
    lambda folder: decode(np.full((1, 5, 2, 2), np.nan)),
    lambda folder: KeypointNetwork(0),
    lambda folder: dataclasses.replace(STRIPS, strips=0),
    lambda folder: dataclasses.replace(STRIPS, sizes=((0, 100),)),
    lambda folder: draw_strip("sea"),
]


@pytest.mark.parametrize("call", WRONG)
def test_refuses(call, tmp_path):
    (tmp_path / "card.json").write_text("{}")
    with pytest.raises((ValueError, FileNotFoundError), match=r"expected|lacks") as caught:
        call(tmp_path)
    assert "\n" not in str(caught.value)
