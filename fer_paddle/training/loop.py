"""The training loop. It knows no task: classifiers, detectors, landmarks and students all train by `fit`.

Batches are (inputs, targets); the network maps inputs to outputs; `loss(outputs, targets)` gives a scalar or named
scalars whose sum is minimised; each metric is a function of (outputs, targets) that gives the mean over the batch.
"""

from __future__ import annotations

import dataclasses
import math
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle import weight_files
from fer_paddle.environment import paddle, seed_everything
from fer_paddle.training import parallel
from fer_paddle.training.average import WeightAverage
from fer_paddle.training.checkpoint import load_progress, restore_checkpoint, save_checkpoint

BEST = "best.safetensors"


class NonFiniteLoss(ArithmeticError):
    """The loss became NaN or infinite; the message names epoch, step and batch."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C: the step was finished and the checkpoint written before this was raised."""


@dataclasses.dataclass(frozen=True)
class FitConfig:
    """What the loop itself is told. Saved in every checkpoint; a resumed run must bring the same.

    Attributes:
        epochs: Passes over the training loader, 1 or more.
        seed: Seed of everything random in a step.
        monitor: The figure of an epoch that decides which checkpoint is best, such as `valid_accuracy`.
        mode: `max` when a larger `monitor` is better, else `min`.
        patience: Stop after so many epochs without a better `monitor`; None never stops early.
        average_decay: Keep a moving average of the weights and evaluate that; None keeps none.
        task: The caller's own settings as JSON (recipe, data); kept beside the checkpoint.
    """

    epochs: int
    seed: int = 0
    monitor: str = "valid_loss"
    mode: str = "min"
    patience: int | None = None
    average_decay: float | None = None
    task: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.mode not in ("min", "max"):
            raise ValueError(f"expected epochs >= 1 and mode 'min' or 'max', got {self.epochs} and {self.mode!r}")


class Callback:
    """What `fit` calls as it goes; every method may read and change the run. Override what you need."""

    def on_fit_start(self, run: Run) -> None:
        """Called once, after a checkpoint was restored."""

    def on_step_end(self, run: Run) -> None:
        """Called after each optimizer step; `run.running` holds the epoch's means so far."""

    def on_epoch_end(self, run: Run) -> None:
        """Called after validation and before the checkpoint; `run.history[-1]` is the epoch's record."""

    def on_fit_end(self, run: Run) -> None:
        """Called once, at the end, early stop, interruption or error."""


class Means:
    """Weighted running means of named figures."""

    def __init__(self, state: Mapping[str, Sequence[float]] | None = None):
        self.state = {name: list(pair) for name, pair in (state or {}).items()}

    def add(self, figures: Mapping[str, float], weight: int) -> None:
        for name, value in figures.items():
            pair = self.state.setdefault(name, [0.0, 0])
            pair[0] += value * weight
            pair[1] += weight

    def result(self) -> dict[str, float]:
        return {name: total / weight for name, (total, weight) in self.state.items()}


