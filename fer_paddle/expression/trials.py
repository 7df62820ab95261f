"""Trials: the same short training with one thing changed, for as many seeds as a study needs.

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
from fer_paddle.expression.recipes import Recipe
from fer_paddle.expression.train import Faces, train_expressions
from fer_paddle.models import build_model, find_design
from fer_paddle.study import Study, digest
from fer_paddle.training.loop import Callback, RunOptions
from fer_paddle.training.transfer import start_from_file

RESULT = "result.json"


@dataclasses.dataclass(frozen=True)
class Trial:
    """One training of a study; trials of one name differ in the seed of their recipe alone."""

    name: str
    recipe: Recipe

    @property
    def key(self) -> dict[str, Any]:
        """Name and seed."""
        return {"name": self.name, "seed": self.recipe.seed}

    def with_seed(self, seed: int) -> Trial:
        """Return the same trial with another seed."""
        return dataclasses.replace(self, recipe=dataclasses.replace(self.recipe, seed=seed))


class TrialStudy(Study):
    """The trials of one study, in a folder of its own.

    Args:
        folder: For `result.json` and the checkpoints.
        train: Faces to train on.
        valid: Faces to measure on.
        model: Name in MODELS of the network that is trained.
        settings: What all trials share, as JSON values.
        provenance: See Study.
        callbacks: Makes the callbacks of one trial.
        data_changed: See Study.

    Raises:
        ValueError: The folder holds a study of other settings or data.
    """

    def __init__(
        self,
        folder: Path,
        train: Faces,
        valid: Faces,
        model: str,
        settings: Mapping[str, Any],
        provenance: Mapping[str, Any],
        callbacks: Callable[[Trial], Sequence[Callback]] = lambda trial: (),
        data_changed: bool = False,
    ):
        self.folder, self.train, self.valid, self.model, self.callbacks = folder, train, valid, model, callbacks
        settings = {"model": model, **count_faces(train, valid), **settings}
        super().__init__(folder / RESULT, settings, provenance, digest_faces(train, valid), data_changed)

    def run_trials(self, trials: Sequence[Trial]) -> None:
        """Run the trials that are not done yet, in order."""
        by_key = {tuple(trial.key.values()): trial for trial in trials}
        self.run([trial.key for trial in trials], lambda key: self._train(by_key[tuple(key.values())]))

    def accuracies(self, name: str) -> np.ndarray:
        """Return the accuracies of the finished trials of one name, float64 [seeds], by seed."""
        rows = sorted(self.find({"name": name}), key=lambda row: row["seed"])
        return np.array([row["accuracy"] for row in rows])

    def _train(self, trial: Trial) -> dict[str, Any]:
        folder = self.folder / f"{trial.name}-seed-{trial.recipe.seed}".replace(" ", "-").replace("+", "and")
        started = time.process_time()
        run = (self.train, self.valid, trial.recipe, folder, self.callbacks(trial))
        last = train_from_seed(make_network(self.model, trial.recipe.seed), *run)
        seconds = round(time.process_time() - started, 1)
        shutil.rmtree(folder)
        return {
            "accuracy": last["valid_accuracy"],
            "loss": last["valid_loss"],
            "train_accuracy": last["train_accuracy"],
            "cpu_seconds": seconds,
            "recipe": trial.recipe.to_json(),
        }

    def repeat_close_ones(self, trials: Sequence[Trial], level: float, seeds: Sequence[int], within: float) -> None:
        """Run those trials again with more seeds whose first accuracy is less than `within` from a level."""
        close = [trial for trial in trials if abs(self.accuracies(trial.name)[0] - level) < within]
        if len(close) > 1:
            self.run_trials([trial.with_seed(seed) for trial in close for seed in seeds])

    def summarize(self, base: str) -> list[dict[str, Any]]:
        """Return one row a name, in the order of the first trials.

        Each has `name`, `accuracy` (mean over the seeds), `spread` (largest less smallest; None for one seed), `seeds`,
        and `gain`, the mean difference from `base` over the seeds that both have.
        """
        rows, bases = [], self.accuracies(base)
        for name in dict.fromkeys(row["name"] for row in self.rows):
            found = self.accuracies(name)
            common = min(len(found), len(bases))
            spread = float(np.ptp(found)) if len(found) > 1 else None
            gain = float((found[:common] - bases[:common]).mean())
            rows.append(
                {"name": name, "accuracy": float(found.mean()), "spread": spread, "seeds": len(found), "gain": gain}
            )
        return rows


def count_faces(train: Faces, valid: Faces) -> dict[str, int]:
    """Return how many faces a study trains and measures on."""
    return {"train_faces": len(train), "valid_faces": len(valid)}


def digest_faces(train: Faces, valid: Faces) -> dict[str, str]:
    """Return the digests of images, labels and votes."""
    sets = {"train": train, "valid": valid}
    return {
        name: digest(faces.images, faces.labels, [] if faces.votes is None else faces.votes)
        for name, faces in sets.items()
    }


def make_network(design: str, seed: int, start: Path | None = None) -> paddle.nn.Layer:
    """Build a network of DESIGNS from a seed, or with the weights of a file."""
    model, arguments = find_design(design)
    seed_everything(seed)
    network = build_model(model, **arguments)
    if start is not None:
        start_from_file(network, start)
    return network


def train_from_seed(
    network: paddle.nn.Layer,
    train: Faces,
    valid: Faces,
    recipe: Recipe,
    folder: Path,
    callbacks: Sequence[Callback] = (),
    workers: int = 0,
) -> dict[str, float]:
    """Train or go on, and return the figures of the last epoch: choosing one by the faces measured on would flatter."""
    recipe = dataclasses.replace(recipe, validate_every=recipe.epochs)
    return train_expressions(network, train, valid, recipe, RunOptions(folder, True, callbacks, workers))[-1]
