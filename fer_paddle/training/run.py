"""The state of one training run: what callbacks see, what a checkpoint keeps, which epoch was best."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle.environment import machine, paddle
from fer_paddle.files import file_digest
from fer_paddle.study import differing_fields
from fer_paddle.training import parallel
from fer_paddle.training.checkpoint import LAST, load_progress, read_config, restore_checkpoint, save_checkpoint
from fer_paddle.training.config import FitConfig
from fer_paddle.training.ema import make_average
from fer_paddle.training.optim import schedule_after
from fer_paddle.training.parallel import Means
from fer_paddle.weights import load_arrays, load_card, save_weights, state_arrays

BEST = "best.safetensors"
FILES_OF_A_RUN = (BEST, LAST, "curves.json")  # which the weights and the card of an export could replace
# Fields of a task: the data that a run learned from, and the SHA-256 of the weights that it began with, else None.
DIGESTS, START = "data_digests", "start_digest"


class NonFiniteLoss(ArithmeticError):
    """The loss, the weights or, in every epoch, the monitored figure became NaN or infinite: the message says where."""


class Callback:
    """What `fit` calls as it goes; every method may read and change the run. Override what you need.

    Attributes:
        every_process: False for what only shows or writes: of several processes only the first calls it.
    """

    every_process = True

    def on_fit_start(self, run: Run) -> None:
        """Called once, after a checkpoint was restored."""

    def on_step_end(self, run: Run) -> None:
        """Called after each optimizer step, `run.step` of the epoch; `run.running` holds its means so far."""

    def on_epoch_end(self, run: Run) -> None:
        """Called after validation and before the checkpoint; `run.history[-1]` is the epoch's record."""

    def on_fit_end(self, run: Run) -> None:
        """Called once, at the end, early stop, interruption or error."""


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """Where and how a training runs; nothing here changes the weights that it gives."""

    folder: Path | None = None  # where checkpoints and the best weights go; None keeps none
    # go on from the folder's last checkpoint where there is one; else a folder with one is refused
    resume: bool = False
    callbacks: Sequence[Callback] = ()  # called in order
    workers: int = 0  # reader processes; 0 reads in a thread
    data_changed: bool = False  # resume though the data are others than before


