"""Sensitivity of each layer: every prunable group is cut alone, by several ratios, and the network measured.

Source: Li et al. 2017, arXiv:1608.08710, section 3.2 and figure 2.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from fer_paddle.compression.prune import FilterPruner
from fer_paddle.environment import paddle
from fer_paddle.study import Row, Study
from fer_paddle.weights import fingerprint

RATIOS = (0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875)
Measure = Callable[[paddle.nn.Layer], Mapping[str, float]]


@dataclass(frozen=True)
class Sensitivities:
    """Figures of a network with one layer pruned at a time."""

    settings: Mapping[str, Any]  # `criterion`, fingerprint of the `weights`, `ratios`, and how the figures are measured
    baseline: Mapping[str, float]  # figures of the network as it is; `loss` and others
    # for each group its `filters`, and `pruned`: the figures by the number of filters taken away
    layers: Mapping[str, Mapping[str, Any]]

    def rise(self, layer: str, figure: str = "loss") -> tuple[np.ndarray, np.ndarray]:
        """Return ratios of a layer's filters, from 0 up, and how far each raises the figure; float64 [K] both."""
        found = self.layers[layer]
        counts = sorted(map(int, found["pruned"]))
        values = [found["pruned"][str(count)][figure] - self.baseline[figure] for count in counts]
        return np.array([0, *counts]) / found["filters"], np.array([0.0, *values])

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Sensitivities:
        """Read what `measure_sensitivities` wrote."""
        try:
            layers = {row["layer"]: {"filters": row["filters"], "pruned": row["pruned"]} for row in content["rows"]}
            read = cls(content["settings"], content["baseline"], layers)
            for layer in layers:
                read.rise(layer)
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            raise ValueError(f"expected sensitivities as measure_sensitivities writes them, got: {error!r}") from error
        return read


def measure_sensitivities(
    pruner: FilterPruner,
    measure: Measure,
    ratios: Sequence[float] = RATIOS,
    path: str | os.PathLike[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    data: Mapping[str, str] | None = None,
    data_changed: bool = False,
) -> Sensitivities:
    """Measure the network with each group pruned alone, by each of some ratios.

    Args:
        measure: network -> named figures, `loss` among them; the same for the same network.
        ratios: Of the filters of a group that go, each between 0 and 1; one filter always stays.
        path: JSON file that is written after every layer; a measurement that was stopped goes on there.
        settings, data, data_changed: How and on what the figures are measured, see study.Study.
    """
    if not ratios or not all(0 < ratio < 1 for ratio in ratios):
        raise ValueError(f"expected ratios between 0 and 1, got {list(ratios)}")
    settings = {"criterion": pruner.criterion, "weights": fingerprint(pruner.network), **(settings or {})}
    study = Study(path, {**settings, "ratios": [float(ratio) for ratio in ratios]}, None, data, data_changed)

    def figures_of(network: paddle.nn.Layer) -> dict[str, float]:
        found = dict(measure(network))
        if not math.isfinite(found.get("loss", math.nan)):
            raise ValueError(f"expected figures with a finite loss, got {found}")
        return found

    def cut_alone(row: Row) -> dict[str, Any]:
        name = row["layer"]
        filters = pruner.groups[name].filters
        figures = {}
        for count in sorted({min(max(round(filters * ratio), 1), filters - 1) for ratio in ratios} - {0}):
            with pruner.pruned({name: filters - count}):
                figures[str(count)] = figures_of(pruner.network)
        return {"filters": filters, "pruned": figures}

    if study.rows:
        Sensitivities.from_json(study.content)
    else:
        study.content["baseline"] = figures_of(pruner.network)
    study.run([{"layer": name} for name in pruner.groups], cut_alone)
    return Sensitivities.from_json(study.content)


def plot_sensitivities(sensitivities: Sensitivities, figure: str = "loss") -> Figure:
    """Draw the change of a figure: a row for each layer, a column for each ratio measured, the darker the worse."""
    names = list(sensitivities.layers)
    if not names:
        raise ValueError("expected the sensitivities of at least one layer, got none")
    columns = sensitivities.settings["ratios"]
    rows = np.stack([np.interp(columns, *sensitivities.rise(name, figure)) for name in names])
    worse = rows if figure == "loss" else -rows  # [layers, ratios]
    canvas = Figure(figsize=(7, 1.6 + 0.2 * len(names)), layout="constrained")
    axis = canvas.subplots()
    drawn = axis.imshow(np.maximum(worse, 0), aspect="auto", cmap="Reds")
    axis.grid(visible=False)
    axis.set_xticks(range(len(columns)), [f"{ratio:.3g}" for ratio in columns])
    axis.set_yticks(range(len(names)), names, fontsize=7)
    axis.set(xlabel="share of filters pruned", title=f"one layer pruned alone ({sensitivities.settings['criterion']})")
    canvas.colorbar(drawn, ax=axis, label=f"{figure}, change for the worse")
    return canvas
