"""Trials: short trainings with one thing changed, for as many seeds as a study needs.

A trial that was stopped goes on from its checkpoint.
"""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle.environment import paddle, seed_everything
from fer_paddle.expression.data.faces import LabelledFaces, digest_faces
from fer_paddle.expression.recipes import Recipe
from fer_paddle.expression.train import head_arguments, train_expressions
from fer_paddle.models import build_model, find_design
from fer_paddle.study import Row, Study
from fer_paddle.training.loop import RunOptions
from fer_paddle.training.transfer import start_from_file

RESULT = "result.json"
CLOSE = 0.02  # a difference of accuracy that one seed cannot decide


@dataclasses.dataclass(frozen=True)
class Trial:
    """One training of a study; trials of one name differ in the seed of their recipe alone."""

    name: str
    recipe: Recipe
    design: str = "distresnet"  # network of models.DESIGNS
    start: Path | None = None  # weights to begin with, `.safetensors`
    arguments: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # more of the network's constructor

    @property
    def key(self) -> dict[str, Any]:
        """Name and seed."""
        return {"name": self.name, "seed": self.recipe.seed}

    def with_seed(self, seed: int) -> Trial:
        """Return the same trial with another seed."""
        return dataclasses.replace(self, recipe=dataclasses.replace(self.recipe, seed=seed))


class TrialStudy(Study):
    """Trials on the same faces: `result.json` (or `path`) and the checkpoints in one folder."""

    keeps_runs = False  # whether the checkpoints of finished trials stay

    def __init__(
        self,
        folder: Path,
        train: LabelledFaces,
        valid: LabelledFaces,
        settings: Mapping[str, Any],
        provenance: Mapping[str, Any] | None = None,
        options: RunOptions = RunOptions(),
        path: Path | None = None,
    ):
        self.folder, self.train, self.valid, self.options = folder, train, valid, options
        # Gives further figures of a trained network for its row.
        self.measure: Callable[[Trial, paddle.nn.Layer], Row] = lambda trial, network: {}
        settings = {**settings, "train_faces": len(train), "valid_faces": len(valid)}
        data = digest_faces(train, valid)
        super().__init__(path or folder / RESULT, settings, provenance, data, options.data_changed)

    def run_trials(self, trials: Sequence[Trial]) -> list[dict[str, Any]]:
        """Run the trials that are not done yet, in order, and return the rows of all."""
        by_key = {tuple(trial.key.values()): trial for trial in trials}
        return self.run([trial.key for trial in trials], lambda row: self._train(by_key[tuple(row.values())]))

    def design(self, trial: Trial) -> tuple[str, dict[str, Any]]:
        """Return the name of a trial's network and the arguments of its constructor, for the classes of the faces."""
        return find_design(trial.design, {**head_arguments(self.train), **trial.arguments})

    def _train(self, trial: Trial) -> dict[str, Any]:
        folder = self.folder / f"{trial.name}-{trial.recipe.seed}".replace(" ", "-").replace("/", "-")
        resumed, started = folder.is_dir(), time.process_time()
        model, arguments = self.design(trial)
        seed_everything(trial.recipe.seed)
        network = build_model(model, **arguments)
        if trial.start is not None:
            start_from_file(network, trial.start)
        options = dataclasses.replace(self.options, folder=folder, resume=True)
        last = self.fit(trial, network, options)[-1]
        row = {
            # Of the last epoch: choosing one by the faces measured on would flatter.
            "accuracy": last["valid_accuracy"],
            "loss": last["valid_loss"],
            "train_accuracy": last["train_accuracy"],
            "cpu_seconds": None if resumed else round(time.process_time() - started, 1),
            "recipe": trial.recipe.to_json(),
            **self.measure(trial, network),
        }
        if not self.keeps_runs:
            shutil.rmtree(folder)
        return row

    def fit(self, trial: Trial, network: paddle.nn.Layer, options: RunOptions) -> list[dict[str, float]]:
        """Train a network and return the history."""
        recipe = dataclasses.replace(trial.recipe, validate_every=trial.recipe.epochs)
        return train_expressions(network, self.train, self.valid, recipe, options)

    def accuracies(self, name: str) -> dict[int, float]:
        """Return the accuracies of the finished trials of one name, by seed."""
        rows = sorted(self.find({"name": name}), key=lambda row: row["seed"])
        return {row["seed"]: row["accuracy"] for row in rows}

    def first_accuracy(self, trial: Trial) -> float:
        """Return the accuracy of a finished trial."""
        return self.accuracies(trial.name)[trial.recipe.seed]

    def repeat_close_ones(self, trials: Sequence[Trial], level: float, seeds: Sequence[int]) -> None:
        """Run those trials again with more seeds whose first accuracy is less than CLOSE from a level."""
        close = [trial for trial in trials if abs(self.first_accuracy(trial) - level) < CLOSE]
        if len(close) > 1:
            self.run_trials([trial.with_seed(seed) for trial in close for seed in seeds])

    def summarize(self, base: str) -> list[dict[str, Any]]:
        """Return one row a name, in the order of the first trials.

        Each has `name`, the number of `seeds`, `accuracy` (their mean), `deviation` of the sample, `least`, `most`,
        `spread` (most less least), and `gain` with `gain_deviation`: the difference from `base` of the seeds that both
        have. Deviations and spread of one seed are None.
        """
        rows, bases = [], self.accuracies(base)
        for name in dict.fromkeys(row["name"] for row in self.rows):
            found = self.accuracies(name)
            values = np.array(list(found.values()))
            gains = np.array([found[seed] - bases[seed] for seed in found if seed in bases])
            rows.append(
                {
                    "name": name,
                    "seeds": len(values),
                    "accuracy": float(values.mean()),
                    "deviation": _deviation(values),
                    "least": float(values.min()),
                    "most": float(values.max()),
                    "spread": float(np.ptp(values)) if len(values) > 1 else None,
                    "gain": float(gains.mean()) if len(gains) else None,
                    "gain_deviation": _deviation(gains),
                }
            )
        return rows


def _deviation(values: np.ndarray) -> float | None:
    return float(values.std(ddof=1)) if len(values) > 1 else None
