"""Post-training quantization by PaddleSlim, from a few calibration images or none.

Source: paddleslim.quant, PaddleSlim 2.6.0; Krishnamoorthi 2018, arXiv:1806.08342, section 3.1.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fer_paddle.compression.activation_ranges import ALGORITHMS, check_batches
from fer_paddle.compression.paddle_program import MODEL, PARAMS, check_program, static_mode, writing
from fer_paddle.compression.slim import slim
from fer_paddle.environment import paddle, quiet

_READ = {"model_filename": MODEL, "params_filename": PARAMS}
_WRITTEN = {f"save_{name}": value for name, value in _READ.items()}
QUANTIZED = ("conv2d", "depthwise_conv2d", "mul", "matmul", "matmul_v2")


def quantize_static(
    source: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    batches: Sequence[np.ndarray],
    algorithm: str = "hist",
    keep_last: bool = False,
) -> Path:
    """Quantize weights and activations of a program (`quant_post_static`), and return the folder of the result.

    `algorithm`, of activation_ranges.ALGORITHMS, is for the activations (KL takes about a second each); weights always
    go by the largest absolute value of each channel. `batches` are images as the network gets them, all of one size.
    """
    if algorithm not in ALGORITHMS:
        raise ValueError(f"expected an algorithm of {', '.join(ALGORITHMS)}, got {algorithm!r}")
    check_batches(batches)
    source, folder = check_program(source), Path(folder)
    with slim(), static_mode() as executor, writing(folder) as aside, quiet():
        from paddleslim.quant import quant_post_static

        shape = [None, *batches[0].shape[1:]]
        program, (name,), outputs = _load(source, executor)
        inputs = [paddle.static.data(name, shape, "float32")]
        images = [(image,) for batch in batches for image in batch]
        size = len(batches[0])
        loader = paddle.io.DataLoader(images, inputs, executor.place, return_list=False, batch_size=size)
        quant_post_static(
            executor,
            str(source),
            str(aside),
            data_loader=loader,
            **_READ,
            **_WRITTEN,
            algo=algorithm,
            quantizable_op_type=list(QUANTIZED),
            optimize_model=True,  # batch normalizations are folded into the convolutions before them
            skip_tensor_list=last_inputs(program, outputs) if keep_last else None,
            scope=paddle.static.global_scope(),
        )
    return folder


def quantize_weights(source: str | os.PathLike[str], folder: str | os.PathLike[str], simulated: bool = False) -> Path:
    """Quantize the weights of a program alone, without images (`quant_post_dynamic`), and return the folder.

    The result stores int8 and its scales for Paddle Lite. Paddle Inference 2.6.2 takes the integers for real numbers:
    measure the `simulated` program, which has the weights after their round trip in float32.
    """
    source, folder = check_program(source), Path(folder)
    with slim(), static_mode(), writing(folder) as aside, quiet():
        from paddleslim.quant import quant_post_dynamic

        quant_post_dynamic(str(source), str(aside), **_READ, **_WRITTEN, generate_test_model=simulated)
        if simulated:  # then both kinds are written
            shutil.rmtree(aside / "quantized_model")
    return folder


def read_scales(folder: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Read the thresholds that stand for 127 in a quantized program: name -> float32 [1], or [C] of a weight."""
    return {name.removesuffix("@scale"): array for name, array in _read(folder).items() if name.endswith("@scale")}


def read_int8_weights(folder: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Read the weights that a quantized program stores as int8, by name."""
    return {name: array for name, array in _read(folder).items() if array.dtype == np.int8}


def last_inputs(program: paddle.static.Program, outputs: Sequence[paddle.static.Variable]) -> list[str]:
    """Return the activations that the last convolution or matrix product before each output of a program reads."""
    block = program.global_block()
    makers = {name: op for op in block.ops if op.type not in ("feed", "fetch") for name in op.output_arg_names}
    found = []
    for output in outputs:
        op = makers.get(output.name)
        while op is not None and op.type not in QUANTIZED:
            op = next((makers[name] for name in op.input_arg_names if name in makers), None)
        if op is not None:
            found += [name for name in op.input_arg_names if not block.var(name).persistable]
    return found


def _read(folder: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Read every constant of a program by its name."""
    folder = check_program(folder)
    with static_mode() as executor, quiet():
        program, _, _ = _load(folder, executor)
        scope = paddle.static.global_scope()
        names = [var.name for var in program.list_vars() if var.persistable and var.name not in ("feed", "fetch")]
        return {name: np.array(scope.find_var(name).get_tensor()) for name in names}


def _load(folder: Path, executor: paddle.static.Executor) -> tuple:
    return paddle.static.load_inference_model(str(folder), executor, **_READ)
