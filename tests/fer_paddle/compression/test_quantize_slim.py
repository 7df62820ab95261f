"""PaddleSlim's roads on a tiny network: static, weight-only and QAT, in Paddle Inference and as ONNX."""

import pickle
import shutil

import numpy as np
import onnxruntime
import pytest

from fer_paddle.compression import activation_ranges as calibration
from fer_paddle.compression import paddle_program as programs
from fer_paddle.compression import post_training, qat, quant_params
from fer_paddle.deployment.runtimes import load_runner
from fer_paddle.deployment.runtimes.paddle import load_program
from fer_paddle.environment import paddle, seed_everything
from fer_paddle.training.loop import FitConfig, RunOptions, fit

nn = paddle.nn
SHAPE = (None, 1, 12, 12)
IMAGES = np.random.default_rng(0).normal(size=(32, 1, 12, 12)).astype(np.float32)
BATCHES = [IMAGES[:16], IMAGES[16:]]


class Tiny(nn.Layer):
    """Two convolutions, one with batch normalization, ELU, mean and 7 logits."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2D(1, 8, 3, padding=1, bias_attr=False), nn.BatchNorm2D(8), nn.ELU(), nn.Conv2D(8, 8, 3), nn.ELU()
        )
        self.pool, self.classify = nn.AdaptiveAvgPool2D(1), nn.Linear(8, 7)

    def forward(self, images):
        return self.classify(self.pool(self.body(images)).flatten(1))


def make_tiny():
    seed_everything(0)
    network = Tiny()
    network.eval()
    return network


def logits_of(network):
    with paddle.no_grad():
        return network(paddle.to_tensor(IMAGES)).numpy()


def run_program(folder, int8=False):
    return load_program(folder / programs.MODEL, {"quantized": "by a test"} if int8 else {})(IMAGES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The float program, and its static quantization by abs-max."""
    folder = tmp_path_factory.mktemp("programs")
    source = programs.save_program(make_tiny(), folder / "float", SHAPE)
    post_training.quantize_static(source, folder / "abs_max", BATCHES, "abs_max")
    return folder


def test_static_quantisation_is_close_and_runs_in_int8(folder):
    exact = logits_of(make_tiny())
    for int8 in (False, True):
        found = run_program(folder / "abs_max", int8)[0]
        assert 0 < np.abs(found - exact).mean() < 0.1 * exact.std(), int8


def test_the_card_decides_whether_it_runs_in_int8(folder):
    (simulated,), (whole,) = (run_program(folder / "abs_max", int8) for int8 in (False, True))
    assert np.abs(simulated - whole).max() > 0
    np.testing.assert_array_equal(load_runner(folder / "abs_max" / programs.MODEL, "paddle", 1)(IMAGES)[0], whole)


def test_scales_and_weights_are_those_by_hand(folder):
    """abs-max of images and of folded weights, and int8 weights within one unit."""
    scales, whole = post_training.read_scales(folder / "abs_max"), post_training.read_int8_weights(folder / "abs_max")
    assert scales["images"] == pytest.approx(calibration.find_threshold(BATCHES, "abs_max"), rel=1e-6)
    network = make_tiny()
    second, norm = network.body[3].weight.numpy(), network.body[1]
    factor = norm.weight.numpy() / np.sqrt(norm._variance.numpy() + norm._epsilon)
    first = network.body[0].weight.numpy() * factor[:, None, None, None]  # batch normalization folded
    for weights in (first, second):
        (name,) = [name for name, array in whole.items() if array.shape == weights.shape]
        by_hand = quant_params.for_weights(weights)
        assert scales[name].ravel() == pytest.approx(by_hand.scale * 127, rel=1e-5)
        assert np.abs(by_hand.quantize(weights) - whole[name]).max() <= 1


