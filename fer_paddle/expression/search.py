"""Search a network for one's own faces: short trainings of designs, hyper-parameters by Optuna, one long training.

All trials stand in `search.json`, those of the hyper-parameters in `tune.db`. What was stopped goes on where it was.
"""

from __future__ import annotations

import dataclasses
import math
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_paddle.environment import paddle, seed_everything
from fer_paddle.expression.data.faces import LabelledFaces, split_faces, take_subset
from fer_paddle.expression.recipes import STUDY, Recipe
from fer_paddle.expression.train import Outcome, head_arguments, train_expressions, train_faces
from fer_paddle.expression.trials import Trial, TrialStudy
from fer_paddle.search.cost import Limits, Prices
from fer_paddle.search.space import FAMILY, PLAIN, Design, Space, build_plain, describe_plain, plain_arguments
from fer_paddle.search.strategies import make_strategy, search
from fer_paddle.study import digest
from fer_paddle.training.loop import RunOptions

if TYPE_CHECKING:
    import optuna

RESULT, TUNING = "search.json", "tune.db"
HELD_OUT = 0.2  # of the faces that designs learn from, to judge them on
SEARCH_UNTIL, TUNE_UNTIL = 0.5, 0.65  # of the time, the rest is for the last training
MOST_EPOCHS = 60


@dataclasses.dataclass(frozen=True, kw_only=True)
class SearchPlan:
    """What is searched, how, and for how long."""

    limits: Limits = Limits()  # costs that no design exceeds
    strategy: str = "evolution"  # one of strategies.STRATEGIES
    trials: int | None = None  # designs to try; None tries until half the hours have passed
    # trials of the hyper-parameters; None takes half as many, or until 65 % of the hours have passed
    tuning: int | None = None
    hours: float | None = None  # for all together; None where `trials` says it
    faces: int | None = 4000  # that designs are tried on, held-out ones included; None takes all
    recipe: Recipe = dataclasses.replace(STUDY, epochs=6)  # of a trial, whose size is that of the design
    epochs: int | None = None  # of the last training; None takes what the hours leave, at most MOST_EPOCHS
    seed: int = 0  # of the strategy, the split and the trainings
    space: Space = PLAIN  # a plain space
    runs: int = 50  # timed runs of a latency

    def __post_init__(self) -> None:
        if self.hours is None and self.trials is None:
            raise ValueError("expected hours, trials or both, got neither")

    def to_json(self) -> dict[str, Any]:
        """Return what decides the trials, as JSON values: more of them or more hours do not."""
        names = ("limits", "strategy", "faces", "recipe", "seed", "space")
        return {name: value for name, value in dataclasses.asdict(self).items() if name in names}


