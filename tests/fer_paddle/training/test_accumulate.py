"""Accumulated gradients, SAM, the plateau, SWA, unfreezing, and their exact resume."""

import json

import numpy as np
import pytest

from fer_paddle.environment import paddle, seed_everything
from fer_paddle.training.checkpoint import LAST
from fer_paddle.training.config import FitConfig
from fer_paddle.training.loop import Callback, RunOptions, fit
from fer_paddle.training.optim import make_schedule
from fer_paddle.training.sam import sam_ascent
from fer_paddle.training.transfer import GradualUnfreezing, freeze
from fer_paddle.weights import load_arrays, state_arrays

nn = paddle.nn
BATCHES = 4


class Net(nn.Layer):
    def __init__(self, norm=False):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2D(1, 4, 3), nn.BatchNorm2D(4) if norm else nn.Identity(), nn.ELU())
        self.classify = nn.Linear(4, 3)

    def forward(self, images):
        return self.classify(self.body(images).mean((2, 3)))


class StopAt(Callback):
    def __init__(self, epoch, step):
        self.place = (epoch, step)

    def on_step_end(self, run):
        if (run.epoch, run.step) == self.place:
            run.save()
            raise RuntimeError("power cut")


def loss(outputs, targets):
    return {"label": nn.functional.cross_entropy(outputs, targets)}


def accuracy(outputs, targets):
    return (outputs.argmax(1) == targets).astype("float32").mean()


@pytest.fixture(scope="module")
def batches():
    rng = np.random.default_rng(0)
    images = rng.normal(size=(BATCHES, 5, 1, 6, 6)).astype(np.float32)
    return [(paddle.to_tensor(image), paddle.to_tensor(rng.integers(0, 3, 5))) for image in images]


def train(batches, folder=None, *, norm=False, rate=0.05, extra=(), prepare=None, resume=False, task=None, **config):
    seed_everything(4)
    model = Net(norm)
    if prepare is not None:
        prepare(model)
    optimizer = paddle.optimizer.Momentum(rate() if callable(rate) else rate, parameters=model.parameters())
    settings = {"epochs": 3, "monitor": "valid_loss", **config}
    loaders = {"train": batches, "valid": batches[:1]}
    arguments = (model, loss, loaders, optimizer, {"accuracy": accuracy})
    return model, fit(*arguments, config=FitConfig(**settings), options=RunOptions(folder, resume, extra), task=task)


def freeze_body(model):
    freeze(model, ["body.*"])


def plateau():
    return make_schedule("plateau", 0.1, 0, (1,), factor=0.5, mode="max")


PLATEAU = {"rate": plateau, "monitor": "valid_accuracy", "mode": "max", "epochs": 14}
UNFREEZE = {"norm": True, "prepare": freeze_body, "callback": lambda: GradualUnfreezing(1, ["body.*"])}


@pytest.mark.parametrize(
    ("place", "arguments"),
    [
        ((1, 2), {"norm": True, "accumulate": 2, "ema_decay": 0.9}),
        ((1, 2), {"norm": True, "accumulate": 2, "ema_decay": 0.9, "sam_radius": 0.1}),
        ((2, 1), {"norm": True, "swa_start": 1, "epochs": 4}),
        ((12, 1), PLATEAU),
        ((0, 3), UNFREEZE),  # while frozen
        ((1, 2), UNFREEZE),  # after it
    ],
)
def test_it_is_resumed_bit_for_bit(place, arguments, batches, tmp_path):
    arguments = dict(arguments)
    make = arguments.pop("callback", None)
    extra = [] if make is None else [make()]
    whole, history = train(batches, tmp_path / "whole", extra=extra, **arguments)
    with pytest.raises(RuntimeError, match="power cut"):
        train(batches, tmp_path / "broken", extra=[*extra, StopAt(*place)], **arguments)
    again, resumed = train(batches, tmp_path / "broken", extra=extra, resume=True, **arguments)
    assert resumed == history
    theirs = state_arrays(again)
    for name, array in state_arrays(whole).items():
        np.testing.assert_array_equal(theirs[name], array, err_msg=name)
    ends = [json.loads((tmp_path / name / LAST).read_text()) for name in ("whole", "broken")]
    assert ends[0] == {**ends[1], "seconds": ends[0]["seconds"]}


@pytest.mark.parametrize("parts", [2, 3, 99])  # 5 samples: 2 + 3, 1 + 2 + 2, and one by one
def test_the_parts_of_a_batch_make_the_step_of_the_whole(parts, batches):
    """Without batch normalization the gradient of a mean is the weighted mean of the parts' gradients."""
    whole, history = train(batches)
    cut, cut_history = train(batches, accumulate=parts)
    for ours, theirs in zip(state_arrays(cut).values(), state_arrays(whole).values()):
        np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=2e-6)
    for ours, theirs in zip(cut_history, history):
        assert ours == pytest.approx(theirs, rel=1e-4)


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


def test_what_was_moved_is_put_back(batches):
    """Running statistics too, which the block sees of the moved weights; where the block fails as well."""
    model = Net(norm=True)
    model.classify.bias.stop_gradient = True
    before = state_arrays(model)
    loss(model(batches[0][0]), batches[0][1])["label"].backward()
    before |= {name: array for name, array in state_arrays(model).items() if "_mean" in name or "_var" in name}
    with pytest.raises(RuntimeError, match="power cut"), sam_ascent(model, 0.3):
        moved = state_arrays(model)
        assert all(parameter.grad is None or not parameter.grad.any() for parameter in model.parameters())
        model(batches[0][0])
        raise RuntimeError("power cut")
    length = sum(float(((moved[name] - before[name]) ** 2).sum()) for name in before) ** 0.5
    assert length == pytest.approx(0.3, rel=1e-5)
    np.testing.assert_array_equal(moved["classify.bias"], before["classify.bias"])
    for name, array in state_arrays(model).items():
        np.testing.assert_array_equal(array, before[name], err_msg=name)


def test_swa_is_the_mean_over_the_ends_of_the_epochs(batches, tmp_path):
    ends = []

    class Watch(Callback):
        def on_epoch_end(self, run):
            ends.append(state_arrays(run.model))

    train(batches, tmp_path, extra=[Watch()], swa_start=1, epochs=4, norm=True)
    last = json.loads((tmp_path / LAST).read_text())
    kept = load_arrays(tmp_path / last["tensors"])
    for name in ends[0]:
        expected = np.mean([end[name] for end in ends[1:]], axis=0)
        np.testing.assert_allclose(kept[f"average.{name}"], expected, rtol=1e-5, atol=1e-7)
