"""A landmark head learns on a frozen classifier; both leave as one ONNX file that answers as the two did."""

import dataclasses

import numpy as np
import pytest

from fer_paddle.deployment.runtimes import load_runner
from fer_paddle.environment import paddle, seed_everything
from fer_paddle.landmarks.export import draw_crops
from fer_paddle.landmarks.joined import export_joined, join, start_on
from fer_paddle.landmarks.predict import Landmarker, LandmarkSettings
from fer_paddle.landmarks.recipes import POINTS68
from fer_paddle.landmarks.train import train_landmarks
from fer_paddle.models import build_model
from fer_paddle.weights import fingerprint, state_arrays

ON_VGG8 = dataclasses.replace(
    POINTS68,
    epochs=2,
    batch_size=8,
    sizes=((0, 40),),
    backbone="vgg8",
    arguments=(("width", 0.125),),
    read_out="regression",
    margin=0.05,
    repeat=(),
)


@pytest.fixture(scope="module")
def classifier():
    seed_everything(0)
    network = build_model("vgg8", width=0.125)
    network.train()
    network(paddle.randn([8, 1, 40, 40]))  # statistics of batch normalization that are not those of a new network
    network.eval()
    return network


@pytest.fixture(scope="module")
def landmarks(classifier, drawn):
    """A landmark network whose head was trained on the classifier's frozen backbone."""
    seed_everything(0)
    network = ON_VGG8.build()
    head, before = state_arrays(network.regression)["points.weight"], fingerprint(classifier)
    frozen = start_on(network, classifier)
    assert frozen and all(name.startswith("backbone.") for name in frozen)
    train_landmarks(network, drawn, drawn.take(np.arange(4)), ON_VGG8)
    assert fingerprint(classifier) == before
    assert not np.array_equal(state_arrays(network.regression)["points.weight"], head)
    network.eval()
    return network


def test_one_file_has_both_answers(classifier, landmarks, drawn, tmp_path):
    crops = draw_crops(LandmarkSettings(40, 0.05), 16)
    with paddle.no_grad():
        apart = [network(paddle.to_tensor(crops)).numpy() for network in (classifier, landmarks)]
    joined = join(classifier, landmarks)
    export_joined(joined, tmp_path / "joined.onnx", 0.05, crops, {"classes": "[]"})
    runner = load_runner(tmp_path / "joined.onnx")
    for found, wanted in zip(runner(crops), apart, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-4)
    single = sum(tensor.size for tensor in classifier.parameters()) + sum(
        tensor.size for tensor in landmarks.regression.parameters()
    )
    assert (tmp_path / "joined.onnx").stat().st_size < 4 * single + 20_000  # the backbone stands in it once
    points = Landmarker(forward=lambda images: runner(images)[1:], settings=LandmarkSettings(40, 0.05))
    assert points(drawn.images[0], drawn.boxes_xyxy[:1]).shape == (1, 68, 2)
