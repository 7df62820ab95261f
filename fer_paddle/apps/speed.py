"""How fast what ships is on this machine: the rows of `python -m fer_paddle benchmark`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fer_paddle.apps.demo import astronaut
from fer_paddle.deployment.benchmark import Case, measure, network_digest, read_metadata, time_runs
from fer_paddle.deployment.convert import convert_onnx
from fer_paddle.deployment.onnx_graph import is_quantized, read_onnx
from fer_paddle.deployment.runtimes import PADDLES, PRECISIONS
from fer_paddle.expression.predict import RUNTIME_FOR, WEIGHTS, Classifier, load_expression_model
from fer_paddle.images import crop_square, write_image
from fer_paddle.pipeline import Pipeline
from fer_paddle.study import Study
from yolo3tiny.boxes import letterbox
from yolo3tiny.predict import WEIGHTS as DETECTOR_WEIGHTS
from yolo3tiny.predict import Detector, NetworkSettings
from yolo3tiny.predict import load_model as load_detector_model

SHELL_RUNS = 5
LOADER = "fer_paddle.expression.predict:load_expression_model"
COMPARED = ("onnx", "openvino", "ncnn", "mnn", "paddle")
THREADS, BATCHES, RUNS = (1, 2), (1, 8, 32), 100


def photo_640x480() -> np.ndarray:
    """A 640x480 photo with one face: the astronaut on a wider background; uint8 [480, 640, 3] in BGR."""
    square = cv2.resize(astronaut(), (480, 480), interpolation=cv2.INTER_AREA)
    return cv2.copyMakeBorder(square, 0, 0, 80, 80, cv2.BORDER_REPLICATE)


def benchmark_shipped(runs: int, progress: Callable[[Iterable], Iterable] = iter) -> list[dict[str, Any]]:
    """Times detector, classifier, pipeline and a whole command.

    Args:
        runs: Timed runs of each row; the whole command runs at most SHELL_RUNS times.
        progress: Wraps the rows for a progress bar.

    Returns:
        Rows with `what`, `median_ms`, `p95_ms` and `runs`.
    """
    photo, detector, classifier = photo_640x480(), Detector(), Classifier()
    pipeline = Pipeline(detector, classifier)
    faces = pipeline(photo)
    crop = crop_square(photo, faces[0].box_xyxy, pipeline.margin) if faces else photo
    with tempfile.TemporaryDirectory() as folder:
        write_image(Path(folder) / "photo.png", photo)
        command = [sys.executable, "-m", "fer_paddle", "recognize", f"{folder}/photo.png", "--out", f"{folder}/out"]
        rows: list[tuple[str, Callable[[], Any], int]] = [
            ("detector, 640x480 photo", lambda: detector(photo), runs),
            ("classifier, 1 face", lambda: classifier([crop]), runs),
            ("classifier, 32 faces", lambda: classifier([crop] * 32), runs),
            (f"pipeline, 640x480 photo, {len(faces)} face", lambda: pipeline(photo), runs),
            (
                "from the shell to the result",
                lambda: subprocess.run(command, check=True, capture_output=True),
                min(runs, SHELL_RUNS),
            ),
        ]
        return [{"what": what, **time_runs(function, count)} for what, function, count in progress(rows)]


def shipped_networks() -> list[Path]:
    """Both networks that ship, and what quantisation made of them."""
    folders = [path.parent for path in (WEIGHTS, DETECTOR_WEIGHTS)]
    return [WEIGHTS, DETECTOR_WEIGHTS, *(path for folder in folders for path in sorted(folder.glob("*_int8.*.onnx")))]


def compare_runtimes(
    weights: Sequence[Path],
    runtimes: Sequence[str] = COMPARED,
    precisions: Sequence[str] | None = None,
    threads: Sequence[int] = THREADS,
    batches: Sequence[int] = BATCHES,
    runs: int = RUNS,
    progress: Callable[[Iterable], Iterable] = iter,
    study: Study | None = None,
) -> list[dict[str, Any]]:
    """Time networks in runtimes, each row in a process of its own.

    Args:
        weights: ONNX files of expression networks and face detectors, for Paddle's runtimes with a `.safetensors` of
            the same name beside them; or files of one runtime. A detector gets the input of a 640x480 photo.
        runtimes: Of deployment.runtimes.RUNTIMES.
        precisions: Only these; None takes all that a runtime has. A quantised file is int8 whatever runs it.
        threads: Of one run.
        batches: Images of one run.
        runs: Timed runs of a row.
        progress: Wraps the rows for a progress bar.
        study: Keeps the rows, and has those of an earlier call; None keeps none.

    Returns:
        Rows of deployment.benchmark.measure; a network that a runtime cannot take has one with `error`.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: A file is neither kind of network, or no runtime and precision is left for any.
    """
    shapes = {path: input_shape(path) for path in weights}
    files: list[dict[str, Any]] = []
    refused: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for number, path, load_as, about in _choices(weights, runtimes, precisions):
            try:
                file = _file_for(path, about["runtime"], load_as, Path(folder, f"{number}-{path.stem}-{load_as}"))
            except (ValueError, FileNotFoundError) as error:
                refused.append(about | {"file": path.name, "error": str(error)})
                continue
            files.append(
                about | {"file": str(file), "shape": shapes[path], "runs": runs, "load_as": load_as, "loader": LOADER}
            )
        cases = [Case(**about, threads=count, batch=size) for about in files for count in threads for size in batches]
        by_key = {tuple(case.key.values()): case for case in cases}
        study = study or Study(None, {})
        study.rows[:] = [row for row in study.rows if "median_ms" in row and "sha256" in row]
        rows = study.run([case.key for case in cases], lambda key: measure(by_key[tuple(key.values())]), progress)
        study.rows += refused
        study.save()
        return rows + refused


def input_shape(path: Path) -> tuple[int, int, int]:
    """Channels, height and width of what a network takes: a face, or a 640x480 photo.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is neither an expression network nor a face detector.
    """
    metadata = read_metadata(path)
    if "input_size" in metadata:
        return 1, int(metadata["input_size"]), int(metadata["input_size"])
    if "anchors" not in metadata:
        raise ValueError(f"expected an expression network or a face detector in {path}, its metadata say neither")
    padded, _ = letterbox(photo_640x480(), longest=NetworkSettings.from_metadata(metadata).longest)
    return 3, padded.shape[0], padded.shape[1]


def _choices(
    weights: Sequence[Path], runtimes: Sequence[str], precisions: Sequence[str] | None
) -> list[tuple[int, Path, str, dict[str, Any]]]:
    """What there is to measure: number and path of a network, the precision to load it with, and its row's beginning.

    Raises:
        ValueError: There is nothing to measure.
    """
    found, offered = [], []
    for number, path in enumerate(weights):
        digest = network_digest(path)
        for runtime in runtimes:
            for load_as, shown in _precisions(path, runtime):
                offered.append(f"{runtime} {shown}")
                if precisions is None or shown in precisions:
                    about = {"network": path.stem, "sha256": digest, "runtime": runtime, "precision": shown}
                    found.append((number, path, load_as, about))
    names = ", ".join(path.name for path in weights)
    if not offered:
        raise ValueError(f"expected a runtime that reads {names}, got {', '.join(runtimes)}")
    if not found:
        has = ", ".join(dict.fromkeys(offered))
        raise ValueError(f"expected a precision that there is for {names} ({has}), got {', '.join(precisions or ())}")
    return found


def _precisions(path: Path, runtime: str) -> list[tuple[str, str]]:
    """How a runtime can load a file, and what the table calls it."""
    if path.suffix == ".safetensors":
        return [(name, name) for name in PRECISIONS[runtime]] if runtime in PADDLES else []
    if path.suffix != ".onnx":
        metadata = read_metadata(path)
        shown = "int8" if "quantized" in metadata else metadata.get("precision", "fp32")
        return [("fp32", shown)] if RUNTIME_FOR[path.suffix] == runtime else []
    if is_quantized(read_onnx(path)):
        return [("fp32", "int8")]
    return [(name, name) for name in PRECISIONS[runtime]]


def _file_for(path: Path, runtime: str, precision: str, base: Path) -> Path:
    """What a runtime reads of a network, written where it is another file."""
    if path.suffix == ".onnx" and runtime in ("ncnn", "mnn"):
        written = base.with_name(base.name + {"ncnn": ".param", "mnn": ".mnn"}[runtime])
        convert_onnx(path, written, precision)
        return written
    if path.suffix not in (".onnx", ".safetensors") or runtime not in PADDLES:
        return path
    own, written = path.with_suffix(".safetensors"), base.with_name(f"{base.name}.pdmodel")
    if not own.is_file() or (path != own and is_quantized(read_onnx(path))):
        raise ValueError(f"expected float32 weights {own.name} beside {path.name} for {runtime}, found none")
    of_detector = "anchors" in read_metadata(path)
    if runtime == "dynamic":
        if of_detector:
            raise ValueError(f"expected an expression network for the runtime dynamic, got a face detector in {own}")
        return own
    from fer_paddle.deployment.runtimes.paddle import write_inference_model

    model = (load_detector_model if of_detector else load_expression_model)(own)
    write_inference_model(model.network, written, model.input_spec, model.metadata)
    return written
