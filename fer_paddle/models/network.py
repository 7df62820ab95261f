"""The base of every network here: features, their mean over the image, one linear layer."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from fer_paddle.environment import paddle
from fer_paddle.images import describe

nn = paddle.nn
MAX_CHANNELS, MAX_WIDTH = 4096, 4  # a card from elsewhere could ask for any


class FaceNetwork(paddle.nn.Layer):
    """Feature layers, the mean over the image, dropout and one linear layer; takes images of any size.

    Families derived from it take `num_classes`, `in_channels` (1 for gray), most also `width`, a factor of the
    channels, and `dropout` (Srivastava et al. 2014) before the last layer; ValueError where one is out of its range.

    Args:
        layers: Feature layers, one after the other, by the name that their weights begin with: together
            float32 [N, in_channels, H, W] -> [N, num_features, h, w].
    """

    def __init__(self, num_features: int, num_classes: int, dropout: float = 0.0, **layers: paddle.nn.Layer):
        super().__init__()
        self.num_features, self.num_classes = num_features, num_classes
        self.feature_layers = tuple(layers)
        for name, layer in layers.items():
            self.add_sublayer(name, layer)
        self.pool = nn.AdaptiveAvgPool2D(1)
        self.dropout = nn.Dropout(dropout)
        bound = 1.0 / math.sqrt(num_features)
        uniform = paddle.ParamAttr(initializer=nn.initializer.Uniform(-bound, bound))
        self.classify = nn.Linear(num_features, num_classes, weight_attr=uniform)

    def forward(self, images: paddle.Tensor) -> paddle.Tensor:
        """Return logits float32 [N, num_classes] of normalized images float32 [N, in_channels, H, W], any H and W."""
        return self.classify(self.embed(images))

    def embed(self, images: paddle.Tensor) -> paddle.Tensor:
        """Return what the last layer sees: float32 [N, num_features] for images as in `forward`."""
        for name in self.feature_layers:
            images = getattr(self, name)(images)
        return self.dropout(self.pool(images).flatten(1))

    def steps(self) -> list[paddle.nn.Layer]:
        """Return the feature layers one after the other, none of them a chain of others: where heads may branch off."""
        layers = [getattr(self, name) for name in self.feature_layers]
        return [step for layer in layers for step in (layer if type(layer) is nn.Sequential else [layer])]


def image_tensor(images: Any) -> paddle.Tensor:
    """Return normalized images float [N, C, H, W] as a tensor float32; ValueError where they are none."""
    array = images.numpy() if isinstance(images, paddle.Tensor) else np.asarray(images)
    if array.ndim != 4 or array.dtype.kind != "f" or not array.size or not np.isfinite(array).all():
        raise ValueError(f"expected finite images float32 [N, C, H, W], N of 1 or more, got {describe(array)}")
    return paddle.to_tensor(array.astype(np.float32, copy=False))


@contextmanager
def evaluating(network: paddle.nn.Layer) -> Iterator[None]:
    """Put a network in eval mode for a `with` block, and back at its end."""
    was_training = network.training
    network.eval()
    try:
        yield
    finally:
        if was_training:
            network.train()


@contextmanager
def hooked(
    layers: Mapping[str, paddle.nn.Layer], after: Callable[..., None], before: Callable[..., None] | None = None
) -> Iterator[None]:
    """Call `before(name, layer, inputs)` and `after(name, layer, inputs, output)` as layers run in a `with` block."""
    hooks = [layer.register_forward_post_hook(partial(after, name)) for name, layer in layers.items()]
    if before is not None:
        hooks += [layer.register_forward_pre_hook(partial(before, name)) for name, layer in layers.items()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def check_sizes(num_classes: int, in_channels: int, width: float = 1.0) -> None:
    """Raise ValueError where a network would have no output, no input or no channels."""
    if not (1 <= num_classes <= MAX_CHANNELS and 1 <= in_channels <= MAX_CHANNELS and 0 < width <= MAX_WIDTH):
        raise ValueError(
            f"expected num_classes and in_channels of 1 to {MAX_CHANNELS} and a width above 0 to {MAX_WIDTH}, "
            f"got {num_classes}, {in_channels} and {width}"
        )


def scale_channels(channels: int, width: float) -> int:
    """Return channels times a width, to the nearest multiple of 8 (which vector units like), 8 or more."""
    if not channels * width <= MAX_CHANNELS:
        raise ValueError(f"expected at most {MAX_CHANNELS} channels, got {channels} times {width}")
    return max(8, round(channels * width / 8) * 8)
