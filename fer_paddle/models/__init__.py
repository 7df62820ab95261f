"""Networks by name: chapters 2.1, 2.2 and 4.2."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fer_paddle.environment import paddle
from fer_paddle.labels import look_up
from fer_paddle.models.distresnet import DistResNet
from fer_paddle.models.families import MiniXception, ResNet18, SqueezeNet
from fer_paddle.models.mobilenet import MobileNetV2, MobileNetV3Small, PocketNet, ShuffleNetV2
from fer_paddle.models.vgg import VGG8

# Name -> constructor. Each network maps float32 [N, in_channels, H, W] to logits [N, num_classes] and has
# `embed` and `classify`, whose chain is `forward`, and `num_features` and `num_classes`, the sizes of both.
MODELS: dict[str, Callable[..., paddle.nn.Layer]] = {
    "distresnet": DistResNet,
    "resnet18": ResNet18,
    "vgg8": VGG8,
    "mini_xception": MiniXception,
    "mobilenet_v2": MobileNetV2,
    "mobilenet_v3_small": MobileNetV3Small,
    "pocketnet": PocketNet,
    "shufflenet_v2": ShuffleNetV2,
    "squeezenet": SqueezeNet,
}

# Design experiments: name -> (name in MODELS, arguments). Every name of MODELS is a design without arguments.
DESIGNS: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: (name, {}) for name in MODELS},
    "resnet18_narrow": ("resnet18", {"width": 0.25}),
    "resnet18_se": ("resnet18", {"attention": "se"}),
    "resnet18_cbam": ("resnet18", {"attention": "cbam"}),
    "resnet18_depthwise": ("resnet18", {"depthwise": True}),
    "resnet18_stride2": ("resnet18", {"stem_stride": 2}),
    "resnet18_tiny": ("resnet18", {"width": 0.09}),
    "vgg8_tiny": ("vgg8", {"width": 0.14}),
    "vgg8_flat": ("vgg8", {"width": 1.0, "dropout": 0.0, "channels": [24, 32, 48, 48]}),
}


def build_model(name: str, **arguments: Any) -> paddle.nn.Layer:
    """Build a network of MODELS, with random weights; ValueError for an unknown name or argument."""
    constructor = look_up(MODELS, name, "a model of {}")
    try:
        return constructor(**arguments)
    except TypeError as error:
        raise ValueError(f"expected arguments that the model {name!r} has, got {arguments}: {error}") from error


def find_design(name: str, more: Mapping[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
    """Return the name in MODELS and the arguments of a design, with further ones; ValueError for an unknown name."""
    model, arguments = look_up(DESIGNS, name, "a model of {}")
    return model, {**arguments, **(more or {})}
