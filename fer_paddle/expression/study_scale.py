"""Which size of the faces is worth its cost: accuracy, operations and latency of one network at several sizes."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle.analysis.complexity import layer_costs, total_costs
from fer_paddle.deployment.benchmark import time_runs
from fer_paddle.deployment.runtimes.onnx import OnnxRunner
from fer_paddle.expression.export import export_expression_network
from fer_paddle.expression.files import save_model
from fer_paddle.expression.recipes import Recipe
from fer_paddle.expression.trials import Study, Trial
from fer_paddle.models import build_model

SIZES = (24, 32, 48, 64, 96, 128)


def list_trials(recipe: Recipe, sizes: Sequence[int]) -> list[Trial]:
    """Lists one trial of `recipe` for each side in pixels, the same in training and validation."""
    return [
        Trial(f"{size} px", dataclasses.replace(recipe, sizes=((0, size),), valid_sizes=((0, size),))) for size in sizes
    ]


def study_scale(
    study: Study, recipe: Recipe, sizes: Sequence[int], seeds: Sequence[int], within: float, runs: int = 50
) -> None:
    """Trains at each size, repeats those within the noise of the best, and measures what each size costs.

    The costs go to the study's JSON under `costs`, by the trial's name.

    Args:
        study: The study.
        recipe: Of the trials; its sizes are replaced.
        sizes: Sides in pixels.
        seeds: Further seeds of the sizes whose accuracy is less than `within` below the best.
        within: Difference of accuracy that one seed cannot decide.
        runs: Timed runs of each size.
    """
    trials = list_trials(recipe, sizes)
    study.run(trials)
    best = max(study.accuracies(trial.name)[0] for trial in trials)
    close = [trial for trial in trials if study.accuracies(trial.name)[0] > best - within]
    if len(close) > 1:
        study.run([trial.with_seed(seed) for trial in close for seed in seeds])
    study.content["costs"] = {f"{size} px": measure_cost(study.model, size, runs) for size in sizes}
    study.save()


def measure_cost(model: str, size: int, runs: int = 50) -> dict[str, Any]:
    """Measures what one face costs at a size.

    Args:
        model: A name of MODELS; its weights are random, which changes neither figure.
        size: Side in pixels.
        runs: Timed runs of ONNX Runtime with one thread.

    Returns:
        `mflops`, millions of multiply-adds and other operations as `analysis.complexity` counts them, `latency_ms`,
        the median, and `latency_p95_ms`.
    """
    network = build_model(model)
    operations = total_costs(layer_costs(network, (1, size, size)))["flops"]
    noise = np.random.default_rng(0).integers(0, 256, (size, size), np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "model.safetensors"
        save_model(weights, model, network, size)
        export_expression_network(weights, weights.with_suffix(".onnx"), [noise])
        runner = OnnxRunner(weights.with_suffix(".onnx"), threads=1)
    face = np.zeros((1, 1, size, size), np.float32)
    times = time_runs(lambda: runner(face), runs)
    return {"mflops": operations / 1e6, "latency_ms": times["median_ms"], "latency_p95_ms": times["p95_ms"]}
