"""MobileNet V2, V3 small and ShuffleNetV2 from paddle.vision for small gray faces, and our own PocketNet.

Sources: Sandler et al. 2018, arXiv:1801.04381; Howard et al. 2019, arXiv:1905.02244. Only the first convolution is
changed: it takes gray images and keeps their size, because 1/32 of 48 px is one pixel and a half.
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
SHUFFLENET_WIDTHS = (0.25, 0.33, 0.5, 1.0, 1.5, 2.0)


class MobileNetV2(FaceNetwork):
    """Inverted residuals with linear ends; at half width 0.7 million parameters."""

    def __init__(self, num_classes: int = 7, in_channels: int = 1, width: float = 0.5, dropout: float = 0.2):
        check_sizes(num_classes, in_channels, width)
        features = models.MobileNetV2(width, num_classes=0, with_pool=False)
        replace_first(features.features[0], in_channels)
        super().__init__(features.last_channel, num_classes, dropout, features=features)


class MobileNetV3Small(FaceNetwork):
    """Inverted residuals with squeeze and excitation and hard swish; 0.9 million parameters.

    The paper's hidden linear layer of 1024 is left out: it alone would have 0.6 million.
    """

    def __init__(self, num_classes: int = 7, in_channels: int = 1, width: float = 1.0, dropout: float = 0.2):
        check_sizes(num_classes, in_channels, width)
        features = models.MobileNetV3Small(width, num_classes=0, with_pool=False)
        replace_first(features.conv, in_channels)
        for layer in features.sublayers():
            if isinstance(layer, nn.BatchNorm2D):
                layer._momentum = 0.9  # theirs, 0.99, is for runs of many thousand steps
        super().__init__(features.lastconv_out_channels, num_classes, dropout, features=features)


class ShuffleNetV2(FaceNetwork):
    """Half of the channels pass by each block, and all are shuffled after it; at half width 0.35 million parameters.

    Source: Ma et al. 2018, arXiv:1807.11164. `width` is one of those of the paper and of Paddle.
    """

    def __init__(self, num_classes: int = 7, in_channels: int = 1, width: float = 0.5, dropout: float = 0.2):
        check_sizes(num_classes, in_channels, width)
        if width not in SHUFFLENET_WIDTHS:
            raise ValueError(f"expected a width of {', '.join(map(str, SHUFFLENET_WIDTHS))}, got {width}")
        features = models.ShuffleNetV2(width, num_classes=0, with_pool=False)
        replace_first(features._conv1, in_channels)
        super().__init__(features._last_conv[0]._out_channels, num_classes, dropout, features=features)


class PocketNet(FaceNetwork):
    """Our small design: eight inverted residuals with squeeze and excitation, fewer than 100,000 parameters.

    What it spends goes to the middle of the image's scales: full channels come only where the image is 12x12 and
    6x6 (of 48 px), and every block but the narrow first has attention, which costs little there.
    """

    def __init__(self, num_classes: int = 7, in_channels: int = 1, dropout: float = 0.1):
        check_sizes(num_classes, in_channels)
        layers: list[paddle.nn.Layer] = [ConvNorm(in_channels, POCKET_STEM, 3, activation_layer=nn.Hardswish)]
        channels = POCKET_STEM
        for kernel, expanded, out_channels, stride in POCKET_BLOCKS:
            use_se = out_channels > POCKET_STEM
            layers.append(
                InvertedResidual(channels, expanded, out_channels, kernel, stride, use_se, nn.Hardswish, nn.BatchNorm2D)
            )
            channels = out_channels
        layers.append(ConvNorm(channels, POCKET_FEATURES, 1, activation_layer=nn.Hardswish))
        super().__init__(POCKET_FEATURES, num_classes, dropout, features=nn.Sequential(*layers))


def replace_first(layers: paddle.nn.Sequential, in_channels: int) -> None:
    """Puts a 3x3 convolution of stride 1 over `in_channels` in the place of the first layer, in place."""
    layers[0] = nn.Conv2D(in_channels, layers[0]._out_channels, 3, padding=1, bias_attr=False)
