"""A VGG of eight convolutions for small gray faces, or of any depths: the plain family of chapter 8.

Source: Simonyan and Zisserman 2015, arXiv:1409.1556; the four stages of Khaireddin and Chen 2021, arXiv:2105.03588,
which reached 73.3 % on FER2013's PrivateTest; here the mean over the image stands for their two wide linear layers.
paddle.vision's VGG has five stages and 120 million parameters in its linear layers.
"""

from __future__ import annotations

from collections.abc import Sequence

from fer_paddle.environment import paddle
from fer_paddle.labels import look_up
from fer_paddle.models.blocks import ACTIVATIONS, ConvNorm
from fer_paddle.models.network import FaceNetwork, check_sizes, scale_channels

nn = paddle.nn

STAGE_CHANNELS = (64, 128, 256, 512)
MAX_STAGES, MAX_DEPTH, MAX_KERNEL = 8, 8, 11


class VGG8(FaceNetwork):
    """Stages of two 3x3 convolutions and a 2x2 max pool; four at half width have 1.2 million parameters.

    Args:
        channels: Channels of each stage. Twice as many from stage to stage put three quarters of the weights into the
            last one; nearly as many put more operations into the same number of weights.
        depths: Convolutions of each stage, or of all alike.
        kernels: Odd side of their kernels in each stage, or in all alike.
        activation: One of blocks.ACTIVATIONS.
    """

    def __init__(
        self,
        num_classes: int = 7,
        in_channels: int = 1,
        width: float = 0.5,
        dropout: float = 0.2,
        channels: Sequence[int] = STAGE_CHANNELS,
        depths: int | Sequence[int] = 2,
        kernels: int | Sequence[int] = 3,
        activation: str = "relu",
    ):
        check_sizes(num_classes, in_channels, width)
        if not 1 <= len(channels) <= MAX_STAGES or min(channels) < 1:
            raise ValueError(f"expected channels of 1 or more for 1 to {MAX_STAGES} stages, got {channels}")
        counts, sides = ([one] * len(channels) if isinstance(one, int) else [*one] for one in (depths, kernels))
        are_right = set(counts) <= set(range(1, MAX_DEPTH + 1)) and set(sides) <= set(range(1, MAX_KERNEL + 1, 2))
        if not len(counts) == len(sides) == len(channels) or not are_right:
            raise ValueError(
                f"expected depths of 1 to {MAX_DEPTH} and odd kernels of 1 to {MAX_KERNEL} for each of {len(channels)} "
                f"stages, got {depths} and {kernels}"
            )
        layer = look_up(ACTIVATIONS, activation, "an activation of {}")
        layers: list[paddle.nn.Layer] = []
        for base, depth, kernel in zip(channels, counts, sides):
            for _ in range(depth):
                out_channels = scale_channels(base, width)
                layers.append(ConvNorm(in_channels, out_channels, kernel, activation_layer=layer))
                in_channels = out_channels
            # ceil_mode: an image of fewer than 16 px keeps a pixel
            layers.append(nn.MaxPool2D(2, 2, ceil_mode=True))
        super().__init__(in_channels, num_classes, dropout, features=nn.Sequential(*layers))
