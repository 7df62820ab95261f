"""The network of the one-anchor detector, and how much of the image one of its cells sees."""

from __future__ import annotations

import numpy as np

from fer_paddle.environment import paddle
from fer_paddle.models.blocks import ConvNorm
from fer_paddle.models.network import evaluating

nn = paddle.nn


class KeypointNetwork(paddle.nn.Layer):
    """Images in, one map at stride 32 out: dx, dy, and logits of background and of each class.

    Pixels stay uint8 until they are on the device; the network scales them itself. Five convolutions halve the map, the
    others look around. Each is convolution, batch normalization, ReLU: deployed, the three are one operation.

    Args:
        num_classes: Classes C.
        channels: Channels of the maps at strides 2, 4, 8, 16 and 32.
        depths: Convolutions at each of these strides, the halving one included.
    """

    def __init__(
        self,
        num_classes: int = 2,
        channels: tuple[int, ...] = (8, 16, 32, 64, 96),
        depths: tuple[int, ...] = (1, 1, 2, 2, 2),
    ):
        super().__init__()
        if num_classes < 1 or len(channels) != 5 or len(depths) != 5 or min(depths) < 1:
            got = f"{num_classes}, {channels} and {depths}"
            raise ValueError(f"expected classes, and channels and depths of 5 strides, got {got}")
        layers, before = [], 3
        for width, depth in zip(channels, depths):
            for at in range(depth):
                layers.append(ConvNorm(before, width, 3, 2 if at == 0 else 1))
                before = width
        self.body = nn.Sequential(*layers)
        self.head = nn.Conv2D(before, 3 + num_classes, 1)

    def forward(self, images: paddle.Tensor) -> paddle.Tensor:
        """Compute [N, 3 + C, H / 32, W / 32] of images [N, 3, H, W] in BGR, uint8 or float32 in 0..255."""
        return self.head(self.body(images.astype("float32") / 255 - 0.5))


def receptive_field(network: paddle.nn.Layer) -> tuple[int, int]:
    """Return side and stride in pixels of what one output sees, by the formula: r grows by (k - 1) * stride so far."""
    side, stride = 1, 1
    for layer in network.sublayers():
        if isinstance(layer, nn.Conv2D):
            side += (layer._kernel_size[0] - 1) * stride
            stride *= layer._stride[0]
    return side, stride


def measured_field(network: paddle.nn.Layer, side: int = 448, images: int = 2) -> np.ndarray:
    """Return how much the middle cell's outputs depend on each pixel, float32 [side, side]: mean absolute gradient."""
    pixels = paddle.uniform([images, 3, side, side], min=0.0, max=255.0)
    pixels.stop_gradient = False
    with evaluating(network):
        outputs = network(pixels)
    middle = outputs[:, :, outputs.shape[2] // 2, outputs.shape[3] // 2].sum()
    return paddle.grad(middle, pixels)[0].abs().mean((0, 1)).numpy()
