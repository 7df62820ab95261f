"""Two networks for one loss and one decoder: tiny YOLOv3 with two heads, and a thinner one with three.

Source: Redmon & Farhadi, YOLOv3, 2018, arXiv:1804.02767; the layers of Yolo3Tiny as in darknet's yolov3-tiny.cfg.
"""

from __future__ import annotations

import math

from fer_paddle.environment import paddle
from fer_paddle.models.network import check_sizes, scale_channels
from yolo3tiny.anchors import OUTPUTS, STRIDES

nn = paddle.nn

OBJECTNESS_PRIOR = 0.01


class Yolo3Tiny(paddle.nn.Layer):
    """Tiny YOLOv3: seven 3x3 convolutions with max pools between them; images in, raw outputs of two heads out.

    Args:
        width: Multiplies every number of channels, rounded to a multiple of 8, at least 8.
    """

    kind = "tiny"
    strides = STRIDES  # of the heads
    last_layers = ("head32.1", "head16.1")  # whose outputs are the heads

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        check_sizes(1, 3, width)
        self.width = width
        c16, c32, c64, c128, c256, c512, c1024 = (scale_channels(16 << i, width) for i in range(7))
        self.fine = nn.Sequential(  # to stride 16
            _conv(3, c16),
            nn.MaxPool2D(2, 2),
            _conv(c16, c32),
            nn.MaxPool2D(2, 2),
            _conv(c32, c64),
            nn.MaxPool2D(2, 2),
            _conv(c64, c128),
            nn.MaxPool2D(2, 2),
            _conv(c128, c256),
        )
        self.coarse = nn.Sequential(  # to stride 32
            nn.MaxPool2D(2, 2),
            _conv(c256, c512),
            # The last pool keeps its size: one row and column more at the bottom and right, which never win.
            nn.MaxPool2D(2, 1, padding=[0, 1, 0, 1]),
            _conv(c512, c1024),
            _conv(c1024, c256, kernel=1),
        )
        self.up = nn.Sequential(_conv(c256, c128, kernel=1), nn.Upsample(scale_factor=2, mode="nearest"))
        self.head32 = nn.Sequential(_conv(c256, c512), _head(c512, 3))
        self.head16 = nn.Sequential(_conv(c128 + c256, c256), _head(c256, 3))

    def forward(self, images: paddle.Tensor) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Compute the raw outputs, which decode.py turns into boxes: images float32 [N, 3, H, W]."""
        _check_sides(images)
        fine = self.fine(images)  # [N, 256 * width, H / 16, W / 16]
        coarse = self.coarse(fine)  # [N, 256 * width, H / 32, W / 32]
        return self.head32(coarse), self.head16(paddle.concat([self.up(coarse), fine], axis=1))


class Yolo3Lite(paddle.nn.Layer):
    """A third of the multiply-adds of Yolo3Tiny at width 0.5, and a head of stride 8 for small faces.

    Residual units instead of wide convolutions: 3x3 ones at stride 8, where maps have few channels; 1x1, 3x3 in half
    the channels at strides 16 and 32. The maps are merged from coarse to fine.

    Args:
        width: Multiplies every number of channels, rounded to a multiple of 8, at least 8.

    Source: residual units after He et al., 2015, arXiv:1512.03385; merging after Lin et al., Feature Pyramid
    Networks, 2017, arXiv:1612.03144.
    """

    kind = "lite"
    strides = (32, 16, 8)  # of the heads
    last_layers = ("heads.0", "heads.1", "heads.2")

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        check_sizes(1, 3, width)
        self.width = width
        c8, c16, c32, c48, c64, c96 = (scale_channels(channels, width) for channels in (8, 16, 32, 48, 64, 96))
        self.stem = nn.Sequential(_conv_relu(3, c8, 3, 2), _conv_relu(c8, c16, 3, 2))  # to stride 4
        shapes = ((c16, c32, 2, False), (c32, c64, 3, True), (c64, c96, 2, True))  # to strides 8, 16 and 32
        self.stages = nn.LayerList([_stage(*shape) for shape in shapes])
        self.laterals = nn.LayerList([_conv_relu(channels, c48, 1) for channels in (c32, c64, c96)])
        self.merges = nn.LayerList([_Residual(c48, False) for _ in self.strides])
        self.heads = nn.LayerList([_head(c48, 2) for _ in self.strides])
        self.up = nn.Upsample(scale_factor=2, mode="nearest")

    def forward(self, images: paddle.Tensor) -> list[paddle.Tensor]:
        """Compute the raw outputs of the strides 32, 16 and 8: images float32 [N, 3, H, W]."""
        _check_sides(images)
        maps = [self.stem(images)]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        merged, outputs = None, []
        for lateral, merge, head, level in list(zip(self.laterals, self.merges, self.heads, maps[1:]))[::-1]:
            merged = merge(lateral(level) if merged is None else lateral(level) + self.up(merged))
            outputs.append(head(merged))
        return outputs


Network = Yolo3Tiny | Yolo3Lite
NETWORKS: dict[str, type[Network]] = {kind.kind: kind for kind in (Yolo3Tiny, Yolo3Lite)}


class _Residual(paddle.nn.Layer):
    """A residual unit: one 3x3 convolution, or 1x1 to half the channels and 3x3 back."""

    def __init__(self, channels: int, narrow: bool) -> None:
        super().__init__()
        inner = channels // 2 if narrow else channels
        first = [_conv_relu(channels, inner, 1)] if narrow else []
        last = nn.Conv2D(inner, channels, 3, padding=1, bias_attr=False)
        self.body = nn.Sequential(*first, last, nn.BatchNorm2D(channels))

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Add what the unit found to its input [N, C, H, W]."""
        return nn.functional.relu(x + self.body(x))


