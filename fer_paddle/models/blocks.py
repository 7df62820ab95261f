"""Building blocks that networks are put together from: attention, depthwise and inverted residual convolutions.

All map float32 [N, in, H, W] to [N, out, ceil(H / stride), ceil(W / stride)].
"""

from __future__ import annotations

from fer_paddle.environment import paddle

nn = paddle.nn

# Paddle's own where they fit.
# ConvNorm(in, out, kernel_size=3, stride=1, groups=1, activation_layer=ReLU): convolution, batch norm, activation.
ConvNorm = paddle.vision.ops.ConvNormActivation
# InvertedResidual(in, expanded, out, kernel, stride, use_se, activation_layer, norm_layer): Howard et al. 2019,
# arXiv:1905.02244, figure 4.
InvertedResidual = paddle.vision.models.mobilenetv3.InvertedResidual

ACTIVATIONS = {"relu": nn.ReLU, "elu": nn.ELU, "hardswish": nn.Hardswish}


class SqueezeExcite(paddle.vision.models.mobilenetv3.SqueezeExcitation):
    """Weigh the channels by their means over the image: x * sigmoid(W2 relu(W1 mean(x))).

    The hidden layer has channels / 8, 4 or more. Source: Hu et al. 2018, arXiv:1709.01507, equations 2 to 4.
    """

    def __init__(self, channels: int):
        super().__init__(channels, max(channels // 8, 4))


class ConvolutionalAttention(paddle.nn.Layer):
    """CBAM: weigh first the channels, by their mean and maximum, then the places, by those over the channels.

    Source: Woo et al. 2018, arXiv:1807.06521, equations 2 and 3.
    """

    def __init__(self, channels: int, kernel: int = 7):
        super().__init__()
        hidden = max(channels // 8, 4)
        self.channel = nn.Sequential(nn.Conv2D(channels, hidden, 1), nn.ReLU(), nn.Conv2D(hidden, channels, 1))
        self.place = nn.Conv2D(2, 1, kernel, padding=kernel // 2, bias_attr=False)

    def forward(self, features: paddle.Tensor) -> paddle.Tensor:
        mean, largest = features.mean((2, 3), keepdim=True), features.max((2, 3), keepdim=True)  # [N, C, 1, 1]
        features = features * nn.functional.sigmoid(self.channel(mean) + self.channel(largest))
        both = paddle.concat([features.mean(1, keepdim=True), features.max(1, keepdim=True)], axis=1)  # [N, 2, H, W]
        return features * nn.functional.sigmoid(self.place(both))


class DepthwiseSeparable(paddle.nn.Sequential):
    """A 3x3 convolution of each channel alone, then a 1x1 convolution over all, with batch normalization.

    It costs 1 / out + 1 / 9 of a full 3x3 convolution. Source: Howard et al. 2017, arXiv:1704.04861, section 3.1.

    Args:
        inner: Batch normalization and ReLU between the two, as in MobileNet; Xception has nothing there.
        outer: ReLU at the end.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1, inner: bool = True, outer: bool = True):
        if inner:
            depthwise: paddle.nn.Layer = ConvNorm(in_channels, in_channels, 3, stride, groups=in_channels)
        else:
            depthwise = nn.Conv2D(in_channels, in_channels, 3, stride, 1, groups=in_channels, bias_attr=False)
        super().__init__(depthwise, ConvNorm(in_channels, out_channels, 1, activation_layer=nn.ReLU if outer else None))


ATTENTIONS = {"none": lambda channels: nn.Identity(), "se": SqueezeExcite, "cbam": ConvolutionalAttention}
