"""Quantize one network by many methods and compare them: figure, drop and file size, kept as JSON.

| method | what it is |
|---|---|
| `fp32` | the float network, for comparison |
| `ort-minmax`, `ort-entropy`, `ort-percentile` | ONNX Runtime's static quantization, see onnx_quantize |
| `slim-abs_max`, `-avg`, `-hist`, `-mse`, `-KL` | PaddleSlim's static quantization, see post_training |
| `slim-weights` | PaddleSlim's weight-only, also called dynamic, quantization |
| `slim-qat` | PaddleSlim's training with fake quantization, see qat |
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle.compression import onnx_quantize
from fer_paddle.compression.activation_ranges import ALGORITHMS
from fer_paddle.deployment.runtimes.base import Forward
from fer_paddle.deployment.runtimes.onnx import OnnxRunner
from fer_paddle.environment import paddle, seed_everything
from fer_paddle.files import check_integer, file_digest, write_json
from fer_paddle.images import list_images, read_image
from fer_paddle.messages import track
from fer_paddle.models.model import Model
from fer_paddle.study import Row, Study, digest
from fer_paddle.training.loop import BEST, Callback, FitConfig, RunOptions
from fer_paddle.weights import load_arrays, load_into

logger = logging.getLogger(__name__)

ORT_METHODS = tuple(f"ort-{method}" for method in onnx_quantize.METHODS)
SLIM_METHODS = tuple(f"slim-{algorithm}" for algorithm in ALGORITHMS)
METHODS = ("fp32", *ORT_METHODS, *SLIM_METHODS, "slim-weights", "slim-qat")
CALIBRATION_PIXELS = 1_000_000  # of an image: networks see less
MEASURED = ("figures", "measured", "calibration")  # of a card: what was measured of that very file


class QuantizeTask:
    """A trained network to quantize, with its data; QAT trains by the task's `recipe`."""

    kind: type[Model]  # what reads the `.safetensors` file beside the ONNX file
    onnx: Path  # its float ONNX file
    input_shape: Sequence[int | None]  # [N, C, H, W], None for a free axis
    batches: Sequence[np.ndarray]  # calibration images as the network gets them, float32 [N, C, H, W] of one size
    keep_last: bool  # leave the layers that make the outputs in float
    last_layers: Sequence[str]  # their names in the network
    card: Mapping[str, Any]  # every quantized ONNX file gets it beside it, with its row added
    settings: Mapping[str, Any]  # what is measured; rows are kept only where all is the same
    data: Mapping[str, str]  # digests of what it is measured on, see study.Study
    finetune_settings: Mapping[str, Any] | None  # with others QAT trains anew; None allows none
    recipe: FitConfig  # of QAT
    callbacks: Sequence[Callback] = ()  # of QAT

    def load(self) -> paddle.nn.Layer:
        """Return the Paddle network with its weights, a new one each time."""
        return self.kind.load(self.onnx.with_suffix(".safetensors")).network

    def measure(self, forward: Forward) -> float:
        """Return the figure of a network, 0 to 1, the higher the better."""
        raise NotImplementedError

    def fit(self, network: paddle.nn.Layer, options: RunOptions) -> None:
        """Train a network by the recipe, in place."""
        raise NotImplementedError

    def finetune(self, network: paddle.nn.Layer, folder: Path) -> None:
        """Train with fake quantization, in place, to the best epoch's weights; a run begun in the folder goes on."""
        seed_everything(self.recipe.seed)
        self.fit(network, RunOptions(folder, True, self.callbacks))
        load_into(network, load_arrays(folder / BEST))


def compare(
    task: QuantizeTask,
    methods: Sequence[str],
    folder: str | os.PathLike[str],
    result: str | os.PathLike[str],
    provenance: Mapping[str, Any] | None = None,
    threads: int = 0,
    data_changed: bool = False,
) -> dict[str, Any]:
    """Quantize a network by each of METHODS, fp32 first, measure every file, and keep the table after each row.

    The files go to one folder a method; rows of an earlier call in `result` stay, one of other settings raises
    ValueError. `threads` are of ONNX Runtime while it measures; see study.Study for the rest.

    Returns:
        The content of the JSON file: `settings`, and `rows` with method, runtime, figure, drop in points of a hundred,
        bytes, share of the float file, and seconds.
    """
    if unknown := [method for method in methods if method not in METHODS]:
        raise ValueError(f"expected methods of {', '.join(METHODS)}, got {', '.join(unknown)}")
    if "slim-qat" in methods and task.finetune_settings is None:
        raise ValueError("expected data to train on for slim-qat, got none")
    folder = Path(folder)
    settings = {
        **task.settings,
        "weights": task.onnx.name,
        "weights_sha256": file_digest(task.onnx),
        "calibration_images": sum(len(batch) for batch in task.batches),
        "keep_last": task.keep_last,
    }
    data = {**task.data, "calibration": digest(*task.batches)}
    study = Study(result, settings, provenance, data, data_changed)

    def make_rows(row: Row) -> list[dict[str, Any]]:
        method = row["method"]
        made = _with_drops(_measure(task, method, folder / method, threads), study.find({"method": "fp32"}))
        if method != "fp32" and made[-1]["runtime"] == "onnx":
            card = {name: value for name, value in task.card.items() if name not in MEASURED}
            about = {**(provenance or {}), **settings, **row, **made[-1]}
            write_json(folder / method / "network.json", {**card, "quantization": about})
        return made

    wanted: list[dict[str, Any]] = [{"method": method} for method in dict.fromkeys(["fp32", *methods])]
    for row in wanted:
        if row["method"] == "slim-qat" and task.finetune_settings is not None:
            row["settings"] = json.loads(json.dumps(task.finetune_settings))
            if not study.find(row):  # trained with other settings
                study.rows[:] = [found for found in study.rows if found["method"] != "slim-qat"]
    study.run(wanted, make_rows)
    return study.content


