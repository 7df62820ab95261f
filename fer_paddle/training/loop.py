"""The training loop. It knows no task: classifiers, detectors, landmarks and students all train by `fit`.

Batches are (inputs, targets); the network maps inputs to outputs; `loss(outputs, targets)` gives a scalar or
named scalars whose sum is minimized; each metric is a function of (outputs, targets) that gives the mean over
the batch.
"""

from __future__ import annotations

import itertools
import logging
import math
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from typing import Any

import numpy as np

from fer_paddle.environment import paddle, seed_everything
from fer_paddle.files import hold
from fer_paddle.training import parallel
from fer_paddle.training.checkpoint import load_begun
from fer_paddle.training.config import FitConfig
from fer_paddle.training.parallel import Means
from fer_paddle.training.run import BEST, Callback, NonFiniteLoss, Run, RunOptions
from fer_paddle.training.sam import sam_ascent

__all__ = ["BEST", "Callback", "FitConfig", "Interrupted", "NonFiniteLoss", "Run", "RunOptions", "fit"]

logger = logging.getLogger(__name__)

Validate = Callable[[paddle.nn.Layer], Mapping[str, float]]
Plateau = paddle.optimizer.lr.ReduceOnPlateau


class Interrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM: the step was finished and the checkpoint written before this was raised."""

    number: int = signal.SIGINT  # which of them


def fit(
    model: paddle.nn.Layer,
    loss: Callable[[Any, Any], Any],
    loaders: Mapping[str, Any],
    optimizer: paddle.optimizer.Optimizer,
    metrics: Mapping[str, Callable[[Any, Any], float]] | None = None,
    *,
    config: FitConfig,
    options: RunOptions = RunOptions(),
    validate: Validate | None = None,
    task: Mapping[str, Any] | None = None,
) -> list[dict[str, float]]:
    """Train a network.

    A run that was killed, interrupted or resumed gives the same weights, bit for bit, as an unbroken one,
    where the samples depend on the epoch and their index alone and the loaders come from
    `loader.make_loader`, or are lists of batches.

    Args:
        model: Any network; with several processes (paddle.distributed.launch) see `parallel.prepare_model`.
        loss: (outputs, targets) -> scalar Tensor, or named scalars whose sum is minimized.
        loaders: `train`, and `valid` where there is one: (inputs, targets) batches that can be gone through
            again and have a length. A smaller last batch counts by its samples.
        optimizer: A Paddle optimizer over the model's parameters; its schedule is advanced each step, and
            ReduceOnPlateau after each epoch that measures the monitored figure.
        metrics: Named functions (outputs, targets) -> mean over the batch.
        config: How to train, such as a task's recipe.
        options: Where checkpoints go, whether to resume, callbacks.
        validate: Measures the network after an epoch, for figures no batch mean can give. Every process calls it.
        task: What else must be the same where a run is resumed, such as the number of samples: JSON values, kept
            in the checkpoint.

    Returns:
        One record per epoch: `epoch`, `learning_rate` (of the next step), `train_*` and `valid_*` figures.

    Raises:
        NonFiniteLoss: The loss or a weight is NaN or infinite (the last checkpoint stays), or the monitored figure is
            in every epoch.
        Interrupted: Ctrl-C or SIGTERM; the checkpoint was written.
        ValueError: The checkpoint to resume is of another configuration or network; or the folder has one and
            `resume` is False; or another run works in the folder; or a loader is empty; or nothing measures the
            monitored figure; or another process begins with other data or another checkpoint.
    """
    check_arguments(loaders, config, validate)
    run = Run(model, loss, loaders, optimizer, metrics or {}, config, options, task or {})
    # The process that writes holds the folder: two runs in one would mix their weights and cards.
    with hold(run.folder) if run.folder is not None and parallel.rank() == 0 else nullcontext():
        if run.folder is not None:
            run.folder.mkdir(parents=True, exist_ok=True)
            if load_begun(run.folder, options.resume) is not None:
                run.restore()
        parallel.require_same([config.to_json(), run.task, run.epoch, run.step])
        run.notify("on_fit_start")
        try:
            with graceful_shutdown() as received:
                while run.epoch < config.epochs and not run.stop:
                    train_epoch(run, received)
                    finish_epoch(run, validate)
                    stop_if_interrupted(run, received)
        finally:
            run.notify("on_fit_end")
    if run.best is None and any(config.monitor in record for record in run.history):
        raise NonFiniteLoss(f"expected a finite {config.monitor} in one epoch or more, got none in {run.epoch} epochs")
    return run.history


def check_arguments(loaders: Mapping[str, Any], config: FitConfig, validate: Validate | None) -> None:
    """Raise ValueError, before anything is trained, for what could only fail later."""
    if "train" not in loaders or not set(loaders) <= {"train", "valid"}:
        raise ValueError(f"expected the loaders train and, where there is one, valid, got {sorted(loaders)}")
    for name, loader in loaders.items():
        if not hasattr(loader, "__len__") or len(loader) == 0:
            raise ValueError(f"expected a loader {name!r} with a length of at least one batch, got {loader}")
    if config.monitor.startswith("valid_") and "valid" not in loaders and validate is None:
        raise ValueError(
            f"expected a loader `valid` or the function `validate`, which {config.monitor!r} needs, "
            "got neither; without them monitor 'train_loss'"
        )


def train_epoch(run: Run, received: list[int]) -> None:
    """Run the rest of the current epoch, from `run.step` on."""
    run.model.train()
    # Closed by hand: where a notebook keeps the traceback of an error, the loader's readers would live on.
    with closing(batches_from(run.loaders["train"], run.epoch, run.step)) as batches:
        for inputs, targets in batches:
            train_step(run, inputs, targets)
            run.notify("on_step_end")
            stop_if_interrupted(run, received)


def train_step(run: Run, inputs: Any, targets: Any) -> None:
    """Make one forward, backward and optimizer step; with SAM, the gradients are those of the worst point near by."""
    run.batch_samples = count_samples(inputs)
    add_gradients(run, inputs, targets, run.means)
    if run.config.sam_radius:
        with sam_ascent(run.model, run.config.sam_radius):
            add_gradients(run, inputs, targets, Means())
    parallel.average_step(run.model)
    # Numbers the optimizer's tensors from 0, whatever the process had before: see restore_optimizer.
    with paddle.utils.unique_name.guard():
        run.optimizer.step()
    run.optimizer.clear_grad()
    schedule = run.optimizer._learning_rate
    if isinstance(schedule, paddle.optimizer.lr.LRScheduler) and not isinstance(schedule, Plateau):
        schedule.step()
    if run.average is not None:
        run.average.update(run.done_steps)
    run.step += 1


def add_gradients(run: Run, inputs: Any, targets: Any, means: Means) -> None:
    """Run forward and backward over a batch, in as many parts as configured; `means` takes in its figures."""
    seed = np.random.SeedSequence((run.config.seed, run.epoch, run.step)).generate_state(1)[0]
    seed_everything(int(seed))
    for part_inputs, part_targets in split_batch(inputs, targets, run.config.accumulate):
        outputs = run.model(part_inputs)
        total, figures = measure_batch(run, outputs, part_targets)
        if not math.isfinite(figures["loss"]):
            raise NonFiniteLoss(describe_step(run, figures))
        samples = count_samples(part_inputs)
        (total if samples == run.batch_samples else total * (samples / run.batch_samples)).backward()
        means.add(figures, samples)


def split_batch(inputs: Any, targets: Any, parts: int) -> list[tuple[Any, Any]]:
    """Cut a batch into consecutive parts of nearly equal size, at most one for each sample."""
    if parts == 1:
        return [(inputs, targets)]
    count = count_samples(inputs)
    ends = np.linspace(0, count, min(parts, count) + 1).astype(int).tolist()
    return [(cut(inputs, start, end), cut(targets, start, end)) for start, end in zip(ends, ends[1:])]


def cut(batch: Any, start: int, end: int) -> Any:
    """Take some samples of every tensor of a batch; a number that holds for all samples stays whole."""
    if isinstance(batch, (list, tuple)):
        return tuple(cut(part, start, end) for part in batch)
    return batch[start:end] if batch.ndim else batch


def measure_batch(run: Run, outputs: Any, targets: Any) -> tuple[paddle.Tensor, dict[str, float]]:
    """Return the loss to minimize, and as floats: `loss`, several terms of it as `loss_NAME`, and the metrics."""
    value = run.loss(outputs, targets)
    total = total_of(value)
    named = value if isinstance(value, Mapping) and len(value) > 1 else {}
    figures = {"loss": float(total), **{f"loss_{name}": float(term) for name, term in named.items()}}
    with paddle.no_grad():
        return total, {**figures, **{name: float(metric(outputs, targets)) for name, metric in run.metrics.items()}}


def total_of(loss: Any) -> paddle.Tensor:
    """Return the scalar to minimize: what a loss function gave, or the sum of its named terms."""
    return sum(loss.values()) if isinstance(loss, Mapping) else loss


def describe_step(run: Run, figures: Mapping[str, float]) -> str:
    """Name the epoch, step and samples of the batch whose loss is not finite, in one line."""
    sampler: Any = getattr(run.loaders["train"], "batch_sampler", None)
    samples = f", samples {sampler.batch(run.epoch, run.step)}" if hasattr(sampler, "batch") else ""
    values = ", ".join(f"{name} {value}" for name, value in figures.items())
    return f"expected a finite loss, got {values} in epoch {run.epoch + 1}, step {run.step + 1}{samples}"


def finish_epoch(run: Run, validate: Validate | None) -> None:
    """Evaluate, record the epoch, keep the best weights and write the checkpoint."""
    config = run.config
    is_due = (run.epoch + 1) % config.validate_every == 0 or run.epoch + 1 == config.epochs
    if is_due:
        run.save()  # what fails while it measures costs no epoch: a resumed run begins with the measurement
    record = {"epoch": run.epoch + 1, "learning_rate": run.optimizer.get_lr()}
    record |= {f"train_{name}": value for name, value in parallel.all_reduce_means(run.means).result().items()}
    if is_due:
        record |= {f"valid_{name}": value for name, value in evaluate(run, validate).items()}
    measured = config.monitor in record
    if is_due and not measured:
        raise ValueError(f"expected the monitored figure {config.monitor!r} among {', '.join(record)}")
    former = run.best
    if measured and isinstance(run.optimizer._learning_rate, Plateau):
        run.optimizer._learning_rate.step(record[config.monitor])
        record["learning_rate"] = run.optimizer.get_lr()
    run.history.append(record)
    run.epoch, run.step, run.means = run.epoch + 1, 0, Means()
    run.notify("on_epoch_end")
    if run.best != former:
        run.save_best()
    if measured and config.patience is not None and run.epochs_since_best() >= config.patience:
        run.stop = True
    run.stop = parallel.any_rank(run.stop)
    run.save()


@paddle.no_grad()
def evaluate(run: Run, validate: Validate | None) -> dict[str, float]:
    """Measure the weights, or their average, on the loader `valid` and by `validate` where there are any."""
    means = Means()
    run.model.eval()
    with run.averaged():
        for inputs, targets in batches_from(run.loaders.get("valid", ()), run.epoch, 0):
            means.add(measure_batch(run, run.model(inputs), targets)[1], count_samples(inputs))
        figures = parallel.all_reduce_means(means).result()
        if validate is not None:
            figures |= {name: float(value) for name, value in validate(run.model).items()}
    return figures


def stop_if_interrupted(run: Run, received: list[int]) -> None:
    """Save and raise Interrupted where Ctrl-C or SIGTERM came in any of the processes."""
    if not parallel.any_rank(bool(received)):
        return
    if run.step:
        run.save()
    kept = "without a folder nothing was kept" if run.folder is None else f"resume it from {run.folder}"
    error = Interrupted(f"stopped after {run.epoch} epochs and {run.step} steps; {kept}")
    error.number = received[0] if received else error.number
    raise error


@contextmanager
def graceful_shutdown() -> Iterator[list[int]]:
    """Note Ctrl-C and SIGTERM (which paddle.distributed.launch makes of Ctrl-C) in a list.

    A second Ctrl-C acts at once. Outside the main thread, where Python allows no handlers, nothing changes.
    """
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return

    owner = os.getpid()

    def note(number: int, frame: Any) -> None:
        if os.getpid() != owner:
            return  # a reader process that has just been forked: it is this process that ends the run
        received.append(number)
        logger.warning("interrupted: the step or the validation is finished first, then the run is saved")
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    # A handler that was not set from Python reads as None; SIG_DFL is the nearest that can be set back.
    former = {number: signal.getsignal(number) or signal.SIG_DFL for number in (signal.SIGINT, signal.SIGTERM)}
    for number in former:
        signal.signal(number, note)
    try:
        yield received
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def batches_from(loader: Any, epoch: int, step: int) -> Generator[Any, None, None]:
    """Give the batches of an epoch from one step on; data set and sampler learn of both where they ask."""
    dataset: Any = getattr(loader, "dataset", None)
    sampler: Any = getattr(loader, "batch_sampler", None)
    if hasattr(dataset, "set_epoch"):
        dataset.set_epoch(epoch)
    if hasattr(sampler, "set_epoch"):
        sampler.set_epoch(epoch, step)
        yield from loader
    else:
        yield from itertools.islice(loader, step, None)


def count_samples(inputs: Any) -> int:
    """Return the samples of a batch: the first axis of its first tensor."""
    while isinstance(inputs, (list, tuple)):
        inputs = inputs[0]
    return inputs.shape[0]
