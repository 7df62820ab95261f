"""Show a run: a progress bar, the curves, a VisualDL log."""

from __future__ import annotations

import math
import os
import sys
import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import IO

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from tqdm.auto import tqdm

from fer_paddle import files
from fer_paddle.messages import say
from fer_paddle.training import parallel
from fer_paddle.training.run import Callback, Run
from fer_paddle.weights import load_card


class ProgressBar(Callback):
    """Show a bar over all steps: loss, accuracy, images/s and time left; and a line per epoch.

    Where no bar can move, as in a log file, it writes the same as a line every `line_seconds`. Without a `file` it goes
    to a widget in a notebook and to stderr elsewhere.
    """

    every_process = False

    def __init__(self, file: IO[str] | None = None, line_seconds: float = 60.0):
        self.file, self.line_seconds = file, line_seconds

    def on_fit_start(self, run: Run) -> None:
        self.stream = self.file or sys.stderr
        self.is_live = self.stream.isatty() or (self.file is None and _in_notebook())
        # A bar that waits for ever is never drawn, but counts and measures all the same.
        self.bar = tqdm(
            total=run.config.epochs * run.steps_per_epoch,
            initial=run.done_steps,
            unit="step",
            file=self.file,
            dynamic_ncols=True,
            mininterval=0.5,
            delay=0 if self.is_live else math.inf,
        )
        self.last_line = self.started = time.monotonic()
        self.samples = 0

    def on_step_end(self, run: Run) -> None:
        self.samples += run.batch_samples * parallel.world_size()
        now = time.monotonic()
        figures = {name: f"{value:.4f}" for name, value in run.running.items() if name in ("loss", "accuracy")}
        speed = self.samples / max(now - self.started, 1e-9)
        self.bar.set_description(say("epoch {}/{}").format(run.epoch + 1, run.config.epochs), refresh=False)
        self.bar.set_postfix({**figures, "images/s": f"{speed:.0f}"}, refresh=False)
        self.bar.update()
        if not self.is_live and now - self.last_line >= self.line_seconds:
            self.last_line = now
            self._write(str(self.bar))

    def on_epoch_end(self, run: Run) -> None:
        figures = ", ".join(f"{name} {value:.4g}" for name, value in run.history[-1].items() if name != "epoch")
        self._write(say("epoch {}: {}").format(run.epoch, figures))
        self.started, self.samples = time.monotonic(), 0

    def on_fit_end(self, run: Run) -> None:
        self.bar.close()

    def _write(self, line: str) -> None:
        if self.is_live:
            self.bar.write(line, file=self.stream)
        else:
            self.stream.write(line + "\n")
            self.stream.flush()


def _in_notebook() -> bool:
    """Tell whether this process is the kernel of a notebook."""
    get_ipython = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)
    return "IPKernelApp" in getattr(get_ipython(), "config", {})


class Curves(Callback):
    """Draw the tutorial's plot: loss and a second figure over the steps, with the validation of each epoch.

    `curves.json` beside `curves.png` keeps a point each `every` steps, so that a resumed run draws the whole curve.
    """

    every_process = False

    def __init__(self, folder: str | os.PathLike[str], figure_name: str = "accuracy", every: int = 10):
        self.folder, self.figure_name, self.every = Path(folder), figure_name, every
        self.points: list[list[float | None]] = []

    def on_fit_start(self, run: Run) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "curves.json"
        if run.done_steps and path.is_file():
            self.points = [point for point in load_card(path)["points"] if point[0] <= run.done_steps]

    def on_step_end(self, run: Run) -> None:
        if run.done_steps % self.every == 0:
            self.points.append([run.done_steps, run.running["loss"], run.running.get(self.figure_name)])

    def on_epoch_end(self, run: Run) -> None:
        self._write(run)

    def on_fit_end(self, run: Run) -> None:
        if run.step:  # it ends within an epoch
            self._write(run)

    def _write(self, run: Run) -> None:
        files.write_json(self.folder / "curves.json", {"points": self.points})
        figure = draw_curves(self.points, run.history, run.steps_per_epoch, self.figure_name)
        with files.replacing(self.folder / "curves.png") as temporary:
            figure.savefig(temporary, format="png", dpi=100)


def draw_curves(
    points: list[list[float | None]],
    history: list[dict[str, float]],
    steps_per_epoch: int,
    figure_name: str = "accuracy",
) -> Figure:
    """Draw loss and one more figure over the steps: points (step, loss, figure or None), and history of loop.fit."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    axes: list[Axes] = list(figure.subplots(1, 2))
    rows = np.array(points, float).reshape(-1, 3)  # None becomes NaN, which is not drawn
    ends = np.array([record["epoch"] * steps_per_epoch for record in history])
    for axis, column, name in ((axes[0], 1, "loss"), (axes[1], 2, figure_name)):
        validation = np.array([record.get(f"valid_{name}") for record in history], float)
        if not np.isnan(rows[:, column]).all():
            axis.plot(rows[:, 0], rows[:, column], color="tab:blue", linewidth=1, label="training")
        measured = ~np.isnan(validation)
        if measured.any():
            validation = validation[measured]
            axis.plot(ends[measured], validation, "o-", color="tab:orange", markersize=3, label="validation")
        axis.set(xlabel="step", ylabel=name, title=name)
        axis.grid(alpha=0.3)
        if axis.lines:
            axis.legend()
    return figure


class VisualDL(Callback):
    """Write every figure of every epoch, and the running ones, for `visualdl --logdir FOLDER`.

    A resumed run goes on in the same file; after a kill in mid-epoch the steps since the checkpoint stand there twice.
    """

    every_process = False

    def __init__(self, folder: str | os.PathLike[str], every: int = 10):
        self.folder, self.every = Path(folder), every

    def on_fit_start(self, run: Run) -> None:
        from visualdl import LogWriter  # takes seconds to import

        # VisualDL shows the newest file of a folder alone, and appends to one that it is given by name.
        name = "vdlrecords.fit.log"
        if not run.done_steps:
            (self.folder / name).unlink(missing_ok=True)
        with redirect_stdout(sys.stderr):  # it says there that the file exists
            self.writer = LogWriter(logdir=str(self.folder), file_name=name)

    def on_step_end(self, run: Run) -> None:
        if run.done_steps % self.every == 0:
            for name, value in run.running.items():
                self.writer.add_scalar(tag=f"step/{name}", step=run.done_steps, value=value)

    def on_epoch_end(self, run: Run) -> None:
        for name, value in run.history[-1].items():
            self.writer.add_scalar(tag=f"epoch/{name}", step=run.epoch, value=value)

    def on_fit_end(self, run: Run) -> None:
        self.writer.close()
