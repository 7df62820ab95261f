"""Averages of a network's weights over the steps of a run: exponential (EMA) and equal (SWA).

Sources: Polyak and Juditsky 1992; EMA with batch normalization as in Tarvainen and Valpola 2017, arXiv:1703.01780; SWA
from Izmailov et al. 2018, arXiv:1803.05407.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from fer_paddle.environment import paddle
from fer_paddle.training.config import FitConfig


class EMA:
    """Exponential moving average: decay * average + (1 - decay) * weights of every parameter and float buffer.

    It starts as the weights. Early on the decay is (1 + t) / (10 + t) where that is smaller, so that the random start
    is forgotten; 0.999 averages over about the last thousand steps.
    """

    def __init__(self, model: paddle.nn.Layer, decay: float):
        if not 0 <= decay < 1:
            raise ValueError(f"expected a decay in [0, 1), got {decay}")
        self.decay = decay
        self._state = {name: tensor for name, tensor in model.state_dict().items() if tensor.is_floating_point()}
        # One flat vector: an update by tensor would cost DistResNet three operations for each of 317 tensors.
        self._flat = self._flatten()

    @paddle.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after the optimizer's step number `step`, counted from 0."""
        decay = min(self.decay, (1 + step) / (10 + step))
        self._flat.add_((self._flatten() - self._flat) * (1 - decay))

    def arrays(self) -> dict[str, np.ndarray]:
        """Copy the average to NumPy, by the names of the model's `state_dict`."""
        ends = np.cumsum([tensor.size for tensor in self._state.values()])
        parts = np.split(self._flat.numpy(), ends[:-1])
        return {name: part.reshape(tensor.shape) for (name, tensor), part in zip(self._state.items(), parts)}

    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Set the average to what `arrays` gave; other names or shapes raise ValueError."""
        expected = {name: tuple(tensor.shape) for name, tensor in self._state.items()}
        if {name: array.shape for name, array in arrays.items()} != expected:
            raise ValueError("expected the moving average of this network's weights, got one of other names or shapes")
        self._flat = paddle.to_tensor(np.concatenate([arrays[name].ravel() for name in self._state]))

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Put the average into the network for a `with` block."""
        kept = {name: tensor.numpy().copy() for name, tensor in self._state.items()}
        try:
            self._set(self.arrays())
            yield
        finally:
            self._set(kept)

    def _flatten(self) -> paddle.Tensor:
        """Copy the weights as one vector."""
        return paddle.concat([tensor.detach().reshape([-1]) for tensor in self._state.values()])

    def _set(self, arrays: Mapping[str, np.ndarray]) -> None:
        for name, tensor in self._state.items():
            tensor.set_value(arrays[name])


class SWA(EMA):
    """Stochastic weight averaging: the equal mean of the weights at the ends of the epochs, from `first_epoch` on.

    Epochs are counted from 0; before the first, the average is the weights. The running statistics are averaged too;
    those of the averaged network differ a little: see `compression.prune.recalibrate_norms`.
    """

    def __init__(self, model: paddle.nn.Layer, first_epoch: int, steps_per_epoch: int):
        super().__init__(model, 0.0)
        self.first_epoch, self.steps_per_epoch = first_epoch, steps_per_epoch

    @paddle.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights where step number `step`, counted from 0, was the last of an epoch."""
        epochs, rest = divmod(step + 1, self.steps_per_epoch)
        if rest:
            return
        taken = epochs - self.first_epoch
        if taken <= 1:
            self._flat = self._flatten()
        else:
            self._flat.add_((self._flatten() - self._flat) / taken)


def make_average(model: paddle.nn.Layer, config: FitConfig, steps_per_epoch: int) -> EMA | None:
    """Make the average that a configuration asks for; None where it asks for none."""
    if config.swa_start is not None:
        return SWA(model, config.swa_start, steps_per_epoch)
    return None if config.ema_decay is None else EMA(model, config.ema_decay)
