"""ResNet-18, SqueezeNet and mini-Xception for small gray faces, of any width.

Sources, and what differs from paddle.vision's, which are for large images: He et al. 2016, arXiv:1512.03385, with the
3x3 first convolution of stride 1 without a pool that they have for CIFAR (section 4.2). Iandola et al. 2016,
arXiv:1602.07360, version 1.1, with batch normalization, without which so deep a network hardly learns from scratch.
Arriaga et al. 2017, arXiv:1710.07557, the mean before the last layer, so that there are features to look at: 49,783
parameters.
"""

from __future__ import annotations

from collections.abc import Sequence

from fer_paddle.environment import paddle
from fer_paddle.labels import look_up
from fer_paddle.models.blocks import ATTENTIONS, ConvNorm, DepthwiseSeparable
from fer_paddle.models.network import FaceNetwork, check_sizes, scale_channels

nn = paddle.nn

STAGE_CHANNELS = (64, 128, 256, 512)
BLOCKS_PER_STAGE = 2


class BasicBlock(paddle.nn.Layer):
    """Two 3x3 convolutions and attention beside a shortcut, ReLU after the sum."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, attention: str, depthwise: bool):
        super().__init__()
        if depthwise:
            first = DepthwiseSeparable(in_channels, out_channels, stride)
            second = DepthwiseSeparable(out_channels, out_channels, outer=False)
        else:
            first = ConvNorm(in_channels, out_channels, 3, stride)
            second = ConvNorm(out_channels, out_channels, 3, activation_layer=None)
        weigh = look_up(ATTENTIONS, attention, "attention of {}")
        self.branch = nn.Sequential(first, second, weigh(out_channels))
        same_shape = stride == 1 and in_channels == out_channels
        self.shortcut = (
            nn.Identity() if same_shape else ConvNorm(in_channels, out_channels, 1, stride, activation_layer=None)
        )
        self.relu = nn.ReLU()

    def forward(self, features: paddle.Tensor) -> paddle.Tensor:
        return self.relu(self.branch(features) + self.shortcut(features))


class ResNet18(FaceNetwork):
    """A 3x3 convolution and four stages of two basic blocks; at half width 2.8 million parameters.

    Args:
        attention: One of blocks.ATTENTIONS at the end of each block's branch.
        depthwise: Depthwise separable convolutions in the blocks.
        stem_stride: 2 halves the image at once, for a quarter of the cost.
        channels: Channels of each stage before `width` is applied.
        blocks: Basic blocks of each stage, or of all alike; 1 gives a ResNet-10. A first stage of 0 is the stem alone.
    """

    def __init__(
        self,
        num_classes: int = 7,
        in_channels: int = 1,
        width: float = 0.5,
        attention: str = "none",
        depthwise: bool = False,
        stem_stride: int = 1,
        dropout: float = 0.2,
        channels: Sequence[int] = STAGE_CHANNELS,
        blocks: int | Sequence[int] = BLOCKS_PER_STAGE,
    ):
        check_sizes(num_classes, in_channels, width)
        counts = [blocks] * len(channels) if isinstance(blocks, int) else list(blocks)
        if not channels or min(channels) < 1 or len(counts) != len(channels) or min(counts[1:], default=1) < 1:
            raise ValueError(f"expected channels and blocks of 1 or more for each stage, got {channels} and {blocks}")
        before = scale_channels(channels[0], width)
        layers: list[paddle.nn.Layer] = [ConvNorm(in_channels, before, 3, stem_stride)]
        for stage, base in enumerate(channels):
            for block in range(counts[stage]):
                stride = 2 if stage > 0 and block == 0 else 1
                layers.append(BasicBlock(before, scale_channels(base, width), stride, attention, depthwise))
                before = scale_channels(base, width)
        super().__init__(before, num_classes, dropout, features=nn.Sequential(*layers))


SQUEEZE_STEM = 64
# Channels (squeezed, expanded) of the fire modules between two max pools
FIRE_STAGES = (((16, 64), (16, 64)), ((32, 128), (32, 128)), ((48, 192), (48, 192), (64, 256), (64, 256)))


class Fire(paddle.nn.Layer):
    """A 1x1 convolution to few channels, then 1x1 and 3x3 side by side: [N, in, H, W] -> [N, 2 * expanded, H, W]."""

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
        channels = scale_channels(SQUEEZE_STEM, width)
        layers: list[paddle.nn.Layer] = [ConvNorm(in_channels, channels, 3)]
        for stage in FIRE_STAGES:
            layers.append(nn.MaxPool2D(3, 2, padding=1))
            for squeezed, expanded in stage:
                expanded = scale_channels(expanded, width)
                layers.append(Fire(channels, scale_channels(squeezed, width), expanded))
                channels = 2 * expanded
        super().__init__(channels, num_classes, dropout, features=nn.Sequential(*layers))


XCEPTION_STEM = 8
XCEPTION_STAGES = (16, 32, 64, 128)


class SeparableBlock(paddle.nn.Layer):
    """Two depthwise separable convolutions and a 3x3/2 max pool beside a 1x1/2 convolution."""

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
        layers: list[paddle.nn.Layer] = [ConvNorm(in_channels, XCEPTION_STEM, 3)]
        layers.append(ConvNorm(XCEPTION_STEM, XCEPTION_STEM, 3))
        channels = XCEPTION_STEM
        for out_channels in XCEPTION_STAGES:
            layers.append(SeparableBlock(channels, out_channels))
            channels = out_channels
        super().__init__(channels, num_classes, dropout, features=nn.Sequential(*layers))
