"""Times networks in runtimes: the median of many runs after warm-up, each network in a process of its own."""

from __future__ import annotations

import hashlib
import json
import os
import pkgutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle.deployment.runtimes import PADDLES, RUNTIME_OF, RUNTIMES, Runner, load_runner, read_metadata
from fer_paddle.deployment.runtimes.base import memory_kb
from fer_paddle.deployment.runtimes.model_files import parts_of, size_on_disk
from fer_paddle.environment import REPOSITORY, THREAD_VARIABLES
from fer_paddle.files import check_integer, file_digest
from fer_paddle.labels import look_up
from fer_paddle.messages import track
from fer_paddle.study import Study

COMPARED = ("onnx", "openvino", "ncnn", "mnn", "paddle")
THREADS, BATCHES, RUNS, WARM_UP = (1, 2), (1, 8, 32), 100, 3
_CONVERTED = {"ncnn": ".param", "mnn": ".mnn", "litert": ".tflite"}
_CHILD = "import sys; from fer_paddle.deployment.benchmark import measure_here; measure_here(*sys.argv[1:])"


@dataclass(frozen=True)
class Case:
    """One row of the benchmark before it is measured."""

    network: str  # its name in the table
    sha256: str  # of the network that was asked for, which may be another file, see network_digest
    runtime: str  # one of runtimes.RUNTIMES
    precision: str  # what the network is computed in, as the table says it
    threads: int = 0  # threads of one run, 1 or more; 0 before they are chosen
    batch: int = 0  # images of one run; 0 before it is chosen
    runs: int = RUNS  # timed runs
    file: str = ""  # what the runtime reads
    shape: tuple[int, ...] = ()  # channels, height and width of an image
    load_as: str = "fp32"  # the precision to load it with: of a quantized file still "fp32"
    loader: str = ""  # reads a `.safetensors` network of a task, as "module:function"

    def key(self) -> dict[str, Any]:
        """Return what makes two rows measurements of the same."""
        names = ("network", "sha256", "runtime", "precision", "threads", "batch", "runs")
        return {name: value for name, value in asdict(self).items() if name in names and value}


def time_runs(function: Callable[[], Any], runs: int) -> dict[str, float | int]:
    """Return `median_ms`, `p95_ms` and `runs` of calling a function, after WARM_UP calls that are not counted."""
    figures = time_in_turns({"": function}, runs, WARM_UP)[""]
    return {name: value for name, value in figures.items() if name != "least_ms"}


def time_in_turns(
    functions: Mapping[Any, Callable[[], Any]], runs: int, warm_up: int = 5
) -> dict[Any, dict[str, float | int]]:
    """Time functions in turns, one run of each again and again, so that a busy machine disturbs all alike."""
    check_integer("runs", runs, 1)
    times_ms: dict[Any, list[float]] = {name: [] for name in functions}
    for turn in track(range(warm_up + runs), "rounds"):
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


def compare_runtimes(
    weights: Sequence[Path],
    shape_of: Callable[[Path], tuple[int, ...]],
    loader: str,
    runtimes: Sequence[str] = COMPARED,
    precisions: Sequence[str] | None = None,
    threads: Sequence[int] = THREADS,
    batches: Sequence[int] = BATCHES,
    runs: int = RUNS,
    study: Study | None = None,
) -> list[dict[str, Any]]:
    """Time networks in runtimes, each row in a process of its own.

    Args:
        weights: `.onnx` files, for Paddle's runtimes with a `.safetensors` of the same name beside them; or files of
            one runtime.
        shape_of: Returns channels, height and width of what a network takes; ValueError for a file of another kind.
        loader: "module:function" that reads a `.safetensors` file as a Model.
        precisions: Only these; None takes all that a runtime has. A quantized file is int8 whatever runs it.

    Returns:
        The rows that were asked for, those in `study` not measured again; a network that a runtime cannot take has one
        with `error`.
    """
    for count in (*threads, *batches, runs):
        check_integer("threads, batches and runs", count, 1)
    for runtime in runtimes:
        look_up(RUNTIMES, runtime, "a runtime of {}")
    study = study or Study(None, {})
    study.rows[:] = [row for row in study.rows if "error" not in row]
    refused: list[dict[str, Any]] = []
    cases: dict[str, Case] = {}
    shapes = {path: shape_of(path) for path in weights}
    with tempfile.TemporaryDirectory() as folder:
        for number, (path, choice) in enumerate(_choices(weights, runtimes, precisions)):
            place = Path(folder, f"{number}-{path.stem}-{choice.load_as}")
            try:
                file = _file_for(path, choice, place, loader)
            except (ValueError, FileNotFoundError) as error:
                refused.append(choice.key() | {"file": path.name, "error": str(error)})
                continue
            made = replace(choice, file=str(file), shape=shapes[path], runs=runs, loader=loader)
            both = (replace(made, threads=count, batch=size) for count in threads for size in batches)
            cases |= {json.dumps(case.key()): case for case in both}
        keys = [case.key() for case in cases.values()]
        rows = study.run(keys, lambda key: measure(cases[json.dumps(key)]))
    study.rows += refused
    study.save()
    return rows + refused


