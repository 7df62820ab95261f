"""A network with its card, on disk as `NAME.safetensors` and `NAME.json`: what every task saves and loads."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from fer_paddle.environment import paddle
from fer_paddle.models.network import evaluating
from fer_paddle.models.pruned_shapes import changed_shapes, resize_layers
from fer_paddle.shipped import find_weights
from fer_paddle.weights import load_arrays, load_card, load_into, save_weights, state_arrays

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True, eq=False)
class Model:
    """A network, and the card that says how to build it, how to use it and what was measured.

    A task derives a class that knows how to build its network from a card.
    """

    folder: ClassVar[Path]  # of the networks that ship
    network: paddle.nn.Layer  # the network
    # JSON values. `save` writes `parameters` and, for a pruned network, `shapes` itself
    card: dict[str, Any] = field(repr=False)

    @staticmethod
    def build(card: Mapping[str, Any]) -> paddle.nn.Layer:
        """Build the network of a card at full size, with any weights; ValueError where the card is of another."""
        raise NotImplementedError

    @property
    def metadata(self) -> dict[str, str]:
        """Text that a deployed file of the network carries."""
        raise NotImplementedError

    @property
    def input_spec(self) -> dict[str, tuple[int | None, ...]]:
        """Shape of the input by name, None for a free axis."""
        raise NotImplementedError

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read what `save` wrote, the network in eval mode, by its path (the card beside it) or by a shipped name."""
        path = cls.find(path)
        arrays, card = load_arrays(path), load_card(path)
        try:
            network = cls.build(card)
            if "shapes" in card:
                resize_layers(network, card["shapes"])
                count_features(network)
            load_into(network, arrays)
        except ValueError as error:
            raise ValueError(f"cannot load {path}: {error}") from error
        network.eval()
        return cls(network, card)

    @classmethod
    def find(cls, path: str | os.PathLike[str]) -> Path:
        """Return the `.safetensors` file of a path, or of the name of a network that ships."""
        return _check_suffix(find_weights(path, cls.folder, ".safetensors"))

    def save(self, path: str | os.PathLike[str]) -> dict[str, Any]:
        """Write the network as `NAME.safetensors` and its card as `NAME.json`, and return the card as written."""
        path, card = _check_suffix(path), dict(self.card)
        shapes = pruned_shapes(self.network, self.build(card))
        if shapes is None:
            raise ValueError(f"expected the network that the card builds, got a {type(self.network).__name__}")
        parameters = sum(tensor.size for tensor in self.network.parameters() if not tensor.stop_gradient)
        card |= {"parameters": parameters} | ({"shapes": shapes} if shapes else {})
        save_weights(path, state_arrays(self.network), card)
        return card


def pruned_shapes(network: paddle.nn.Layer, twin: paddle.nn.Layer) -> dict[str, list[int]] | None:
    """Return the layer shapes that turn `twin` into the network, {} for equal sizes, None for another network."""
    shapes = changed_shapes(network, twin)
    try:
        resize_layers(twin, shapes)
    except ValueError:
        return None
    return shapes if _shapes(twin) == _shapes(network) else None


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
        raise ValueError(
            f"expected a .safetensors file, got {path}: pickled weights (.pdparams) can run code and are never loaded"
        )
    return path


def _shapes(network: paddle.nn.Layer) -> dict[str, list[int]]:
    return {name: tensor.shape for name, tensor in network.state_dict().items()}
