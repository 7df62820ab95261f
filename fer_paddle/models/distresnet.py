"""DistResNet, the tutorial's expression network: ELU bottlenecks over gray faces.

Source: the tutorial (COURSE: faces with tiny YOLO, expressions with DistResNet); bottlenecks from He et al. 2016,
arXiv:1512.03385; ELU from Clevert et al. 2016, arXiv:1511.07289; a last scale of zero from Goyal et al. 2017,
arXiv:1706.02677.
"""

from __future__ import annotations

from fer_paddle.environment import paddle
from fer_paddle.models.network import FaceNetwork, check_sizes

nn = paddle.nn

STAGE_FILTERS = (16, 16, 32, 32, 64)
BLOCKS_PER_STAGE = 3
EXPANSION = 4


class ConvBN(paddle.nn.Sequential):
    """A convolution without bias, `same` padding, batch normalization; with `zero_scale` it gives zero at first."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int = 1, zero_scale: bool = False):
        scale = paddle.ParamAttr(initializer=nn.initializer.Constant(0.0 if zero_scale else 1.0))
        super().__init__(
            nn.Conv2D(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias_attr=False),
            nn.BatchNorm2D(out_channels, weight_attr=scale),
        )


class Bottleneck(paddle.nn.Layer):
    """1x1, 3x3, 1x1 convolutions beside a shortcut; ELU after the sum, a further BN and ELU after the block.

    float32 [N, in, H, W] -> [N, 4 * filters, ceil(H / stride), ceil(W / stride)].
    """

    def __init__(self, in_channels: int, filters: int, stride: int = 1):
        super().__init__()
        out_channels = filters * EXPANSION
        self.reduce = ConvBN(in_channels, filters, 1)
        self.spatial = ConvBN(filters, filters, 3, stride)
        self.expand = ConvBN(filters, out_channels, 1, zero_scale=True)
        same_shape = stride == 1 and in_channels == out_channels
        self.shortcut = nn.Identity() if same_shape else ConvBN(in_channels, out_channels, 1, stride)
        self.elu = nn.ELU()
        self.after = nn.Sequential(nn.BatchNorm2D(out_channels), nn.ELU())

    def forward(self, features: paddle.Tensor) -> paddle.Tensor:
        branch = self.elu(self.reduce(features))
        branch = self.elu(self.spatial(branch))
        branch = self.expand(branch)
        return self.after(self.elu(branch + self.shortcut(features)))


class DistResNet(FaceNetwork):
    """The tutorial's network: 403,767 trainable parameters with 7 classes, about 0.4 million.

    A 3x3 convolution to 16, BN, ELU and a 3x3/2 max pool; five stages of three bottlenecks with 16, 16, 32,
    32 and 64 filters, the stages after the first halving the size; global average pool; one linear layer.
    """

    def __init__(self, num_classes: int = 7, in_channels: int = 1):
        check_sizes(num_classes, in_channels)
        stem = nn.Sequential(ConvBN(in_channels, 16, 3), nn.ELU(), nn.MaxPool2D(3, 2, padding=1))
        stages, channels = [], 16
        for stage, filters in enumerate(STAGE_FILTERS):
            for block in range(BLOCKS_PER_STAGE):
                stride = 2 if stage > 0 and block == 0 else 1
                stages.append(Bottleneck(channels, filters, stride))
                channels = filters * EXPANSION
        super().__init__(channels, num_classes, stem=stem, stages=nn.Sequential(*stages))
