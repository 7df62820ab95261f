"""What every expression network but DistResNet is made of: features of some family, their mean, one linear layer."""

from __future__ import annotations

import math

from fer_paddle.environment import paddle

nn = paddle.nn


class FaceNetwork(nn.Layer):
    """A feature extractor, the mean over the picture, dropout and one linear layer; takes pictures of any size.

    Args:
        features: float32 [N, in_channels, H, W] -> [N, num_features, h, w].
        num_features: Channels that `features` gives.
        num_classes: Classes of the output, 1 or more.
        dropout: Share of the features that is set to zero in training (Srivastava et al. 2014).
    """

    def __init__(self, features: nn.Layer, num_features: int, num_classes: int, dropout: float = 0.0):
        super().__init__()
        self.num_features, self.num_classes = num_features, num_classes
        self.features = features
        self.pool = nn.AdaptiveAvgPool2D(1)
        self.dropout = nn.Dropout(dropout)
        bound = 1.0 / math.sqrt(num_features)
        uniform = paddle.ParamAttr(initializer=nn.initializer.Uniform(-bound, bound))
        self.classify = nn.Linear(num_features, num_classes, weight_attr=uniform)

    def forward(self, images: paddle.Tensor) -> paddle.Tensor:
        """Gives the logits.

        Args:
            images: float32 [N, in_channels, H, W], normalised by `images.normalize`; any H and W.

        Returns:
            float32 [N, num_classes], not yet a softmax.
        """
        return self.classify(self.embed(images))

    def embed(self, images: paddle.Tensor) -> paddle.Tensor:
        """Gives what the last layer sees: float32 [N, num_features] for images as in `forward`."""
        return self.dropout(self.pool(self.features(images)).flatten(1))


def check_sizes(num_classes: int, in_channels: int, width: float = 1.0) -> None:
    """Raises ValueError where a network would have no output, no input or no channels."""
    if num_classes < 1 or in_channels < 1 or not width > 0:
        raise ValueError(
            "expected num_classes and in_channels of 1 or more and a width above 0, "
            f"got {num_classes}, {in_channels} and {width}"
        )


def scale_channels(channels: int, width: float) -> int:
    """Channels times a width, to the nearest multiple of 8 (which vector units like), 8 or more."""
    return max(8, round(channels * width / 8) * 8)
