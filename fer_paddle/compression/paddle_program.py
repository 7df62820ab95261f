"""Paddle programs on disk, which PaddleSlim's quantization reads and writes.

A folder holds the graph, `model.pdmodel`, and its numbers, `model.pdiparams`; both are plain data.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import onnx

from fer_paddle.deployment.onnx_graph import add_metadata, compact, drop_gray_rounding, drop_idle_rounding
from fer_paddle.deployment.runtimes.model_files import check_file
from fer_paddle.environment import old_ir, paddle, quiet
from fer_paddle.files import temporary_folder

MODEL, PARAMS = "model.pdmodel", "model.pdiparams"
OPSET = 13


def save_program(
    network: paddle.nn.Layer,
    folder: str | os.PathLike[str],
    input_shape: Sequence[int | None],
    save: Callable[..., None] = paddle.jit.save,
) -> Path:
    """Write a network, put into eval mode, as a Paddle program and return the folder.

    `input_shape` is [N, C, H, W] with None for a free axis; `save` writes the program as paddle.jit.save does.
    """
    network.eval()
    spec = paddle.static.InputSpec([*input_shape], "float32", "images")
    with writing(folder) as aside, old_ir(), quiet():
        save(network, str(aside / "model"), input_spec=[spec])
    return Path(folder)


def program_bytes(folder: str | os.PathLike[str]) -> int:
    """Return the size of graph and parameters together."""
    return sum((Path(folder) / name).stat().st_size for name in (MODEL, PARAMS))


def check_program(folder: str | os.PathLike[str]) -> Path:
    """Check that a folder holds both files of a program, neither empty nor a pickle, and return it."""
    for name in (MODEL, PARAMS):
        check_file(Path(folder, name), [Path(name).suffix], "paddle")
    return Path(folder)


def program_to_onnx(
    folder: str | os.PathLike[str],
    path: str | os.PathLike[str],
    metadata: Mapping[str, str] | None = None,
    round_outputs: bool = True,
) -> Path:
    """Write a program as ONNX, the weights of a quantized one as int8, and return the path.

    `round_outputs` keeps the rounding of outputs that paddle2onnx adds, see drop_idle_rounding; not wanted after QAT.
    """
    import paddle2onnx

    folder, path = check_program(folder), Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with temporary_folder(path) as aside, quiet():
        written = aside / "network.onnx"
        paddle2onnx.export(
            str(folder / MODEL),
            str(folder / PARAMS),
            str(written),
            opset_version=OPSET,
            verbose=False,
            deploy_backend="onnxruntime",
            calibration_file=str(aside / "scales.txt"),
        )
        model = compact(onnx.load(written))
        if not round_outputs:
            drop_idle_rounding(model)
            model = compact(model)
        drop_gray_rounding(model)
        add_metadata(model, metadata or {})
        onnx.save(model, written)
        os.replace(written, path)
    return path


@contextmanager
def writing(folder: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary folder for one program; its two files move from there, or below, to `folder` at the end."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with temporary_folder(folder / "program") as aside:
        yield aside
        for name in (PARAMS, MODEL):
            (written,) = aside.rglob(name)
            os.replace(written, folder / name)


@contextmanager
def static_mode() -> Iterator[paddle.static.Executor]:
    """Switch to Paddle's static mode with a scope of its own, and yield an executor on the CPU."""
    was_dynamic = paddle.in_dynamic_mode()
    with old_ir():
        paddle.enable_static()
        try:
            programs = paddle.static.Program(), paddle.static.Program()
            with paddle.static.scope_guard(paddle.static.Scope()), paddle.static.program_guard(*programs):
                yield paddle.static.Executor(paddle.CPUPlace())
        finally:
            if was_dynamic:
                paddle.disable_static()
