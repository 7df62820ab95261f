"""The moving average of the weights."""

from __future__ import annotations

import numpy as np
import pytest

from fer_paddle.environment import paddle
from fer_paddle.training.ema import EMA
from fer_paddle.weights import state_arrays


@pytest.fixture
def network():
    return paddle.nn.Sequential(paddle.nn.Conv2D(1, 2, 3), paddle.nn.BatchNorm2D(2))


def test_update_is_the_formula(network):
    """decay 0.5, but (1 + t) / (10 + t) while that is smaller: 0.1, 2/11, ..., 9/18 at t = 8."""
    average = EMA(network, 0.5)
    expected = state_arrays(network)
    rng = np.random.default_rng(0)
    for step in range(12):
        for tensor in network.state_dict().values():
            tensor.set_value(rng.normal(size=tensor.shape).astype(np.float32))
        average.update(step)
        decay = min(0.5, (1 + step) / (10 + step))
        for name, array in state_arrays(network).items():
            expected[name] = decay * expected[name] + (1 - decay) * array
    got = average.arrays()
    assert got.keys() == expected.keys() and "1._variance" in got  # running statistics are averaged too
    for name in expected:
        np.testing.assert_allclose(got[name], expected[name], rtol=1e-5, atol=1e-6)


def test_applied_puts_the_average_in_and_the_weights_back(network):
    average = EMA(network, 0.9)
    start = state_arrays(network)
    for tensor in network.state_dict().values():
        tensor.set_value(tensor + 1)
    later = state_arrays(network)
    with pytest.raises(RuntimeError, match="in the block"), average.applied():
        inside = state_arrays(network)
        raise RuntimeError("in the block")
    for name in start:
        np.testing.assert_array_equal(inside[name], start[name])
        np.testing.assert_array_equal(state_arrays(network)[name], later[name])


def test_arrays_and_load_go_round(network):
    average, other = EMA(network, 0.9), EMA(network, 0.9)
    for tensor in network.state_dict().values():
        tensor.set_value(tensor * 2 + 1)
    average.update(0)
    other.load(average.arrays())
    other.update(1)
    average.update(1)
    for name, array in average.arrays().items():
        np.testing.assert_array_equal(other.arrays()[name], array)


def test_load_refuses_another_network(network):
    average = EMA(network, 0.9)
    arrays = average.arrays()
    for wrong in (
        {},
        {**arrays, "more": np.zeros(1, np.float32)},
        {**arrays, "0.bias": np.zeros(3, np.float32)},
    ):
        with pytest.raises(ValueError, match="expected the moving average of this network"):
            average.load(wrong)


def test_whole_numbers_are_left_alone():
    network = paddle.nn.Linear(1, 1)
    network.register_buffer("count", paddle.to_tensor([3]))
    average = EMA(network, 0.9)
    network.count.set_value(paddle.to_tensor([7]))
    average.update(0)
    assert set(average.arrays()) == {"weight", "bias"}
    with average.applied():
        assert int(network.count) == 7


@pytest.mark.parametrize("decay", [-0.1, 1.0])
def test_a_decay_out_of_range(decay, network):
    with pytest.raises(ValueError, match="expected a decay in"):
        EMA(network, decay)
