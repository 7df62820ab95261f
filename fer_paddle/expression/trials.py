"""Trials: the same short training with one thing changed, as often as a study needs.

Every finished trial is written to the study's JSON file at once, and one that was stopped goes on from its checkpoint:
a study can be killed at any moment and started again with the same command.
"""

from __future__ import annotations

import dataclasses
import datetime
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle import files
from fer_paddle.environment import seed_everything, versions
from fer_paddle.expression.data.faces import LabelledFaces
from fer_paddle.expression.recipes import Recipe
from fer_paddle.expression.train import train_expressions
from fer_paddle.models import build_model
from fer_paddle.study import differing_fields
from fer_paddle.training.loop import Callback
from fer_paddle.weights import load_card

RESULT = "result.json"


@dataclasses.dataclass(frozen=True)
class Trial:
    """One training of a study.

    Attributes:
        name: What is changed in it; trials of one name differ in their seed alone.
        recipe: How to train; without FER+ votes.
    """

    name: str
    recipe: Recipe

    @property
    def key(self) -> str:
        """Name and seed, as the JSON file and the folder of the run have it."""
        return f"{self.name}, seed {self.recipe.seed}"

    def with_seed(self, seed: int) -> Trial:
        """The same trial from another seed."""
        return dataclasses.replace(self, recipe=dataclasses.replace(self.recipe, seed=seed))


class Study:
    """The trials of one study, in a folder of its own.

    Args:
        folder: Where `result.json` and the checkpoints lie.
        train: Faces to learn from.
        valid: Faces to measure on.
        model: Name in MODELS of the network that is trained.
        budget: What all trials share, as JSON values: a folder with results of another budget is refused.
        about: What else the JSON file says of the study, such as its command.
        callbacks: Makes the callbacks of one trial.

    Raises:
        ValueError: The folder holds a study of another budget; what differs is named.
    """

    def __init__(
        self,
        folder: Path,
        train: LabelledFaces,
        valid: LabelledFaces,
        model: str,
        budget: Mapping[str, Any],
        about: Mapping[str, Any],
        callbacks: Callable[[Trial], Sequence[Callback]] = lambda trial: (),
    ):
        self.folder, self.train, self.valid, self.model, self.callbacks = folder, train, valid, model, callbacks
        budget = {"model": model, "train_faces": len(train), "valid_faces": len(valid), **budget}
        self.content: dict[str, Any] = {"budget": budget, **about, "trials": {}}
        if (folder / RESULT).is_file():
            former = load_card(folder / RESULT)
            if differing := differing_fields(budget, former.get("budget", {})):
                raise ValueError(f"expected the study in {folder} to have this budget, got another: {differing[0]}")
            self.content["trials"] = former["trials"]

    def run(self, trials: Sequence[Trial]) -> None:
        """Runs the trials that are not done yet, in order."""
        for trial in trials:
            if trial.key not in self.content["trials"]:
                self.content["trials"][trial.key] = self._train(trial)
                self.save()
                shutil.rmtree(self._place(trial))

    def save(self) -> None:
        """Writes `result.json`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        files.write_json(self.folder / RESULT, {**self.content, "versions": versions(), "written": now})

    def accuracies(self, name: str) -> np.ndarray:
        """Accuracies of the finished trials of one name, float64 [seeds], by seed."""
        rows = [row for row in self.content["trials"].values() if row["name"] == name]
        return np.array([row["accuracy"] for row in sorted(rows, key=lambda row: row["seed"])])

    def _place(self, trial: Trial) -> Path:
        return self.folder / trial.key.replace(", ", "-").replace(" ", "-").replace("+", "and")

    def _train(self, trial: Trial) -> dict[str, Any]:
        recipe, started = trial.recipe, time.process_time()
        seed_everything(recipe.seed)
        network = build_model(self.model)
        # Measured once, after the last epoch, so that no epoch is picked by the faces it is measured on.
        run = (self.train, self.valid, recipe, self._place(trial), True, self.callbacks(trial))
        last = train_expressions(network, *run, validate_every=recipe.epochs)[-1]
        return {
            "name": trial.name,
            "seed": recipe.seed,
            "accuracy": last["valid_accuracy"],
            "loss": last["valid_loss"],
            "train_accuracy": last["train_accuracy"],
            "cpu_seconds": round(time.process_time() - started, 1),
            "recipe": recipe.to_json(),
        }


def repeat_close_ones(study: Study, trials: Sequence[Trial], base: str, seeds: Sequence[int], within: float) -> None:
    """Runs every trial once, then again with more seeds those within the noise of a base, and the base itself.

    Args:
        study: The study.
        trials: Each with the first seed; one of them is the base.
        base: Its name.
        seeds: The further seeds.
        within: Difference of accuracy from the base that one seed cannot decide.
    """
    study.run(trials)
    level = study.accuracies(base)[0]
    close = [trial for trial in trials if abs(study.accuracies(trial.name)[0] - level) < within]
    if len(close) > 1:
        study.run([trial.with_seed(seed) for trial in close for seed in seeds])


def summarise(study: Study, base: str) -> list[dict[str, Any]]:
    """One row a name, in the order of the first trials.

    Returns:
        `name`, `accuracy` (the mean over the seeds), `spread` (largest less smallest; None for one seed), `seeds`, and
        `gain`, the mean difference from the base over the seeds that both have.
    """
    rows, bases = [], study.accuracies(base)
    for name in dict.fromkeys(row["name"] for row in study.content["trials"].values()):
        found = study.accuracies(name)
        shared = min(len(found), len(bases))
        rows.append(
            {
                "name": name,
                "accuracy": float(found.mean()),
                "spread": float(np.ptp(found)) if len(found) > 1 else None,
                "seeds": len(found),
                "gain": float((found[:shared] - bases[:shared]).mean()),
            }
        )
    return rows
