"""A network with its card, on disk as `NAME.safetensors` and `NAME.json`: what every task saves and loads.

A constructor builds the layers at full size. A pruned network has fewer filters in some of them; its card has the shape
of the weight of every layer that differs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from fer_paddle.environment import paddle
from fer_paddle.models.network import evaluating
from fer_paddle.weights import (
    NETWORK_OF,
    check_task,
    find_weights,
    load_arrays,
    load_card,
    load_into,
    save_weights,
    state_arrays,
)

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True, eq=False)
class Model:
    """A network with the card that says how to build and use it; the class of each task builds it from a card."""

    task: ClassVar[str]  # one of weights.NETWORK_OF
    network: paddle.nn.Layer  # the network
    # JSON values. `save` writes `parameters` and, for a pruned network, `shapes` itself
    card: dict[str, Any] = field(repr=False)

    @staticmethod
    def build(card: Mapping[str, Any]) -> paddle.nn.Layer:
        """Build the network of a card at full size, with any weights; ValueError where the card is of another."""
        raise NotImplementedError

    @staticmethod
    def settings_of(card: Mapping[str, Any]) -> Any:
        """Return how to use the network of a card; `to_metadata` of it is what a deployed file carries."""
        raise NotImplementedError

    @property
    def settings(self) -> Any:
        """How to use the network, as its card says."""
        return self.settings_of(self.card)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs in a deployed file."""
        raise NotImplementedError

    @property
    def metadata(self) -> dict[str, str]:
        """Text that a deployed file of the network carries."""
        return self.settings.to_metadata()

    @property
    def input_spec(self) -> dict[str, tuple[int | None, ...]]:
        """Shape of the input by name, None for a free axis: gray crops of one size, or images of any."""
        size = self.card.get("input_size")
        return {"images": (None, 1, size, size) if size else (None, 3, None, None)}

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read what `save` wrote, the network in eval mode, by its path (the card beside it) or by a shipped name."""
        path = cls.find(path)
        arrays, card = load_arrays(path), load_card(path)
        with _loading(cls.task, path):
            network = cls.build(card)
            if "shapes" in card:
                resize_layers(network, card["shapes"])
                count_features(network)
            load_into(network, arrays)
        network.eval()
        return cls(network, card)

    @classmethod
    def read_settings(cls, path: str | os.PathLike[str]) -> Any:
        """Return how to use a network, by its path or by a shipped name, from its card alone."""
        path = cls.find(path)
        with _loading(cls.task, path):
            return cls.settings_of(load_card(path))

    @classmethod
    def find(cls, path: str | os.PathLike[str]) -> Path:
        """Return the `.safetensors` file of a path or a shipped name; ValueError where its card tells another task."""
        path = _check_suffix(find_weights(path, cls.task, ".safetensors"))
        if path.with_suffix(".json").is_file():
            check_task(load_card(path), cls.task, path)
        return path

    def save(self, path: str | os.PathLike[str]) -> dict[str, Any]:
        """Write the network as `NAME.safetensors` and its card as `NAME.json`, and return the card as written."""
        path, card = _check_suffix(path), dict(self.card)
        twin = self.build(card)
        shapes = changed_shapes(self.network, twin)
        resize_layers(twin, shapes)
        ours, theirs = ({name: one.shape for name, one in net.state_dict().items()} for net in (self.network, twin))
        if ours != theirs:
            raise ValueError(f"expected the network that the card builds, got a {type(self.network).__name__}")
        parameters = sum(tensor.size for tensor in self.network.parameters() if not tensor.stop_gradient)
        card |= {"parameters": parameters} | ({"shapes": shapes} if shapes else {})
        save_weights(path, state_arrays(self.network), card)
        return card


@contextmanager
def _loading(task: str, path: Path) -> Iterator[None]:
    """Name the file in what is wrong with a card or with weights that do not fit it."""
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        other = f"expected the card of {NETWORK_OF[task]}, got another: {error!r}"
        raise ValueError(f"cannot load {path}: {error if isinstance(error, ValueError) else other}") from error


def count_features(network: paddle.nn.Layer) -> None:
    """Check that the layers of a pruned network fit together, and set its `num_features`, where it has one."""
    first = next(layer for layer in network.sublayers() if isinstance(layer, paddle.nn.Conv2D))
    images = paddle.zeros([1, first._in_channels, 32, 32])
    try:
        with paddle.no_grad(), evaluating(network):
            network(images)
            features = network.embed(images).shape[1] if hasattr(network, "embed") else 0
    except (ValueError, RuntimeError) as error:  # Paddle's own messages are many lines long
        raise ValueError(f"expected layers of {type(network).__name__} that fit together, got others") from error
    if features and network.num_features != features:
        network.num_features = features


def _check_suffix(path: str | os.PathLike[str]) -> Path:
    path = Path(path)
    if path.suffix.lower() != ".safetensors":
        if path.suffix.lower() == ".pdparams":
            raise ValueError(f"expected a .safetensors file, got {path}: pickled weights can run code, never loaded")
        raise ValueError(f"expected a .safetensors file, got {path}")
    return path


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
