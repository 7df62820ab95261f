"""A pruning study of any network: measure its layers, plan, cut, fine-tune, in rounds; every part is kept on disk.

What a network is, how it is measured and fine-tuned is the task's, see `PruneTask`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from matplotlib.figure import Figure

from fer_paddle import files
from fer_paddle.analysis.complexity import count_flops, count_parameters
from fer_paddle.analysis.plots import save_figure
from fer_paddle.compression.plan import COSTS, plan_by_sensitivity
from fer_paddle.compression.prune import CRITERIA, FilterPruner, recalibrate_norms
from fer_paddle.compression.sensitivity import RATIOS, Sensitivities, measure_sensitivities, plot_sensitivities
from fer_paddle.compression.unstructured import KeepZeros, apply_masks, magnitude_masks, zero_ratio
from fer_paddle.environment import paddle
from fer_paddle.models.model import Model
from fer_paddle.study import Row, Study
from fer_paddle.training.loop import Callback, RunOptions
from fer_paddle.weights import fingerprint

MAGNITUDE = "magnitude"
RESULTS = "results.json"
MODEL = "model.safetensors"
EMA_EPOCHS = 8  # from so many on, fine-tuning ends with the moving average of the weights


@dataclasses.dataclass(frozen=True)
class PruneSettings:
    """How to prune: to each of the ratios of the cost, or of the weights with the criterion `magnitude`."""

    ratios: tuple[float, ...] = (0.7, 0.5, 0.3)  # to keep, each above 0 and at most 1
    criterion: str = "l1"  # one of prune.CRITERIA, or `magnitude`
    steps: int = 1  # rounds of pruning and fine-tuning on the way to each: more lose less and take longer
    cost: str = "flops"  # one of plan.COSTS

    def __post_init__(self) -> None:
        if not self.ratios or not all(0 < ratio <= 1 for ratio in self.ratios):
            raise ValueError(f"expected ratios above 0 and at most 1, got {list(self.ratios)}")
        if self.cost not in COSTS:
            raise ValueError(f"expected a cost of {', '.join(COSTS)}, got {self.cost!r}")
        if self.criterion not in (*CRITERIA, MAGNITUDE):
            raise ValueError(f"expected a criterion of {', '.join((*CRITERIA, MAGNITUDE))}, got {self.criterion!r}")
        files.check_integer("steps", self.steps, 1)


def ema_decay(decay: float | None, epochs: int) -> float | None:
    """Return the decay for fine-tuning: None where it is so short that much of the start would stay."""
    return decay if epochs >= EMA_EPOCHS else None


def check_new(folder: Path, resume: bool) -> None:
    """Raise ValueError for a folder that holds something, unless the study in it is to go on."""
    if not resume and folder.is_dir() and any(folder.iterdir()):
        raise ValueError(f"expected a new folder, or --resume to go on with the study in {folder}")


class PruneTask(Protocol):
    """A network to prune, with its data."""

    model: Model  # what to prune
    weights: Path  # its file
    figure: str  # what counts, such as `accuracy`
    input_shape: tuple[int, ...]  # of a batch of one, such as (1, 1, 48, 48): FLOPs are counted at this size
    measured_on: Mapping[str, Any]  # what the sensitivities are measured on
    settings: Mapping[str, Any]  # that, and how to fine-tune: a study goes on only where all is the same
    data: Mapping[str, str]  # digests, see study.Study

    def measure(self, network: paddle.nn.Layer) -> dict[str, float]:
        """Measure a network on the validation set; `figure` is among the figures."""

    def measure_sensitivity(self, network: paddle.nn.Layer) -> dict[str, float]:
        """Measure a network on training data, quickly; `loss` is among the figures."""

    def norm_batches(self) -> Iterable[np.ndarray]:
        """Return inputs for recalibrate_norms."""

    def fit(self, network: paddle.nn.Layer, folder: Path, options: RunOptions) -> None:
        """Fine-tune a network after a cut in the folder of `options`; it ends with the best weights."""

    def save(self, network: paddle.nn.Layer, path: Path, record: Mapping[str, Any]) -> None:
        """Write a pruned network as ONNX and `.safetensors`, its record as `pruning` in the card."""


class PruningStudy:
    """One network, pruned to several sizes, in a folder in which a study that was stopped goes on."""

    def __init__(
        self,
        task: PruneTask,
        settings: PruneSettings,
        folder: Path,
        provenance: Mapping[str, Any] | None = None,
        callbacks: Sequence[Callback] = (),
        data_changed: bool = False,
    ):
        self.task, self.settings, self.folder, self.callbacks = task, settings, folder, callbacks
        self.network = task.model.network
        fixed = {"weights": fingerprint(self.network), **dataclasses.asdict(settings), "task": dict(task.settings)}
        del fixed["ratios"]
        self.study = Study(folder / RESULTS, fixed, provenance, task.data, data_changed)
        self.study.save()

    @cached_property
    def full(self) -> dict[str, float]:
        """Multiply-adds, parameters and figures of the network before."""
        if "full" not in self.study.content:
            size = {"flops": count_flops(self.network, self.task.input_shape)}
            size["parameters"] = count_parameters(self.network)
            self.study.content["full"] = size | self.task.measure(self.network)
            self.study.save()
        return self.study.content["full"]

    @cached_property
    def pruner(self) -> FilterPruner:
        """The pruner of the network at full size, which is never pruned for good."""
        return FilterPruner(self.network, self.task.input_shape, self.settings.criterion)

    @cached_property
    def sensitivities(self) -> Sensitivities:
        """Those of every layer, measured in the study's folder."""
        name, task = f"sensitivities_{self.settings.criterion}", self.task
        how = (RATIOS, self.folder / f"{name}.json", task.measured_on, task.data, self.study.data_changed)
        found = measure_sensitivities(self.pruner, task.measure_sensitivity, *how)
        save_figure(plot_sensitivities(found), self.folder / f"{name}.png", dpi=100)
        return found

    def run(self, copy_to: Path | None = None) -> dict[str, Any]:
        """Make the network of each ratio in the settings, write `results.json` after each, and return its content."""
        _ = self.full
        if self.settings.criterion != MAGNITUDE:  # which chooses single weights over the whole network
            _ = self.sensitivities  # before the study holds the folder
        self.study.run([{"kept_share": ratio} for ratio in self.settings.ratios], self._prune_to)
        save_figure(draw_prune_curve([self.study.content], self.task.figure), self.folder / "curve.png", dpi=100)
        if copy_to is not None:
            copy_to.parent.mkdir(parents=True, exist_ok=True)
            files.write_json(copy_to, self.study.content)
        return self.study.content

    def _prune_to(self, row: Row) -> dict[str, Any]:
        ratio, steps = row["kept_share"], self.settings.steps
        folder = self.folder / f"{self.settings.criterion}_{100 * ratio:g}"
        load = type(self.task.model).load
        network = load(self.task.weights).network
        rounds: list[dict[str, Any]] = []
        for step in range(1, steps + 1):
            path = folder / f"round{step}" / MODEL
            if path.is_file():
                model = load(path)
                network, record = model.network, model.card["pruning"]
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                # Equal factors: half of the FLOPs in two rounds is 71 % of them twice.
                record = self._round(network, ratio ** (step / steps), path)
            rounds.append(record)
        size = path.with_suffix(".onnx").stat().st_size
        return {**rounds[-1], "rounds": rounds, "weights": str(path), "file_bytes": size}

    def _round(self, network: paddle.nn.Layer, ratio: float, path: Path) -> dict[str, Any]:
        """Prune and fine-tune a network in place, write it, and return the record of it."""
        settings, task = self.settings, self.task
        record: dict[str, Any] = {"criterion": settings.criterion, "cost": settings.cost, "target_share": ratio}
        callbacks = list(self.callbacks)
        if settings.criterion != MAGNITUDE:
            record |= self._cut(network, ratio)
        else:
            masks = magnitude_masks(network, 1 - ratio)
            apply_masks(network, masks)
            callbacks.append(KeepZeros(network, masks))
            record["zero_share"] = zero_ratio(network)
        flops = count_flops(network, task.input_shape)
        record |= {"flops": flops, "flops_share": flops / self.full["flops"], "parameters": count_parameters(network)}
        record["pruned"] = task.measure(network)
        recalibrate_norms(network, task.norm_batches())
        record["recalibrated"] = task.measure(network)
        options = RunOptions(path.parent, True, callbacks, data_changed=self.study.data_changed)
        task.fit(network, path.parent, options)
        record |= task.measure(network)
        task.save(network, path, record)
        return record

    def _cut(self, network: paddle.nn.Layer, ratio: float) -> dict[str, Any]:
        # Of the full network in every round: filters are counted, so the same plan fits what earlier rounds left.
        plan = plan_by_sensitivity(self.pruner, self.sensitivities, ratio, cost=self.settings.cost)
        FilterPruner(network, self.task.input_shape, self.settings.criterion).prune(plan.kept)
        return {"kept": dict(plan.kept)}


