"""ncnn's own way to time a network on a board, as its program benchncnn takes it.

Source: https://github.com/Tencent/ncnn/tree/master/benchmark, `benchncnn LOOPS THREADS POWERSAVE GPU COOLING ...`.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle.deployment.runtimes.mobile import NcnnRunner

WARM_UP = 8  # as benchncnn
COOLING_S = 10
ALL_CORES, POWERSAVES = 0, (0, 1, 2)  # all cores, the little ones, the big ones


class _BoardRunner(NcnnRunner):
    """An ncnn network with ncnn's own defaults, on the CPU or a Vulkan device."""

    def __init__(self, model: str | os.PathLike[str], threads: int, gpu: int):
        self.gpu = gpu
        super().__init__(model, threads)

    def _configure(self, net: Any, threads: int, precision: str) -> None:
        net.opt.num_threads = threads
        net.opt.use_vulkan_compute = self.gpu >= 0
        if self.gpu >= 0:
            net.set_vulkan_device(self.gpu)

    def _load(self, path: Path, threads: int, precision: str) -> None:
        found = re.search(r"^Input .* 2=(\d+)", path.read_text("utf-8", errors="replace"), flags=re.MULTILINE)
        super()._load(path, threads, precision)
        if found is None:
            raise ValueError(f"expected an Input layer that names its channels in {path}, got none")
        self.channels = int(found[1])

    def time_once(self, image: np.ndarray) -> float:
        """Return the milliseconds of one run."""
        start = time.perf_counter()
        self._run_one(image)
        return (time.perf_counter() - start) * 1e3


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
    """Time a network, `.param` with its `.bin` and manifest or `.onnx`, in ncnn on one image of a constant.

    `powersave` is 0 for all cores, 1 the little ones, 2 the big ones; `gpu` the Vulkan device, -1 the CPU; `cooling`
    waits COOLING_S seconds before, so that a hot board does not slow down.
    """
    if min(width, height, loops, threads) < 1 or powersave not in POWERSAVES or gpu < -1:
        got = f"{width} {height} {loops} {threads} {powersave} {gpu}"
        raise ValueError(f"expected width, height, loops, threads >= 1, powersave 0 to 2 and gpu >= -1, got {got}")
    ncnn = _BoardRunner.import_package()
    if gpu >= 0 and gpu >= ncnn.get_gpu_count():
        raise RuntimeError(f"expected GPU {gpu} for ncnn, got {ncnn.get_gpu_count()} Vulkan devices")
    ncnn.set_cpu_powersave(powersave)
    runner = _BoardRunner(model, threads, gpu)
    if cooling:
        time.sleep(COOLING_S)
    image = np.full((runner.channels, height, width), 0.01, np.float32)
    times_ms = [runner.time_once(image) for _ in range(WARM_UP + loops)][WARM_UP:]
    return {
        "model": Path(model).name, "width": width, "height": height, "loops": loops, "threads": threads,
        "powersave": powersave, "gpu": gpu, "min_ms": min(times_ms), "max_ms": max(times_ms),
        "avg_ms": sum(times_ms) / loops,
    }  # fmt: skip
