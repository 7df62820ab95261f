"""Networks compared on the same faces under one stated budget: one row each, kept as it is finished."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib import colormaps
from matplotlib.figure import Figure

from fer_paddle import files
from fer_paddle.environment import paddle, seed_everything
from fer_paddle.expression.data.faces import LabelledFaces
from fer_paddle.expression.recipes import Recipe
from fer_paddle.expression.train import train_expressions
from fer_paddle.models import build_model, find_design
from fer_paddle.training.loop import Callback
from fer_paddle.weights import load_card

COSTS = {"mflops": "million multiply-adds", "parameters": "parameters", "latency_ms": "milliseconds, one face"}
HEADINGS = ("network", "parameters", "MFLOPs", "ms a face", "accuracy", "in training")


def compare_designs(
    names: Sequence[str],
    train: LabelledFaces,
    valid: LabelledFaces,
    recipe: Recipe,
    folder: Path,
    measure: Callable[[paddle.nn.Layer, int], Mapping[str, Any]],
    make_callbacks: Callable[[str], Sequence[Callback]] = lambda name: (),
    workers: int = 0,
) -> list[dict[str, Any]]:
    """Trains each network by one recipe; a finished one is not trained again, a broken one goes on.

    Args:
        names: Names of models.DESIGNS.
        train: Faces to learn from.
        valid: Faces to measure on.
        recipe: The budget: epochs, side, batch, everything that is the same for all.
        folder: Where each has its run `NAME/` and its row `NAME.json`.
        measure: (trained network, side in pixels) -> further figures for its row, such as its latency.
        make_callbacks: Name -> callbacks of its run, see loop.fit.
        workers: Reader processes.

    Returns:
        Rows in the order of the names: `name`, `model`, `arguments`, `parameters`, `accuracy` and `train_accuracy` of
        the last epoch (not of the best: that would choose by the faces it is measured on), `train_seconds` (of this
        process, which may have done other work meanwhile; None where the run was resumed), and what `measure` gave.

    Raises:
        ValueError: A name is unknown, or the folder holds rows of another budget.
    """
    for name in names:
        find_design(name)
    budget = {"recipe": recipe.to_json(), "train_faces": len(train), "valid_faces": len(valid)}
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for name in names:
        path = folder / f"{name}.json"
        if path.is_file():
            kept = load_card(path)
            if kept["budget"] != budget:
                raise ValueError(f"expected a row of the same budget at {path}, got another: choose another folder")
        else:
            row = run_design(name, train, valid, recipe, folder / name, make_callbacks(name), workers)
            network = row.pop("network")
            kept = {"budget": budget, "row": {**row, **measure(network, recipe.input_size)}}
            files.write_json(path, kept)
        rows.append(kept["row"])
    return rows


def run_design(
    name: str,
    train: LabelledFaces,
    valid: LabelledFaces,
    recipe: Recipe,
    folder: Path,
    callbacks: Sequence[Callback],
    workers: int,
) -> dict[str, Any]:
    """Trains one network, or goes on where its run broke off; gives its row, and the `network` itself."""
    model, arguments = find_design(name)
    seed_everything(recipe.seed)
    network = build_model(model, **arguments)
    resumed, start = (folder / "last.json").is_file(), time.process_time()
    run = (train, valid, recipe, folder, True, callbacks, workers)
    last = train_expressions(network, *run, validate_every=recipe.epochs)[-1]
    return {
        "name": name,
        "model": model,
        "arguments": arguments,
        "parameters": sum(tensor.size for tensor in network.parameters() if not tensor.stop_gradient),
        "accuracy": last["valid_accuracy"],
        "train_accuracy": last["train_accuracy"],
        "train_seconds": None if resumed else round(time.process_time() - start, 1),
        "network": network,
    }


def find_frontier(rows: Sequence[Mapping[str, Any]], cost: str) -> list[Mapping[str, Any]]:
    """Gives the rows that no other one beats at the same price or a lower one, in rising order of both."""
    found: list[Mapping[str, Any]] = []
    for row in sorted(rows, key=lambda row: (row[cost], -row["accuracy"])):
        if not found or row["accuracy"] > found[-1]["accuracy"]:
            found.append(row)
    return found


def list_rows(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Gives the rows of `compare` as a table under HEADINGS, the most accurate first."""
    return [
        [
            row["name"],
            f"{row['parameters']:,}",
            f"{row['mflops']:.1f}",
            f"{row['latency_ms']:.2f}",
            f"{row['accuracy']:.3f}",
            f"{row['train_accuracy']:.3f}",
        ]
        for row in sorted(rows, key=lambda row: -row["accuracy"])
    ]


def _beside(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], cost: str) -> tuple[int, int]:
    """Where the number of a point stands, in points from it: on the side away from its nearest neighbour."""
    near = [other[cost] for other in rows if other is not row and abs(other["accuracy"] - row["accuracy"]) < 0.015]
    nearest = min(near, key=lambda other: abs(math.log(other / row[cost])), default=0)
    return (-12, 3) if nearest > row[cost] else (4, 3)


def draw_costs(rows: Sequence[Mapping[str, Any]], costs: Sequence[str] = ("mflops", "parameters")) -> Figure:
    """Draws accuracy over what it costs, each cost on a logarithmic axis, with the frontier of each.

    Args:
        rows: What `compare_designs` gave; they are numbered from the best.
        costs: Names of COSTS.
    """
    figure = Figure(figsize=(5 * len(costs) + 1.5, 4), layout="constrained")
    ordered = sorted(rows, key=lambda row: -row["accuracy"])
    colours = colormaps["tab20"].colors
    for axis, cost in zip(figure.subplots(1, len(costs), squeeze=False)[0], costs):
        frontier = find_frontier(rows, cost)
        axis.plot([row[cost] for row in frontier], [100 * row["accuracy"] for row in frontier], color="0.6", zorder=1)
        for number, row in enumerate(ordered, start=1):
            place = (row[cost], 100 * row["accuracy"])
            axis.scatter(*place, 25, color=colours[(number - 1) % len(colours)], label=f"{number} {row['name']}")
            axis.annotate(str(number), place, _beside(row, rows, cost), textcoords="offset points", fontsize=8)
        axis.set(xscale="log", xlabel=COSTS[cost], ylabel="accuracy, %")
        axis.grid(alpha=0.3, which="both")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside right upper", fontsize=8)
    return figure
