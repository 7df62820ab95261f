"""Exponential moving average of a network's weights.

Source: Polyak and Juditsky 1992; as used with batch normalisation in Tarvainen and Valpola 2017, arXiv:1703.01780.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fer_paddle.environment import paddle


class WeightAverage:
    """Keeps average = decay * average + (1 - decay) * weights over every parameter and float buffer.

    Early on the decay is (1 + t) / (10 + t) where that is smaller, so that the random start is forgotten.

    Args:
        model: The network to follow.
        decay: 0 to below 1; 0.999 averages over about the last thousand steps.
    """

    def __init__(self, model: paddle.nn.Layer, decay: float):
        if not 0 <= decay < 1:
            raise ValueError(f"expected a decay in [0, 1), got {decay}")
        self.model, self.decay = model, decay
        self.tensors = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}

    @paddle.no_grad()
    def update(self, step: int) -> None:
        """Takes in the weights after the optimizer's step number `step`, counted from 0."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, tensor in self.model.state_dict().items():
            average = self.tensors[name]
            average.add_((tensor - average) * (1 - decay))

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Puts the average into the network for the time of a `with` block."""
        state = self.model.state_dict()
        kept = {name: tensor.detach().clone() for name, tensor in state.items()}
        try:
            for name, tensor in state.items():
                tensor.set_value(self.tensors[name])
            yield
        finally:
            for name, tensor in state.items():
                tensor.set_value(kept[name])
