"""A thin face detector of three scales: dense 3x3 convolutions where maps are narrow, depthwise ones where they are coarse."""

from __future__ import annotations

import math
import zlib  # noqa: F401  before paddle: libpaddle 2.6.2 exports zlib's symbols
from collections.abc import Sequence
from dataclasses import dataclass

import paddle
from paddle import nn

OBJECTNESS_PRIOR = 0.01
STRIDES = (32, 16, 8)  # input pixels per cell of each head
MASKS = ((4, 5), (2, 3), (0, 1))  # which anchors each head uses
ANCHORS = ((8, 10), (14, 17), (26, 32), (48, 58), (92, 112), (180, 220))  # width and height in input pixels


@dataclass(frozen=True)
class LiteConfig:
    """Widths and depths of Yolo3Lite.

    Attributes:
        stem: Channels at strides 2 and 4.
        widths: Channels of the backbone at strides 8, 16 and 32.
        depths: Residual units at strides 8, 16 and 32.
        kinds: For each of them "dense" (3x3) or "bottleneck" (1x1, 3x3), which begins with a depthwise convolution.
        neck: Channels of the merged maps.
        anchors_per_head: Anchors of a cell.
    """

    stem: tuple[int, int] = (8, 16)
    widths: tuple[int, int, int] = (32, 64, 96)
    depths: tuple[int, int, int] = (2, 3, 2)
    kinds: tuple[str, str, str] = ("dense", "bottleneck", "bottleneck")
    neck: int = 48
    anchors_per_head: int = 2


class Yolo3Lite(nn.Layer):
    """The network: images in, raw outputs of the heads of strides 32, 16 and 8 out.

    Args:
        config: Widths and depths.
        num_classes: Classes C, each with its own sigmoid.
    """

    def __init__(self, config: LiteConfig = LiteConfig(), num_classes: int = 1) -> None:
        super().__init__()
        self.config, self.num_classes = config, num_classes
        self.stem = nn.Sequential(_conv(3, config.stem[0], 3, 2), _conv(config.stem[0], config.stem[1], 3, 2))
        inputs = (config.stem[1], *config.widths)
        stages = zip(inputs, config.widths, config.depths, config.kinds)
        self.stages = nn.LayerList([_stage(*stage) for stage in stages])
        self.laterals = nn.LayerList([_conv(width, config.neck, 1) for width in config.widths])
        self.merges = nn.LayerList([_Unit(config.neck, "dense") for _ in config.widths])
        self.heads = nn.LayerList([_head(config.neck, config.anchors_per_head, num_classes) for _ in config.widths])
        self.up = nn.Upsample(scale_factor=2, mode="nearest")

    def forward(self, images: paddle.Tensor) -> list[paddle.Tensor]:
        """Compute the raw outputs; decode.py turns them into boxes.

        Args:
            images: float32 [N, 3, H, W] in 0..1, H and W multiples of 32.

        Returns:
            Tensors [N, A * (5 + C), H / stride, W / stride] of the strides 32, 16 and 8. The channels of each
            anchor are tx, ty, tw, th, objectness and C classes, before any sigmoid.
        """
        maps = [self.stem(images)]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        merged = None
        outputs = []
        for lateral, merge, head, level in list(zip(self.laterals, self.merges, self.heads, maps[1:]))[::-1]:
            merged = merge(lateral(level) if merged is None else lateral(level) + self.up(merged))
            outputs.append(head(merged))
        return outputs


class _Unit(nn.Layer):
    """A residual unit that keeps its size: one 3x3 convolution, or 1x1 to half the channels and 3x3 back."""

    def __init__(self, channels: int, kind: str) -> None:
        super().__init__()
        narrow = channels // 2 if kind == "bottleneck" else channels
        first = [_conv(channels, narrow, 1)] if kind == "bottleneck" else []
        last = nn.Conv2D(narrow, channels, 3, padding=1, bias_attr=False)
        self.body = nn.Sequential(*first, last, nn.BatchNorm2D(channels))

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Compute the unit: float32 [N, C, H, W] to the same shape."""
        return nn.functional.relu(x + self.body(x))


def _conv(channels_in: int, channels_out: int, kernel: int, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2D(channels_in, channels_out, kernel, stride, padding=kernel // 2, bias_attr=False)
    return nn.Sequential(conv, nn.BatchNorm2D(channels_out), nn.ReLU())


def _stage(channels_in: int, channels: int, depth: int, kind: str) -> nn.Sequential:
    if kind == "dense":
        down = [_conv(channels_in, channels, 3, 2)]
    else:
        conv = nn.Conv2D(channels_in, channels_in, 3, 2, padding=1, groups=channels_in, bias_attr=False)
        down = [conv, nn.BatchNorm2D(channels_in), _conv(channels_in, channels, 1)]
    return nn.Sequential(*down, *(_Unit(channels, kind) for _ in range(depth)))


def _head(channels_in: int, anchors: int, num_classes: int) -> nn.Conv2D:
    bias = [0.0, 0.0, 0.0, 0.0, -math.log(1 / OBJECTNESS_PRIOR - 1)] + [0.0] * num_classes
    weight = nn.initializer.Normal(std=0.01)
    return nn.Conv2D(channels_in, anchors * len(bias), 1, weight_attr=weight, bias_attr=nn.initializer.Assign(bias * anchors))
