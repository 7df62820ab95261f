"""The moving average of the weights; SWA stands in test_accumulate."""

import numpy as np
import pytest

from fer_paddle.environment import paddle
from fer_paddle.training.ema import EMA
from fer_paddle.weights import state_arrays


@pytest.fixture
def network():
    network = paddle.nn.Sequential(paddle.nn.Conv2D(1, 2, 3), paddle.nn.BatchNorm2D(2))
    network.register_buffer("count", paddle.to_tensor([3]))  # an integer is left alone
    return network


def test_update_is_the_formula(network):
    """decay 0.5, but (1 + t) / (10 + t) while that is smaller: 0.1, 2/11, ..., 9/18 at t = 8."""
    average, loaded = EMA(network, 0.5), EMA(network, 0.5)
    expected = {name: array for name, array in state_arrays(network).items() if name != "count"}
    rng = np.random.default_rng(0)
    for step in range(12):
        for name in expected:
            tensor = network.state_dict()[name]
            tensor.set_value(rng.normal(size=tensor.shape).astype(np.float32))
        loaded.load(average.arrays())
        for one in (average, loaded):
            one.update(step)
        decay = min(0.5, (1 + step) / (10 + step))
        for name in expected:
            expected[name] = decay * expected[name] + (1 - decay) * state_arrays(network)[name]
    got = average.arrays()
    assert got.keys() == expected.keys() and "1._variance" in got  # running statistics are averaged too
    for name in expected:
        np.testing.assert_allclose(got[name], expected[name], rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(loaded.arrays()[name], got[name])


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
        np.testing.assert_array_equal(inside[name], later[name] if name == "count" else start[name])
        np.testing.assert_array_equal(state_arrays(network)[name], later[name])
