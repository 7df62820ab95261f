"""A pruning study of any network: measure its layers, plan, cut, fine-tune, in rounds; every part is kept on disk.

The study knows no faces: what a network is, how it is measured and trained on is its task's, see `PruneTask`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from fer_paddle import files
from fer_paddle.compression.flops import count_flops, count_parameters
from fer_paddle.compression.plan import COSTS, plan_by_sensitivity
from fer_paddle.compression.prune import CRITERIA, FilterPruner
from fer_paddle.compression.recalibrate import recalibrate_norms
from fer_paddle.compression.sensitivity import SHARES, Sensitivities, measure_sensitivities
from fer_paddle.compression.unstructured import KeepZeros, apply_masks, magnitude_masks, zero_share
from fer_paddle.environment import paddle
from fer_paddle.study import differing_fields
from fer_paddle.training.loop import Callback
from fer_paddle.weights import fingerprint, load_card

MAGNITUDE = "magnitude"
STUDY = "study.json"
MODEL = "model.safetensors"
AVERAGED_EPOCHS = 8  # from so many on, fine-tuning ends with the moving average of the weights


@dataclasses.dataclass(frozen=True)
class PruneSettings:
    """How to prune.

    Attributes:
        shares: Parts of the cost to keep, each above 0 and at most 1: one pruned network for each. With `magnitude`
            the parts of the weights that stay.
        criterion: One of prune.CRITERIA, or `magnitude` for single weights.
        steps: Rounds of pruning and fine-tuning on the way to each; more lose less and take longer.
        multiple: Filters are kept in multiples of this.
        cost: What the plan saves, one of plan.COSTS.

    Raises:
        ValueError: A field is out of its range.
    """

    shares: tuple[float, ...] = (0.7, 0.5, 0.3)
    criterion: str = "l1"
    steps: int = 1
    multiple: int = 1
    cost: str = "flops"

    def __post_init__(self) -> None:
        if not self.shares or not all(0 < share <= 1 for share in self.shares):
            raise ValueError(f"expected shares above 0 and at most 1, got {list(self.shares)}")
        if self.cost not in COSTS:
            raise ValueError(f"expected a cost of {', '.join(COSTS)}, got {self.cost!r}")
        if self.criterion not in (*CRITERIA, MAGNITUDE):
            raise ValueError(f"expected a criterion of {', '.join((*CRITERIA, MAGNITUDE))}, got {self.criterion!r}")
        if self.steps < 1 or self.multiple < 1:
            raise ValueError(f"expected steps and multiple of at least 1, got {self.steps} and {self.multiple}")


def ema_decay(decay: float | None, epochs: int) -> float | None:
    """The decay of the moving average for fine-tuning: None where it is so short that much of the start would stay."""
    return decay if epochs >= AVERAGED_EPOCHS else None


def read_settings(arguments: Mapping[str, Any]) -> PruneSettings:
    """Settings as a command line has them, see arguments.add_prune_arguments: `flops` where no other cost has shares.

    Raises:
        ValueError: See PruneSettings.
    """
    cost = next(cost for cost in reversed(COSTS) if arguments[cost])
    return PruneSettings(
        tuple(arguments[cost]), arguments["criterion"], arguments["steps"], arguments["multiple"], cost
    )


class PruneTask(Protocol):
    """What a study must know of its network.

    Attributes:
        input_shape: Of a batch of one, such as (1, 1, 48, 48): FLOPs are counted at this size.
        measured_on: What the sensitivities are measured on, as JSON values.
        about: That, and how to train on: a study is gone on with only where all is the same.
    """

    input_shape: tuple[int, ...]
    measured_on: Mapping[str, Any]
    about: Mapping[str, Any]

    def load(self) -> paddle.nn.Layer:
        """Gives the network to prune, as it is on disk, in eval mode."""

    def measure(self, network: paddle.nn.Layer) -> dict[str, float]:
        """Measures a network on data kept out of training; `accuracy` or `ap` is among the figures."""

    def measure_sensitivity(self, network: paddle.nn.Layer) -> dict[str, float]:
        """Measures a network on training data, quickly; `loss` is among the figures."""

    def norm_batches(self) -> Iterable[np.ndarray]:
        """Gives inputs for recalibrate_norms."""

    def fit(self, network: paddle.nn.Layer, folder: Path, callbacks: Sequence[Callback]) -> None:
        """Cares for a network after a cut and trains it on, resuming the run in the folder; it ends with the best."""

    def save(self, network: paddle.nn.Layer, path: Path, record: Mapping[str, Any]) -> None:
        """Writes a pruned network with the record of its pruning."""

    def load_pruned(self, path: Path) -> tuple[paddle.nn.Layer, dict[str, Any]]:
        """Reads what `save` wrote."""


class PruningStudy:
    """One network, pruned to several sizes.

    Args:
        task: The network, its data and its training.
        settings: How to prune.
        folder: Where all goes; a study that was stopped goes on there.
        callbacks: Of fine-tuning, see loop.fit.

    Raises:
        ValueError: The folder holds a study of other weights, data or settings.
    """

    def __init__(self, task: PruneTask, settings: PruneSettings, folder: Path, callbacks: Sequence[Callback] = ()):
        self.task, self.settings, self.folder, self.callbacks = task, settings, folder, callbacks
        self.network = task.load()
        self._open_folder()

    def _open_folder(self) -> None:
        """Makes the folder and writes what the study is, or checks that it holds this one; targets may be added."""
        settings = dataclasses.asdict(self.settings)
        del settings["shares"]
        weights = fingerprint(self.network)
        study = {"weights": weights, "settings": settings, "about": dict(self.task.about)}
        path = self.folder / STUDY
        if path.is_file() and (differing := differing_fields(study, load_card(path))):
            raise ValueError(f"expected the study that {self.folder} holds, got another: {', '.join(differing)}")
        self.folder.mkdir(parents=True, exist_ok=True)
        files.write_json(path, study)

    @property
    def needs_sensitivities(self) -> bool:
        """Whether the criterion prunes filters: single weights are chosen over the whole network."""
        return self.settings.criterion != MAGNITUDE

    @cached_property
    def full(self) -> dict[str, float]:
        """Multiply-adds, parameters and figures of the network before."""
        shape = self.task.input_shape
        size = {"flops": count_flops(self.network, shape), "parameters": count_parameters(self.network)}
        return size | self.task.measure(self.network)

    @cached_property
    def pruner(self) -> FilterPruner:
        """The pruner of the network at full size, which is never pruned for good."""
        return FilterPruner(self.network, self.task.input_shape, self.settings.criterion)

    def measure_sensitivities(
        self, path: Path | None = None, progress: Callable[[Iterable[str]], Iterable[str]] = iter
    ) -> Sensitivities:
        """Measures the sensitivities of every layer, or goes on with those in the file.

        Args:
            path: Their JSON file; None takes one in the folder of the study.
            progress: Wraps the layers for a progress bar.

        Raises:
            ValueError: The file is of other weights, another criterion or other data.
        """
        path = path or self.folder / f"sensitivities_{self.settings.criterion}.json"
        measure, about = self.task.measure_sensitivity, self.task.measured_on
        return measure_sensitivities(self.pruner, measure, SHARES, path, about, progress)

    def run(self, share: float, sensitivities: Sensitivities | None = None) -> dict[str, Any]:
        """Makes one pruned network, in as many rounds as the settings say.

        Args:
            share: Part of the cost (with `magnitude`: of the weights) to keep.
            sensitivities: Of this network; not needed for `magnitude`.

        Returns:
            Figures of the last round, `pruned`, `recalibrated` and fine-tuned; `rounds`, those of all; `weights`, the
            file.
        """
        folder = self.folder / f"{self.settings.criterion}_{100 * share:g}"
        network, steps = self.task.load(), self.settings.steps
        rounds: list[dict[str, Any]] = []
        for step in range(1, steps + 1):
            path = folder / f"round{step}" / MODEL
            if path.is_file():
                network, record = self.task.load_pruned(path)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                # Equal factors: half of the FLOPs in two rounds is 71 % of them twice.
                record = self._round(network, share ** (step / steps), sensitivities, path)
            rounds.append(record)
        return {"kept_share": share, **rounds[-1], "rounds": rounds, "weights": str(path)}

    def _round(
        self, network: paddle.nn.Layer, share: float, sensitivities: Sensitivities | None, path: Path
    ) -> dict[str, Any]:
        """Prunes and fine-tunes a network in place, writes it, and gives the record of it."""
        settings = self.settings
        record: dict[str, Any] = {"criterion": settings.criterion, "cost": settings.cost, "target_share": share}
        callbacks = list(self.callbacks)
        if self.needs_sensitivities:
            record |= self._cut(network, share, sensitivities)
        else:
            masks = magnitude_masks(network, 1 - share)
            apply_masks(network, masks)
            callbacks.append(KeepZeros(network, masks))
            record["zero_share"] = zero_share(network)
        flops = count_flops(network, self.task.input_shape)
        record |= {"flops": flops, "flops_share": flops / self.full["flops"], "parameters": count_parameters(network)}
        record["pruned"] = self.task.measure(network)
        recalibrate_norms(network, self.task.norm_batches())
        record["recalibrated"] = self.task.measure(network)
        self.task.fit(network, path.parent, callbacks)
        record |= self.task.measure(network)
        self.task.save(network, path, record)
        return record

    def _cut(self, network: paddle.nn.Layer, share: float, sensitivities: Sensitivities | None) -> dict[str, Any]:
        if sensitivities is None:
            raise ValueError("expected the sensitivities of the layers for a plan, got none")
        # Of the full network in every round: filters are counted, so the same plan fits what earlier rounds left.
        settings = self.settings
        plan = plan_by_sensitivity(self.pruner, sensitivities, share, multiple=settings.multiple, cost=settings.cost)
        FilterPruner(network, self.task.input_shape, self.settings.criterion).prune(plan.kept)
        return {"kept": dict(plan.kept)}