class FaceSearch:
    """One search in a folder. `find`, `tune` and `train` come one after the other; each goes on where it was.

    A part of the `train` faces is held out to judge the designs; on `valid` only the last training is measured. The
    folder gets `search.json`, `tune.db` and the network, `model.safetensors` with its card. `options` has the callbacks
    and workers of every training; `origin` is of study.provenance.
    """

    def __init__(
        self,
        train: LabelledFaces,
        valid: LabelledFaces,
        plan: SearchPlan,
        folder: Path,
        options: RunOptions = RunOptions(),
        origin: Mapping[str, Any] | None = None,
    ):
        self.train_faces, self.valid_faces = train, valid
        self.plan, self.folder, self.options = plan, folder, options
        parts = split_faces(take_subset(train, plan.faces, plan.seed), HELD_OUT, plan.seed)
        self.study = TrialStudy(folder, *parts, plan.to_json(), origin, options, folder / RESULT)
        self.seconds: dict[str, float] = self.study.content.setdefault("seconds", {"find": 0.0, "tune": 0.0})
        known = self.study.content.setdefault("costs", {})
        self.prices = Prices(self.build, plan.limits, known, plan.runs)

    def build(self, design: Design) -> paddle.nn.Layer:
        """Build a design for the classes of the faces."""
        return build_plain(design, **head_arguments(self.train_faces))

    def find(self) -> dict[str, Any]:
        """Try designs until the trials or the time are used up, and return the row of the best; see `rows`."""
        strategy = make_strategy(self.plan.strategy, self.plan.space, self.prices.accept, seed=self.plan.seed)
        self.prices.check(self.plan.space)
        for _ in search(strategy, self._score, self.plan.trials):
            if not self._has_time(SEARCH_UNTIL):
                break
        return self.best

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The trials: `design`, `description`, `accuracy` on the held-out faces, the costs, `seconds`."""
        return self.study.rows

    @property
    def best(self) -> dict[str, Any]:
        """The row of the most accurate trial."""
        return max(self.rows, key=lambda row: row["accuracy"])

    def tune(self) -> Recipe:
        """Try hyper-parameters for the best design, the recipe's own first, and return the recipe with the best."""
        from fer_paddle.search.tune import open_study, tune

        row, plan = self.best, self.plan
        trials = plan.tuning if plan.tuning is not None else (MOST_EPOCHS if plan.trials is None else plan.trials // 2)
        recipe = plan.recipe.with_size(row["design"]["size"])
        if not trials or (not self._has_time(TUNE_UNTIL) and not (self.folder / TUNING).is_file()):
            return recipe
        self.folder.mkdir(parents=True, exist_ok=True)
        study = open_study(self.folder / TUNING, plan.seed)
        if not study.trials:
            study.enqueue_trial({name: value for name, (value, *_) in HYPER_PARAMETERS.items()})
        tune(study, lambda trial: self._try(trial, row["design"], recipe), trials, lambda: self._has_time(TUNE_UNTIL))
        for run in self.folder.glob("tune-*"):
            shutil.rmtree(run)
        return change_recipe(recipe, study.best_params) if study.best_trials else recipe

    def train(self, recipe: Recipe, data: str = "") -> Outcome:
        """Train the best design on all faces, and write `model.safetensors` with its card; see train.train_faces."""
        content, row = self.study.content, self.best
        if "final_epochs" not in content:  # a resumed training needs the same
            content["final_epochs"] = self._count_epochs(row)
            self.study.save()
        recipe = dataclasses.replace(recipe, name="searched", epochs=content["final_epochs"], validate_every=1)
        options = dataclasses.replace(self.options, folder=self.folder, resume=True)
        arguments = plain_arguments(row["design"])
        return train_faces(self.train_faces, self.valid_faces, recipe, options, FAMILY, data=data, arguments=arguments)

    def _score(self, number: int, design: Design) -> float:
        """Return the accuracy of a design after a short training."""
        name, began = f"design-{number:04}", time.monotonic()
        recipe = dataclasses.replace(self.plan.recipe.with_size(design["size"]), seed=self.plan.seed)
        self.study.measure = lambda trial, network: {
            "design": design,
            "description": describe_plain(design),
            **self.prices(design),
        }
        trial = Trial(name, recipe, FAMILY, arguments=plain_arguments(design))
        (row,) = self.study.run_trials([trial])
        if row["design"] != design:
            raise ValueError(f"expected the design {design} in row {name} of {self.study.path}, got {row['design']}")
        self._spend("find", began)
        return row["accuracy"]

    def _try(self, trial: optuna.Trial, design: Design, recipe: Recipe) -> float:
        """Return the accuracy of a design trained by the hyper-parameters of a trial."""
        from fer_paddle.search.tune import Pruning

        params = {
            name: trial.suggest_float(name, least, most, log=log)
            for name, (_, least, most, log) in HYPER_PARAMETERS.items()
        }
        # By its parameters: one that was killed and is tried again goes on from its checkpoint.
        folder, began = self.folder / f"tune-{digest(params)}", time.monotonic()
        options = RunOptions(folder, True, [*self.options.callbacks, Pruning(trial)], self.options.workers)
        seed_everything(self.plan.seed)
        changed = dataclasses.replace(change_recipe(recipe, params), seed=self.plan.seed)
        try:
            history = train_expressions(self.build(design), self.study.train, self.study.valid, changed, options)
        finally:
            self._spend("tune", began)
        return history[-1]["valid_accuracy"]

    def _spend(self, phase: str, began: float) -> None:
        self.seconds[phase] += time.monotonic() - began
        self.study.save()

    def _has_time(self, ratio: float) -> bool:
        hours = self.plan.hours
        return hours is None or sum(self.seconds.values()) < ratio * hours * 3600

    def _count_epochs(self, row: Mapping[str, Any]) -> int:
        """Return the epochs that the time is enough for, by what a face of that design took in the search."""
        if self.plan.epochs is not None:
            return self.plan.epochs
        if self.plan.hours is None:
            return MOST_EPOCHS
        left = self.plan.hours * 3600 - sum(self.seconds.values())
        mean_mflops = sum(one["mflops"] for one in self.rows) / len(self.rows)
        passes = len(self.rows) * self.plan.recipe.epochs * len(self.study.train)
        seconds = self.seconds["find"] / passes * row["mflops"] / mean_mflops * len(self.train_faces)
        return max(self.plan.recipe.epochs, min(MOST_EPOCHS, math.floor(left / seconds)))


# Name -> value that is tried first, least, most, whether they are drawn on a logarithmic scale.
HYPER_PARAMETERS: dict[str, tuple[float, float, float, bool]] = {
    "learning_rate": (STUDY.learning_rate, 3e-4, 1e-2, True),
    "weight_decay": (STUDY.weight_decay, 1e-3, 0.3, True),
    "label_smoothing": (STUDY.label_smoothing, 0.0, 0.2, False),
    "augment": (1.0, 0.0, 2.0, False),  # factor of the recipe's rotation, scale and shift
}


def change_recipe(recipe: Recipe, params: Mapping[str, float]) -> Recipe:
    """Return a recipe with values of HYPER_PARAMETERS."""
    changes, policy = dict(params), recipe.augment
    factor = changes.pop("augment")
    moved = {name: factor * getattr(policy, name) for name in ("rotate_deg", "scale", "shift")}
    changes["augment"] = dataclasses.replace(policy, **moved)  # type: ignore[assignment]
    return dataclasses.replace(recipe, **changes)  # type: ignore[arg-type]
