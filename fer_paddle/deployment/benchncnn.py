"""ncnn's own way to time a network on a board, as its program benchncnn takes it.

Source: https://github.com/Tencent/ncnn/tree/master/benchmark, `benchncnn LOOPS THREADS POWERSAVE GPU COOLING ...`.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle.deployment.runtimes.base import import_package
from fer_paddle.deployment.runtimes.model_files import check_file, read_card

WARM_UP = 8  # as benchncnn
COOLING_S = 10
ALL_CORES, LITTLE_CORES, BIG_CORES = POWERSAVES = (0, 1, 2)


def bench(
    model: str | os.PathLike[str],
    width: int,
    height: int,
    loops: int = 4,
    threads: int = 1,
    powersave: int = ALL_CORES,
    gpu: int = -1,
    cooling: bool = False,
) -> dict[str, Any]:
    """Times a network in ncnn on one image of a constant.

    Args:
        model: `.param` with its `.bin` and card, or an `.onnx`.
        width: Of the image.
        height: Of the image.
        loops: Timed runs.
        threads: Threads of one run.
        powersave: 0 all cores, 1 the little ones, 2 the big ones.
        gpu: Number of the Vulkan device, -1 the CPU.
        cooling: Wait COOLING_S seconds before, so that a hot board does not slow down.

    Returns:
        `min_ms`, `max_ms`, `avg_ms`, and what was asked for.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is damaged or cannot be translated, a number is out of range, or the network does not
            take images of this size.
        RuntimeError: ncnn is not installed, or has no such GPU.
    """
    if min(width, height, loops, threads) < 1 or powersave not in POWERSAVES or gpu < -1:
        got = f"{width} {height} {loops} {threads} {powersave} {gpu}"
        raise ValueError(f"expected width, height, loops, threads >= 1, powersave 0 to 2 and gpu >= -1, got {got}")
    ncnn = import_package("ncnn")
    if gpu >= 0 and gpu >= ncnn.get_gpu_count():
        raise RuntimeError(f"expected GPU {gpu} for ncnn, got {ncnn.get_gpu_count()} Vulkan devices")
    ncnn.set_cpu_powersave(powersave)
    net = ncnn.Net()
    net.opt.num_threads = threads
    net.opt.use_vulkan_compute = gpu >= 0
    if gpu >= 0:
        net.set_vulkan_device(gpu)
    channels, card = _load(net, check_file(model, [".param", ".onnx"], "ncnn"))
    image = ncnn.Mat(np.full((channels, height, width), 0.01, np.float32)).clone()
    if cooling:
        time.sleep(COOLING_S)
    times_ms = [_run_once(net, image, card["inputs"][0], card["outputs"]) for _ in range(WARM_UP + loops)][WARM_UP:]
    return {
        "model": Path(model).name, "width": width, "height": height, "loops": loops, "threads": threads,
        "powersave": powersave, "gpu": gpu, "min_ms": min(times_ms), "max_ms": max(times_ms),
        "avg_ms": sum(times_ms) / loops,
    }  # fmt: skip


def _load(net: Any, path: Path) -> tuple[int, dict[str, Any]]:
    """Loads a network into an empty ncnn.Net; gives its input channels and its card."""
    with tempfile.TemporaryDirectory() as folder:
        param = path
        if path.suffix.lower() == ".onnx":
            from fer_paddle.deployment.convert import convert_onnx

            param = Path(folder, "network.param")
            convert_onnx(path, param)
        card, channels = read_card(param), _input_channels(param)
        if net.load_param(str(param)) or net.load_model(str(param.with_suffix(".bin"))):
            raise ValueError(f"expected a network of ncnn at {path}, got a file that ncnn does not read")
    return channels, card


def _input_channels(param: Path) -> int:
    """Channels that the Input layer of a `.param` names as its parameter 2."""
    found = re.search(r"^Input .* 2=(\d+)", param.read_text(encoding="utf-8"), flags=re.MULTILINE)
    if found is None:
        raise ValueError(f"expected an Input layer that names its channels in {param}, got none")
    return int(found[1])


def _run_once(net: Any, image: Any, input_name: str, output_names: list[str]) -> float:
    """Runs the network once; the time in milliseconds."""
    start = time.perf_counter()
    extractor = net.create_extractor()
    extractor.input(input_name, image)
    codes = [extractor.extract(name)[0] for name in output_names]
    if any(codes):
        raise ValueError(f"expected an image that the network takes, got {image.w}x{image.h} with {image.c} channels")
    return (time.perf_counter() - start) * 1e3
