"""Quantises one network by many methods and compares them: figure, drop and file size, kept as JSON.

| method | what it is |
|---|---|
| `fp32` | the float network, as the yardstick |
| `ort-minmax`, `ort-entropy`, `ort-percentile` | ONNX Runtime's static quantisation, see ort |
| `slim-abs_max`, `-avg`, `-hist`, `-mse`, `-KL` | PaddleSlim's static quantisation, see post_training |
| `slim-weights` | PaddleSlim's weight-only, also called dynamic, quantisation |
| `slim-qat` | PaddleSlim's training with fake quantisation, see qat |
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from fer_paddle.compression import onnx_quantize as ort
from fer_paddle.compression.activation_ranges import ALGORITHMS
from fer_paddle.environment import versions
from fer_paddle.files import file_digest, write_json

ORT_METHODS = tuple(f"ort-{method}" for method in ort.METHODS)
SLIM_METHODS = tuple(f"slim-{algorithm}" for algorithm in ALGORITHMS)
MEASURED = ("figures", "measured", "calibration")  # of a card: what was measured of that very file
METHODS = ("fp32", *ORT_METHODS, *SLIM_METHODS, "slim-weights", "slim-qat")

Forward = Callable[[np.ndarray], Sequence[np.ndarray]]


class Finetune(Protocol):
    """Called with a network with fake quantisation and the folder of the run, it trains the network in place.

    Attributes:
        settings: What decides the result, as JSON values; with others the network is trained anew.
    """

    settings: Mapping[str, Any]

    def __call__(self, network: Any, folder: Path) -> None:
        """Trains; a run begun in the folder goes on."""


@dataclass(frozen=True)
class Subject:
    """A trained network to quantise, and how well it is doing.

    Attributes:
        onnx: Its float ONNX file.
        metadata: Text that every ONNX file of it carries.
        input_shape: [N, C, H, W], None for a free axis.
        batches: Calibration pictures as the network gets them, float32 [N, C, H, W] of one size.
        load_network: Gives the Paddle network with its weights; each call a new one.
        load_onnx: (path of an ONNX file) -> forward.
        load_program: (path of a `.pdmodel` file, text for its card: with a line `quantized` where it is) -> forward.
        measure: (forward) -> its figure, 0 to 1, the higher the better.
        finetune: Trains a network with fake quantisation; None allows no QAT.
        keep_last: Leave the layers that make the outputs in float.
        last_layers: Their names in the network.
        about: What the results say of data, weights and measure.
        card: The JSON card of the network; every quantised ONNX file gets it beside it, with its row added.
    """

    onnx: Path
    metadata: Mapping[str, str]
    input_shape: Sequence[int | None]
    batches: Sequence[np.ndarray]
    load_network: Callable[[], Any]
    load_onnx: Callable[[Path], Forward]
    load_program: Callable[[Path, Mapping[str, str]], Forward]
    measure: Callable[[Forward], float]
    finetune: Finetune | None = None
    keep_last: bool = False
    last_layers: Sequence[str] = ()
    about: Mapping[str, Any] = field(default_factory=dict)
    card: Mapping[str, Any] = field(default_factory=dict)


def compare(
    subject: Subject,
    methods: Sequence[str],
    folder: str | os.PathLike[str],
    result: str | os.PathLike[str],
    progress: Callable[[Iterable[str]], Iterable[str]] = iter,
) -> dict[str, Any]:
    """Quantises a network by each method, measures every file, and keeps the table after each row.

    Rows of an earlier call stay where weights, data and settings are the same, so an interrupted comparison goes on.

    Args:
        subject: The network.
        methods: Of METHODS; fp32 always comes first.
        folder: Where the quantised files go, one folder a method.
        result: The JSON file of the table.
        progress: Wraps the methods for a progress bar.

    Returns:
        The content of the JSON file: `about`, and `rows` with method, runtime, figure, drop in points of a hundred,
        bytes, share of the float file, and seconds.

    Raises:
        FileNotFoundError: There are no weights.
        ValueError: A method is unknown or not possible here, or there is no calibration picture.
    """
    check_methods(subject, methods)
    folder, result = Path(folder), Path(result)
    result.parent.mkdir(parents=True, exist_ok=True)
    about = {**subject.about, **_describe(subject)}
    content = _earlier(result, about) or {"about": about, "rows": []}
    if "slim-qat" in methods:
        settings = dict(subject.finetune.settings)
        content["rows"] = [row for row in content["rows"] if row.get("settings", settings) == settings]
    done = {row["method"] for row in content["rows"]}
    for method in progress(["fp32", *(method for method in methods if method != "fp32")]):
        if method not in done:
            rows = _with_drops(_rows(subject, method, folder / method), content["rows"])
            content["rows"] += rows
            if method != "fp32" and rows[-1]["runtime"] == "onnx":
                write_json(folder / method / "network.json", _card(subject, {**about, **rows[-1]}))
            content["about"] |= {"date": datetime.date.today().isoformat(), "versions": versions()}
            write_json(result, content)
    return content


def check_methods(subject: Subject, methods: Sequence[str]) -> None:
    """Raises ValueError, before anything is computed, for a method that is unknown or not possible."""
    if unknown := [method for method in methods if method not in METHODS]:
        raise ValueError(f"expected methods of {', '.join(METHODS)}, got {', '.join(unknown)}")
    if not len(subject.batches):
        raise ValueError("expected at least one batch of calibration pictures, got none")
    if "slim-qat" in methods and subject.finetune is None:
        raise ValueError("expected faces to train on for slim-qat, got none")


def _rows(subject: Subject, method: str, folder: Path) -> list[dict[str, Any]]:
    """Makes the files of one method and measures each where it can run."""
    start = time.process_time()
    if method == "fp32" or method in ORT_METHODS:
        path = subject.onnx
        if method != "fp32":
            kind = method.removeprefix("ort-")
            path = ort.quantize_onnx(subject.onnx, folder / "network.onnx", subject.batches, kind, subject.keep_last)
        spent = time.process_time() - start
        size = path.stat().st_size
        return [_row(method, "onnx", path, size, spent, subject.measure(subject.load_onnx(path)))]
    from fer_paddle.compression.paddle_program import MODEL, check_program, program_bytes, program_to_onnx

    program = make_program(subject, method, folder)
    spent, size = time.process_time() - start, program_bytes(program)
    if method == "slim-weights":
        simulated = check_program(program / "simulated")
        figure = subject.measure(subject.load_program(simulated / MODEL, subject.metadata))
        return [_row(method, "paddle float", program / MODEL, size, spent, figure)]
    metadata = {**subject.metadata, "quantized": f"int8 by PaddleSlim, {method.removeprefix('slim-')}"}
    figure = subject.measure(subject.load_program(check_program(program) / MODEL, metadata))
    path = program_to_onnx(program, folder / "network.onnx", metadata, method != "slim-qat")
    in_onnx = subject.measure(subject.load_onnx(path))
    rows = [
        _row(method, "paddle int8", program / MODEL, size, spent, figure),
        _row(method, "onnx", path, path.stat().st_size, spent, in_onnx),
    ]
    return [row | {"settings": dict(subject.finetune.settings)} for row in rows] if method == "slim-qat" else rows


def make_program(subject: Subject, method: str, folder: Path) -> Path:
    """Writes the Paddle program of a `slim-` method to `folder/program`, the simulated one of slim-weights below it.

    Raises:
        ValueError: See `compare`.
    """
    from fer_paddle.compression import post_training, qat
    from fer_paddle.compression.paddle_program import save_program

    network, program = subject.load_network(), folder / "program"
    if method == "slim-qat":
        qat.prepare_qat(network, subject.last_layers if subject.keep_last else ())
        qat.observe(network, subject.batches)
        begun_with = json.dumps([file_digest(subject.onnx), dict(subject.finetune.settings)], sort_keys=True)
        # A run of other weights or settings is never gone on with.
        subject.finetune(network, folder / f"run-{hashlib.sha256(begun_with.encode()).hexdigest()[:8]}")
        return qat.save_qat(network, program, subject.input_shape)
    source = save_program(network, folder / "float", subject.input_shape)
    if method == "slim-weights":
        post_training.quantize_weights(source, program)
        post_training.quantize_weights(source, program / "simulated", simulated=True)
        return program
    algorithm = method.removeprefix("slim-")
    return post_training.quantize_static(source, program, subject.batches, algorithm, subject.keep_last)


def _row(method: str, runtime: str, path: Path, size: int, seconds: float, figure: float) -> dict[str, Any]:
    row = {"method": method, "runtime": runtime, "figure": figure, "bytes": size}
    return row | {"file": path.name, "cpu_seconds": round(seconds, 1)}


def _with_drops(rows: list[dict[str, Any]], earlier: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Adds what each row loses against fp32, in points, and its share of the float file's size."""
    base = (earlier or rows)[0]
    for row in rows:
        row["drop"] = round(100 * (base["figure"] - row["figure"]), 3)
        row["share"] = round(row["bytes"] / base["bytes"], 4)
    return rows


def _card(subject: Subject, row: Mapping[str, Any]) -> dict[str, Any]:
    """The card of a quantised file: the network's, without what was measured of the float file."""
    kept = {name: value for name, value in subject.card.items() if name not in MEASURED}
    return {**kept, "quantization": dict(row)}


def _describe(subject: Subject) -> dict[str, Any]:
    """What decides the rows: weights, calibration pictures, what stays in float."""
    pictures = hashlib.sha256()
    for batch in subject.batches:
        pictures.update(np.ascontiguousarray(batch).tobytes())
    return {
        "weights": subject.onnx.name,
        "weights_sha256": file_digest(subject.onnx),
        "calibration_pictures": sum(len(batch) for batch in subject.batches),
        "calibration_sha256": pictures.hexdigest(),
        "keep_last": subject.keep_last,
    }


def _earlier(result: Path, about: Mapping[str, Any]) -> dict[str, Any] | None:
    """The table of an earlier call, if it is of the same weights, data and settings."""
    if not result.is_file():
        return None
    try:
        content = json.loads(result.read_text(encoding="utf-8"))
        same = all(content["about"].get(name) == value for name, value in about.items())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"expected a table of an earlier comparison in {result}, got: {error!r}") from error
    return content if same else None
