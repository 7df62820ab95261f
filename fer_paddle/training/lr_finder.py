"""The learning-rate range test: which rates a network can train with, in a hundred steps.

Source: Smith 2017, "Cyclical learning rates for training neural networks", arXiv:1506.01186, section 3.3.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from fer_paddle.analysis.plots import figure_of, take_axis
from fer_paddle.environment import paddle
from fer_paddle.training.loop import FitConfig, NonFiniteLoss, fit, total_of
from fer_paddle.weights import load_into, state_arrays

_SMOOTHING = 0.9
_DIVERGED = 2.0  # times the least smoothed loss


class _Diverged(Exception):
    """The loss has grown far beyond its least: higher rates need not be tried."""


@dataclasses.dataclass(frozen=True)
class LRFinderResult:
    """What `find_lr` measured."""

    rates: np.ndarray  # float64 [S], rising
    losses: np.ndarray  # float64 [S], the loss of the batch before the step with each rate
    smoothed: np.ndarray  # float64 [S], their exponential mean, corrected for its start

    @property
    def diverging(self) -> float:
        """The rate with the least smoothed loss: from here on it rises again. A tenth is a good highest rate."""
        return float(self.rates[self.smoothed.argmin()])


def find_lr(
    model: paddle.nn.Layer,
    loss: Callable[[Any, Any], Any],
    batches: Iterable[Any],
    make_optimizer: Callable[[Any], paddle.optimizer.Optimizer],
    lowest: float = 1e-5,
    highest: float = 1.0,
    steps: int = 100,
) -> LRFinderResult:
    """Train with a rate that grows step by step, and put the weights back as they were.

    Args:
        loss: As in loop.fit.
        batches: (inputs, targets), gone through again where they are fewer than `steps`.
        make_optimizer: rate -> a new optimizer over the model, such as `lambda rate: adamw(model, rate, 0.05)`.
        highest: The last rate; the test ends before it where the loss explodes.
        steps: Steps from the lowest rate to it, 10 or more.

    Raises:
        ValueError: The rates do not rise, there are too few steps, or the very first losses are not finite.
    """
    if not 0 < lowest < highest or steps < 10:
        raise ValueError(f"expected 0 < lowest < highest and 10 steps or more, got {lowest}, {highest} and {steps}")
    growth = (highest / lowest) ** (1 / (steps - 1))
    losses: list[float] = []
    smoothed: list[float] = []
    mean = 0.0

    def watched(outputs: Any, targets: Any) -> Any:
        nonlocal mean
        value = loss(outputs, targets)
        now = float(total_of(value))
        if math.isfinite(now):
            mean = _SMOOTHING * mean + (1 - _SMOOTHING) * now
            losses.append(now)
            smoothed.append(mean / (1 - _SMOOTHING ** len(losses)))
            if len(losses) > 5 and smoothed[-1] > _DIVERGED * min(smoothed):
                raise _Diverged
        return value

    kept, was_training = state_arrays(model), model.training
    loader = list(itertools.islice(itertools.cycle(batches), steps))
    rate = paddle.optimizer.lr.LambdaDecay(lowest, lambda step: growth**step)
    try:
        config = FitConfig(1, monitor="train_loss")
        fit(model, watched, {"train": loader}, make_optimizer(rate), config=config)
    except (NonFiniteLoss, _Diverged):
        if len(losses) < 3:
            raise ValueError(f"expected finite losses from the rate {lowest} on, got {losses}") from None
    finally:
        load_into(model, kept)
        model.clear_gradients()
        if not was_training:
            model.eval()
    rates = lowest * growth ** np.arange(len(losses))
    return LRFinderResult(rates, np.array(losses), np.array(smoothed))


def draw_rates(curve: LRFinderResult, axis: Any = None) -> Figure:
    """Draw the losses over the rates on an axis or a new figure, with the least loss and a tenth of its rate marked."""
    axis = take_axis(axis, (6, 4))
    axis.plot(curve.rates, curve.losses, color="tab:blue", alpha=0.3, label="batch")
    axis.plot(curve.rates, curve.smoothed, color="tab:blue", label="smoothed")
    axis.axvline(curve.diverging / 10, color="tab:green", linestyle="--", label=f"a tenth: {curve.diverging / 10:.2g}")
    axis.axvline(curve.diverging, color="tab:red", linestyle=":", label=f"least loss: {curve.diverging:.2g}")
    axis.set(xscale="log", xlabel="learning rate", ylabel="loss", title="learning-rate range test")
    axis.set_ylim(0, 2 * curve.smoothed[0])  # where the loss explodes, its height tells nothing
    axis.grid(alpha=0.3)
    axis.legend()
    return figure_of(axis)
