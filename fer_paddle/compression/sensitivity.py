"""How much each layer hurts: every prunable group is cut alone, by several shares, and the network measured.

Source: Li et al. 2017, arXiv:1608.08710, section 3.2 and figure 2.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from fer_paddle import files
from fer_paddle.compression.prune import FilterPruner
from fer_paddle.environment import paddle
from fer_paddle.weights import fingerprint, load_card

SHARES = (0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875)
Measure = Callable[[paddle.nn.Layer], Mapping[str, float]]


@dataclass(frozen=True)
class Sensitivities:
    """Figures of a network with one layer pruned at a time.

    Attributes:
        criterion: By which the filters were chosen.
        weights: Fingerprint of the weights that were measured.
        about: The data and how they were measured, in words or numbers.
        baseline: Figures of the network as it is; `loss` and others.
        layers: For each group its `filters`, and `pruned`: the figures by the number of filters taken away.
    """

    criterion: str
    weights: str
    about: Mapping[str, Any]
    baseline: Mapping[str, float]
    layers: Mapping[str, Mapping[str, Any]]

    def rise(self, layer: str, figure: str = "loss") -> tuple[np.ndarray, np.ndarray]:
        """Gives shares of a layer's filters, from 0 up, and how far each raises the figure; float64 [K] both."""
        found = self.layers[layer]
        counts = sorted(map(int, found["pruned"]))
        values = [found["pruned"][str(count)][figure] - self.baseline[figure] for count in counts]
        return np.array([0, *counts]) / found["filters"], np.array([0.0, *values])

    def to_json(self) -> dict[str, Any]:
        """The fields as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Sensitivities:
        """Reads what `to_json` wrote.

        Raises:
            ValueError: A field is unknown or missing, or a layer has no figures.
        """
        try:
            read = cls(**content)
            for layer in read.layers:
                read.rise(layer)
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            raise ValueError(f"expected sensitivities as measure_sensitivities writes them, got: {error!r}") from error
        return read


def measure_sensitivities(
    pruner: FilterPruner,
    measure: Measure,
    shares: Sequence[float] = SHARES,
    path: str | os.PathLike[str] | None = None,
    about: Mapping[str, Any] | None = None,
    progress: Callable[[Iterable[str]], Iterable[str]] = iter,
) -> Sensitivities:
    """Measures the network with each group pruned alone, by each of some shares.

    Args:
        pruner: Of the network, which is as it was in the end.
        measure: network -> named figures, `loss` among them; the same for the same network.
        shares: Of the filters of a group that go, each between 0 and 1; one filter always stays.
        path: JSON file that is written after every layer, and read first where it is there: a measurement that was
            stopped goes on with the layer it was at.
        about: The data and how they are measured.
        progress: Wraps the names of the layers for a progress bar.

    Raises:
        ValueError: A share is out of its range, or the file is of other weights, another criterion or other data.
    """
    if not shares or not all(0 < share < 1 for share in shares):
        raise ValueError(f"expected shares between 0 and 1, got {list(shares)}")
    about = {**(about or {}), "shares": [float(share) for share in shares]}
    weights = fingerprint(pruner.network)
    path = None if path is None else Path(path)
    if path is not None and path.is_file():
        found = _read_same(path, pruner.criterion, weights, about)
    else:
        found = Sensitivities(pruner.criterion, weights, about, dict(measure(pruner.network)), {})
    layers = dict(found.layers)
    for name in progress([name for name in pruner.groups if name not in layers]):
        filters = pruner.groups[name].filters
        counts = sorted({min(max(round(filters * share), 1), filters - 1) for share in shares} - {0})
        figures = {}
        for count in counts:
            with pruner.pruned({name: filters - count}):
                figures[str(count)] = dict(measure(pruner.network))
        layers[name] = {"filters": filters, "pruned": figures}
        if path is not None:
            files.write_json(path, {**found.to_json(), "layers": layers})
    return Sensitivities(found.criterion, weights, found.about, found.baseline, layers)


def _read_same(path: Path, criterion: str, weights: str, about: Mapping[str, Any]) -> Sensitivities:
    """Reads the file of a measurement that shall go on, and checks that it is this one."""
    found = Sensitivities.from_json(load_card(path))
    ours = {"criterion": criterion, "weights": weights, **about}
    theirs = {"criterion": found.criterion, "weights": found.weights, **found.about}
    differing = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
    if differing:
        raise ValueError(f"expected sensitivities of the same network and data in {path}, other are its {differing}")
    return found


def plot_sensitivities(sensitivities: Sensitivities, figure: str = "loss") -> Figure:
    """Draws a map: a row for each layer, a column for each share that was pruned, the darker the worse.

    Args:
        sensitivities: What `measure_sensitivities` gave.
        figure: The figure whose change is drawn; the sign is turned where more is better, so that dark is bad.

    Returns:
        A matplotlib figure.

    Raises:
        ValueError: There is no layer.
    """
    names = list(sensitivities.layers)
    if not names:
        raise ValueError("expected the sensitivities of at least one layer, got none")
    columns = np.linspace(0.1, 0.9, 9)
    rows = np.stack([np.interp(columns, *sensitivities.rise(name, figure)) for name in names])
    worse = rows if figure == "loss" else -rows  # [layers, 9]
    canvas = Figure(figsize=(7, 1.6 + 0.2 * len(names)), layout="constrained")
    axis = canvas.subplots()
    drawn = axis.imshow(np.maximum(worse, 0), aspect="auto", cmap="Reds")
    axis.set_xticks(range(len(columns)), [f"{share:.0%}" for share in columns])
    axis.set_yticks(range(len(names)), names, fontsize=7)
    axis.set(xlabel="filters pruned", title=f"one layer pruned alone ({sensitivities.criterion})")
    canvas.colorbar(drawn, ax=axis, label=f"{figure}, change for the worse")
    return canvas
