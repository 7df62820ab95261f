"""The range test: it finds the rate at which a known problem diverges, and leaves no trace."""

import numpy as np
import pytest

from fer_paddle.environment import paddle
from fer_paddle.training.lr_finder import draw_rates, find_lr
from fer_paddle.weights import state_arrays

nn = paddle.nn


@pytest.fixture(scope="module")
def problem():
    """Least squares: (network, batches, the rate from which gradient descent diverges, 2 / largest curvature)."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(64, 3)).astype(np.float32)
    noise = rng.normal(size=(64, 1))  # halves that disagree: at an exact fit there is no gradient to diverge by
    targets = (inputs @ np.float32([[1], [-2], [3]]) + noise).astype(np.float32)
    curvature = np.linalg.eigvalsh(2 * inputs.T @ inputs / len(inputs)).max()
    halves = [(paddle.to_tensor(inputs[part]), paddle.to_tensor(targets[part])) for part in (slice(32), slice(32, 64))]
    network = nn.Linear(3, 1, weight_attr=nn.initializer.Constant(1.0), bias_attr=False)
    return network, halves, 2 / curvature


def squared(outputs, targets):
    return {"error": (outputs - targets).square().mean()}


def sgd(network):
    return lambda rate: paddle.optimizer.SGD(rate, parameters=network.parameters())


def test_it_finds_the_rate_that_diverges(problem):
    network, batches, limit = problem
    curve = find_lr(network, squared, batches, sgd(network), 1e-4, 100.0, steps=120)
    assert (np.diff(curve.rates) > 0).all() and curve.rates[0] == pytest.approx(1e-4)
    assert len(curve.losses) < 120  # it stopped when the loss exploded
    assert limit / 5 < curve.diverging < limit * 5
    assert len(draw_rates(curve).axes[0].lines) == 4


def test_it_leaves_no_trace(problem):
    network, batches, _ = problem
    network.eval()
    before = state_arrays(network)
    first = find_lr(network, squared, batches, sgd(network), 1e-4, 100.0, steps=60)
    again = find_lr(network, squared, batches, sgd(network), 1e-4, 100.0, steps=60)
    np.testing.assert_array_equal(first.losses, again.losses)
    np.testing.assert_array_equal(state_arrays(network)["weight"], before["weight"])
    assert not network.training and not any(parameter.grad.numpy().any() for parameter in network.parameters())


@pytest.mark.parametrize("change", [{"lowest": 0}, {"lowest": 2.0}, {"steps": 9}])
def test_arguments_out_of_range(change, problem):
    network, batches, _ = problem
    with pytest.raises(ValueError, match="expected 0 < lowest < highest and 10 steps or more"):
        find_lr(network, squared, batches, sgd(network), **{"lowest": 1e-5, "highest": 1.0, **change})
