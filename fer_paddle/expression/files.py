"""Expression networks on disk: safetensors, and a JSON card that says how to build and use the network."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fer_paddle.environment import paddle
from fer_paddle.images import FER_MEAN, FER_STD
from fer_paddle.labels import EXPRESSIONS
from fer_paddle.models import build_model
from fer_paddle.models.pruned_shapes import changed_shapes, resize_layers
from fer_paddle.weights import load_arrays, load_card, load_into, save_weights, state_arrays

# What images.normalize does to the pixels, in training and in every runtime.
NORMALIZE = {"mean": FER_MEAN, "std": FER_STD}
_FIELDS = ("model", "arguments", "input_size", "classes", "normalize")


def save_model(
    path: str | os.PathLike[str],
    model: str,
    network: paddle.nn.Layer,
    input_size: int,
    card: Mapping[str, Any] | None = None,
    arguments: Mapping[str, Any] | None = None,
    classes: Sequence[str] = EXPRESSIONS,
) -> dict[str, Any]:
    """Writes a network as `NAME.safetensors` and its card as `NAME.json`.

    Args:
        path: The `.safetensors` file to write; its folder must exist.
        model: Name of the network in MODELS.
        network: The network; of a pruned one the card keeps the shapes of the layers that lost filters.
        input_size: Side in pixels of the faces it is to be used with.
        card: More for the card: figures, recipe, command, machine, hours, terms of the data.
        arguments: What its constructor was called with.
        classes: Names of its outputs, in order.

    Returns:
        The card as written.

    Raises:
        ValueError: The path ends otherwise, or name, arguments and classes do not build and name this
            network.
    """
    path = _check_suffix(path)
    arguments = dict(arguments or {})
    twin = build_model(model, **arguments)
    shapes = _pruned_shapes(network, twin)
    if shapes is None:
        raise ValueError(
            f"expected the network that {model!r} with {arguments} builds, "
            f"got a {type(network).__name__} of other weights"
        )
    if len(classes) != twin.num_classes:
        raise ValueError(f"expected {twin.num_classes} classes, as the network has, got {len(classes)}")
    content = {
        "model": model,
        "arguments": arguments,
        "input_size": input_size,
        "classes": list(classes),
        "normalize": NORMALIZE,
        "parameters": sum(tensor.size for tensor in network.parameters() if not tensor.stop_gradient),
    }
    if shapes:
        content["shapes"] = shapes
    if taken := content.keys() & (card or {}).keys():
        raise ValueError(f"expected a card without {', '.join(sorted(taken))}, which save_model writes itself")
    content |= card or {}
    save_weights(path, state_arrays(network), content)
    return content


def load_model(path: str | os.PathLike[str]) -> tuple[paddle.nn.Layer, dict[str, Any]]:
    """Reads what `save_model` wrote.

    Args:
        path: The `.safetensors` file, its card beside it.

    Returns:
        The network in eval mode, and its card.

    Raises:
        FileNotFoundError: The weights or the card are not there.
        ValueError: The file is of another kind, truncated, or of another network than the card says; or it
            was trained on pixels normalised otherwise; or the layers of a pruned network do not fit together.
    """
    path = _check_suffix(path)
    arrays, card = load_arrays(path), load_card(path)
    if missing := [name for name in _FIELDS if name not in card]:
        raise ValueError(f"expected a model card beside {path}, it lacks {', '.join(missing)}")
    if not isinstance(card["model"], str) or not isinstance(card["arguments"], dict):
        raise ValueError(f"expected a model's name and its arguments by name in the card of {path}, got others")
    if card["normalize"] != NORMALIZE:
        raise ValueError(f"expected a network for pixels normalised by {NORMALIZE}, got {card['normalize']} in {path}")
    network = build_model(card["model"], **card["arguments"])
    if "shapes" in card:
        resize_layers(network, card["shapes"])
        count_features(network)
    load_into(network, arrays)
    if len(card["classes"]) != network.num_classes:
        raise ValueError(f"expected {network.num_classes} classes in the card of {path}, got {len(card['classes'])}")
    network.eval()
    return network, card


def count_features(network: paddle.nn.Layer) -> None:
    """Sets `num_features` of a network whose layers lost filters to what its `embed` gives.

    Raises:
        ValueError: Its layers do not fit together.
    """
    first = next(layer for layer in network.sublayers() if isinstance(layer, paddle.nn.Conv2D))
    images, was_training = paddle.zeros([1, first._in_channels, 32, 32]), network.training
    network.eval()
    try:
        with paddle.no_grad():
            features = network.embed(images)
            network.classify(features)
    except (ValueError, RuntimeError) as error:  # Paddle's own, many lines long
        raise ValueError(f"expected layers of {type(network).__name__} that fit together, got others") from error
    finally:
        if was_training:
            network.train()
    if network.num_features != features.shape[1]:
        network.num_features = features.shape[1]


def card_metadata(card: Mapping[str, Any]) -> dict[str, str]:
    """What a deployed file of the network says of itself, as text: classes, input size, normalisation."""
    return {
        "model": card["model"],
        "classes": json.dumps(card["classes"]),
        "input_size": str(card["input_size"]),
        "input": "gray face crop, float32 [N, 1, size, size], (pixel / 255 - mean) / std",
        **{name: str(value) for name, value in card["normalize"].items()},
        **({"temperature": str(card["temperature"])} if "temperature" in card else {}),
    }


def _check_suffix(path: str | os.PathLike[str]) -> Path:
    path = Path(path)
    if path.suffix.lower() != ".safetensors":
        raise ValueError(
            f"expected a .safetensors file, got {path}: pickled weights (.pdparams) can run code and are never loaded"
        )
    return path


def _pruned_shapes(network: paddle.nn.Layer, twin: paddle.nn.Layer) -> dict[str, list[int]] | None:
    """Gives the shapes that make `twin` the network, none for the same sizes; None for another network.

    The twin ends with the sizes of the network.
    """
    if getattr(network, "num_classes", None) != twin.num_classes:
        return None
    shapes = changed_shapes(network, twin)
    try:
        resize_layers(twin, shapes)
    except ValueError:
        return None
    return shapes if _shapes(twin) == _shapes(network) else None


def _shapes(network: paddle.nn.Layer) -> dict[str, list[int]]:
    return {name: tensor.shape for name, tensor in network.state_dict().items()}