class Run:
    """The state of one training run: what callbacks see and a checkpoint keeps."""

    def __init__(
        self,
        model: paddle.nn.Layer,
        loss: Callable[[Any, Any], Any],
        loaders: Mapping[str, Iterable[Any]],
        optimizer: paddle.optimizer.Optimizer,
        metrics: Mapping[str, Callable[[Any, Any], float]],
        callbacks: Sequence[Callback],
        config: FitConfig,
        folder: Path | None,
        validate: Callable[[paddle.nn.Layer], Mapping[str, float]] | None,
        validate_every: int,
    ):
        self.model, self.loss, self.loaders, self.optimizer = model, loss, loaders, optimizer
        self.metrics, self.callbacks, self.config, self.folder = metrics, callbacks, config, folder
        self.validate, self.validate_every = validate, validate_every
        self.average = WeightAverage(model, config.average_decay) if config.average_decay is not None else None
        self.epoch, self.step = 0, 0
        self.history: list[dict[str, float]] = []
        self.means = Means()
        self.stop = False
        self.batch_samples = 0

    @property
    def steps_per_epoch(self) -> int:
        return len(self.loaders["train"])

    @property
    def running(self) -> dict[str, float]:
        return self.means.result()

    @property
    def best(self) -> float | None:
        """The best value of the monitored figure so far; None before the first epoch's end."""
        values = [record[self.config.monitor] for record in self.history if self.config.monitor in record]
        return (max if self.config.mode == "max" else min)(values) if values else None

    def train_epoch(self, interrupted: threading.Event) -> None:
        """Runs the rest of the current epoch, from `self.step` on."""
        start_epoch(self.loaders["train"], self.epoch, self.step)
        self.model.train()
        for inputs, targets in self.loaders["train"]:
            self.train_step(inputs, targets)
            self.step += 1
            self.notify("on_step_end")
            if interrupted.is_set():
                self.save()
                raise Interrupted(f"stopped by Ctrl-C after step {self.step} of epoch {self.epoch + 1}")

    def train_step(self, inputs: Any, targets: Any) -> None:
        """One forward, backward and optimizer step."""
        seed_everything(int(np.random.SeedSequence((self.config.seed, self.epoch, self.step)).generate_state(1)[0]))
        outputs = self.model(inputs)
        total, terms = self.total_loss(outputs, targets)
        if not math.isfinite(terms["loss"]):
            raise NonFiniteLoss(self.describe_step(terms))
        total.backward()
        parallel.average_gradients(self.model)
        self.optimizer.step()
        self.optimizer.clear_grad()
        schedule = self.optimizer._learning_rate
        if isinstance(schedule, paddle.optimizer.lr.LRScheduler):
            schedule.step()
        if self.average is not None:
            self.average.update(self.epoch * self.steps_per_epoch + self.step)
        self.batch_samples = count_samples(inputs)
        self.means.add({**terms, **self.measure(outputs, targets)}, self.batch_samples)

    def total_loss(self, outputs: Any, targets: Any) -> tuple[paddle.Tensor, dict[str, float]]:
        """Gives the loss to minimise and its terms as floats, `loss` being their sum."""
        value = self.loss(outputs, targets)
        if not isinstance(value, Mapping):
            return value, {"loss": float(value)}
        total = sum(value.values())
        return total, {"loss": float(total), **{f"loss_{name}": float(term) for name, term in value.items()}}

    def measure(self, outputs: Any, targets: Any) -> dict[str, float]:
        with paddle.no_grad():
            return {name: float(metric(outputs, targets)) for name, metric in self.metrics.items()}

    def describe_step(self, terms: Mapping[str, float]) -> str:
        """One line that names the epoch, step and samples of the current batch."""
        sampler = getattr(self.loaders["train"], "batch_sampler", None)
        samples = f", samples {sampler.batch(self.epoch, self.step)}" if hasattr(sampler, "batch") else ""
        values = ", ".join(f"{name} {value}" for name, value in terms.items())
        return f"expected a finite loss, got {values} in epoch {self.epoch + 1}, step {self.step + 1}{samples}"

    @paddle.no_grad()
    def evaluate(self) -> dict[str, float]:
        """Measures the averaged weights (or the weights) on the validation loader and by `validate`."""
        means = Means()
        self.model.eval()
        with self.average.applied() if self.average is not None else nullcontext():
            start_epoch(self.loaders.get("valid"), self.epoch, 0)
            for inputs, targets in self.loaders.get("valid", ()):
                outputs = self.model(inputs)
                means.add({**self.total_loss(outputs, targets)[1], **self.measure(outputs, targets)}, count_samples(inputs))
            figures = parallel.sum_means(means).result()
            if self.validate is not None and self.validation_is_due():
                figures |= self.validate(self.model)
        return {f"valid_{name}": float(value) for name, value in figures.items()}

    def validation_is_due(self) -> bool:
        done = self.epoch + 1
        return done % self.validate_every == 0 or done == self.config.epochs

    def finish_epoch(self) -> None:
        """Records the epoch, keeps the best weights and writes the checkpoint."""
        record = {f"train_{name}": value for name, value in parallel.sum_means(self.means).result().items()}
        record = {"epoch": self.epoch + 1, "learning_rate": self.optimizer.get_lr(), **record, **self.evaluate()}
        former = self.best
        self.history.append(record)
        self.epoch, self.step, self.means = self.epoch + 1, 0, Means()
        self.notify("on_epoch_end")
        if self.config.monitor not in record and self.epoch == self.config.epochs:
            raise ValueError(f"expected the monitored figure {self.config.monitor!r} among {sorted(record)}")
        if self.best != former:
            self.save_best(record)
        if self.config.patience is not None and self.epochs_since_best() >= self.config.patience:
            self.stop = True
        self.save()

    def epochs_since_best(self) -> int:
        values = [record.get(self.config.monitor) for record in self.history]
        return len(values) - 1 - values.index(self.best)

    def save_best(self, record: Mapping[str, float]) -> None:
        if self.folder is None or parallel.rank() != 0:
            return
        with self.average.applied() if self.average is not None else nullcontext():
            arrays = weight_files.state_arrays(self.model)
        weight_files.save_weights(self.folder / BEST, arrays, {"figures": record, "config": dataclasses.asdict(self.config)})

    def save(self) -> None:
        """Writes the checkpoint from which `resume` goes on exactly here."""
        if self.folder is None or parallel.rank() != 0:
            return
        progress = {
            "epoch": self.epoch,
            "step": self.step,
            "stopped": self.stop,
            "means": self.means.state,
            "history": self.history,
            "config": dataclasses.asdict(self.config),
            "random": {"seed": self.config.seed, "rule": "every step seeds Python, NumPy and Paddle from (seed, epoch, step)"},
        }
        save_checkpoint(self.folder, self.model, self.optimizer, self.average and self.average.tensors, progress)

    def restore(self) -> None:
        """Goes back to the folder's last checkpoint.

        Raises:
            ValueError: The checkpoint was made with another configuration; the differing fields are named.
        """
        progress = load_progress(self.folder)
        ours, theirs = dataclasses.asdict(self.config), progress["config"]
        differing = [name for name in ours if ours[name] != theirs.get(name)]
        if differing:
            raise ValueError(f"expected the configuration of the checkpoint in {self.folder}; these differ: {', '.join(differing)}")
        restore_checkpoint(self.folder, progress, self.model, self.optimizer, self.average and self.average.tensors)
        self.epoch, self.step, self.stop = progress["epoch"], progress["step"], progress["stopped"]
        self.history, self.means = progress["history"], Means(progress["means"])

    def notify(self, event: str) -> None:
        for callback in self.callbacks:
            getattr(callback, event)(self)


