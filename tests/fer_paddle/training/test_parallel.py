"""Two processes give what one gives at the same global batch, up to rounding; one alone changes nothing."""

from __future__ import annotations

import json

import numpy as np
import pytest

from fer_paddle.environment import paddle
from fer_paddle.training import parallel
from fer_paddle.training.checkpoint import LAST
from fer_paddle.training.loop import BEST
from fer_paddle.training.parallel import Means
from fer_paddle.weights import load_arrays, load_card

LAUNCHER = ("-m", "paddle.distributed.launch", "--nproc_per_node", "2", "--backend", "gloo")


@pytest.fixture(scope="module")
def both(tiny_run, start_tiny_run, tmp_path_factory):
    """The folders of the same training in one process and in two."""
    one, two = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    tiny_run.train(one, dropout=0.0)
    done = start_tiny_run(two, "parallel", LAUNCHER)
    logs = "\n".join(path.read_text() for path in sorted(two.glob("log/workerlog.*")))
    assert done.returncode == 0, done.stderr + logs
    return one, two


def tensors_of(folder):
    last = json.loads((folder / LAST).read_text())
    arrays = {f"last {name}": array for name, array in load_arrays(folder / last["tensors"]).items()}
    return arrays | {f"best {name}": array for name, array in load_arrays(folder / BEST).items()}


def test_two_processes_give_what_one_gives(both):
    """Weights, running statistics, moments and moving average after 15 steps, and the best weights."""
    ours, theirs = map(tensors_of, both)
    assert ours.keys() == theirs.keys()
    assert any("_variance" in name for name in ours) and any("moment2" in name for name in ours)
    for name in ours:
        np.testing.assert_allclose(theirs[name], ours[name], rtol=1e-5, atol=1e-5, err_msg=name)


def test_two_processes_measure_what_one_measures(both):
    """Of 7 validation samples one process has 4, the other 3: the sums are those of all."""
    ours, theirs = (json.loads((folder / LAST).read_text())["history"] for folder in both)
    assert len(ours) == len(theirs) == 3
    for our, their in zip(ours, theirs):
        assert their == pytest.approx(our, rel=1e-5, abs=1e-6)


def test_both_processes_end_with_the_same(both):
    ranks = [both[1] / "ranks" / f"{rank}.safetensors" for rank in (0, 1)]
    first, second = map(load_arrays, ranks)
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)
    assert len({json.dumps(load_card(path)) for path in ranks}) == 1


def test_one_process_changes_nothing(tiny_run):
    model = tiny_run.TinyNet()
    means = Means({"loss": [1.0, 2]})
    parallel.start()
    assert parallel.prepare_model(model) is model
    assert type(model.features[1]) is paddle.nn.BatchNorm2D
    parallel.average_step(model)
    assert parallel.all_reduce_means(means) is means
    assert [parallel.any_rank(flag) for flag in (True, False)] == [True, False]
    assert (parallel.rank(), parallel.world_size()) == (0, 1)


# --- the layer alone, as one of two processes that hold the two halves of a batch ---


@pytest.fixture
def halves(monkeypatch):
    """Two identical processes in one: every exchange finds the same numbers in the other."""
    monkeypatch.setenv("PADDLE_TRAINERS_NUM", "2")
    monkeypatch.setattr(paddle.distributed, "all_gather", lambda parts, tensor: parts.extend([tensor, tensor]))
    monkeypatch.setattr(paddle.distributed, "all_reduce", lambda tensor: tensor.set_value(tensor * 2))
    monkeypatch.setattr(paddle.distributed, "broadcast", lambda tensor, src: None)


# Far from zero a variance as E[x^2] - E[x]^2 is lost in float32.
@pytest.mark.parametrize("mean", [0.0, 3000.0])
def test_global_batch_norm_is_paddles_on_the_whole_batch(mean, halves):
    features = np.random.default_rng(0).normal(mean, 2, (3, 4, 5, 6)).astype(np.float32)
    gradient = np.random.default_rng(1).normal(size=(3, 4, 5, 6)).astype(np.float32)
    plain, ours = paddle.nn.BatchNorm2D(4), paddle.nn.BatchNorm2D(4)
    for layer in (plain, ours):
        layer.weight.set_value(np.float32([0.5, 1, 1.5, 2]))
        layer.bias.set_value(np.float32([1, 0, -1, 2]))
    assert parallel.prepare_model(ours) is ours
    results = []
    for layer, copies in ((plain, 2), (ours, 1)):
        inputs = paddle.to_tensor(np.tile(features, (copies, 1, 1, 1)), stop_gradient=False)
        outputs = layer(inputs)
        (outputs * paddle.to_tensor(np.tile(gradient, (copies, 1, 1, 1)))).sum().backward()
        gradients = [inputs.grad[:3], layer.weight.grad / copies, layer.bias.grad / copies]
        results.append([outputs[:3], *gradients, layer._mean, layer._variance])
    for expected, got in zip(*results):
        np.testing.assert_allclose(got.numpy(), expected.numpy(), rtol=1e-4, atol=2e-3 if mean else 1e-5)
    plain.eval(), ours.eval()
    inputs = paddle.to_tensor(features)
    np.testing.assert_allclose(ours(inputs).numpy(), plain(inputs).numpy(), rtol=1e-4, atol=1e-4)


def test_global_batch_norm_without_scale_and_shift(halves):
    layer = parallel.prepare_model(paddle.nn.BatchNorm2D(3, weight_attr=False, bias_attr=False))
    outputs = layer(paddle.randn([8, 3, 4, 4]) * 5 + 2).numpy()
    np.testing.assert_allclose(outputs.mean((0, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(outputs.std((0, 2, 3)), 1, atol=1e-3)


@pytest.mark.parametrize(
    "layer", [paddle.nn.BatchNorm1D(3), paddle.nn.BatchNorm2D(3, data_format="NHWC"), paddle.nn.BatchNorm(3)]
)
def test_other_layers_over_the_batch_are_refused(layer, halves):
    """They would normalise each process's share alone, and nobody would notice."""
    with pytest.raises(ValueError, match=f"expected BatchNorm2D .* got {type(layer).__name__} at '1'"):
        parallel.prepare_model(paddle.nn.Sequential(paddle.nn.Linear(2, 3), layer))


def test_layers_over_a_sample_pass(halves):
    parallel.prepare_model(paddle.nn.Sequential(paddle.nn.LayerNorm(3), paddle.nn.GroupNorm(1, 3)))


@pytest.mark.parametrize(("global_statistics", "share"), [(True, 1.0), (False, 0.5)])
def test_an_exchange_takes_in_running_statistics_that_are_not_global(global_statistics, share, halves, monkeypatch):
    """The other process brings zeros, so that every mean is half of ours; global statistics are no one's own."""
    model = parallel.prepare_model(
        paddle.nn.Sequential(paddle.nn.Conv2D(1, 2, 3), paddle.nn.BatchNorm2D(2)), global_statistics
    )
    model(paddle.randn([4, 1, 5, 5]) + 3).sum().backward()
    gradient = model[1].bias.grad.numpy().copy()
    mean, variance = model[1]._mean.numpy().copy(), model[1]._variance.numpy().copy()
    assert np.abs(mean).min() > 0
    monkeypatch.setattr(paddle.distributed, "all_reduce", lambda tensor: None)
    parallel.average_step(model)
    np.testing.assert_allclose(model[1].bias.grad.numpy(), gradient / 2)
    np.testing.assert_allclose(model[1]._mean.numpy(), mean * share)
    np.testing.assert_allclose(model[1]._variance.numpy(), variance * share)
