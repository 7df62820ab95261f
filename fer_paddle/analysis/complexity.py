"""Cost of each layer: parameters, operations, memory and time.

Operations are counted by formula, and as `paddle.flops` counts them: a multiply-add is one. That function calls
many layers zero (ELU, pooling, ...); theirs stand in a column of their own. What a `forward` does outside of layers,
such as the sum of a residual block, no hook can see: neither counts it.

Source: paddle.flops of Paddle 2.6.2, python/paddle/hapi/dynamic_flops.py, whose formulas are kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from fer_paddle.environment import paddle
from fer_paddle.models.network import evaluating, hooked

nn = paddle.nn
BYTES = 4  # of a float32


@dataclass
class LayerCost:
    """What one layer without sublayers costs in one pass of one image; sums over its calls."""

    name: str  # in the network, such as `stages.0.reduce.0`
    kind: str  # its class, such as Conv2D
    output_shape: list[int] = field(default_factory=list)  # of the last call, without the first axis
    parameters: int = 0  # weights and biases, frozen ones too, but not the running statistics of batch normalization
    flops: int = 0  # operations as paddle.flops counts them
    uncounted: int = 0  # operations of a layer that paddle.flops calls zero
    weight_bytes: int = 0  # of its parameters and buffers, as float32
    output_bytes: int = 0  # of all its outputs, as float32
    time_ms: float = float("nan")  # median of the timed passes; nan where none was timed

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values; None for a time that was not measured."""
        return {**asdict(self), "time_ms": None if np.isnan(self.time_ms) else self.time_ms}