def fit(
    model: paddle.nn.Layer,
    loss: Callable[[Any, Any], Any],
    loaders: Mapping[str, Iterable[Any]],
    optimizer: paddle.optimizer.Optimizer,
    metrics: Mapping[str, Callable[[Any, Any], float]] | None = None,
    callbacks: Sequence[Callback] = (),
    *,
    config: FitConfig,
    folder: Path | None = None,
    resume: bool = False,
    validate: Callable[[paddle.nn.Layer], Mapping[str, float]] | None = None,
    validate_every: int = 1,
) -> list[dict[str, float]]:
    """Trains a network.

    Args:
        model: Any network; with several processes (paddle.distributed.launch) see `parallel.prepare_model`.
        loss: (outputs, targets) -> scalar Tensor, or named scalars whose sum is minimised.
        loaders: `train`, and `valid` where there is one, each giving (inputs, targets); those of
            `loader.make_loader` can be resumed in mid-epoch.
        optimizer: A Paddle optimizer over the model's parameters; its schedule is advanced each step.
        metrics: Named functions (outputs, targets) -> mean over the batch.
        callbacks: Called in order.
        config: Epochs, seed, what is best, when to stop.
        folder: Where checkpoints go; None keeps none.
        resume: Go on from the folder's last checkpoint where there is one.
        validate: Measures the network after an epoch, for figures no batch mean can give.
        validate_every: Epochs between two calls of `validate`; the last epoch always has one.

    Returns:
        One record per epoch: `epoch`, `learning_rate`, `train_*` and `valid_*` figures.

    Raises:
        NonFiniteLoss: The loss is NaN or infinite.
        Interrupted: Ctrl-C; the checkpoint was written.
        ValueError: The checkpoint to resume is of another configuration or network.
    """
    if folder is not None:
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
    run = Run(model, loss, loaders, optimizer, metrics or {}, callbacks, config, folder, validate, validate_every)
    if resume and folder is not None and (folder / "last.json").is_file():
        run.restore()
    run.notify("on_fit_start")
    try:
        with finish_step_on_interrupt() as interrupted:
            while run.epoch < config.epochs and not run.stop:
                run.train_epoch(interrupted)
                run.finish_epoch()
    finally:
        run.notify("on_fit_end")
    return run.history


def start_epoch(loader: Any, epoch: int, step: int) -> None:
    """Tells a loader's sampler and data set which epoch and step comes next, where they want to know."""
    for part in (getattr(loader, "dataset", None), getattr(loader, "batch_sampler", None)):
        if hasattr(part, "set_epoch"):
            part.set_epoch(epoch) if part is getattr(loader, "dataset", None) else part.set_epoch(epoch, step)


def count_samples(inputs: Any) -> int:
    """Samples of a batch: the first axis of its first tensor."""
    while isinstance(inputs, (list, tuple)):
        inputs = inputs[0]
    return inputs.shape[0]


@contextmanager
def finish_step_on_interrupt() -> Iterator[threading.Event]:
    """Turns Ctrl-C into an event, so that a step is never cut in two; a second Ctrl-C acts at once."""
    interrupted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield interrupted
        return
    former = signal.getsignal(signal.SIGINT)

    def note(number: int, frame: Any) -> None:
        interrupted.set()
        signal.signal(signal.SIGINT, former)

    signal.signal(signal.SIGINT, note)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, former)
