"""The landmark network: a backbone of fer_paddle.models, and one or two heads that read points off its feature maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fer_paddle.drawn.anatomy import TEMPLATE
from fer_paddle.environment import paddle
from fer_paddle.landmarks.heatmaps import HeatmapHead, soft_argmax
from fer_paddle.landmarks.points import NUM_POINTS
from fer_paddle.models import build_model
from fer_paddle.models.blocks import ConvNorm
from fer_paddle.models.network import evaluating

nn = paddle.nn

READ_OUTS = ("regression", "heatmap", "both")


class RegressionHead(paddle.nn.Layer):
    """Feature maps -> points: each map is thinned by a 1x1 convolution, pooled to a grid of cells, and all are joined.

    A mean over the whole image would lose where things are, so that the grid keeps the places apart. The last layer
    starts with a mean face. Source of the joined stages: Guo et al. 2019, PFLD, arXiv:1902.10859.
    """

    def __init__(self, channels: Sequence[int], grid: int, width: int = 12):
        super().__init__()
        self.thin = nn.LayerList([ConvNorm(each, width, 1) for each in channels])
        self.grid = grid
        self.points = nn.Linear(
            len(channels) * width * grid**2,
            2 * NUM_POINTS,
            weight_attr=nn.initializer.Normal(std=0.01),
            bias_attr=nn.initializer.Assign(mean_face().reshape(-1)),
        )

    def forward(self, features: Sequence[paddle.Tensor]) -> paddle.Tensor:
        """Return the points, float32 [N, 68, 2]."""
        pooled = [pool_to(thin(each), self.grid).flatten(1) for thin, each in zip(self.thin, features)]
        return self.points(paddle.concat(pooled, axis=1)).reshape([-1, NUM_POINTS, 2])


def pool_to(features: paddle.Tensor, grid: int) -> paddle.Tensor:
    """Average square maps [N, C, S, S] over a grid: [N, C, grid, grid], as adaptive_avg_pool2d.

    Where the grid does not divide S, its cells overlap, which ONNX has no pool for: two products with a matrix do it.
    """
    side = features.shape[2]
    if side % grid == 0:
        return nn.functional.adaptive_avg_pool2d(features, grid)
    rows = np.zeros((grid, side), np.float32)
    for cell in range(grid):
        first, end = cell * side // grid, -(-(cell + 1) * side // grid)
        rows[cell, first:end] = 1 / (end - first)
    weights = paddle.to_tensor(rows.T)
    columns = nn.functional.linear(features, weights).transpose((0, 1, 3, 2))  # Paddle 3.3 exports no matmul
    return nn.functional.linear(columns, weights).transpose((0, 1, 3, 2))


class LandmarkNetwork(paddle.nn.Layer):
    """Face crop -> 68 points, as ratios of its sides.

    In training it returns a dict: `regression` and `heatmap`, points float32 [N, 68, 2] of each head that it has, and
    `maps`, float32 [N, 68, h, w]. In eval mode it returns the mean of the heads' points. The backbone is one of
    models.MODELS with its `arguments`; with heatmaps the side of the crops is a multiple of 16.
    """

    def __init__(
        self,
        backbone: str = "resnet18",
        arguments: Mapping[str, Any] | None = None,
        input_size: int = 96,
        read_out: str = "both",
    ):
        super().__init__()
        if read_out not in READ_OUTS:
            raise ValueError(f"expected a read-out of {', '.join(READ_OUTS)}, got {read_out!r}")
        if input_size < 32 or (input_size % 16 and read_out != "regression"):
            raise ValueError(f"expected an input size of 32 or more, with heatmaps a multiple of 16, got {input_size}")
        self.input_size, self.read_out = input_size, read_out
        self.backbone_name, self.arguments = backbone, dict(arguments or {})
        self.backbone = build_model(backbone, **self.arguments)
        self.backbone.classify = nn.Identity()
        self.taps, channels, sides = find_taps(self.backbone, input_size)
        self.regression = RegressionHead(channels, sides[-1]) if read_out != "heatmap" else None
        self.heatmap = HeatmapHead(channels) if read_out != "regression" else None

    def forward(self, images: paddle.Tensor) -> Any:
        """Return the points: images float32 [N, 1, S, S], normalized by images.normalize."""
        return self.read(self.features(images)[0])

    def read(self, features: Sequence[paddle.Tensor]) -> Any:
        """Return what `forward` does, of the feature maps."""
        found = {}
        if self.regression is not None:
            found["regression"] = self.regression(features)
        if self.heatmap is not None:
            maps = self.heatmap(features)
            found["heatmap"] = soft_argmax(maps)
        if not self.training:
            return sum(found.values()) / len(found)
        return found | ({"maps": maps} if self.heatmap is not None else {})

    def features(self, images: paddle.Tensor) -> tuple[list[paddle.Tensor], paddle.Tensor]:
        """Return the three feature maps that the heads read, the largest first, and the backbone's last."""
        found = []
        for number, step in enumerate(self.backbone.steps()):
            images = step(images)
            if number in self.taps:
                found.append(images)
        return found, images


def find_taps(backbone: paddle.nn.Layer, input_size: int) -> tuple[list[int], list[int], list[int]]:
    """Find the last step of a backbone at 1/4, 1/8 and 1/16 of the image: numbers, channels and sides of the maps."""
    image = paddle.zeros([1, 1, input_size, input_size])
    last: dict[int, tuple[int, int]] = {}
    with paddle.no_grad(), evaluating(backbone):
        for number, step in enumerate(backbone.steps()):
            image = step(image)
            last[image.shape[2]] = number, image.shape[1]
    sides = [-(-input_size // stride) for stride in (4, 8, 16)]
    if missing := [side for side in sides if side not in last]:
        raise ValueError(f"expected a backbone with maps of {sides} px for {input_size} px, it has none of {missing}")
    return [last[side][0] for side in sides], [last[side][1] for side in sides], sides


def mean_face() -> np.ndarray:
    """Return the points of a mean face as ratios of a crop's sides, float32 [68, 2]."""
    low, high = TEMPLATE.min(0), TEMPLATE.max(0)
    # The crop is 1.6 times the height of the points; they lie in its middle, and lower than that by a twelfth.
    return ((TEMPLATE - (low + high) / 2) / (1.6 * (high[1] - low[1])) + (0.5, 0.58)).astype(np.float32)
