"""Zero-cost proxies: what an untrained network and one batch say of its accuracy; and how well ranks agree.

Source: Abdelfattah et al. 2021, arXiv:2101.08134 (norm of the gradient, SynFlow); Mellor et al. 2021, arXiv:2006.04647
(NASWOT).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from fer_paddle.environment import paddle
from fer_paddle.models.network import evaluating, hooked

nn = paddle.nn
_ACTIVATIONS = (nn.ReLU, nn.ELU, nn.Hardswish)


def grad_norm(network: paddle.nn.Layer, images: paddle.Tensor, labels: paddle.Tensor) -> float:
    """Return the L2 norm of the gradient of the cross-entropy: images [N, C, H, W], labels int64 [N]."""
    nn.functional.cross_entropy(network(images), labels).backward()
    weights = [weight for weight in network.parameters() if weight.grad is not None]
    squares = sum(float((weight.grad**2).sum()) for weight in weights)
    network.clear_gradients()
    return squares**0.5


def synflow(network: paddle.nn.Layer, input_shape: Sequence[int]) -> float:
    """Return log10 of the sum of weight times gradient, with absolute weights and an image of ones [C, H, W].

    Source: Tanaka et al. 2020, arXiv:2006.05467, section 6; batch normalization passes its input on.
    """
    weights = [weight for weight in network.parameters() if not weight.stop_gradient]
    kept = [weight.clone() for weight in weights]
    try:
        with evaluating(network):
            with paddle.no_grad():
                for weight in weights:
                    paddle.assign(weight.abs(), weight)
            network(paddle.ones([1, *input_shape])).sum().backward()
            flow = sum(float((weight * weight.grad).sum()) for weight in weights if weight.grad is not None)
    finally:
        network.clear_gradients()
        with paddle.no_grad():
            for weight, before in zip(weights, kept):
                paddle.assign(before, weight)
    return float(np.log10(flow))


def naswot(network: paddle.nn.Layer, images: paddle.Tensor) -> float:
    """Return the log determinant of how many activations are on or off alike for each two images [N, C, H, W]."""
    layers = {name: layer for name, layer in network.named_sublayers() if isinstance(layer, _ACTIVATIONS)}
    alike = np.zeros((len(images), len(images)))

    def count(name: str, layer: Any, inputs: Any, outputs: paddle.Tensor) -> None:
        on = (outputs > 0).flatten(1).astype("float32").numpy()
        alike[:] += on @ on.T + (1 - on) @ (1 - on).T

    with paddle.no_grad(), hooked(layers, count):
        network(images)
    return float(np.linalg.slogdet(alike)[1])


def rank_correlation(scores: Sequence[float], others: Sequence[float]) -> float:
    """Return Spearman's rank correlation, -1 to 1; ValueError where it says nothing: of equal or single scores, NaN."""
    if len(scores) != len(others) or len(scores) < 2:
        raise ValueError(f"expected two lists of one length of 2 or more, got {len(scores)} and {len(others)}")
    if not (np.ptp(scores) > 0 and np.ptp(others) > 0):  # False for NaN
        raise ValueError(f"expected finite scores that differ, got {list(scores)} and {list(others)}")
    return float(spearmanr(scores, others).statistic)
