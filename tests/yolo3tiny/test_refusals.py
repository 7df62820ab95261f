"""Arguments out of range are refused in one line, from boxes to files."""

import numpy as np
import pytest

from fer_paddle.zoo import task_of
from yolo3tiny.anchors import kmeans_anchors
from yolo3tiny.decode import decode_above
from yolo3tiny.detection import recover_img
from yolo3tiny.keypoint.decode import decode
from yolo3tiny.keypoint.model import KeypointNetwork
from yolo3tiny.keypoint.strips import draw_strip

MAP = np.zeros((1, 5, 1, 1), np.float32)
WRONG = [
    lambda folder: kmeans_anchors(np.ones((50, 2)), k=2),  # many boxes, one size: clusters would be equal
    lambda folder: decode_above([np.zeros((1, 18, 1, 1)), np.zeros((1, 18, 2, 2))], 1.5),
    lambda folder: recover_img(np.zeros((5, 5))),
    lambda folder: task_of(folder / "none.pt"),
    lambda folder: decode(np.full((1, 5, 2, 2), np.nan)),
    lambda folder: decode(MAP, float("nan")),
    lambda folder: decode(MAP, 45),
    lambda folder: KeypointNetwork(0),
    lambda folder: draw_strip("sea"),
]


@pytest.mark.parametrize("call", WRONG)
def test_refuses(call, tmp_path):
    with pytest.raises((ValueError, FileNotFoundError), match=r"expected|lacks") as caught:
        call(tmp_path)
    assert "\n" not in str(caught.value)
