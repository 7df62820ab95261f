"""mini-Xception, the small network that many expression demos use.

Source: Arriaga et al. 2017, arXiv:1710.07557. Theirs ends in a 3x3 convolution to the classes and the mean of it
(58,423 parameters with the running statistics); here the mean comes first and a linear layer after it, so that the
network has features to look at, which leaves 49,783 to train.
"""

from __future__ import annotations

from fer_paddle.environment import paddle
from fer_paddle.models.blocks import ConvNorm, DepthwiseSeparable
from fer_paddle.models.network import FaceNetwork, check_sizes

nn = paddle.nn

STEM_CHANNELS = 8
STAGE_CHANNELS = (16, 32, 64, 128)


class SeparableBlock(paddle.nn.Layer):
    """Two depthwise separable convolutions and a 3x3/2 max pool beside a 1x1/2 convolution.

    float32 [N, in, H, W] -> [N, out, ceil(H / 2), ceil(W / 2)].
    """

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.branch = nn.Sequential(
            DepthwiseSeparable(in_channels, out_channels, inner=False),
            DepthwiseSeparable(out_channels, out_channels, inner=False, outer=False),
            nn.MaxPool2D(3, 2, padding=1),
        )
        self.shortcut = ConvNorm(in_channels, out_channels, 1, 2, activation_layer=None)

    def forward(self, features: paddle.Tensor) -> paddle.Tensor:
        return self.branch(features) + self.shortcut(features)


class MiniXception(FaceNetwork):
    """Two 3x3 convolutions and four separable blocks of 16, 32, 64 and 128 channels."""

    def __init__(self, num_classes: int = 7, in_channels: int = 1, dropout: float = 0.0):
        check_sizes(num_classes, in_channels)
        layers: list[paddle.nn.Layer] = [ConvNorm(in_channels, STEM_CHANNELS, 3)]
        layers.append(ConvNorm(STEM_CHANNELS, STEM_CHANNELS, 3))
        channels = STEM_CHANNELS
        for out_channels in STAGE_CHANNELS:
            layers.append(SeparableBlock(channels, out_channels))
            channels = out_channels
        super().__init__(channels, num_classes, dropout, features=nn.Sequential(*layers))
