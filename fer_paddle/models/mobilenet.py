"""MobileNet V2 and V3 small from paddle.vision for small gray faces, and a design of ours from their blocks.

Sources: Sandler et al. 2018, arXiv:1801.04381; Howard et al. 2019, arXiv:1905.02244. Only the first convolution is
changed: it takes gray pictures and keeps their size, because 1/32 of 48 px is one pixel and a half.
"""

from __future__ import annotations

from fer_paddle.environment import paddle
from fer_paddle.models.blocks import ConvNorm, InvertedResidual
from fer_paddle.models.network import FaceNetwork, check_sizes

nn, models = paddle.nn, paddle.vision.models

# (kernel, expanded channels, channels, stride) of each block of PocketNet
POCKET_BLOCKS = (
    (3, 32, 16, 2),
    (3, 64, 24, 1),
    (3, 72, 24, 1),
    (3, 72, 40, 2),
    (5, 88, 40, 1),
    (5, 88, 40, 1),
    (3, 104, 48, 2),
    (3, 112, 48, 1),
)
POCKET_STEM, POCKET_FEATURES = 16, 144


class MobileNetV2(FaceNetwork):
    """Inverted residuals with linear ends; at half width 0.7 million parameters.

    Args:
        num_classes: Classes of the output, 1 or more.
        in_channels: Channels of the input, 1 for gray.
        width: Times the channels of the paper.
        dropout: Before the last layer.

    Raises:
        ValueError: An argument is out of its range.
    """

    def __init__(self, num_classes: int = 7, in_channels: int = 1, width: float = 0.5, dropout: float = 0.2):
        check_sizes(num_classes, in_channels, width)
        features = models.MobileNetV2(width, num_classes=0, with_pool=False)
        replace_first(features.features[0], in_channels)
        super().__init__(features, features.last_channel, num_classes, dropout)


class MobileNetV3Small(FaceNetwork):
    """Inverted residuals with squeeze and excitation and hard swish; 0.9 million parameters.

    The paper's hidden linear layer of 1024 is left out: it alone would have 0.6 million.

    Args:
        num_classes: Classes of the output, 1 or more.
        in_channels: Channels of the input, 1 for gray.
        width: Times the channels of the paper.
        dropout: Before the last layer.

    Raises:
        ValueError: An argument is out of its range.
    """

    def __init__(self, num_classes: int = 7, in_channels: int = 1, width: float = 1.0, dropout: float = 0.2):
        check_sizes(num_classes, in_channels, width)
        features = models.MobileNetV3Small(width, num_classes=0, with_pool=False)
        replace_first(features.conv, in_channels)
        for layer in features.sublayers():
            if isinstance(layer, nn.BatchNorm2D):
                layer._momentum = 0.9  # theirs, 0.99, is for runs of many thousand steps
        super().__init__(features, features.lastconv_out_channels, num_classes, dropout)


class PocketNet(FaceNetwork):
    """Our small design: eight inverted residuals with squeeze and excitation, fewer than 100,000 parameters.

    What it spends goes to the middle of the picture's scales: full channels come only where the picture is 12x12 and
    6x6 (of 48 px), and every block but the narrow first has attention, which costs little there.

    Args:
        num_classes: Classes of the output, 1 or more.
        in_channels: Channels of the input, 1 for gray.
        dropout: Before the last layer.

    Raises:
        ValueError: An argument is out of its range.
    """

    def __init__(self, num_classes: int = 7, in_channels: int = 1, dropout: float = 0.1):
        check_sizes(num_classes, in_channels)
        layers: list[nn.Layer] = [ConvNorm(in_channels, POCKET_STEM, 3, activation_layer=nn.Hardswish)]
        channels = POCKET_STEM
        for kernel, expanded, out_channels, stride in POCKET_BLOCKS:
            use_se = out_channels > POCKET_STEM
            layers.append(
                InvertedResidual(channels, expanded, out_channels, kernel, stride, use_se, nn.Hardswish, nn.BatchNorm2D)
            )
            channels = out_channels
        layers.append(ConvNorm(channels, POCKET_FEATURES, 1, activation_layer=nn.Hardswish))
        super().__init__(nn.Sequential(*layers), POCKET_FEATURES, num_classes, dropout)


def replace_first(layers: nn.Sequential, in_channels: int) -> None:
    """Puts a 3x3 convolution of stride 1 over `in_channels` in the place of the first layer, in place."""
    layers[0] = nn.Conv2D(in_channels, layers[0]._out_channels, 3, padding=1, bias_attr=False)
