"""Accumulated gradients, SAM and SWA against their formulas; how they are resumed stands in test_resume."""

import json

import numpy as np
import pytest

from fer_paddle.environment import paddle
from fer_paddle.training.checkpoint import LAST
from fer_paddle.training.config import FitConfig
from fer_paddle.training.loop import Callback, fit
from fer_paddle.training.sam import sam_ascent
from fer_paddle.weights import load_arrays, state_arrays
from tests.fer_paddle.training import tiny_run

nn = paddle.nn


@pytest.mark.parametrize("parts", [2, 3, 99])  # 4 samples: 2 + 2, 1 + 1 + 2, and one by one
def test_the_parts_of_a_batch_make_the_step_of_the_whole(parts):
    """Without batch normalization the gradient of a mean is the weighted mean of the parts' gradients."""
    plain = {"norm": nn.Identity, "dropout": 0.0, "optimize": momentum}
    (whole, _, history), (cut, _, cut_history) = (tiny_run.train(None, **plain, accumulate=n) for n in (1, parts))
    for ours, theirs in zip(state_arrays(cut).values(), state_arrays(whole).values()):
        np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=2e-6)
    for ours, theirs in zip(cut_history, history):
        assert ours == pytest.approx(theirs, rel=1e-4)


def momentum(model):
    return paddle.optimizer.Momentum(0.05, parameters=model.parameters())


def test_a_sharpness_aware_step_is_that_of_the_paper():
    """Least squares in NumPy: w - rate * slope(w + radius * slope(w) / |slope(w)|), Foret et al. 2021, algorithm 1."""
    rng = np.random.default_rng(3)
    inputs, wanted = rng.normal(size=(6, 4)).astype(np.float32), rng.normal(size=(6, 1)).astype(np.float32)
    model = nn.Linear(4, 1, bias_attr=False)
    weights, slope = model.weight.numpy(), lambda w: 2 * inputs.T @ (inputs @ w - wanted) / len(inputs)
    up = weights + 0.5 * slope(weights) / np.linalg.norm(slope(weights))
    optimizer = paddle.optimizer.SGD(0.1, parameters=model.parameters())
    batch = (paddle.to_tensor(inputs), paddle.to_tensor(wanted))
    config = FitConfig(1, monitor="train_loss", sam_radius=0.5)
    (record,) = fit(model, nn.functional.mse_loss, {"train": [batch]}, optimizer, config=config)
    np.testing.assert_allclose(model.weight.numpy(), weights - 0.1 * slope(up), rtol=1e-5)
    assert record["train_loss"] == pytest.approx(float(((inputs @ weights - wanted) ** 2).mean()), rel=1e-5)


def test_what_was_moved_is_put_back():
    """Running statistics too, which the block sees of the moved weights; where the block fails as well."""
    model, (images, labels) = tiny_run.TinyNet(dropout=0.0), next(iter(tiny_run.make_loaders()["train"]))
    model.classify.bias.stop_gradient = True
    before = state_arrays(model)
    tiny_run.loss(model(images), labels)["label"].backward()
    before |= {name: array for name, array in state_arrays(model).items() if "_mean" in name or "_var" in name}
    with pytest.raises(RuntimeError, match="power cut"), sam_ascent(model, 0.3):
        moved = state_arrays(model)
        assert all(parameter.grad is None or not parameter.grad.any() for parameter in model.parameters())
        model(images)
        raise RuntimeError("power cut")
    length = sum(float(((moved[name] - before[name]) ** 2).sum()) for name in before) ** 0.5
    assert length == pytest.approx(0.3, rel=1e-5)
    np.testing.assert_array_equal(moved["classify.bias"], before["classify.bias"])
    for name, array in state_arrays(model).items():
        np.testing.assert_array_equal(array, before[name], err_msg=name)


def test_swa_is_the_mean_over_the_ends_of_the_epochs(tmp_path):
    ends = []

    class Watch(Callback):
        def on_epoch_end(self, run):
            ends.append(state_arrays(run.model))

    tiny_run.train(tmp_path, extra=[Watch()], swa_start=1, epochs=4, ema_decay=None)
    last = json.loads((tmp_path / LAST).read_text())
    kept = load_arrays(tmp_path / last["tensors"])
    for name in ends[0]:
        expected = np.mean([end[name] for end in ends[1:]], axis=0)
        np.testing.assert_allclose(kept[f"average.{name}"], expected, rtol=1e-5, atol=1e-7)