def measure(case: Case) -> dict[str, Any]:
    """Measure a case in a process of its own, where no other runtime has taken memory or started threads."""
    row = case.key() | {"shape": list(case.shape), "file": Path(case.file).name}
    paths = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")]))
    env = os.environ | dict.fromkeys(THREAD_VARIABLES, str(case.threads)) | {"PYTHONPATH": paths}
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder, "row.json")
        command = [sys.executable, "-c", _CHILD, json.dumps(asdict(case)), str(answer)]
        done = subprocess.run(command, env=env, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode or not answer.is_file():
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            return row | {"error": f"ended with {done.returncode}: {last}"}
        return row | json.loads(answer.read_text(encoding="utf-8"))


def measure_here(case_json: str, answer: str) -> None:
    """Measure a case in this process and write the figures as JSON: what `measure` starts."""
    case = Case(**json.loads(case_json))
    images = np.random.default_rng(0).random((case.batch, *case.shape), np.float32)

    def load() -> tuple[Runner, float]:
        start = time.perf_counter()
        runner = load_runner(case.file, case.runtime, case.threads, case.load_as, case.loader)
        return runner, (time.perf_counter() - start) * 1e3

    start_ms = load()[1]
    runner, load_ms = load()
    figures: dict[str, Any] = time_runs(lambda: runner(images), case.runs)
    figures |= {
        "images_per_s": case.batch / figures["median_ms"] * 1e3,
        "start_ms": start_ms,
        "load_ms": load_ms,
        "peak_mb": peak_kb * 1024 / 1e6 if (peak_kb := memory_kb("VmHWM")) else None,
        "file_bytes": size_on_disk(case.file),
    }
    Path(answer).write_text(json.dumps(figures), encoding="utf-8")


def network_digest(path: Path) -> str:
    """Return the SHA-256 of a network's file; of several files, such as `.param` and `.bin`, that of theirs."""
    digests = [file_digest(part) for part in parts_of(path).values()]
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def _choices(
    weights: Sequence[Path], runtimes: Sequence[str], precisions: Sequence[str] | None
) -> list[tuple[Path, Case]]:
    """List each network with the beginnings of its rows; ValueError where there is nothing to measure."""
    found, offered = [], []
    for path in weights:
        digest = network_digest(path)
        for runtime in runtimes:
            for load_as, shown in _precisions(path, runtime):
                offered.append(f"{runtime} {shown}")
                if precisions is None or shown in precisions:
                    found.append((path, Case(path.stem, digest, runtime, shown, load_as=load_as, runs=0)))
    names = ", ".join(path.name for path in weights)
    if not offered:
        raise ValueError(f"expected a runtime that reads {names}, got {', '.join(runtimes)}")
    if not found:
        has = ", ".join(dict.fromkeys(offered))
        raise ValueError(f"expected a precision that there is for {names} ({has}), got {', '.join(precisions or ())}")
    return found


def _precisions(path: Path, runtime: str) -> list[tuple[str, str]]:
    """List how a runtime can load a file, and what the table calls it."""
    suffix, all_of_it = path.suffix.lower(), [(name, name) for name in RUNTIMES[runtime][-1]]
    if suffix == ".safetensors":
        return all_of_it if runtime in PADDLES else []
    if suffix != ".onnx":
        metadata = read_metadata(path)
        shown = "int8" if "quantized" in metadata else metadata.get("precision", "fp32")
        return [("fp32", shown)] if RUNTIME_OF[suffix] == runtime else []
    return [("fp32", "int8")] if _is_int8(path) else all_of_it


def _file_for(path: Path, choice: Case, place: Path, loader: str) -> Path:
    """Return what a runtime reads of a network, written at `place` where it is another file."""
    if path.suffix == ".onnx" and (suffix := _CONVERTED.get(choice.runtime)):
        from fer_paddle.deployment.convert import convert_onnx

        written = place.with_name(place.name + suffix)
        convert_onnx(path, written, choice.load_as)
        return written
    if path.suffix not in (".onnx", ".safetensors") or choice.runtime not in PADDLES:
        return path
    own, written = path.with_suffix(".safetensors"), place.with_name(f"{place.name}.pdmodel")
    if not own.is_file() or (path != own and _is_int8(path)):
        raise ValueError(f"expected float32 weights {own.name} beside {path.name} for {choice.runtime}, found none")
    if choice.runtime == "dynamic":
        return own
    from fer_paddle.deployment.runtimes.paddle import write_inference_model

    model = pkgutil.resolve_name(loader)(own)
    write_inference_model(model.network, written, model.input_spec, model.metadata)
    return written


def _is_int8(path: Path) -> bool:
    from fer_paddle.deployment.onnx_graph import is_quantized, read_onnx

    return is_quantized(read_onnx(path))
