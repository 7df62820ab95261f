"""AdamW and its schedule as the recipes of both packages use them, counted in steps; and SGD with momentum."""

from __future__ import annotations

import math
from typing import Any

from fer_paddle.environment import paddle


def warm_up(peak: float, epochs: int, warmup_epochs: float, steps_per_epoch: int, cosine: bool = True) -> Any:
    """Makes a learning rate that rises to `peak` in a line, then falls to zero along a half cosine or stays.

    Source: Loshchilov and Hutter 2017, arXiv:1608.03983.

    Returns:
        A Paddle schedule to be advanced every step; `peak` itself where nothing changes it.
    """
    rate: Any = peak
    warmup_steps = math.ceil(warmup_epochs * steps_per_epoch)
    if cosine:
        rate = paddle.optimizer.lr.CosineAnnealingDecay(peak, T_max=max(epochs * steps_per_epoch - warmup_steps, 1))
    if warmup_steps:
        rate = paddle.optimizer.lr.LinearWarmup(rate, warmup_steps, start_lr=0.0, end_lr=peak)
    return rate


def adamw(model: paddle.nn.Layer, rate: Any, weight_decay: float, grad_clip: Any = None) -> paddle.optimizer.AdamW:
    """Makes AdamW over a model; only weights of two axes or more decay, not biases and batch normalisation."""
    matrices = {parameter.name for parameter in model.parameters() if parameter.ndim > 1}
    return paddle.optimizer.AdamW(
        rate,
        parameters=model.parameters(),
        weight_decay=weight_decay,
        apply_decay_param_fun=matrices.__contains__,
        grad_clip=grad_clip,
    )


def momentum(model: paddle.nn.Layer, rate: Any, weight_decay: float) -> paddle.optimizer.Momentum:
    """Makes SGD with Nesterov's momentum 0.9 over a model; the decay is an L2 penalty on all weights."""
    return paddle.optimizer.Momentum(
        rate, momentum=0.9, parameters=model.parameters(), weight_decay=weight_decay or None, use_nesterov=True
    )
