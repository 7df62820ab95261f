"""Averages of a network's weights over the steps of a run: exponential and equal.

Sources: Polyak and Juditsky 1992; the exponential one as used with batch normalisation in Tarvainen and Valpola 2017,
arXiv:1703.01780; the equal one, SWA, from Izmailov et al. 2018, arXiv:1803.05407.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from fer_paddle.environment import paddle
from fer_paddle.training.config import FitConfig


class EMA:
    """Keeps average = decay * average + (1 - decay) * weights over every parameter and float buffer.

    Early on the decay is (1 + t) / (10 + t) where that is smaller, so that the random start is forgotten.

    Args:
        model: The network to follow; the average starts as its weights.
        decay: 0 to below 1; 0.999 averages over about the last thousand steps.

    Raises:
        ValueError: The decay is out of its range.
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
        """Takes in the weights after the optimizer's step number `step`, counted from 0."""
        decay = min(self.decay, (1 + step) / (10 + step))
        self._flat.add_((self._flatten() - self._flat) * (1 - decay))

    def arrays(self) -> dict[str, np.ndarray]:
        """Copies the average to NumPy, by the names of the model's `state_dict`."""
        ends = np.cumsum([tensor.size for tensor in self._state.values()])
        parts = np.split(self._flat.numpy(), ends[:-1])
        return {name: part.reshape(tensor.shape) for (name, tensor), part in zip(self._state.items(), parts)}

    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Sets the average to what `arrays` gave.

        Raises:
            ValueError: A name is missing or too many, or a shape differs.
        """
        expected = {name: tuple(tensor.shape) for name, tensor in self._state.items()}
        if {name: array.shape for name, array in arrays.items()} != expected:
            raise ValueError("expected the moving average of this network's weights, got one of other names or shapes")
        self._flat = paddle.to_tensor(np.concatenate([arrays[name].ravel() for name in self._state]))

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Puts the average into the network for the time of a `with` block."""
        kept = {name: tensor.numpy().copy() for name, tensor in self._state.items()}
        try:
            self._set(self.arrays())
            yield
        finally:
            self._set(kept)

    def _flatten(self) -> paddle.Tensor:
        """The weights as one vector, a copy."""
        return paddle.concat([tensor.detach().reshape([-1]) for tensor in self._state.values()])

    def _set(self, arrays: Mapping[str, np.ndarray]) -> None:
        for name, tensor in self._state.items():
            tensor.set_value(arrays[name])


class SWA(EMA):
    """Keeps the equal mean of the weights at the ends of the epochs from one on (SWA); before it, the weights.

    The running statistics are averaged too. Those of the averaged network itself differ a little: see
    `compression.recalibrate.recalibrate_norms`.

    Args:
        model: The network to follow.
        first_epoch: The first epoch that counts, counted from 0.
        steps_per_epoch: Steps of an epoch.
    """

    def __init__(self, model: paddle.nn.Layer, first_epoch: int, steps_per_epoch: int):
        super().__init__(model, 0.0)
        self.first_epoch, self.steps_per_epoch = first_epoch, steps_per_epoch

    @paddle.no_grad()
    def update(self, step: int) -> None:
        """Takes in the weights where step number `step`, counted from 0, was the last of an epoch."""
        epochs, rest = divmod(step + 1, self.steps_per_epoch)
        if rest:
            return
        taken = epochs - self.first_epoch
        if taken <= 1:
            self._flat = self._flatten()
        else:
            self._flat.add_((self._flatten() - self._flat) / taken)


def make_average(model: paddle.nn.Layer, config: FitConfig, steps_per_epoch: int) -> EMA | None:
    """Makes the average that a configuration asks for; None where it asks for none."""
    if config.swa_start is not None:
        return SWA(model, config.swa_start, steps_per_epoch)
    return None if config.ema_decay is None else EMA(model, config.ema_decay)
