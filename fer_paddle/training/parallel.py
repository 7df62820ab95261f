"""Data-parallel training over processes, with the result of one process at the same global batch.

Started by `python -m paddle.distributed.launch --nproc_per_node 2 --backend gloo script.py`. Gradients are
averaged over the processes, and batch normalisation takes its statistics over the global batch. Paddle's own
SyncBatchNorm has no CPU kernel, so the layer is written here. All processes must bring batches of equal size
to a step. A recipe may let each process normalise over its own share, as Goyal et al. 2017 (arXiv:1706.02677) do:
a third faster, and no longer the result of one process.

Source: Ioffe and Szegedy 2015, arXiv:1502.03167, the backward pass of section 3; Chan et al. 1983,
"Algorithms for Computing the Sample Variance", for the variance of joined parts.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np

from fer_paddle.environment import paddle

functional = paddle.nn.functional


class Means:
    """Weighted running means.

    Args:
        state: Pairs (weighted total, weight) by name, to go on from; None starts empty.
    """

    def __init__(self, state: Mapping[str, Sequence[float]] | None = None):
        self.state = {name: list(pair) for name, pair in (state or {}).items()}

    def add(self, figures: Mapping[str, float], weight: int) -> None:
        """Takes in the means of one batch of `weight` samples."""
        for name, value in figures.items():
            pair = self.state.setdefault(name, [0.0, 0])
            pair[0] += value * weight
            pair[1] += weight

    def result(self) -> dict[str, float]:
        """The means so far, by name."""
        return {name: total / weight for name, (total, weight) in self.state.items()}


def rank() -> int:
    """Number of this process, 0 without a launcher."""
    return int(os.environ.get("PADDLE_TRAINER_ID", "0"))


def world_size() -> int:
    """Number of processes, 1 without a launcher."""
    return int(os.environ.get("PADDLE_TRAINERS_NUM", "1"))


def start() -> None:
    """Joins the group of processes; does nothing in a single process."""
    if world_size() > 1 and not paddle.distributed.is_initialized():
        paddle.distributed.init_parallel_env()


def prepare_model(model: paddle.nn.Layer, global_statistics: bool = True) -> paddle.nn.Layer:
    """Gives every process the weights of process 0 and makes batch normalisation global, in place.

    Args:
        model: The network.
        global_statistics: False leaves batch normalisation over the share of each process; its running
            statistics are then averaged by `average_step`.

    Returns:
        The same model, unchanged in a single process.

    Raises:
        ValueError: A layer normalises over the batch and is no plain BatchNorm2D, which alone can be made
            global.
    """
    if world_size() == 1:
        return model
    for tensor in model.state_dict().values():
        paddle.distributed.broadcast(tensor, src=0)
    if not global_statistics:
        return model
    for name, layer in model.named_sublayers(include_self=True):
        if type(layer) is paddle.nn.BatchNorm2D and layer._data_format == "NCHW":
            layer.__class__ = GlobalBatchNorm2D
        elif isinstance(layer, (paddle.nn.BatchNorm, paddle.nn.layer.norm._BatchNormBase)):
            raise ValueError(
                "expected BatchNorm2D (NCHW) in a network for several processes, "
                f"got {type(layer).__name__} at {name!r}"
            )
    return model


def average_step(model: paddle.nn.Layer) -> None:
    """Replaces gradients, and running statistics that are not global, by their means over the processes."""
    if world_size() == 1:
        return
    tensors = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    for layer in model.sublayers(include_self=True):
        if type(layer) is paddle.nn.BatchNorm2D:
            tensors += [layer._mean, layer._variance]
    flat = paddle.concat([tensor.reshape([-1]) for tensor in tensors])
    paddle.distributed.all_reduce(flat)  # one exchange for all
    parts = paddle.split(flat / world_size(), [tensor.size for tensor in tensors])
    for tensor, part in zip(tensors, parts):
        tensor.set_value(part.reshape(tensor.shape))


def all_reduce_means(means: Means) -> Means:
    """Adds the totals and weights of running means over the processes; each must bring the same names."""
    if world_size() == 1 or not means.state:
        return means
    names = sorted(means.state)
    totals = paddle.to_tensor(np.array([means.state[name] for name in names], np.float64))
    paddle.distributed.all_reduce(totals)
    return Means(dict(zip(names, totals.numpy().tolist())))


def any_rank(flag: bool) -> bool:
    """Tells every process whether the flag is set in one of them; all must call it."""
    if world_size() == 1:
        return flag
    flags = paddle.to_tensor([float(flag)])
    paddle.distributed.all_reduce(flags)
    return bool(flags.item())


class _ThroughStatistics(paddle.autograd.PyLayer):
    """Gives its input back, and adds to the gradient what flows through mean and variance of all processes.

    With the normalised input n and the gradient g that took the statistics for constants, the whole gradient
    is g - mean(g) - n * mean(g * n). Written with Paddle's fused batch normalisation and products with a
    vector of ones: its sums and broadcasts by channel are ten times slower on a CPU.
    """

    @staticmethod
    def forward(ctx, features, mean, variance, epsilon):
        ctx.save_for_backward(features, mean, variance)
        ctx.epsilon = epsilon
        return features.clone()

    @staticmethod
    def backward(ctx, gradient):
        features, mean, variance = ctx.saved_tensor()
        normalized = functional.batch_norm(features, mean, variance, epsilon=ctx.epsilon)
        sums = paddle.stack([_sum_by_channel(gradient * normalized), _sum_by_channel(gradient)])
        paddle.distributed.all_reduce(sums)
        product, plain = sums / (features.size // features.shape[1] * world_size())
        return gradient - functional.batch_norm(features, mean, variance, product, plain, epsilon=ctx.epsilon)


def _sum_by_channel(features: paddle.Tensor) -> paddle.Tensor:
    """float32 [N, C, H, W] -> [C]."""
    rows = features.reshape([features.shape[0] * features.shape[1], -1])
    return paddle.matmul(rows, paddle.ones([rows.shape[1]])).reshape(features.shape[:2]).sum(0)


def _global_moments(features: paddle.Tensor) -> tuple[paddle.Tensor, paddle.Tensor]:
    """Mean and biased variance over all processes of each channel, each float32 [C]."""
    mean, variance = paddle.zeros([features.shape[1]]), paddle.zeros([features.shape[1]])
    # With a momentum of zero the running statistics become those of the input.
    functional.batch_norm(features, mean, variance, training=True, momentum=0.0)
    parts: list[paddle.Tensor] = []
    paddle.distributed.all_gather(parts, paddle.stack([mean, variance]))
    means, variances = paddle.stack(parts, axis=1)  # each [world, C]
    mean = means.mean(0)
    return mean, variances.mean(0) + ((means - mean) ** 2).mean(0)


class GlobalBatchNorm2D(paddle.nn.BatchNorm2D):
    """Batch normalisation over the global batch of all processes; in eval mode the plain layer.

    The running variance takes in the biased variance, as Paddle's layer does on a CPU.
    """

    def forward(self, features: paddle.Tensor) -> paddle.Tensor:
        """float32 [N, C, H, W] -> the same shape, normalised by channel, scaled and shifted."""
        if not self.training or self._use_global_stats:
            return super().forward(features)
        with paddle.no_grad():
            mean, variance = _global_moments(features)
            self._mean.set_value(self._momentum * self._mean + (1 - self._momentum) * mean)
            self._variance.set_value(self._momentum * self._variance + (1 - self._momentum) * variance)
        features = _ThroughStatistics.apply(features, mean, variance, self._epsilon)
        return functional.batch_norm(features, mean, variance, self.weight, self.bias, epsilon=self._epsilon)