class Run:
    """One training run; the arguments are those of `loop.fit`."""

    def __init__(
        self,
        model: paddle.nn.Layer,
        loss: Callable[[Any, Any], Any],
        loaders: Mapping[str, Any],
        optimizer: paddle.optimizer.Optimizer,
        metrics: Mapping[str, Callable[[Any, Any], float]],
        config: FitConfig,
        options: RunOptions,
        task: Mapping[str, Any],
    ):
        self.model, self.loss, self.loaders, self.optimizer = model, loss, loaders, optimizer
        self.metrics, self.config = metrics, config
        self.folder = None if options.folder is None else Path(options.folder)
        is_first = parallel.rank() == 0
        self.data_changed = options.data_changed
        self.callbacks = [callback for callback in options.callbacks if callback.every_process or is_first]
        try:
            self.task = json.loads(json.dumps(dict(task)))
        except TypeError as error:
            raise ValueError(f"expected JSON values in task, got: {error}") from error
        self.epoch, self.step = 0, 0  # finished ones, of the epoch that runs
        self.batch_samples = 0  # of the last step in this process
        self.steps_per_epoch = len(loaders["train"])
        self.average = make_average(model, config, self.steps_per_epoch)
        self.history: list[dict[str, float]] = []  # figures of each finished epoch
        self.means = Means()  # training figures of the epoch that runs
        self.stop = False  # set it to end the run after the epoch
        self._seconds_before, self._started = 0.0, time.monotonic()

    @property
    def seconds(self) -> float:
        """Time spent so far; of a resumed run also that before its checkpoint."""
        return self._seconds_before + time.monotonic() - self._started

    @property
    def done_steps(self) -> int:
        """Steps since the run's first."""
        return self.epoch * self.steps_per_epoch + self.step

    @property
    def running(self) -> dict[str, float]:
        """The training figures of the epoch so far; of this process, where there are several."""
        return self.means.result()

    @property
    def best(self) -> float | None:
        """The best finite value of the monitored figure so far; None before there is one."""
        record = best_record(self.history, self.config)
        return None if record is None else record[self.config.monitor]

    def epochs_since_best(self) -> int:
        """Return the epochs since the monitored figure was first as good as `best`; all where there is none."""
        record = best_record(self.history, self.config)
        return len(self.history) - (0 if record is None else int(record["epoch"]))

    def averaged(self) -> AbstractContextManager[None]:
        """Put the averaged weights, where there are any, into the model for the time of a `with` block."""
        return nullcontext() if self.average is None else self.average.applied()

    def notify(self, event: str) -> None:
        """Call one method of every callback, in order."""
        for callback in self.callbacks:
            getattr(callback, event)(self)

    def save_best(self) -> None:
        """Write the weights that were just evaluated, with the epoch's figures and the configuration."""
        if self.folder is None or parallel.rank() != 0:
            return
        with self.averaged():
            arrays = state_arrays(self.model)
        processes = f", {parallel.world_size()} processes" if parallel.world_size() > 1 else ""
        card = {
            "figures": self.history[-1],
            "config": self.config.to_json(),
            "task": self.task,
            "hours": round(self.seconds / 3600, 3),
            "machine": machine() + processes,
        }
        save_weights(self.folder / BEST, arrays, card)

    def save(self) -> None:
        """Write the checkpoint from which `restore` goes on exactly here; all processes must call it."""
        # Of a finite loss, by its gradient: saved, they would be where a resumed run begins.
        weights = state_arrays(self.model)
        if wrong := [name for name, array in weights.items() if not np.isfinite(array).all()]:
            raise NonFiniteLoss(f"expected finite weights after {self.done_steps} steps, got others in {wrong[0]}")
        means = parallel.all_reduce_means(self.means)
        if self.folder is None or parallel.rank() != 0:
            return
        progress = {
            "epoch": self.epoch,
            "step": self.step,
            "stopped": self.stop,
            "seconds": self.seconds,
            "means": means.state,
            "history": self.history,
            "config": self.config.to_json(),
            "task": self.task,
        }
        save_checkpoint(self.folder, weights, self.model, self.optimizer, self.average, progress)

    def restore(self) -> None:
        """Go back to the folder's last checkpoint, of the same configuration but for more epochs after its end."""
        assert self.folder is not None
        progress = load_progress(self.folder)
        their_config = read_config(type(self.config), progress, self.folder)
        has_ended = progress["stopped"] or progress["epoch"] >= their_config.epochs
        goes_on = has_ended and self.config.epochs > their_config.epochs
        if goes_on:
            their_config = dataclasses.replace(their_config, epochs=self.config.epochs)
            progress = {**progress, "stopped": False}
        theirs = their_config.to_json()
        task, their_task = dict(self.task), dict(progress["task"])
        if self.data_changed:
            task.pop(DIGESTS, None), their_task.pop(DIGESTS, None)
        if differing := differing_fields({**self.config.to_json(), "task": task}, {**theirs, "task": their_task}):
            raise ValueError(
                f"expected the configuration of the checkpoint in {self.folder}, got another: {', '.join(differing)}"
            )
        if goes_on and progress["schedule"] is not None:
            steps = progress["epoch"] * self.steps_per_epoch
            progress["schedule"] = schedule_after(steps, self.optimizer, progress["schedule"])
        restore_checkpoint(self.folder, progress, self.model, self.optimizer, self.average)
        self.epoch, self.step, self.stop = progress["epoch"], progress["step"], progress["stopped"]
        self.history = progress["history"]
        self._seconds_before, self._started = progress.get("seconds", 0.0), time.monotonic()
        # The file holds the sum over all processes: the first goes on from it, the others from zero.
        is_first = parallel.rank() == 0
        self.means = Means({name: pair if is_first else [0.0, 0] for name, pair in progress["means"].items()})


def best_record(history: Sequence[Mapping[str, float]], config: FitConfig) -> Any:
    """Return the record of the best epoch, whose weights are kept; None where no monitored figure is finite."""
    values = [(record.get(config.monitor), record) for record in history]  # None: not measured, or NaN once resumed
    finite = [record for value, record in values if value is not None and math.isfinite(value)]
    choose = max if config.mode == "max" else min
    return choose(finite, key=lambda record: record[config.monitor], default=None)


def start_digest(start: Path | None) -> dict[str, str | None]:
    """Return the field START of a task."""
    return {START: None if start is None else file_digest(start)}


def check_export(run: str | os.PathLike[str], path: str | os.PathLike[str]) -> None:
    """Raise ValueError for an export that would replace files of its run."""
    if Path(path).with_suffix("").resolve() in [Path(run, name).with_suffix("").resolve() for name in FILES_OF_A_RUN]:
        raise ValueError(f"expected a file name that leaves {', '.join(FILES_OF_A_RUN)} of the run alone, got {path}")


def load_best(folder: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read the best weights of a run and their card: `figures`, `config`, `task`, `hours` and `machine`."""
    path = Path(folder) / BEST
    arrays, card = load_arrays(path), load_card(path)
    if missing := {"figures", "config", "task"} - card.keys():
        raise ValueError(f"expected the card of a run beside {path}, it lacks {', '.join(sorted(missing))}")
    if not isinstance(card["config"], dict):
        raise ValueError(f"expected the fields of a configuration beside {path}, got {card['config']!r}")
    return arrays, card


def training_cost(card: Mapping[str, Any]) -> dict[str, Any]:
    """Return `hours` and `machine` of a run's best weights for the card of what is made of them, where noted."""
    return {name: card[name] for name in ("hours", "machine") if name in card}


def training_card(best: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the card of a network says of its training: recipe, figures and cost, of the card of `load_best`."""
    return {"recipe": best["config"], "figures": best["figures"], **training_cost(best)}
