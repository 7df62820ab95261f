"""Distillation of expression networks by the recipes of plain training, and its comparison with plain training."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fer_paddle.compression.distill import DistillLoss, DistillSettings, Student, Teacher
from fer_paddle.environment import paddle
from fer_paddle.expression.data.faces import LabelledFaces, check_classes
from fer_paddle.expression.data.mixup import mixed_loss
from fer_paddle.expression.files import ExpressionModel
from fer_paddle.expression.recipes import Recipe
from fer_paddle.expression.train import (
    check_network,
    describe_training,
    export_best,
    fit_faces,
    make_loss,
    train_expressions,
)
from fer_paddle.expression.trials import Trial, TrialStudy
from fer_paddle.images import predict
from fer_paddle.training.loop import RunOptions

KINDS = ("plain", "soft", "hint", "soft+hint")


def load_teacher(weights: Sequence[str | os.PathLike[str]], faces: LabelledFaces) -> Teacher:
    """Read the `.safetensors` files of one teacher or several of the classes of faces, each with its own input size."""
    loaded = [ExpressionModel.load(path) for path in weights]
    for model in loaded:
        check_classes(faces, model.classes)
    sizes = [model.input_size for model in loaded]
    return Teacher([model.network for model in loaded], sizes, [Path(path).name for path in weights])


def check_recipe(recipe: Recipe) -> None:
    """Raise ValueError for a recipe that a student cannot train by: an auxiliary head, or a frozen backbone."""
    if recipe.aux_weight or recipe.freeze_epochs or recipe.backbone_rate != 1:
        got = f"{recipe.aux_weight}, {recipe.freeze_epochs} and {recipe.backbone_rate}"
        raise ValueError(
            f"expected a recipe of aux_weight 0, freeze_epochs 0 and backbone_rate 1, got {recipe.name!r} with {got}"
        )


def distill_expressions(
    network: paddle.nn.Layer,
    teacher: Teacher,
    train: LabelledFaces,
    valid: LabelledFaces,
    recipe: Recipe,
    settings: DistillSettings,
    options: RunOptions = RunOptions(),
) -> list[dict[str, float]]:
    """Train `network` in place with a teacher, by a recipe without auxiliary head and frozen backbone.

    The rest is as in train.train_expressions; the history has the terms of DistillLoss.
    """
    check_recipe(recipe)
    check_network(network, train)
    student = Student(network, teacher, settings, recipe.sizes[0][1])
    loss = DistillLoss(settings, mixed_loss(make_loss(recipe, train)))
    task = {"distill": {**settings.to_json(), **teacher.describe()}}
    try:
        return fit_faces(student, loss, train, valid, recipe, options, task)
    finally:
        student.close()


# --- the study ---


@dataclasses.dataclass(frozen=True)
class DistillPlan:
    """What a study compares; kinds are some of KINDS: `plain` has no teacher, `hint` takes labels and hints."""

    student: str  # a name of models.DESIGNS
    recipe: Recipe  # its seed is replaced by each of `seeds`
    settings: DistillSettings  # each kind uses its part of the weights
    kinds: tuple[str, ...] = ("plain", "soft")
    seeds: tuple[int, ...] = (0, 1, 2)
    start: Path | None = None  # weights that every training begins with

    def __post_init__(self) -> None:
        if not self.kinds or not set(self.kinds) <= set(KINDS) or not self.seeds:
            raise ValueError(f"expected kinds of {', '.join(KINDS)} and a seed or more, got {self.kinds}, {self.seeds}")
        if set(self.kinds) != {"plain"}:
            check_recipe(self.recipe)
        for part, weight in (("soft", self.settings.soft_weight), ("hint", self.settings.hint_weight)):
            if not weight and any(part in kind for kind in self.kinds):
                kinds = ", ".join(self.kinds)
                raise ValueError(f"expected a {part}_weight above 0 for the kinds {kinds}, got {weight}")

    def settings_of(self, kind: str) -> DistillSettings:
        """Return the settings with the weights of the parts that a kind uses."""
        soft, hint = self.settings.soft_weight * ("soft" in kind), self.settings.hint_weight * ("hint" in kind)
        return dataclasses.replace(self.settings, soft_weight=soft, hint_weight=hint)

    def to_json(self) -> dict[str, Any]:
        """Return what decides one training: kinds and seeds may be added to a study."""
        content = {"student": self.student, "recipe": self.recipe.to_json(), "settings": self.settings.to_json()}
        return content if self.start is None else {**content, "start": str(self.start)}


class DistillStudy(TrialStudy):
    """Trials named by their kind, each with its model file `model.safetensors` in the folder of its run."""

    keeps_runs = True
    plan: DistillPlan
    teacher: Teacher

    def fit(self, trial: Trial, network: paddle.nn.Layer, options: RunOptions) -> list[dict[str, float]]:
        """Train a network plainly or with the teacher, and write its model file."""
        model, arguments = self.design(trial)
        folder = options.folder
        assert folder is not None
        faces = (self.train, self.valid, trial.recipe)
        if trial.name == "plain":
            history = train_expressions(network, *faces, options)
        else:
            history = distill_expressions(network, self.teacher, *faces, self.plan.settings_of(trial.name), options)
        card = describe_training(*faces)
        export_best(folder, folder / "model.safetensors", model, card, arguments)
        return history


def run_study(
    plan: DistillPlan,
    teacher: Teacher,
    train: LabelledFaces,
    valid: LabelledFaces,
    folder: Path,
    result: Path,
    provenance: Mapping[str, Any],
    options: RunOptions = RunOptions(),
) -> dict[str, Any]:
    """Run the trainings that are missing, each in a folder of its own, and return the content of the JSON `result`."""
    settings = {**plan.to_json(), "teacher_fingerprints": teacher.fingerprints}
    study = DistillStudy(folder, train, valid, settings, provenance, options, result)
    study.plan, study.teacher = plan, teacher
    if "teacher_accuracy" not in study.content:
        study.content["teacher_accuracy"] = measure_teacher(teacher, valid)
    trials = [Trial(kind, plan.recipe, plan.student, plan.start) for kind in plan.kinds]
    study.run_trials([trial.with_seed(seed) for seed in plan.seeds for trial in trials])
    study.content["summary"] = study.summarize("plain")
    study.save()
    return study.content


def measure_teacher(teacher: Teacher, faces: LabelledFaces) -> float:
    """Return the accuracy of the teacher, each of its networks at its own input size."""
    size = max(teacher.sizes) or 48
    probs = predict(lambda batch: teacher.probs(paddle.to_tensor(batch)).numpy(), faces.images, size)
    return float((probs.argmax(axis=1) == faces.labels).mean())
