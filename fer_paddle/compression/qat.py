"""Quantization-aware training (QAT) by PaddleSlim: every step computes with rounded numbers.

The gradient passes through the rounding as if it were not there (straight-through estimator), so the weights settle
where rounding costs least.

Source: paddleslim.dygraph.quant.QAT, PaddleSlim 2.6.0; Jacob et al. 2018, arXiv:1712.05877, section 3.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle.compression.paddle_program import save_program
from fer_paddle.compression.slim import slim
from fer_paddle.environment import paddle

CONFIG = {
    "weight_quantize_type": "channel_wise_abs_max",
    "activation_quantize_type": "moving_average_abs_max",
    "quantizable_layer_type": ["Conv2D", "Linear"],
    "onnx_format": True,
}


def prepare_qat(network: paddle.nn.Layer, keep_float: Sequence[str] = ()) -> paddle.nn.Layer:
    """Put fake quantization around the convolutions and linear layers of a network, but those of `keep_float`."""
    layers = dict(network.named_sublayers())
    if unknown := sorted(set(keep_float) - layers.keys()):
        raise ValueError(f"expected layers of {type(network).__name__} to keep in float, got {', '.join(unknown)}")
    if any("Quant" in type(layer).__name__ for layer in layers.values()):
        raise ValueError(f"expected a float {type(network).__name__}, got one with fake quantization in it")
    for name in keep_float:
        layers[name].skip_quant = True
    with slim():
        _slim_qat().quantize(network, inplace=True)
    return network


@paddle.no_grad()
def observe(network: paddle.nn.Layer, batches: Iterable[np.ndarray]) -> None:
    """Show calibration batches to a prepared network for its activation ranges; running means stay as they are."""
    norms = (paddle.nn.BatchNorm2D, paddle.nn.BatchNorm1D)
    was_training = network.training
    network.train()
    for layer in network.sublayers():
        if isinstance(layer, norms):
            layer.eval()
    for batch in batches:
        network(paddle.to_tensor(batch))
    network.train() if was_training else network.eval()


def save_qat(network: paddle.nn.Layer, folder: str | os.PathLike[str], input_shape: Sequence[int | None]) -> Path:
    """Write a network after QAT as a Paddle program with int8 weights; arguments as paddle_program.save_program."""
    with slim(), paddle.static.scope_guard(paddle.static.Scope()):
        save_program(network, folder, input_shape, _slim_qat().save_quantized_model)
    if hasattr(network.forward, "rollback"):
        network.forward.rollback()  # to_static has replaced it, and Paddle 3 would go on with the old program
    return Path(folder)


def _slim_qat() -> Any:
    from paddleslim.dygraph.quant import QAT

    return QAT(config=dict(CONFIG))
