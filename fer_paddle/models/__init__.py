"""Chapter 2.1, 2.2 and 4.2: models. The table of all networks by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fer_paddle.environment import paddle
from fer_paddle.models.distresnet import DistResNet

# Name -> constructor. Each network maps float32 [N, in_channels, H, W] to logits [N, num_classes] and has
# `embed` and `classify`, whose chain is `forward`, and `num_features` and `num_classes`, the sizes of both.
MODELS: dict[str, Callable[..., paddle.nn.Layer]] = {"distresnet": DistResNet}


def build_model(name: str, **arguments: Any) -> paddle.nn.Layer:
    """Builds a network of MODELS, with random weights.

    Args:
        name: Its name there.
        arguments: Of its constructor, such as `num_classes`.

    Raises:
        ValueError: The name or an argument is unknown.
    """
    if name not in MODELS:
        raise ValueError(f"expected a model of {', '.join(MODELS)}, got {name!r}")
    try:
        return MODELS[name](**arguments)
    except TypeError as error:
        raise ValueError(f"expected arguments that the model {name!r} has, got {arguments}: {error}") from error
