"""Data-parallel training over processes, with the result of one process at the same global batch.

Started by `python -m paddle.distributed.launch --nproc_per_node 2 --backend gloo script.py`. Gradients are averaged
over the processes, and batch normalisation takes its statistics over the global batch. Paddle's own SyncBatchNorm
has no CPU kernel, so the layer is written here. All processes must bring batches of equal size to a step.

Source: Ioffe and Szegedy 2015, arXiv:1502.03167, the backward pass of section 3; the variance of joined parts is
Chan et al. 1983, "Algorithms for Computing the Sample Variance", equation 1.5b.
"""

from __future__ import annotations

import os

import numpy as np

from fer_paddle.environment import paddle
from fer_paddle.training.means import Means


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

    Raises:
        ValueError: A layer normalises over the batch and is no plain BatchNorm2D, which alone can be made global.
    """
    if world() == 1:
        return model
    for tensor in model.state_dict().values():
        paddle.distributed.broadcast(tensor, src=0)
    for name, layer in model.named_sublayers(include_self=True):
        if type(layer) is paddle.nn.BatchNorm2D and layer._data_format == "NCHW":
            layer.__class__ = GlobalBatchNorm2D
        elif isinstance(layer, (paddle.nn.BatchNorm, paddle.nn.layer.norm._BatchNormBase)):
            raise ValueError(
                f"expected BatchNorm2D (NCHW) in a network for several processes, got {type(layer).__name__} at {name!r}"
            )
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
    """Adds the totals and weights of running means over the processes; each must bring the same names."""
    if world() == 1 or not means.state:
        return means
    names = sorted(means.state)
    totals = paddle.to_tensor(np.array([means.state[name] for name in names], np.float64))
    paddle.distributed.all_reduce(totals)
    return Means(dict(zip(names, totals.numpy().tolist())))


def any_process(flag: bool) -> bool:
    """Tells every process whether the flag is set in one of them; all must call it."""
    if world() == 1:
        return flag
    flags = paddle.to_tensor([float(flag)])
    paddle.distributed.all_reduce(flags)
    return bool(flags.item())


class _GlobalNormalize(paddle.autograd.PyLayer):
    """x -> (x - mean) / sqrt(var + eps) with mean and variance over all processes; float32 [N, C, H, W]."""

    @staticmethod
    def forward(ctx, features, epsilon):
        axes = [0, 2, 3]
        moments = paddle.stack([features.mean(axes), features.var(axes, unbiased=False)])  # [2, C]
        parts: list[paddle.Tensor] = []
        paddle.distributed.all_gather(parts, moments)
        means, variances = paddle.stack(parts, axis=1)  # each [world, C]
        mean = means.mean(0)
        variance = variances.mean(0) + ((means - mean) ** 2).mean(0)
        inverse_std = paddle.rsqrt(variance + epsilon)
        normalized = (features - mean.reshape([1, -1, 1, 1])) * inverse_std.reshape([1, -1, 1, 1])
        ctx.save_for_backward(normalized, inverse_std)
        ctx.count = features.size // features.shape[1] * world()
        return normalized, mean, variance

    @staticmethod
    def backward(ctx, gradient, _mean_gradient, _variance_gradient):
        normalized, inverse_std = ctx.saved_tensor()
        sums = paddle.stack([gradient.sum([0, 2, 3]), (gradient * normalized).sum([0, 2, 3])])
        paddle.distributed.all_reduce(sums)
        mean_gradient, mean_product = (part.reshape([1, -1, 1, 1]) for part in sums / ctx.count)
        return (gradient - mean_gradient - normalized * mean_product) * inverse_std.reshape([1, -1, 1, 1])


class GlobalBatchNorm2D(paddle.nn.BatchNorm2D):
    """Batch normalisation over the global batch of all processes; in eval mode the plain layer.

    The running variance takes in the biased variance, as Paddle's layer does on a CPU.
    """

    def forward(self, features: paddle.Tensor) -> paddle.Tensor:
        """float32 [N, C, H, W] -> the same shape, normalised by channel, scaled and shifted."""
        if not self.training or self._use_global_stats:
            return super().forward(features)
        normalized, mean, variance = _GlobalNormalize.apply(features, self._epsilon)
        with paddle.no_grad():
            self._mean.set_value(self._momentum * self._mean + (1 - self._momentum) * mean)
            self._variance.set_value(self._momentum * self._variance + (1 - self._momentum) * variance)
        if self.weight is not None:
            normalized = normalized * self.weight.reshape([1, -1, 1, 1])
        return normalized if self.bias is None else normalized + self.bias.reshape([1, -1, 1, 1])
