"""Multiply-adds, weights and activations of the layers: what a pruning plan is made to.

Multiply-adds are counted as PaddleSlim's `flops` counts them: only convolutions and linear layers, a multiply-add is
one. (`paddle.flops` also adds batch normalisation and pooling; the share that a plan takes away is nearly the same.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fer_paddle.environment import paddle

nn = paddle.nn


def layer_flops(network: paddle.nn.Layer, input_shape: Sequence[int]) -> dict[str, int]:
    """Counts the multiply-adds of one pass over one picture.

    Args:
        network: Any network with one input; it runs once, in eval mode.
        input_shape: Of a batch of one, such as (1, 1, 48, 48).

    Returns:
        Multiply-adds by the name of the layer, in the order in which the layers run.
    """

    def seen(layer: paddle.nn.Layer) -> int:
        # Each output of a convolution sees in/groups * k * k pixels; each of a linear layer all inputs.
        weight = layer.weight
        return weight.shape[0] if isinstance(layer, nn.Linear) else weight.size // weight.shape[0]

    outputs = _count_outputs(network, input_shape, (nn.Conv2D, nn.Linear))
    layers = dict(network.named_sublayers())
    return {name: count * seen(layers[name]) for name, count in outputs.items()}


def layer_activations(network: paddle.nn.Layer, input_shape: Sequence[int]) -> dict[str, int]:
    """Counts the numbers that the convolutions put out for one picture; arguments and order as in `layer_flops`.

    Source: Radosavovic et al. 2020, arXiv:2003.13678, section 4: they tell the run time better than FLOPs do.
    """
    return _count_outputs(network, input_shape, nn.Conv2D)


def _count_outputs(network: paddle.nn.Layer, input_shape: Sequence[int], kinds: Any) -> dict[str, int]:
    counts: dict[str, int] = {}

    def count(name: str):
        def hook(layer, inputs, outputs):
            counts[name] = counts.get(name, 0) + outputs.size // outputs.shape[0]

        return hook

    layers = [(name, layer) for name, layer in network.named_sublayers() if isinstance(layer, kinds)]
    hooks = [layer.register_forward_post_hook(count(name)) for name, layer in layers]
    was_training = network.training
    network.eval()
    try:
        with paddle.no_grad():
            network(paddle.zeros(list(input_shape)))
    finally:
        for hook in hooks:
            hook.remove()
        if was_training:
            network.train()
    return counts


def layer_weights(network: paddle.nn.Layer) -> dict[str, int]:
    """Counts the weights of each convolution and linear layer, without biases, by the name of the layer."""
    layers = network.named_sublayers()
    return {name: layer.weight.size for name, layer in layers if isinstance(layer, (nn.Conv2D, nn.Linear))}


def count_flops(network: paddle.nn.Layer, input_shape: Sequence[int]) -> int:
    """Sums `layer_flops`."""
    return sum(layer_flops(network, input_shape).values())


def count_parameters(network: paddle.nn.Layer) -> int:
    """Counts the trainable numbers."""
    return sum(tensor.size for tensor in network.parameters() if not tensor.stop_gradient)