def test_the_onnx_file_carries_int8_weights(folder, tmp_path):
    path = programs.program_to_onnx(folder / "abs_max", tmp_path / "a.onnx", {"classes": "seven"})
    session = onnxruntime.InferenceSession(path.read_bytes())
    exact = logits_of(make_tiny())
    assert np.abs(session.run(None, {"images": IMAGES})[0] - exact).mean() < 0.1 * exact.std()
    assert session.get_modelmeta().custom_metadata_map == {"classes": "seven"}
    assert b"QuantizeLinear" in path.read_bytes()
    assert list(tmp_path.iterdir()) == [path]


def test_the_last_layer_can_stay_in_float(folder, tmp_path):
    post_training.quantize_static(folder / "float", tmp_path, BATCHES, "mse", keep_last=True)
    shapes = {array.shape for array in post_training.read_int8_weights(tmp_path).values()}
    assert shapes == {(8, 1, 3, 3), (8, 8, 3, 3)}


def test_weight_only(folder, tmp_path):
    """The stored weights are int8; the simulated program computes on their round trip."""
    post_training.quantize_weights(folder / "float", tmp_path / "int8")
    post_training.quantize_weights(folder / "float", tmp_path / "simulated", simulated=True)
    assert len(post_training.read_int8_weights(tmp_path / "int8")) == 2
    exact = logits_of(make_tiny())
    found = run_program(tmp_path / "simulated")[0]
    assert 0 < np.abs(found - exact).mean() < 0.05 * exact.std()


def test_qat_trains_by_the_loop_and_is_saved(tmp_path):
    network = make_tiny()
    qat.prepare_qat(network, keep_float=["classify"])
    with pytest.raises(ValueError, match="fake quantization in it"):
        qat.prepare_qat(network)
    qat.observe(network, BATCHES)
    assert not network.training
    targets = paddle.to_tensor(np.arange(16) % 7)
    loader = [(paddle.to_tensor(batch), targets) for batch in BATCHES]
    optimizer = paddle.optimizer.Adam(1e-3, parameters=network.parameters())
    config = FitConfig(epochs=2, seed=0, monitor="train_loss", mode="min")
    options = RunOptions(tmp_path / "run")
    history = fit(network, nn.functional.cross_entropy, {"train": loader}, optimizer, config=config, options=options)
    assert history[1]["train_loss"] < history[0]["train_loss"]
    qat.save_qat(network, tmp_path / "program", SHAPE)
    exact = logits_of(network)
    path = programs.program_to_onnx(tmp_path / "program", tmp_path / "qat.onnx", round_outputs=False)
    onnx_logits = onnxruntime.InferenceSession(path.read_bytes()).run(None, {"images": IMAGES})[0]
    for found in (run_program(tmp_path / "program")[0], onnx_logits):
        assert np.abs(found - exact).mean() < 0.1 * exact.std()
    assert len(post_training.read_int8_weights(tmp_path / "program")) == 2


@pytest.mark.parametrize(
    ("name", "content", "says"), [(programs.PARAMS, pickle.dumps({"a": 1}), "pickle"), (programs.MODEL, b"", "empty")]
)
def test_what_is_no_program_gives_one_line(folder, tmp_path, name, content, says):
    shutil.copytree(folder / "float", tmp_path / "bad")
    (tmp_path / "bad" / name).write_bytes(content)
    for use in (programs.check_program, lambda path: post_training.quantize_static(path, tmp_path / "out", BATCHES)):
        with pytest.raises(ValueError, match=says) as caught:
            use(tmp_path / "bad")
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("use", "error", "says"),
    [
        (lambda source: programs.check_program(source / "none"), FileNotFoundError, "expected the network's file"),
        (lambda source: qat.prepare_qat(make_tiny(), keep_float=["head"]), ValueError, "expected layers of Tiny"),
        (lambda source: post_training.quantize_static(source, source / "out", []), ValueError, "calibration batches"),
    ],
)
def test_what_cannot_be_is_refused(folder, use, error, says):
    with pytest.raises(error, match=says):
        use(folder / "float")
    assert not (folder / "float" / "out").exists()