def _measure(task: QuantizeTask, method: str, folder: Path, threads: int) -> list[dict[str, Any]]:
    """Make the files of one method and measure each in the runtimes that can run it."""
    start = time.process_time()
    if method == "fp32" or method in ORT_METHODS:
        path = task.onnx
        if method != "fp32":
            kind = method.removeprefix("ort-")
            path = onnx_quantize.quantize_onnx(path, folder / "network.onnx", task.batches, kind, task.keep_last)
        spent = time.process_time() - start
        return [_row("onnx", path, path.stat().st_size, spent, task.measure(OnnxRunner(path, threads)))]
    from fer_paddle.compression.paddle_program import MODEL, check_program, program_bytes, program_to_onnx
    from fer_paddle.deployment.runtimes.paddle import load_program

    program, metadata = make_program(task, method, folder), OnnxRunner(task.onnx).metadata
    spent, size = time.process_time() - start, program_bytes(program)
    if method == "slim-weights":
        simulated = check_program(program / "simulated")
        figure = task.measure(load_program(simulated / MODEL, metadata))
        return [_row("paddle float", program / MODEL, size, spent, figure)]
    metadata = {**metadata, "quantized": f"int8 by PaddleSlim, {method.removeprefix('slim-')}"}
    figure = task.measure(load_program(check_program(program) / MODEL, metadata))
    path = program_to_onnx(program, folder / "network.onnx", metadata, method != "slim-qat")
    in_onnx = task.measure(OnnxRunner(path, threads))
    return [
        _row("paddle int8", program / MODEL, size, spent, figure),
        _row("onnx", path, path.stat().st_size, spent, in_onnx),
    ]


def make_program(task: QuantizeTask, method: str, folder: Path) -> Path:
    """Write the Paddle program of a `slim-` method to `folder/program`, the simulated one of slim-weights below it."""
    from fer_paddle.compression import post_training, qat
    from fer_paddle.compression.paddle_program import save_program

    network, program = task.load(), folder / "program"
    if method == "slim-qat":
        qat.prepare_qat(network, task.last_layers if task.keep_last else ())
        qat.observe(network, task.batches)
        # A run of other weights, settings or data never goes on.
        begun_with = json.dumps([file_digest(task.onnx), task.finetune_settings, task.data], sort_keys=True)
        task.finetune(network, folder / f"run-{hashlib.sha256(begun_with.encode()).hexdigest()[:8]}")
        return qat.save_qat(network, program, task.input_shape)
    source = save_program(network, folder / "float", task.input_shape)
    if method == "slim-weights":
        post_training.quantize_weights(source, program)
        post_training.quantize_weights(source, program / "simulated", simulated=True)
        return program
    algorithm = method.removeprefix("slim-")
    return post_training.quantize_static(source, program, task.batches, algorithm, task.keep_last)


def _row(runtime: str, path: Path, size: int, seconds: float, figure: float) -> dict[str, Any]:
    spent = round(seconds, 1)
    return {"runtime": runtime, "figure": figure, "bytes": size, "file": path.name, "cpu_seconds": spent}


def _with_drops(rows: list[dict[str, Any]], fp32: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Add what each row loses against fp32, in points, and its share of the float file's size."""
    base = (fp32 or rows)[0]
    for row in rows:
        row["drop"] = round(100 * (base["figure"] - row["figure"]), 3)
        row["share"] = round(row["bytes"] / base["bytes"], 4)
    return rows


def table_of(content: Mapping[str, Any], figure: str, form: str) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of the content of `compare` as text, the figure by its name in a format."""
    rows = [
        [row["method"], row["runtime"], f"{row['figure']:{form}}", f"{row['drop']:+.2f}", str(row["bytes"])]
        + [f"{row['share']:.3f}"]
        for row in content["rows"]
    ]
    return ["method", "runtime", figure, "drop in points", "bytes", "of fp32"], rows


# --- calibration images: a few hundred that look like those to come; labels are not needed ---


def choose(items: Sequence[Any] | np.ndarray, count: int, seed: int = 0) -> list[Any]:
    """Return `count` random items, or all where there are fewer, in their old order."""
    check_integer("count", count, 1)
    if not len(items):
        raise ValueError("expected images to choose from, got none")
    chosen = np.random.default_rng(seed).choice(len(items), min(count, len(items)), replace=False)
    return [items[index] for index in sorted(chosen)]


def read_calibration_images(folder: str | os.PathLike[str], count: int, seed: int = 0) -> list[np.ndarray]:
    """Read `count` random images of a folder and those below it, uint8 [H, W, 3] in BGR; unreadable ones are logged."""
    if not Path(folder).is_dir():
        raise FileNotFoundError(f"expected a folder of calibration images, found none at {folder}")
    paths, images, reason = list_images(folder), [], "found no image file"
    for path in track(choose(paths, count, seed) if paths else [], "images"):
        try:
            images.append(read_image(path, CALIBRATION_PIXELS))
        except (ValueError, OSError) as error:
            reason = f"none of {len(paths)} can be read, such as: {error}"
            logger.warning("left out of the calibration: %s", error)
    if not images:
        raise ValueError(f"expected calibration images in {folder}, {reason}")
    return images


def to_batches(images: np.ndarray, batch_size: int = 32) -> list[np.ndarray]:
    """Cut float32 [N, C, H, W] into batches, the last of which may be smaller."""
    check_integer("batch_size", batch_size, 1)
    return [images[start : start + batch_size] for start in range(0, len(images), batch_size)]
