"""Unstructured magnitude pruning, the contrast to filter pruning: single weights become zero, every shape stays.

PaddleSlim's UnstructuredPruner chooses the same weights (the tests compare them), but it prints a line for each
parameter and leaves hooks and mask buffers in the network.

Source: Han et al. 2015, arXiv:1506.02626; Zhu and Gupta 2017, arXiv:1710.01878.
"""

from __future__ import annotations

import numpy as np

from fer_paddle.environment import paddle
from fer_paddle.training.run import Callback, Run


def magnitude_masks(network: paddle.nn.Layer, ratio: float) -> dict[str, np.ndarray]:
    """Mark the weights that stay when a ratio (0 to below 1) of all convolutions and linear layers together goes.

    The smallest go; biases and batch normalization stay. Returns float32 masks of ones and zeros by parameter.
    """
    if not 0 <= ratio < 1:
        raise ValueError(f"expected a ratio of the weights in [0, 1), got {ratio}")
    weights = {name: weight.numpy() for name, weight in network.named_parameters() if weight.ndim > 1}
    sizes = np.sort(np.concatenate([np.abs(weight).ravel() for weight in weights.values()]))
    gone = round(ratio * len(sizes))
    threshold = sizes[gone] if gone else 0.0  # the smallest weight that stays
    return {name: (np.abs(weight) >= threshold).astype(np.float32) for name, weight in weights.items()}


def apply_masks(network: paddle.nn.Layer, masks: dict[str, np.ndarray]) -> None:
    """Set the weights that the masks mark with zero to zero, in place."""
    parameters = dict(network.named_parameters())
    for name, mask in masks.items():
        parameters[name].set_value(parameters[name].numpy() * mask)


def zero_ratio(network: paddle.nn.Layer) -> float:
    """Return the ratio of the weights of convolutions and linear layers that are zero, 0 to 1."""
    weights = [weight.numpy() for weight in network.parameters() if weight.ndim > 1]
    return 1 - sum(map(np.count_nonzero, weights)) / sum(weight.size for weight in weights)


class KeepZeros(Callback):
    """Set the masked weights of a network back to zero after each step of its training."""

    def __init__(self, network: paddle.nn.Layer, masks: dict[str, np.ndarray]):
        parameters = dict(network.named_parameters())
        self._masked = [(parameters[name], paddle.to_tensor(mask)) for name, mask in masks.items()]

    @paddle.no_grad()
    def on_step_end(self, run: Run) -> None:
        """Called after each optimizer step."""
        for parameter, mask in self._masked:
            parameter.set_value(parameter * mask)
