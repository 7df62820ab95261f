"""Times networks in runtimes: the median of many runs after warm-up, each network in a process of its own."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle.deployment.runtimes import load_runner
from fer_paddle.deployment.runtimes.model_files import check_file, parts_of, read_card, size_on_disk
from fer_paddle.environment import REPOSITORY
from fer_paddle.files import file_digest
from fer_paddle.weights import load_card

WARM_UP = 3
_CHILD = "import sys; from fer_paddle.deployment.benchmark import measure_here; measure_here(*sys.argv[1:])"
KEY = ("network", "runtime", "precision", "threads", "batch", "runs", "sha256")
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Case:
    """One row of the benchmark before it is measured.

    Attributes:
        network: Its name in the table.
        file: What the runtime reads.
        sha256: Of the network that was asked for, which may be another file, see network_digest.
        runtime: One of runtimes.RUNTIMES.
        precision: What the network is computed in, as the table says it.
        threads: Threads of one run, 1 or more.
        batch: Images of one run.
        shape: Channels, height and width of an image.
        runs: Timed runs.
        load_as: The precision to load it with: of a quantised file still "fp32".
        loader: Reads a `.safetensors` network of a task, as "module:function".
    """

    network: str
    file: str
    sha256: str
    runtime: str
    precision: str
    threads: int
    batch: int
    shape: tuple[int, int, int]
    runs: int
    load_as: str = "fp32"
    loader: str = ""

    @property
    def key(self) -> dict[str, Any]:
        """What identifies its row."""
        return {name: getattr(self, name) for name in KEY}


def tell_apart(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Copies rows; where two files share a network's name, it gets the first digits of the file's SHA-256."""
    digests: dict[str, set[str]] = {}
    for row in rows:
        digests.setdefault(row["network"], set()).update(filter(None, [row.get("sha256")]))
    shared = {network for network, found in digests.items() if len(found) > 1}
    return [
        dict(row, network=f"{row['network']} {row['sha256'][:8]}")
        if row["network"] in shared and row.get("sha256")
        else dict(row)
        for row in rows
    ]


def network_digest(path: Path) -> str:
    """The SHA-256 of a network's file; of a network in several files, such as `.param` and `.bin`, that of theirs."""
    digests = [file_digest(part) for part in parts_of(path).values()]
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def read_metadata(path: Path) -> Mapping[str, str]:
    """What the file of a network says of itself, or the card beside it; Paddle is not needed.

    Raises:
        FileNotFoundError: The file or its card is not there.
        ValueError: The file or its card is damaged.
    """
    if path.suffix.lower() == ".onnx":
        return load_runner(path).metadata
    if path.suffix.lower() == ".safetensors":
        card = load_card(check_file(path, [".safetensors"], "paddle"))
        return {name: value if isinstance(value, str) else json.dumps(value) for name, value in card.items()}
    if not path.is_file():
        raise FileNotFoundError(f"expected a network, found no file at {path}")
    return read_card(path)["metadata"]


def time_runs(function: Callable[[], Any], runs: int, warm_up: int = WARM_UP) -> dict[str, float | int]:
    """Gives `median_ms`, `p95_ms` and `runs` of calling a function, after `warm_up` calls that are not counted."""
    for _ in range(warm_up):
        function()
    times_ms = []
    for _ in range(runs):
        start = time.perf_counter()
        function()
        times_ms.append((time.perf_counter() - start) * 1e3)
    return {"median_ms": float(np.median(times_ms)), "p95_ms": float(np.percentile(times_ms, 95)), "runs": runs}


def time_in_turns(
    functions: Mapping[Any, Callable[[], Any]],
    runs: int,
    progress: Callable[[Iterable[int]], Iterable[int]] = iter,
    warm_up: int = 5,
) -> dict[Any, dict[str, float | int]]:
    """Time functions in turns, one run of each again and again, so that a busy machine disturbs all alike.

    Args:
        functions: What to time, by name.
        runs: Timed runs of each.
        progress: Wraps the rounds for a progress bar.
        warm_up: Rounds before these that are not counted.

    Returns:
        `median_ms`, `p95_ms`, `least_ms` (of the run that nothing disturbed) and `runs` by name.
    """
    times_ms: dict[Any, list[float]] = {name: [] for name in functions}
    for turn in progress(range(warm_up + runs)):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            if turn >= warm_up:
                times_ms[name].append((time.perf_counter() - start) * 1e3)
    return {
        name: {
            "median_ms": float(np.median(times)),
            "p95_ms": float(np.percentile(times, 95)),
            "least_ms": min(times),
            "runs": runs,
        }
        for name, times in times_ms.items()
    }


def measure(case: Case) -> dict[str, Any]:
    """Measures a case in a process of its own, where no other runtime has taken memory or started threads.

    Returns:
        The case's fields with `median_ms`, `p95_ms` of a whole batch, `images_per_s`, `load_ms` (reading the file
        again once the runtime is there), `start_ms` (from nothing: importing the runtime and reading the file),
        `peak_mb` (of the whole process with Python; None where the system does not tell) and `file_bytes`; or with
        `error` where the runtime failed.
    """
    row = dataclasses.asdict(case) | {"shape": list(case.shape), "file": Path(case.file).name}
    del row["load_as"], row["loader"]
    paths = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")]))
    env = os.environ | dict.fromkeys(_THREADS, str(case.threads)) | {"PYTHONPATH": paths}
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder, "row.json")
        command = [sys.executable, "-c", _CHILD, json.dumps(dataclasses.asdict(case)), str(answer)]
        done = subprocess.run(command, env=env, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode or not answer.is_file():
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            return row | {"error": f"ended with {done.returncode}: {last}"}
        return row | json.loads(answer.read_text(encoding="utf-8"))


def measure_here(case_json: str, answer: str) -> None:
    """Measures a case in this process and writes the figures as JSON: what `measure` starts."""
    case = Case(**json.loads(case_json))
    images = np.random.default_rng(0).random((case.batch, *case.shape), np.float32)
    times_ms, runner = [], None
    for _ in range(2):
        del runner
        start = time.perf_counter()
        runner = load_runner(case.file, case.runtime, case.threads, case.load_as, _find_loader(case.loader))
        times_ms.append((time.perf_counter() - start) * 1e3)
    figures = time_runs(lambda: runner(images), case.runs)
    figures |= {
        "images_per_s": case.batch / figures["median_ms"] * 1e3,
        "start_ms": times_ms[0],
        "load_ms": times_ms[1],
        "peak_mb": peak_memory_mb(),
        "file_bytes": size_on_disk(case.file),
    }
    Path(answer).write_text(json.dumps(figures), encoding="utf-8")


def _find_loader(name: str) -> Callable[[Path], Any] | None:
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function) if name else None


def peak_memory_mb() -> float | None:
    """The most memory that this process has held, in MB; None where the system does not tell."""
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    return None
