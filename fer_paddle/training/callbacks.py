"""What a person sees of a run: a progress bar, the curves, a VisualDL log."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import IO

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from tqdm.auto import tqdm

from fer_paddle import weight_files
from fer_paddle.training.loop import Callback, Run


class ProgressBar(Callback):
    """One bar over all steps of the run: loss, accuracy, images/s, time left, and a line per epoch.

    Args:
        file: Where to write; None writes to stderr (a widget in a notebook).
    """

    def __init__(self, file: IO[str] | None = None):
        self.file = file

    def on_fit_start(self, run: Run) -> None:
        stream = self.file or sys.stderr
        total, done = run.config.epochs * run.steps_per_epoch, run.epoch * run.steps_per_epoch + run.step
        interval = 0.5 if stream.isatty() else 60.0
        self.bar = tqdm(total=total, initial=done, unit="step", file=self.file, mininterval=interval, dynamic_ncols=True)
        self.started, self.samples = time.monotonic(), 0

    def on_step_end(self, run: Run) -> None:
        self.samples += run.batch_samples
        figures = {name: f"{value:.4f}" for name, value in run.running.items() if name in ("loss", "accuracy")}
        speed = self.samples / max(time.monotonic() - self.started, 1e-9)
        self.bar.set_description(f"epoch {run.epoch + 1}/{run.config.epochs}", refresh=False)
        self.bar.set_postfix({**figures, "images/s": f"{speed:.0f}"}, refresh=False)
        self.bar.update()

    def on_epoch_end(self, run: Run) -> None:
        figures = ", ".join(f"{name} {value:.4g}" for name, value in run.history[-1].items() if name != "epoch")
        self.bar.write(f"epoch {run.epoch}: {figures}", file=self.file or sys.stderr)
        self.started, self.samples = time.monotonic(), 0

    def on_fit_end(self, run: Run) -> None:
        self.bar.close()


class Curves(Callback):
    """The tutorial's plot: loss and the second figure over the steps, with the validation of each epoch.

    The points are kept beside the checkpoint, so that a resumed run draws the whole curve.

    Args:
        folder: Where `curves.json` and `curves.png` go.
        figure_name: The figure beside the loss.
        every: Steps between two points.
    """

    def __init__(self, folder: str | os.PathLike[str], figure_name: str = "accuracy", every: int = 10):
        self.folder, self.figure_name, self.every = Path(folder), figure_name, every
        self.points: list[list[float]] = []

    def on_fit_start(self, run: Run) -> None:
        done, path = run.epoch * run.steps_per_epoch + run.step, self.folder / "curves.json"
        if done and path.is_file():
            self.points = [point for point in weight_files.load_card(path)["points"] if point[0] <= done]

    def on_step_end(self, run: Run) -> None:
        done = run.epoch * run.steps_per_epoch + run.step
        if done % self.every == 0:
            self.points.append([done, run.running["loss"], run.running.get(self.figure_name, 0.0)])

    def on_epoch_end(self, run: Run) -> None:
        weight_files.write_json(self.folder / "curves.json", {"points": self.points})
        figure = draw_curves(self.points, run.history, run.steps_per_epoch, self.figure_name)
        temporary = self.folder / ".curves.tmp.png"
        figure.savefig(temporary, dpi=100)
        os.replace(temporary, self.folder / "curves.png")


def draw_curves(
    points: list[list[float]], history: list[dict[str, float]], steps_per_epoch: int, figure_name: str = "accuracy"
) -> Figure:
    """Draws loss and one more figure over the steps.

    Args:
        points: Rows (step, mean loss, mean figure) of the training so far in each epoch.
        history: Records of loop.fit, for the validation points at each epoch's end.
        steps_per_epoch: Steps of an epoch.
        figure_name: The figure beside the loss, such as `accuracy`.

    Returns:
        A matplotlib figure with two axes.
    """
    figure = Figure(figsize=(10, 4), layout="constrained")
    axes: list[Axes] = list(figure.subplots(1, 2))
    steps = [point[0] for point in points]
    ends = [record["epoch"] * steps_per_epoch for record in history]
    for axis, column, name in ((axes[0], 1, "loss"), (axes[1], 2, figure_name)):
        axis.plot(steps, [point[column] for point in points], color="tab:blue", linewidth=1, label="training")
        validation = [record.get(f"valid_{name}") for record in history]
        if any(value is not None for value in validation):
            axis.plot(ends, validation, color="tab:orange", marker="o", markersize=3, label="validation")
        axis.set(xlabel="step", ylabel=name, title=name)
        axis.grid(alpha=0.3)
        axis.legend()
    return figure


class VisualDL(Callback):
    """Writes every figure of every epoch, and the running loss, for `visualdl --logdir FOLDER`."""

    def __init__(self, folder: str | os.PathLike[str], every: int = 10):
        self.folder, self.every = str(folder), every

    def on_fit_start(self, run: Run) -> None:
        from visualdl import LogWriter

        self.writer = LogWriter(logdir=self.folder)

    def on_step_end(self, run: Run) -> None:
        done = run.epoch * run.steps_per_epoch + run.step
        if done % self.every == 0:
            for name, value in run.running.items():
                self.writer.add_scalar(tag=f"step/{name}", step=done, value=value)

    def on_epoch_end(self, run: Run) -> None:
        for name, value in run.history[-1].items():
            self.writer.add_scalar(tag=f"epoch/{name}", step=run.epoch, value=value)

    def on_fit_end(self, run: Run) -> None:
        self.writer.close()
