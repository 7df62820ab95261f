"""The temperature of an expression network: fitted, measured, and written into the files that ship.

Source: Guo et al. 2017, arXiv:1706.04599, section 4.2.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from fer_paddle import files
from fer_paddle.analysis.bootstrap import RESAMPLES
from fer_paddle.analysis.calibration import (
    cross_fitted_probs,
    ece_intervals,
    fit_temperature,
    negative_log_likelihood,
    plot_reliability,
)
from fer_paddle.analysis.metrics import softmax
from fer_paddle.images import predict
from fer_paddle.weights import load_card

METADATA = "temperature"


def read_logits(
    run: Callable[[np.ndarray], Sequence[np.ndarray]], images: Sequence[np.ndarray] | np.ndarray, size: int
) -> np.ndarray:
    """Return the logits float64 [N, C] of faces, before any temperature or softmax; `run` is a loaded network."""
    return predict(lambda batch: run(batch)[0], images, size).astype(np.float64)


def measure_calibration(logits: np.ndarray, labels: np.ndarray, resamples: int = RESAMPLES) -> dict[str, Any]:
    """Fit the temperature on all faces, by logits [N, C]; measure what such a fit gives on faces it did not see.

    Returns:
        JSON values: `temperature`, `fold_temperatures`, `faces`, `ece_before` and `ece_after` with their intervals
        (after: each face by the temperature of the other folds), `nll_before` and `nll_after`.
    """
    after, temperatures = cross_fitted_probs(logits, labels)
    temperature = fit_temperature(logits, labels)
    ece_before, ece_after = ece_intervals([softmax(logits), after], labels, resamples)
    return {
        "temperature": round(temperature, 4),
        "fold_temperatures": [round(float(one), 4) for one in temperatures],
        "faces": len(labels),
        "ece_before": ece_before,
        "ece_after": ece_after,
        "nll_before": negative_log_likelihood(logits, labels),
        "nll_after": float(-np.log(after[np.arange(len(labels)), labels]).mean()),
    }


def plot_before_after(logits: np.ndarray, labels: np.ndarray) -> Figure:
    """Draw two reliability diagrams: without a temperature, and by temperatures fitted on other faces."""
    figure = Figure((8.0, 3.6), dpi=90, layout="constrained")
    left, right = figure.subplots(1, 2)
    plot_reliability(softmax(logits), labels, left, "without temperature,")
    plot_reliability(cross_fitted_probs(logits, labels)[0], labels, right, "with a temperature,")
    return figure


def store_temperature(weights: str | os.PathLike[str], calibration: Mapping[str, Any]) -> list[Path]:
    """Write the temperature into the JSON card beside the weights and into the ONNX file of that name."""
    from fer_paddle.deployment.onnx_graph import add_metadata, read_onnx

    card = load_card(weights)
    written, onnx_file = [Path(weights).with_suffix(".json")], Path(weights).with_suffix(".onnx")
    if onnx_file.is_file():
        model = read_onnx(onnx_file)
        add_metadata(model, {METADATA: str(calibration["temperature"])})
        with files.replacing(onnx_file) as temporary:
            temporary.write_bytes(model.SerializeToString())
        written.append(onnx_file)
    files.write_json(written[0], {**card, METADATA: calibration["temperature"], "calibration": dict(calibration)})
    return written
