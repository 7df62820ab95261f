"""Tiny YOLOv3: seven convolutions with max pools between them, and two heads.

Source: Redmon & Farhadi, YOLOv3, 2018, arXiv:1804.02767; layers as in darknet's yolov3-tiny.cfg.
"""

from __future__ import annotations

import math

from fer_paddle.environment import paddle
from yolo3tiny.anchors import STRIDES

nn = paddle.nn

ANCHORS_PER_HEAD = 3
OBJECTNESS_PRIOR = 0.01


class Yolo3Tiny(paddle.nn.Layer):
    """The network: images in, raw outputs of two heads out.

    Args:
        num_classes: Classes C, each with its own sigmoid.
        width: Multiplies every number of channels, rounded to a multiple of 8, at least 8.
    """

    strides = STRIDES  # of the heads

    def __init__(self, num_classes: int = 1, width: float = 1.0) -> None:
        super().__init__()
        if num_classes < 1 or not width > 0:
            raise ValueError(f"expected num_classes >= 1 and width > 0, got {num_classes} and {width}")
        self.num_classes, self.width = num_classes, width
        c16, c32, c64, c128, c256, c512, c1024 = (_scale(16 << i, width) for i in range(7))
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
        self.head32 = nn.Sequential(_conv(c256, c512), _head(c512, num_classes))
        self.head16 = nn.Sequential(_conv(c128 + c256, c256), _head(c256, num_classes))

    def forward(self, images: paddle.Tensor) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Compute the raw outputs, which decode.py turns into boxes: images float32 [N, 3, H, W]."""
        # Height and width are unknown while exporting.
        if paddle.in_dynamic_mode() and (images.shape[2] % 32 or images.shape[3] % 32):
            raise ValueError(f"expected images [N, 3, H, W], H and W multiples of 32, got {images.shape}")
        fine = self.fine(images)  # [N, 256 * width, H / 16, W / 16]
        coarse = self.coarse(fine)  # [N, 256 * width, H / 32, W / 32]
        return self.head32(coarse), self.head16(paddle.concat([self.up(coarse), fine], axis=1))


def _scale(channels: int, width: float) -> int:
    return max(8, round(channels * width / 8) * 8)


def _conv(channels_in: int, channels_out: int, kernel: int = 3) -> paddle.nn.Sequential:
    return nn.Sequential(
        nn.Conv2D(channels_in, channels_out, kernel, padding=kernel // 2, bias_attr=False),
        nn.BatchNorm2D(channels_out),
        nn.LeakyReLU(0.1),
    )


def _head(channels_in: int, num_classes: int) -> paddle.nn.Conv2D:
    """Make the last 1x1 convolution, whose cells start with an objectness of about OBJECTNESS_PRIOR."""
    bias = [0.0, 0.0, 0.0, 0.0, -math.log(1 / OBJECTNESS_PRIOR - 1)] + [0.0] * num_classes
    return nn.Conv2D(
        channels_in,
        ANCHORS_PER_HEAD * len(bias),
        1,
        weight_attr=nn.initializer.Normal(std=0.01),
        bias_attr=nn.initializer.Assign(bias * ANCHORS_PER_HEAD),
    )
