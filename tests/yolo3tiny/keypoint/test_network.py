"""The network's receptive field, by formula and by gradient; the loss against its sums by hand."""

import numpy as np
import pytest

from fer_paddle.environment import paddle
from yolo3tiny.keypoint.losses import KeypointLoss
from yolo3tiny.keypoint.model import KeypointNetwork, measured_field, receptive_field


@pytest.mark.parametrize("depths", [(1, 1, 2, 2, 2), (1, 1, 1, 1, 2), (2, 1, 1, 1, 1)])
def test_the_gradient_reaches_as_far_as_the_formula_says(depths):
    network = KeypointNetwork(2, (4, 4, 8, 8, 8), depths)
    side, stride = receptive_field(network)
    seen = np.abs(measured_field(network, images=4))
    rows, columns = np.nonzero(seen.sum(axis=1))[0], np.nonzero(seen.sum(axis=0))[0]
    assert stride == 32
    for reached in (rows, columns):
        assert side - 4 <= reached[-1] - reached[0] + 1 <= side


def test_uint8_and_float32_pixels_are_the_same_image():
    network = KeypointNetwork()
    network.eval()
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 64, 96), np.uint8)
    first, second = (network(paddle.to_tensor(images.astype(kind))).numpy() for kind in (np.uint8, np.float32))
    assert first.shape == (2, 5, 2, 3) and (first == second).all()


def entropy(logits, label):
    return float(np.log(np.exp(logits).sum()) - logits[label])


def test_the_loss_is_its_sums_by_hand():
    rng = np.random.default_rng(0)
    outputs = rng.normal(0, 1, (2, 5, 3, 4)).astype(np.float32)
    offsets = rng.random((2, 2, 3, 4), np.float32)
    classes = np.zeros((2, 3, 4), np.int64)
    classes[0, 1, 2], classes[1, 0, 0], classes[1, 2, 3] = 1, 2, -1
    found = KeypointLoss(0.5, negatives=2, least_negatives=1)(
        paddle.to_tensor(outputs), (paddle.to_tensor(offsets), paddle.to_tensor(classes))
    )
    marks = [(0, 1, 2), (1, 0, 0)]
    squares = [((outputs[n, :2, i, j] - offsets[n, :, i, j]) ** 2).mean() for n, i, j in marks]
    taught = [entropy(outputs[n, 2:, i, j], classes[n, i, j]) for n, i, j in marks]
    background = [entropy(outputs[n, 2:, i, j], 0) for n, i, j in np.argwhere(classes == 0)]
    hardest = sorted(background)[-4:]  # two for each mark
    assert float(found["offset"]) == pytest.approx(np.mean(squares), rel=1e-5)
    assert float(found["class"]) == pytest.approx(0.5 * np.mean(taught + hardest), rel=1e-5)