def _convolution(layer: Any, images: paddle.Tensor, outputs: paddle.Tensor) -> int:
    """Count, for each output pixel, in/groups * k * k multiply-adds, and one for a bias."""
    kernel = int(np.prod(layer.weight.shape[2:]))
    return outputs.size * (images.shape[1] // layer._groups * kernel + (layer.bias is not None))


def _adaptive_pool(layer: Any, images: paddle.Tensor, outputs: paddle.Tensor) -> int:
    """Count, for each output pixel, one addition a pixel it is the mean of, and one division."""
    sides = zip(images.shape[2:], outputs.shape[2:])
    return outputs.size * (int(np.prod([before // after for before, after in sides])) + 1)


def _window(layer: Any, images: paddle.Tensor, outputs: paddle.Tensor) -> int:
    """Count, for each output pixel, one comparison fewer than the window has pixels."""
    side = layer.ksize
    height, width = (side, side) if isinstance(side, int) else side
    return outputs.size * (height * width - 1)


def _per_output(operations: int) -> Callable[[Any, paddle.Tensor, paddle.Tensor], int]:
    return lambda layer, images, outputs: operations * outputs.size


# What paddle.flops counts, by the exact class as there; a subclass is no key of it either.
COUNTED: dict[type, Callable[[Any, paddle.Tensor, paddle.Tensor], int]] = {
    nn.Conv2D: _convolution,
    nn.Conv2DTranspose: _convolution,
    nn.BatchNorm2D: lambda layer, images, outputs: 2 * images.size,
    nn.BatchNorm: lambda layer, images, outputs: 2 * images.size,
    nn.Linear: lambda layer, images, outputs: layer.weight.shape[0] * outputs.size,
    nn.LeakyReLU: _per_output(1),
    nn.AvgPool2D: _per_output(1),
    nn.AdaptiveAvgPool2D: _adaptive_pool,
}
# What it calls zero and is not. An exponential counts as one operation, though it costs more than a product.
UNCOUNTED: dict[type, Callable[[Any, paddle.Tensor, paddle.Tensor], int]] = {
    nn.ReLU: _per_output(1),
    nn.ReLU6: _per_output(2),
    nn.PReLU: _per_output(2),
    nn.ELU: _per_output(3),  # exp, minus one, choice
    nn.Sigmoid: _per_output(3),  # exp, plus one, division
    nn.Hardsigmoid: _per_output(4),
    nn.Hardswish: _per_output(5),
    nn.Swish: _per_output(4),
    nn.Silu: _per_output(4),
    nn.Softmax: _per_output(3),
    nn.MaxPool2D: _window,
    nn.AdaptiveMaxPool2D: lambda layer, images, outputs: images.size,
    nn.GroupNorm: lambda layer, images, outputs: 8 * images.size,
    paddle.nn.LayerNorm: lambda layer, images, outputs: 8 * images.size,
}


def layer_costs(network: paddle.nn.Layer, input_shape: Sequence[int], runs: int = 0) -> list[LayerCost]:
    """Measure every layer without sublayers, in the order in which they first run.

    Args:
        network: Any network with one input.
        input_shape: Of one image, such as (1, 64, 64).
        runs: Timed passes, after one that is not counted; 0 measures no time. Times include a few microseconds of
            Python a layer, as every pass in Paddle's dynamic mode does.
    """
    if runs < 0:
        raise ValueError(f"expected runs of 0 or more, got {runs}")
    leaves = {name: layer for name, layer in network.named_sublayers() if not layer.sublayers()}
    images = paddle.zeros([1, *input_shape])
    costs: dict[str, LayerCost] = {}

    def count(name: str, layer: paddle.nn.Layer, inputs: Any, outputs: paddle.Tensor) -> None:
        cost = costs.setdefault(name, _new_cost(name, layer))
        cost.output_shape = outputs.shape[1:]
        cost.output_bytes += outputs.size * BYTES
        cost.flops += COUNTED.get(type(layer), _per_output(0))(layer, inputs[0], outputs)
        cost.uncounted += UNCOUNTED.get(type(layer), _per_output(0))(layer, inputs[0], outputs)

    with paddle.no_grad(), evaluating(network):
        with hooked(leaves, count):
            network(images)
        if runs:
            for name, milliseconds in _time_layers(network, leaves, images, runs).items():
                costs[name].time_ms = milliseconds
    return list(costs.values())


def _new_cost(name: str, layer: paddle.nn.Layer) -> LayerCost:
    statistics = ("_mean", "_variance")  # Paddle calls them parameters
    parameters = sum(tensor.size for name, tensor in layer.named_parameters() if name not in statistics)
    numbers = sum(tensor.size for tensor in layer.state_dict().values())
    return LayerCost(name, type(layer).__name__, parameters=parameters, weight_bytes=numbers * BYTES)


def _time_layers(
    network: paddle.nn.Layer, leaves: dict[str, paddle.nn.Layer], images: paddle.Tensor, runs: int
) -> dict[str, float]:
    """Return the median milliseconds of each layer in a pass, after one pass to warm up."""
    started: dict[str, float] = {}
    passes: list[dict[str, float]] = []

    def start(name: str, *_: Any) -> None:
        started[name] = time.perf_counter()

    def stop(name: str, *_: Any) -> None:
        passes[-1][name] = passes[-1].get(name, 0.0) + (time.perf_counter() - started[name]) * 1e3

    with hooked(leaves, stop, start):
        for _ in range(runs + 1):
            passes.append({})
            network(images)
    return {name: float(np.median([one[name] for one in passes[1:]])) for name in passes[0]}


def total_costs(costs: Sequence[LayerCost]) -> dict[str, float]:
    """Sum the numbers of LayerCost over the layers.

    `output_bytes` is what a training step keeps of each image for the backward pass; inference needs at any time
    little more than the input and output of one layer.
    """
    names = ("parameters", "flops", "uncounted", "weight_bytes", "output_bytes", "time_ms")
    return {name: sum(getattr(cost, name) for cost in costs) for name in names}


def layer_flops(network: paddle.nn.Layer, input_shape: Sequence[int]) -> dict[str, int]:
    """Return the multiply-adds of each convolution and linear layer, as PaddleSlim counts them: input [1, ...]."""

    def inputs_of_one(layer: paddle.nn.Layer) -> int:
        # Each output of a convolution sees in/groups * k * k pixels; each of a linear layer all inputs.
        weight = layer.weight
        return weight.shape[0] if isinstance(layer, nn.Linear) else weight.size // weight.shape[0]

    layers = dict(network.named_sublayers())
    outputs = _count_outputs(network, input_shape, (nn.Conv2D, nn.Linear))
    return {name: count * inputs_of_one(layers[name]) for name, count in outputs.items()}


def layer_activations(network: paddle.nn.Layer, input_shape: Sequence[int]) -> dict[str, int]:
    """Return the numbers that each convolution puts out for one image, by name.

    Source: Radosavovic et al. 2020, arXiv:2003.13678, section 4: they predict the run time better than FLOPs do.
    """
    return _count_outputs(network, input_shape, (nn.Conv2D,))


def _count_outputs(network: paddle.nn.Layer, input_shape: Sequence[int], kinds: tuple[type, ...]) -> dict[str, int]:
    layers, costs = dict(network.named_sublayers()), layer_costs(network, input_shape[1:])
    return {cost.name: cost.output_bytes // BYTES for cost in costs if isinstance(layers[cost.name], kinds)}


def layer_weights(network: paddle.nn.Layer) -> dict[str, int]:
    """Return the weights of each convolution and linear layer, without biases, by name."""
    layers = network.named_sublayers()
    return {name: layer.weight.size for name, layer in layers if isinstance(layer, (nn.Conv2D, nn.Linear))}


def count_flops(network: paddle.nn.Layer, input_shape: Sequence[int]) -> int:
    """Return the sum of `layer_flops`."""
    return sum(layer_flops(network, input_shape).values())


def count_parameters(network: paddle.nn.Layer) -> int:
    """Return the number of trainable numbers."""
    return sum(tensor.size for tensor in network.parameters() if not tensor.stop_gradient)
