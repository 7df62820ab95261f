"""Heatmaps of points: one map a point, read by its center of mass (soft-argmax).

Sources: Sun et al. 2018, "Integral Human Pose Regression", arXiv:1711.08229; Newell et al. 2016, arXiv:1603.06937 (maps
with a Gaussian as target).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fer_paddle.environment import paddle
from fer_paddle.landmarks.points import NUM_POINTS
from fer_paddle.models.blocks import ConvNorm

nn = paddle.nn


class HeatmapHead(paddle.nn.Layer):
    """Feature maps of falling size, each half of the one before -> one map a point, of the size of the largest.

    From the smallest map on, each is enlarged twofold by a transposed convolution, which starts as bilinear
    interpolation, and added to the next. A dilated convolution then sees 5x5 cells at the cost of 3x3.
    """

    def __init__(self, channels: Sequence[int], width: int = 24):
        super().__init__()
        self.laterals = nn.LayerList([ConvNorm(each, width, 1, activation_layer=None) for each in channels])
        self.ups = nn.LayerList([make_upsampling(width) for _ in channels[1:]])
        self.join = ConvNorm(width, width, 3, dilation=2, padding=2)
        self.maps = nn.Conv2D(width, NUM_POINTS, 1)

    def forward(self, features: Sequence[paddle.Tensor]) -> paddle.Tensor:
        """Return the maps, float32 [N, 68, h, w], not yet a softmax."""
        joined = self.laterals[-1](features[-1])
        for level in range(len(features) - 2, -1, -1):
            joined = self.ups[level](joined) + self.laterals[level](features[level])
        return self.maps(self.join(nn.functional.relu(joined)))


def make_upsampling(channels: int) -> paddle.nn.Conv2DTranspose:
    """Make a transposed convolution that doubles the size and starts as bilinear interpolation of each channel.

    A depthwise one has fewer weights, but takes Paddle longer to train on a CPU.
    """
    line = np.array([1, 3, 3, 1], np.float32) / 4
    kernel = np.eye(channels, dtype=np.float32)[..., None, None] * np.outer(line, line)
    start = paddle.ParamAttr(initializer=nn.initializer.Assign(kernel))
    return nn.Conv2DTranspose(channels, channels, 4, 2, 1, weight_attr=start, bias_attr=False)


def cell_centers(height: int, width: int) -> np.ndarray:
    """Return the centers x, y of the cells of a map as ratios of its sides, row by row: float32 [height * width, 2]."""
    y, x = np.mgrid[:height, :width]
    return np.stack([(x.ravel() + 0.5) / width, (y.ravel() + 0.5) / height], axis=1).astype(np.float32)


def soft_argmax(maps: paddle.Tensor) -> paddle.Tensor:
    """Read raw maps [N, 68, h, w] by the center of mass of their softmax: [N, 68, 2], as ratios of the sides."""
    x, y = paddle.to_tensor(cell_centers(*maps.shape[2:]).T)
    mass = nn.functional.softmax(maps.flatten(2))
    # Sums, not a product of matrices: that would be made int8 with the layers, and so coarse is no center of mass.
    # As means, since Paddle 3.3 does not export a sum.
    return paddle.stack([(mass * x).mean(-1), (mass * y).mean(-1)], axis=-1) * mass.shape[-1]


def draw_heatmaps(points_norm: paddle.Tensor, height: int, width: int, sigma: float) -> paddle.Tensor:
    """Draw a Gaussian of height 1 and deviation `sigma` about each point [N, 68, 2], all in ratios: [N, 68, h * w]."""
    centers = paddle.to_tensor(cell_centers(height, width))
    distance = ((points_norm.unsqueeze(2) - centers) ** 2).sum(-1)
    return paddle.exp(distance / (-2 * sigma**2))
