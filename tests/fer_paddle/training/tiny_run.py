"""A training small enough to be killed and resumed many times; as a script, a process that tests can kill.

It has everything that a resumed run could lose: batch normalization, dropout, an optimizer with moments, a
schedule of two parts, a moving average, samples that change from epoch to epoch, and terms of the loss.
"""

import json
import os
import shutil
import signal
import sys
from pathlib import Path
from unittest import mock

import numpy as np
from matplotlib.figure import Figure

from fer_paddle import files
from fer_paddle.environment import paddle, seed_everything
from fer_paddle.training import callbacks, checkpoint, parallel
from fer_paddle.training.callbacks import Curves
from fer_paddle.training.loader import EpochSampler, make_loader
from fer_paddle.training.loop import BEST, Callback, FitConfig, RunOptions, fit
from fer_paddle.weights import load_arrays, save_weights, state_arrays

EPOCHS, STEPS = 3, 5
CLASSES = 4
TASK = {"sizes": ((0, 8),), "start_digest": None}


class TinyNet(paddle.nn.Layer):
    """float32 [N, 1, 8, 8] -> logits [N, CLASSES]."""

    def __init__(self, dropout: float = 0.3, norm: type[paddle.nn.Layer] = paddle.nn.BatchNorm2D):
        super().__init__()
        self.features = paddle.nn.Sequential(
            paddle.nn.Conv2D(1, 6, 3, padding=1, bias_attr=False),
            norm(6),
            paddle.nn.ELU(),
            paddle.nn.AdaptiveAvgPool2D(2),
            paddle.nn.Flatten(),
            paddle.nn.Dropout(dropout),
        )
        self.classify = paddle.nn.Linear(24, CLASSES)

    def forward(self, images):
        return self.classify(self.features(images))


class TinyData:
    """Noise about one pattern for each class; a sample depends on (epoch, index) alone."""

    def __init__(self, length: int, changes: bool = True):
        self.length, self.changes, self.epoch = length, changes, 0
        self.patterns = np.random.default_rng(1).normal(size=(CLASSES, 1, 8, 8))

    def __len__(self):
        return self.length

    def set_epoch(self, epoch: int):
        self.epoch = epoch if self.changes else 0

    def __getitem__(self, index: int):
        noise = np.random.default_rng((self.epoch, index)).normal(size=(1, 8, 8))
        label = index % CLASSES
        return np.float32(self.patterns[label] + noise), np.int64(label)


class InterruptingData(TinyData):
    """Sends Ctrl-C to all processes of the group, as a terminal does, while the third batch of epoch 2 is read."""

    def __getitem__(self, index: int):
        if self.epoch == 1 and index == EpochSampler(self.length, 4, True, seed=3).batch(1, 2)[0]:
            os.killpg(os.getpgid(0), signal.SIGINT)
        return super().__getitem__(index)


def loss(outputs, targets):
    """Two named terms."""
    return {"label": paddle.nn.functional.cross_entropy(outputs, targets), "size": 1e-3 * (outputs * outputs).mean()}


def accuracy(outputs, targets):
    return (outputs.argmax(1) == targets).astype("float32").mean()


def make_optimizer(model, epochs: int = EPOCHS, steps: int = STEPS):
    cosine = paddle.optimizer.lr.CosineAnnealingDecay(0.02, epochs * steps - 3)
    schedule = paddle.optimizer.lr.LinearWarmup(cosine, 3, 0.0, 0.02)
    return paddle.optimizer.AdamW(schedule, parameters=model.parameters(), weight_decay=0.05)


def make_loaders(workers: int = 0, batch_size: int = 4, data=TinyData):
    """STEPS batches of 4 and two samples over; two validation batches of which the second is smaller."""
    return {
        "train": make_loader(data(22), batch_size, True, 3, workers),
        "valid": make_loader(TinyData(7, changes=False), batch_size, False, 3, workers),
    }


def train(
    folder,
    resume=False,
    extra=(),
    model=None,
    workers=0,
    dropout=0.3,
    data=TinyData,
    task=TASK,
    norm=None,
    prepare=lambda model: None,
    optimize=make_optimizer,
    **changes,
):
    """Runs `fit` with the callbacks `extra` too; gives (model, optimizer, history)."""
    seed_everything(5)
    model = parallel.prepare_model(model or TinyNet(dropout, norm or paddle.nn.BatchNorm2D))
    prepare(model)
    optimizer = optimize(model)
    settings = {"epochs": EPOCHS, "seed": 9, "ema_decay": 0.9, **changes}
    curves = [] if folder is None else [Curves(folder, every=2)]
    with mock.patch.object(callbacks, "draw_curves", lambda *_: Figure((1, 1))):  # the drawing is the slowest part
        history = fit(
            model,
            loss,
            make_loaders(workers, data=data),
            optimizer,
            {"accuracy": accuracy},
            config=FitConfig(**settings),
            options=RunOptions(folder, resume, [*curves, *extra]),
            task=task,
        )
    return model, optimizer, history


def tensors_of(folder: Path) -> dict[str, np.ndarray]:
    """The tensors of a run's last checkpoint and of its best weights."""
    files_of = {"last": json.loads((folder / checkpoint.LAST).read_text())["tensors"], "best": BEST}
    return {f"{kind} {n}": array for kind, file in files_of.items() for n, array in load_arrays(folder / file).items()}


class SignalAt(Callback):
    """Sends this process a signal after a step, or at an epoch's end for step None."""

    def __init__(self, number: int, epoch: int, step: int | None):
        self.number, self.epoch, self.step = number, epoch, step

    def send(self):
        os.kill(os.getpid(), self.number)

    def on_step_end(self, run):
        if (run.epoch, run.step) == (self.epoch, self.step):
            self.send()

    def on_epoch_end(self, run):
        if self.step is None and run.epoch == self.epoch + 1:
            self.send()


def kill_before_last_json(epoch: int) -> None:
    """Makes the process die when that epoch's tensors are written and `last.json` is not."""
    write_json = files.write_json

    def write(path, content):
        if Path(path).name == checkpoint.LAST and content["epoch"] == epoch:
            os.kill(os.getpid(), signal.SIGKILL)
        write_json(path, content)

    files.write_json = write


def main(folder: str, how: str) -> None:
    if how == "killed in mid-epoch":
        train(Path(folder), extra=[SignalAt(signal.SIGKILL, 1, 3)])
    elif how == "killed while writing":
        kill_before_last_json(epoch=2)
        train(Path(folder))
    elif how == "Ctrl-C with reader processes":
        train(Path(folder), data=InterruptingData, workers=2)
    elif how == "parallel":
        for name, norm in (("plain", paddle.nn.Identity), ("norm", paddle.nn.BatchNorm2D)):
            model, _, history = train(Path(folder) / name, dropout=0.0, norm=norm)
            path = Path(folder) / f"{name}-{parallel.rank()}.safetensors"
            save_weights(path, state_arrays(model), {"history": history})
    elif how == "apart":  # once it has trained, the second process finds no checkpoint
        train(Path(folder) / "plain", dropout=0.0, norm=paddle.nn.Identity)
        if parallel.rank() == 0:
            shutil.copy(Path(folder) / "plain" / checkpoint.LAST, Path(folder) / "before.json")
        train(Path(folder) / ("plain" if parallel.rank() == 0 else "none"), True, dropout=0.0, norm=paddle.nn.Identity)
    else:
        raise ValueError(f"expected a known way, got {how!r}")


if __name__ == "__main__":
    main(*sys.argv[1:])
