"""A SqueezeNet for small gray faces, with batch normalization.

Source: Iandola et al. 2016, arXiv:1602.07360, in the later version 1.1. paddle.vision's has no batch normalization,
without which so deep a network hardly learns from scratch, and its last layer cannot be taken off.
"""

from __future__ import annotations

from fer_paddle.environment import paddle
from fer_paddle.models.blocks import ConvNorm
from fer_paddle.models.network import FaceNetwork, check_sizes, scale_channels

nn = paddle.nn

STEM_CHANNELS = 64
# Channels (squeezed, expanded) of the fire modules between two max pools
STAGES = (((16, 64), (16, 64)), ((32, 128), (32, 128)), ((48, 192), (48, 192), (64, 256), (64, 256)))


class Fire(paddle.nn.Layer):
    """A 1x1 convolution to few channels, then 1x1 and 3x3 convolutions side by side.

    float32 [N, in, H, W] -> [N, 2 * expanded, H, W].
    """

    def __init__(self, in_channels: int, squeezed: int, expanded: int):
        super().__init__()
        self.squeeze = ConvNorm(in_channels, squeezed, 1)
        self.left = ConvNorm(squeezed, expanded, 1)
        self.right = ConvNorm(squeezed, expanded, 3)

    def forward(self, features: paddle.Tensor) -> paddle.Tensor:
        squeezed = self.squeeze(features)
        return paddle.concat([self.left(squeezed), self.right(squeezed)], axis=1)


class SqueezeNet(FaceNetwork):
    """A 3x3 convolution and eight fire modules; at half width 0.18 million parameters."""

    def __init__(self, num_classes: int = 7, in_channels: int = 1, width: float = 0.5, dropout: float = 0.2):
        check_sizes(num_classes, in_channels, width)
        channels = scale_channels(STEM_CHANNELS, width)
        layers: list[paddle.nn.Layer] = [ConvNorm(in_channels, channels, 3)]
        for stage in STAGES:
            layers.append(nn.MaxPool2D(3, 2, padding=1))
            for squeezed, expanded in stage:
                expanded = scale_channels(expanded, width)
                layers.append(Fire(channels, scale_channels(squeezed, width), expanded))
                channels = 2 * expanded
        super().__init__(channels, num_classes, dropout, features=nn.Sequential(*layers))