def _check_sides(images: paddle.Tensor) -> None:
    # Height and width are unknown while exporting.
    if paddle.in_dynamic_mode() and (images.shape[2] % 32 or images.shape[3] % 32):
        raise ValueError(f"expected images [N, 3, H, W], H and W multiples of 32, got {images.shape}")


def _stage(channels_in: int, channels: int, depth: int, narrow: bool) -> paddle.nn.Sequential:
    """Halve the size, by a 3x3 convolution or a depthwise and a 1x1 one, then apply residual units."""
    down = [_conv_relu(channels_in, channels, 3, 2)]
    if narrow:
        depthwise = nn.Conv2D(channels_in, channels_in, 3, 2, padding=1, groups=channels_in, bias_attr=False)
        down = [depthwise, nn.BatchNorm2D(channels_in), _conv_relu(channels_in, channels, 1)]
    return nn.Sequential(*down, *(_Residual(channels, narrow) for _ in range(depth)))


def _conv_relu(channels_in: int, channels_out: int, kernel: int, stride: int = 1) -> paddle.nn.Sequential:
    conv = nn.Conv2D(channels_in, channels_out, kernel, stride, padding=kernel // 2, bias_attr=False)
    return nn.Sequential(conv, nn.BatchNorm2D(channels_out), nn.ReLU())


def _conv(channels_in: int, channels_out: int, kernel: int = 3) -> paddle.nn.Sequential:
    return nn.Sequential(
        nn.Conv2D(channels_in, channels_out, kernel, padding=kernel // 2, bias_attr=False),
        nn.BatchNorm2D(channels_out),
        nn.LeakyReLU(0.1),
    )


def _head(channels_in: int, num_anchors: int) -> paddle.nn.Conv2D:
    """Make the last 1x1 convolution, whose cells start with an objectness of about OBJECTNESS_PRIOR."""
    bias = [0.0, 0.0, 0.0, 0.0, -math.log(1 / OBJECTNESS_PRIOR - 1), 0.0]
    return nn.Conv2D(
        channels_in,
        num_anchors * OUTPUTS,
        1,
        weight_attr=nn.initializer.Normal(std=0.01),
        bias_attr=nn.initializer.Assign(bias * num_anchors),
    )
