"""Losses of points and heatmaps.

Sources: Feng et al. 2018, "Wing Loss", arXiv:1711.06753, equation 5; Wang et al. 2019, "Adaptive Wing Loss",
arXiv:1904.07399, equation 4; Girshick 2015, arXiv:1504.08083 (smooth L1).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from fer_paddle.environment import paddle
from fer_paddle.landmarks.heatmaps import draw_heatmaps

functional = paddle.nn.functional
SIGMA = 0.05  # of the Gaussians that heatmaps learn, as a ratio of the crop's side


def l1(errors: paddle.Tensor) -> paddle.Tensor:
    """Return |e| of each error."""
    return errors.abs()


def l2(errors: paddle.Tensor) -> paddle.Tensor:
    """Return e^2 / 2 of each error."""
    return errors**2 / 2


def smooth_l1(errors: paddle.Tensor) -> paddle.Tensor:
    """Return e^2 / 2 below 1 px, |e| - 1/2 above."""
    size = errors.abs()
    return paddle.where(size < 1, size**2 / 2, size - 0.5)


def wing(errors: paddle.Tensor, width: float = 10.0, epsilon: float = 2.0) -> paddle.Tensor:
    """Return w ln(1 + |e| / epsilon) below w px, |e| - C above, C = w (1 - ln(1 + w / epsilon)).

    Its gradient is w / (epsilon + |e|): a small error counts more than under L1 (1) and L2 (|e|), which leaves the last
    pixel to large errors.
    """
    size = errors.abs()
    offset = width * (1 - math.log1p(width / epsilon))
    return paddle.where(size < width, width * paddle.log1p(size / epsilon), size - offset)


def adaptive_wing(errors: paddle.Tensor, targets: paddle.Tensor) -> paddle.Tensor:
    """Return the adaptive wing loss of the pixels of heatmaps with targets in 0..1.

    omega ln(1 + |e / epsilon|^(alpha - y)) below theta, a straight line above. On the background, y = 0, it is like
    L2, and on a point, y = 1, like wing.
    """
    omega, epsilon, alpha, theta = 14.0, 1.0, 2.1, 0.5  # of the paper
    size, power = errors.abs(), alpha - targets
    ratio = theta / epsilon
    slope = omega / (1 + ratio**power) * power * ratio ** (power - 1) / epsilon
    offset = theta * slope - omega * paddle.log1p(ratio**power)
    # The gradient of size ** power at 0 is 0 for a power above 1; the sum keeps Paddle from 0 * infinity.
    inner = omega * paddle.log1p(((size + 1e-6) / epsilon) ** power)
    return paddle.where(size < theta, inner, slope * size - offset)


LOSSES: dict[str, Callable[[paddle.Tensor], paddle.Tensor]] = {"l1": l1, "l2": l2, "smooth_l1": smooth_l1, "wing": wing}


class LandmarkLoss:
    """The mean loss of the points in pixels of the crop; a term for each head of the network.

    `maps_weight` is that of the adaptive wing loss of the heatmaps themselves, with targets of deviation SIGMA.
    """

    def __init__(self, name: str, input_size: int, maps_weight: float = 0.0):
        if name not in LOSSES:
            raise ValueError(f"expected a loss of {', '.join(LOSSES)}, got {name!r}")
        if maps_weight < 0:
            raise ValueError(f"expected a maps_weight of 0 or more, got {maps_weight}")
        self.loss, self.input_size, self.maps_weight = LOSSES[name], input_size, maps_weight

    def __call__(self, outputs: Any, points_norm: paddle.Tensor) -> dict[str, paddle.Tensor]:
        """Return the terms by name, outputs as LandmarkNetwork's, points [N, 68, 2] as ratios of the crop's sides."""
        heads = outputs if isinstance(outputs, Mapping) else {"points": outputs}
        terms = {
            name: self.loss((points - points_norm) * self.input_size).mean()
            for name, points in heads.items()
            if name != "maps"
        }
        if self.maps_weight and "maps" in heads:
            maps = functional.sigmoid(heads["maps"].flatten(2))
            height, width = heads["maps"].shape[2:]
            targets = draw_heatmaps(points_norm, height, width, SIGMA)
            terms["maps"] = self.maps_weight * adaptive_wing(maps - targets, targets).mean()
        return terms
