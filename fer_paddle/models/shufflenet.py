"""ShuffleNetV2 from paddle.vision for small gray faces; only the first convolution is changed (see mobilenet).

Source: Ma et al. 2018, arXiv:1807.11164.
"""

from __future__ import annotations

from fer_paddle.environment import paddle
from fer_paddle.models.mobilenet import replace_first
from fer_paddle.models.network import FaceNetwork, check_sizes

WIDTHS = (0.25, 0.33, 0.5, 1.0, 1.5, 2.0)


class ShuffleNetV2(FaceNetwork):
    """Half of the channels pass by each block, and all are shuffled after it; at half width 0.35 million parameters.

    Args:
        num_classes: Classes of the output, 1 or more.
        in_channels: Channels of the input, 1 for gray.
        width: One of WIDTHS, the widths of the paper and of Paddle.
        dropout: Before the last layer.

    Raises:
        ValueError: An argument is out of its range.
    """

    def __init__(self, num_classes: int = 7, in_channels: int = 1, width: float = 0.5, dropout: float = 0.2):
        check_sizes(num_classes, in_channels, width)
        if width not in WIDTHS:
            raise ValueError(f"expected a width of {', '.join(map(str, WIDTHS))}, got {width}")
        features = paddle.vision.models.ShuffleNetV2(width, num_classes=0, with_pool=False)
        replace_first(features._conv1, in_channels)
        super().__init__(features, features._last_conv[0]._out_channels, num_classes, dropout)
