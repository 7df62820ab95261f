"""ResNet-18 for small gray faces: no early downsampling, any width, attention and depthwise variants.

Source: He et al. 2016, arXiv:1512.03385; the 3x3 first convolution of stride 1 without a pool is theirs for CIFAR
(section 4.2). paddle.vision's ResNet halves the image twice before its first block, which leaves 2x2 of 48 px.
"""

from __future__ import annotations

from collections.abc import Sequence

from fer_paddle.environment import paddle
from fer_paddle.models.blocks import ConvNorm, DepthwiseSeparable, make_attention
from fer_paddle.models.network import FaceNetwork, check_sizes, scale_channels

nn = paddle.nn

STAGE_CHANNELS = (64, 128, 256, 512)
BLOCKS_PER_STAGE = 2


class BasicBlock(paddle.nn.Layer):
    """Two 3x3 convolutions and attention beside a shortcut, ReLU after the sum.

    float32 [N, in, H, W] -> [N, out, ceil(H / stride), ceil(W / stride)].
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, attention: str, depthwise: bool):
        super().__init__()
        if depthwise:
            first = DepthwiseSeparable(in_channels, out_channels, stride)
            second = DepthwiseSeparable(out_channels, out_channels, outer=False)
        else:
            first = ConvNorm(in_channels, out_channels, 3, stride)
            second = ConvNorm(out_channels, out_channels, 3, activation_layer=None)
        self.branch = nn.Sequential(first, second, make_attention(attention, out_channels))
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
