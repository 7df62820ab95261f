"""Networks compared on the same faces by one recipe: accuracy against cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fer_paddle.environment import paddle
from fer_paddle.expression.data.faces import LabelledFaces
from fer_paddle.expression.recipes import Recipe
from fer_paddle.expression.trials import Trial, TrialStudy
from fer_paddle.models import find_design
from fer_paddle.search.cost import measure_cost
from fer_paddle.training.loop import RunOptions

RESULT = "compare.json"
COSTS = {"mflops": "million multiply-adds", "parameters": "parameters", "latency_ms": "milliseconds, one face"}
HEADINGS = ("network", "parameters", "MFLOPs", "ms a face", "accuracy", "in training")
CELLS = ("{name}", "{parameters:,}", "{mflops:.1f}", "{latency_ms:.2f}", "{accuracy:.3f}", "{train_accuracy:.3f}")


def compare_designs(
    names: Sequence[str],
    train: LabelledFaces,
    valid: LabelledFaces,
    recipe: Recipe,
    folder: Path,
    measure: Callable[[paddle.nn.Layer, int], Mapping[str, Any]] = measure_cost,
    options: RunOptions = RunOptions(),
    provenance: Mapping[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """Train each of models.DESIGNS by one recipe; a finished one is not trained again, a broken one goes on.

    `folder` gets `compare.json` and a run `NAME-SEED/` of each; `measure` gives further figures of a trained network.

    Returns:
        Rows in the order of the names: `name`, `seed`, `accuracy` and `train_accuracy` of the last epoch, `loss`,
        `cpu_seconds` (None where the run was resumed), `recipe`, and what `measure` gave.

    Raises:
        ValueError: A name is unknown, or the folder holds rows of another recipe or other faces.
    """
    for name in names:
        find_design(name)
    settings = {"recipe": recipe.to_json()}
    study = TrialStudy(folder, train, valid, settings, provenance, options, folder / RESULT)
    study.keeps_runs = True
    study.measure = lambda trial, network: measure(network, trial.recipe.input_size)
    return study.run_trials([Trial(name, recipe, name) for name in names])


def find_frontier(rows: Sequence[Mapping[str, Any]], cost: str) -> list[Mapping[str, Any]]:
    """Return the rows that no other beats at the same cost or less, in rising order of both."""
    found: list[Mapping[str, Any]] = []
    for row in sorted(rows, key=lambda row: (row[cost], -row["accuracy"])):
        if not found or row["accuracy"] > found[-1]["accuracy"]:
            found.append(row)
    return found


def list_rows(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Return the rows of `compare_designs` as a table under HEADINGS, the most accurate first."""
    return [[cell.format(**row) for cell in CELLS] for row in sorted(rows, key=lambda row: -row["accuracy"])]


def _beside(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], cost: str) -> tuple[int, int]:
    """Return where the number of a point stands, in points from it: away from its nearest neighbor."""
    near = [other[cost] for other in rows if other is not row and abs(other["accuracy"] - row["accuracy"]) < 0.015]
    nearest = min(near, key=lambda other: abs(math.log(other / row[cost])), default=0)
    return (-12, 3) if nearest > row[cost] else (4, 3)


def draw_costs(rows: Sequence[Mapping[str, Any]], costs: Sequence[str] = ("mflops", "parameters")) -> Figure:
    """Draw accuracy against each cost of COSTS on a logarithmic axis, with its frontier; numbered from the best."""
    figure = Figure(figsize=(5 * len(costs) + 1.5, 4), layout="constrained")
    ordered = sorted(rows, key=lambda row: -row["accuracy"])
    colors = [colormaps["tab20"](number) for number in range(20)]
    for axis, cost in zip(figure.subplots(1, len(costs), squeeze=False)[0], costs):
        _draw_frontier(axis, rows, cost)
        for number, row in enumerate(ordered, start=1):
            place = (row[cost], 100 * row["accuracy"])
            axis.scatter(*place, 25, color=colors[(number - 1) % len(colors)], label=f"{number} {row['name']}")
            axis.annotate(str(number), place, _beside(row, rows, cost), textcoords="offset points", fontsize=8)
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside right upper", fontsize=8)
    return figure


def draw_front(rows: Sequence[Mapping[str, Any]], cost: str = "mflops") -> Figure:
    """Draw the trials of a search by one of COSTS and accuracy, colored by their order, with their frontier."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axis = figure.subplots()
    prices, accuracies = [row[cost] for row in rows], [100 * row["accuracy"] for row in rows]
    shown = axis.scatter(prices, accuracies, s=22, c=range(1, len(rows) + 1), cmap="viridis")
    figure.colorbar(shown, label="trial")
    _draw_frontier(axis, rows, cost)
    return figure


def _draw_frontier(axis: Axes, rows: Sequence[Mapping[str, Any]], cost: str) -> None:
    front = find_frontier(rows, cost)
    axis.plot([row[cost] for row in front], [100 * row["accuracy"] for row in front], color="0.6", zorder=0)
    axis.set(xscale="log", xlabel=COSTS[cost], ylabel="accuracy, %")
    axis.grid(alpha=0.3, which="both")
