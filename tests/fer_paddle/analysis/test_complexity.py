"""Costs by formula against paddle.flops, layer kind by layer kind, and on whole networks."""

import contextlib
import io

import pytest

from fer_paddle.analysis.complexity import COUNTED, UNCOUNTED, layer_costs
from fer_paddle.environment import paddle

nn = paddle.nn
# paddle.flops, not ours
pytestmark = pytest.mark.filterwarnings("ignore:Conversion of an array:DeprecationWarning")


def paddles_flops(network, shape):
    with contextlib.redirect_stdout(io.StringIO()):  # it prints a table
        return paddle.flops(network, [1, *shape])


def count_trainable(layer):
    return sum(parameter.size for parameter in layer.parameters() if not parameter.stop_gradient)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Conv2D(3, 8, 3, 2, padding=1), (3, 9, 11)),
        (nn.Conv2D(4, 8, (1, 5), groups=4, bias_attr=False), (4, 8, 8)),  # depthwise, not square, no bias
        (nn.Conv2DTranspose(4, 6, 2, 2), (4, 5, 5)),
        (nn.BatchNorm2D(4), (4, 6, 6)),
        (nn.Linear(12, 5), (12,)),
        (nn.LeakyReLU(), (4, 6, 6)),
        (nn.AvgPool2D(2), (4, 6, 6)),
        (nn.AdaptiveAvgPool2D(2), (4, 6, 6)),
        (nn.ReLU(), (4, 6, 6)),
        (nn.ELU(), (4, 6, 6)),
        (nn.MaxPool2D(3, 2, padding=1), (4, 6, 6)),
    ],
)
def test_each_kind_is_paddles(layer, shape):
    network = nn.Sequential(layer)
    (cost,) = layer_costs(network, shape)
    assert cost.flops == paddles_flops(network, shape)
    assert cost.parameters == count_trainable(layer)


def test_by_hand():
    network = nn.Sequential(nn.Conv2D(1, 2, 3), nn.ELU(), nn.MaxPool2D(2), nn.Flatten(), nn.Linear(8, 3))
    convolution, elu, pool, flatten, linear = layer_costs(network, (1, 6, 6))
    # 2 maps of 4 x 4: 9 multiply-adds and a bias each
    assert (convolution.flops, convolution.parameters, convolution.output_bytes) == (32 * 10, 20, 32 * 4)
    assert (elu.flops, elu.uncounted) == (0, 32 * 3)
    assert (pool.flops, pool.uncounted, pool.output_shape) == (0, 8 * 3, [2, 2, 2])  # 3 comparisons of 4 pixels
    assert (flatten.flops, flatten.uncounted) == (0, 0)
    assert not COUNTED.keys() & UNCOUNTED.keys()  # no kind is counted twice
    assert (linear.flops, linear.parameters, linear.weight_bytes) == (24, 27, 27 * 4)


def test_times_and_traces():
    network = nn.Sequential(nn.Conv2D(1, 2, 3), nn.BatchNorm2D(2))
    network.train()
    before = [tensor.numpy().copy() for tensor in network.state_dict().values()]
    costs = layer_costs(network, (1, 6, 6), runs=3)
    assert all(cost.time_ms > 0 for cost in costs)
    assert costs[0].to_json()["kind"] == "Conv2D" and layer_costs(network, (1, 6, 6))[0].to_json()["time_ms"] is None
    assert network.training and all(
        (tensor.numpy() == old).all() for tensor, old in zip(network.state_dict().values(), before)
    )
    with pytest.raises(ValueError, match="runs"):
        layer_costs(network, (1, 6, 6), runs=-1)
