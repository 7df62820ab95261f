"""Data-parallel training over processes, with the result of one process at the same global batch.

Started by `python -m paddle.distributed.launch --nproc_per_node 2 --backend gloo ...`. Gradients are averaged over
the processes, and batch normalisation takes its statistics over the global batch. Paddle's own SyncBatchNorm has no
CPU kernel, so the layer is written here.

Source: Ioffe and Szegedy 2015, arXiv:1502.03167, the backward pass of section 3.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from fer_paddle.environment import paddle

if TYPE_CHECKING:
    from fer_paddle.training.loop import Means


def rank() -> int:
    """Number of this process, 0 without a launcher."""
    return int(os.environ.get("PADDLE_TRAINER_ID", "0"))


def world() -> int:
    """Number of processes, 1 without a launcher."""
    return int(os.environ.get("PADDLE_TRAINERS_NUM", "1"))


def start() -> None:
    """Joins the group of processes; does nothing in a single process."""
    if world() > 1 and not paddle.distributed.is_initialized():
        paddle.distributed.init_parallel_env()


def prepare_model(model: paddle.nn.Layer) -> paddle.nn.Layer:
    """Gives every process the weights of process 0 and makes batch normalisation global, in place.

    Returns:
        The same model, unchanged in a single process.
    """
    if world() == 1:
        return model
    for tensor in model.state_dict().values():
        paddle.distributed.broadcast(tensor, src=0)
    for layer in model.sublayers(include_self=True):
        if type(layer) is paddle.nn.BatchNorm2D:
            layer.__class__ = GlobalBatchNorm2D
    return model


def average_gradients(model: paddle.nn.Layer) -> None:
    """Replaces every gradient by its mean over the processes, in one exchange."""
    if world() == 1:
        return
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    flat = paddle.concat([gradient.reshape([-1]) for gradient in gradients])
    paddle.distributed.all_reduce(flat)
    parts = paddle.split(flat / world(), [gradient.size for gradient in gradients])
    for gradient, part in zip(gradients, parts):
        gradient.set_value(part.reshape(gradient.shape))


def sum_means(means: Means) -> Means:
    """Adds the totals and weights of running means over the processes."""
    if world() == 1 or not means.state:
        return means
    names = sorted(means.state)
    totals = paddle.to_tensor(np.array([means.state[name] for name in names], np.float64))
    paddle.distributed.all_reduce(totals)
    return type(means)({name: pair for name, pair in zip(names, totals.numpy().tolist())})


class _GlobalNormalize(paddle.autograd.PyLayer):
    """x -> (x - mean) / sqrt(var + eps) with mean and variance over all processes; float32 [N, C, H, W]."""

    @staticmethod
    def forward(ctx, features, epsilon):
        sums = paddle.concat([features.sum([0, 2, 3]), (features * features).sum([0, 2, 3])])
        paddle.distributed.all_reduce(sums)
        count = features.size // features.shape[1] * world()
        mean, mean_square = paddle.split(sums / count, 2)
        variance = mean_square - mean * mean
        inverse_std = paddle.rsqrt(variance + epsilon)
        normalized = (features - mean.reshape([1, -1, 1, 1])) * inverse_std.reshape([1, -1, 1, 1])
        ctx.save_for_backward(normalized, inverse_std)
        ctx.count = count
        return normalized, mean, variance

    @staticmethod
    def backward(ctx, gradient, _mean_gradient, _variance_gradient):
        normalized, inverse_std = ctx.saved_tensor()
        sums = paddle.concat([gradient.sum([0, 2, 3]), (gradient * normalized).sum([0, 2, 3])])
        paddle.distributed.all_reduce(sums)
        mean_gradient, mean_product = (part.reshape([1, -1, 1, 1]) for part in paddle.split(sums / ctx.count, 2))
        return (gradient - mean_gradient - normalized * mean_product) * inverse_std.reshape([1, -1, 1, 1])


class GlobalBatchNorm2D(paddle.nn.BatchNorm2D):
    """Batch normalisation over the global batch of all processes; in eval mode the plain layer."""

    def forward(self, features: paddle.Tensor) -> paddle.Tensor:
        if not self.training:
            return super().forward(features)
        normalized, mean, variance = _GlobalNormalize.apply(features, self._epsilon)
        with paddle.no_grad():
            self._mean.set_value(self._momentum * self._mean + (1 - self._momentum) * mean)
            self._variance.set_value(self._momentum * self._variance + (1 - self._momentum) * variance)
        return normalized * self.weight.reshape([1, -1, 1, 1]) + self.bias.reshape([1, -1, 1, 1])
