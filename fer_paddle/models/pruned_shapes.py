"""The layer sizes of a pruned network as plain JSON, and a network rebuilt with such sizes.

A constructor builds the layers at full size. A pruned network has fewer filters in some of them; its card has
the shape of the weight of every layer that differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fer_paddle.environment import paddle

nn = paddle.nn
_SIZED = (nn.Conv2D, nn.Linear, nn.BatchNorm2D)


def sized_layers(network: paddle.nn.Layer) -> dict[str, paddle.nn.Layer]:
    """Return the layers that can have another size, by name, in the network's order."""
    return {name: layer for name, layer in network.named_sublayers() if isinstance(layer, _SIZED)}


def changed_shapes(network: paddle.nn.Layer, original: paddle.nn.Layer) -> dict[str, list[int]]:
    """Return the shapes of the weights, by layer, in which a pruned network differs from the original one."""
    shapes = {name: list(layer.weight.shape) for name, layer in sized_layers(network).items()}
    before = {name: list(layer.weight.shape) for name, layer in sized_layers(original).items()}
    return {name: shape for name, shape in shapes.items() if name in before and shape != before[name]}


def resize_layers(network: paddle.nn.Layer, shapes: Mapping[str, Any]) -> None:
    """Give layers the sizes that `changed_shapes` found, in place; their weights are zeros until they are loaded."""
    if not isinstance(shapes, Mapping):
        raise ValueError(f"expected the shapes of layers by name, got {type(shapes).__name__}")
    layers = sized_layers(network)
    for name, shape in shapes.items():
        if name not in layers:
            raise ValueError(f"expected a layer of {type(network).__name__}, got a shape for {name!r}")
        _check_shape(name, shape, layers[name].weight.shape)
    for name, shape in shapes.items():
        _resize(layers[name], list(shape))


def update_sizes(network: paddle.nn.Layer) -> None:
    """Bring what the layers say of their size in line with their weights; PaddleSlim changes the weights alone."""
    for layer in sized_layers(network).values():
        _note_size(layer)


def _check_shape(name: str, shape: Any, full: list[int]) -> None:
    is_shape = isinstance(shape, (list, tuple)) and all(type(size) is int and size >= 1 for size in shape)
    if not is_shape or len(shape) != len(full) or any(a > b for a, b in zip(shape, full)) or shape[2:] != full[2:]:
        raise ValueError(f"expected a shape of {full} or with fewer filters for the layer {name!r}, got {shape!r}")


def _resize(layer: paddle.nn.Layer, shape: list[int]) -> None:
    filters = shape[1] if isinstance(layer, nn.Linear) else shape[0]
    if isinstance(layer, nn.Conv2D) and layer._groups > 1:  # pruning a depthwise convolution takes whole groups
        layer._groups = shape[0] // (layer.weight.shape[0] // layer._groups)
    with paddle.no_grad():
        for name, tensor in layer.named_parameters(include_sublayers=False):
            # An assigned parameter takes the shape too, and stays the parameter it was: name, gradient, decay.
            paddle.assign(paddle.zeros(shape if name == "weight" else [filters]), output=tensor)
    _note_size(layer)


def _note_size(layer: paddle.nn.Layer) -> None:
    shape = layer.weight.shape
    if isinstance(layer, nn.BatchNorm2D):
        layer._num_features = shape[0]
    elif isinstance(layer, nn.Conv2D):
        layer._out_channels, layer._in_channels = shape[0], shape[1] * layer._groups
