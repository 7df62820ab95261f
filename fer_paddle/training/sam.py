"""Sharpness-aware minimization: the gradient at the worst point within a radius, for a flat minimum.

Source: Foret et al. 2021, arXiv:2010.01412, equation 2 and algorithm 1; as there, each process moves along the gradient
of its own part of a batch (m-sharpness).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fer_paddle.environment import paddle


@contextmanager
def sam_ascent(model: paddle.nn.Layer, radius: float) -> Iterator[None]:
    """Move the weights up along their gradients by `radius` in all, and clear these, for a `with` block.

    At its end weights and running statistics are as before, bit for bit; the gradients are those of the block.
    """
    with paddle.no_grad():
        moved = [parameter for parameter in model.parameters() if parameter.grad is not None]
        kept = [(tensor, tensor.clone()) for tensor in model.state_dict().values()]
        norm = paddle.sqrt(sum((parameter.grad**2).sum() for parameter in moved))
        for parameter in moved:
            parameter.add_(parameter.grad * (radius / norm.clip(1e-12)))
            parameter.clear_grad()
    try:
        yield
    finally:
        with paddle.no_grad():
            for tensor, value in kept:
                paddle.assign(value, tensor)