def table_of(results: Mapping[str, Any], figure: str) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of the results as text."""
    full = results["full"]
    rows = [["full", "100.0%", f"{full['parameters']:,}", "", "", f"{full[figure]:.4f}"]]
    for row in results["rows"]:
        before = [f"{row[when][figure]:.4f}" for when in ("pruned", "recalibrated")]
        flops, parameters = f"{row['flops_share']:.1%}", f"{row['parameters']:,}"
        rows.append([f"{row['kept_share']:.0%}", flops, parameters, *before, f"{row[figure]:.4f}"])
    kept = f"{_kept(results)} to keep"
    return [kept, "FLOPs", "parameters", f"{figure}: pruned", "BN recalibrated", "fine-tuned"], rows


def _kept(results: Mapping[str, Any]) -> str:
    """Return what the ratios of a study are of."""
    settings = results["settings"]
    return "weights" if settings["criterion"] == MAGNITUDE else settings["cost"]


def draw_prune_curve(results: Sequence[Mapping[str, Any]], figure: str = "accuracy") -> Figure:
    """Draw a figure, such as `accuracy` or `ap`, against the FLOPs that are left: one curve for each results.json."""
    canvas = Figure(figsize=(7, 4), layout="constrained")
    axis = canvas.subplots()
    for result in results:
        try:
            rows = sorted(result["rows"], key=lambda row: -row["flops_share"])
            ratios = [1.0, *(row["flops_share"] for row in rows)]
            tuned = [result["full"][figure], *(row[figure] for row in rows)]
            untuned = [result["full"][figure], *(row["pruned"][figure] for row in rows)]
            label = f"{result['settings']['criterion']} by {_kept(result)}"
        except (KeyError, TypeError) as error:
            raise ValueError(f"expected the results of a pruning study with {figure!r}, got none: {error!r}") from error
        (line,) = axis.plot(ratios, tuned, "o-", label=f"{label}, fine-tuned")
        axis.plot(ratios, untuned, "o:", color=line.get_color(), alpha=0.5, label=f"{label}, only pruned")
    axis.set(xlabel="FLOPs left", ylabel=figure, title=f"{figure} against FLOPs")
    axis.xaxis.set_major_formatter(lambda ratio, _: f"{ratio:.0%}")
    axis.invert_xaxis()
    axis.grid(alpha=0.3)
    if axis.lines:
        axis.legend(fontsize=8)
    return canvas
