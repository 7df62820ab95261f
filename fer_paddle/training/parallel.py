"""Data-parallel training over processes, each with its part of every global batch.

Started by `python -m paddle.distributed.launch --nproc_per_node 2 script.py`; docs/commands.md says how on several
machines. All processes must bring batches of equal size to a step. Gradients are averaged over the processes, so that
without batch normalization two give what one gives at the same global batch, up to rounding. Batch normalization
differs: on a GPU it becomes `paddle.nn.SyncBatchNorm`, over the global batch; on a CPU, for which Paddle has no such
layer, each process normalizes over its own part (as Goyal et al. 2017, arXiv:1706.02677, do), and the running
statistics are averaged.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fer_paddle.environment import paddle


class Means:
    """Running means of named figures, weighted by samples; `state` has pairs (weighted total, weight) to go on from."""

    def __init__(self, state: Mapping[str, Sequence[float]] | None = None):
        self.state = {name: list(pair) for name, pair in (state or {}).items()}

    def add(self, figures: Mapping[str, float], weight: int) -> None:
        """Take in the means of one batch of `weight` samples."""
        for name, value in figures.items():
            pair = self.state.setdefault(name, [0.0, 0])
            pair[0] += value * weight
            pair[1] += weight

    def result(self) -> dict[str, float]:
        """Return the means so far, by name."""
        return {name: total / weight for name, (total, weight) in self.state.items()}


def rank() -> int:
    """Return the number of this process, 0 without a launcher."""
    return int(os.environ.get("PADDLE_TRAINER_ID", "0"))


def world_size() -> int:
    """Return the number of processes, 1 without a launcher."""
    return int(os.environ.get("PADDLE_TRAINERS_NUM", "1"))


def local_batch(batch_size: int) -> int:
    """Return the part of a global batch for each process; raise ValueError where they cannot share it equally."""
    if batch_size % world_size():
        raise ValueError(f"expected a batch size that {world_size()} processes can share, got {batch_size}")
    return batch_size // world_size()


def start() -> None:
    """Join the group of processes; does nothing in a single process."""
    if world_size() > 1 and not paddle.distributed.is_initialized():
        paddle.distributed.init_parallel_env()


def prepare_model(model: paddle.nn.Layer) -> paddle.nn.Layer:
    """Join the group of processes and give each the weights of the first; returns the model, on a GPU with SyncBN."""
    start()
    if world_size() == 1:
        return model
    for tensor in model.state_dict().values():
        paddle.distributed.broadcast(tensor, src=0)
    if paddle.device.get_device().startswith("gpu"):
        model = paddle.nn.SyncBatchNorm.convert_sync_batchnorm(model)
    return model


def average_step(model: paddle.nn.Layer) -> None:
    """Replace gradients and running statistics by their means over the processes."""
    if world_size() == 1:
        return
    tensors = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    # Paddle keeps running statistics among the parameters.
    tensors += [tensor for name, tensor in model.named_parameters() if name.endswith(("_mean", "_variance"))]
    flat = paddle.concat([tensor.reshape([-1]) for tensor in tensors])
    paddle.distributed.all_reduce(flat)  # one exchange for all
    parts = paddle.split(flat / world_size(), [tensor.size for tensor in tensors])
    for tensor, part in zip(tensors, parts):
        tensor.set_value(part.reshape(tensor.shape))


def all_reduce_means(means: Means) -> Means:
    """Add the totals and weights of running means over the processes; each must bring the same names."""
    if world_size() == 1 or not means.state:
        return means
    names = sorted(means.state)
    totals = paddle.to_tensor(np.array([means.state[name] for name in names], np.float64))
    paddle.distributed.all_reduce(totals)
    return Means(dict(zip(names, totals.numpy().tolist())))


def any_rank(flag: bool) -> bool:
    """Tell every process whether the flag is set in one of them; all must call it."""
    if world_size() == 1:
        return flag
    flags = paddle.to_tensor([float(flag)])
    paddle.distributed.all_reduce(flags)
    return bool(flags.item())


def require_same(state: Any) -> None:
    """Raise ValueError in every process unless all begin with the same JSON values; all must call it."""
    if world_size() == 1:
        return
    digest = int(hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()[:12], 16)  # a float64 holds it
    ends = paddle.to_tensor(np.array([digest, -digest], np.float64))
    paddle.distributed.all_reduce(ends, paddle.distributed.ReduceOp.MAX)
    if float(ends.sum()):
        raise ValueError(
            "expected the same configuration, data and checkpoint in every process, got others: do all machines have "
            "the same data, and the folder of the run on a shared disk?"
        )
