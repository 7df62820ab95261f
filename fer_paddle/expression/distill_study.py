"""Does a teacher help? Plain training against distillation, with the same epochs, faces and seeds, as one command.

Every finished training is kept in a JSON file, so a study that was stopped goes on where it was.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle import files
from fer_paddle.environment import paddle, seed_everything
from fer_paddle.expression.distill import DistillSettings, check_recipe, distill_expressions, export_student
from fer_paddle.expression.recipes import Recipe
from fer_paddle.expression.teacher import Teacher
from fer_paddle.expression.train import Faces, export_best, train_expressions
from fer_paddle.images import faces_to_batch
from fer_paddle.models import build_model, find_design
from fer_paddle.study import differing_fields
from fer_paddle.training.loop import Callback
from fer_paddle.training.transfer import start_from_file
from fer_paddle.weights import load_card

KINDS = ("plain", "soft", "hint", "soft+hint")
_BATCH = 128


@dataclasses.dataclass(frozen=True)
class Study:
    """What is compared.

    Attributes:
        student: A name of models.DESIGNS.
        recipe: Of every training; its seed is replaced by each of `seeds`.
        settings: Of the distillation; its weights are those of the kinds that use them.
        kinds: Some of KINDS: `plain` has no teacher, `hint` takes the labels and the hints.
        seeds: One training of each kind for each.
        start: Weights that every training begins with; None begins with random ones.

    Raises:
        ValueError: A kind is unknown, there is no seed, a kind has a weight of zero, or no student can train by the
            recipe.
    """

    student: str
    recipe: Recipe
    settings: DistillSettings
    kinds: tuple[str, ...] = ("plain", "soft")
    seeds: tuple[int, ...] = (0, 1, 2)
    start: Path | None = None

    def __post_init__(self) -> None:
        if not self.kinds or not set(self.kinds) <= set(KINDS) or not self.seeds:
            raise ValueError(f"expected kinds of {', '.join(KINDS)} and a seed or more, got {self.kinds}, {self.seeds}")
        if set(self.kinds) != {"plain"}:
            check_recipe(self.recipe)
        for part, weight in (("soft", self.settings.soft_weight), ("hint", self.settings.hint_weight)):
            if not weight and any(part in kind for kind in self.kinds):
                raise ValueError(
                    f"expected a {part}_weight above 0 for the kinds {', '.join(self.kinds)}, got {weight}"
                )

    def settings_of(self, kind: str) -> DistillSettings:
        """The settings with the weights of the parts that a kind uses."""
        off = {f"{part}_weight": 0.0 for part in ("soft", "hint") if part not in kind}
        return dataclasses.replace(self.settings, **off)

    def to_json(self) -> dict[str, Any]:
        """What decides the result of one training: kinds and seeds may be added to a study."""
        content = {"student": self.student, "recipe": self.recipe.to_json(), "settings": self.settings.to_json()}
        return content if self.start is None else {**content, "start": str(self.start)}


def run_study(
    study: Study,
    teacher: Teacher,
    train: Faces,
    valid: Faces,
    folder: Path,
    result: Path,
    about: Mapping[str, Any],
    callbacks: Sequence[Callback] = (),
    workers: int = 0,
) -> dict[str, Any]:
    """Runs what is missing of a study.

    Args:
        study: What is compared.
        teacher: The teacher.
        train: Faces to learn from.
        valid: Faces to measure on.
        folder: Where the trainings go, one folder for each.
        result: The JSON file; written after every training.
        about: More for the result: command, data, teacher, machine.
        callbacks: Of every training.
        workers: Reader processes.

    Returns:
        The content of `result`: `study`, `teacher_accuracy`, `runs` and, by kind, `summary`.

    Raises:
        FileNotFoundError: The weights to begin with are not there.
        ValueError: The file holds another study, such as one of another teacher, or the weights to begin with are of
            another network.
    """
    given = {"train_faces": len(train), "valid_faces": len(valid), "teacher_fingerprints": teacher.fingerprints}
    found = _open_result(study, result, given)
    if "teacher_accuracy" not in found:
        found["teacher_accuracy"] = measure_teacher(teacher, valid)
    found |= about
    for seed in study.seeds:
        for kind in study.kinds:
            if any((run["kind"], run["seed"]) == (kind, seed) for run in found["runs"]):
                continue
            place = folder / f"{kind}-{seed}"
            found["runs"].append(_train_one(study, kind, seed, teacher, train, valid, place, callbacks, workers))
            found["summary"] = summarize(found["runs"])
            result.parent.mkdir(parents=True, exist_ok=True)
            files.write_json(result, found)
    return found


def _open_result(study: Study, result: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    fresh = {"study": {**study.to_json(), **given}, "runs": []}
    if not result.is_file():
        return fresh
    found = load_card(result)
    if differing := differing_fields(fresh["study"], found.get("study", {})):
        raise ValueError(f"expected the study that {result} holds, got another: {', '.join(differing)}")
    return found


def _train_one(
    study: Study,
    kind: str,
    seed: int,
    teacher: Teacher,
    train: Faces,
    valid: Faces,
    folder: Path,
    callbacks: Sequence[Callback],
    workers: int,
) -> dict[str, Any]:
    """One training of one kind; writes its model file and gives its row."""
    recipe = dataclasses.replace(study.recipe, seed=seed)
    model, arguments = find_design(study.student)
    seed_everything(seed)
    network = build_model(model, **arguments)
    if study.start is not None:
        start_from_file(network, study.start)
    started, was_begun = time.perf_counter(), folder.is_dir()
    common = {"folder": folder, "resume": True, "callbacks": callbacks, "workers": workers}
    weights = folder / "model.safetensors"
    if kind == "plain":
        history = train_expressions(network, train, valid, recipe, **common)
        export_best(folder, weights, model, arguments=arguments)
    else:
        history = distill_expressions(network, teacher, train, valid, recipe, study.settings_of(kind), **common)
        export_student(folder, weights, build_model(model, **arguments), model, arguments)
    accuracies = [round(record["valid_accuracy"], 6) for record in history]
    return {
        "kind": kind,
        "seed": seed,
        "accuracy": accuracies[-1],  # not the best: choosing an epoch by the faces measured on would flatter both
        "accuracies": accuracies,
        "seconds": None if was_begun else round(time.perf_counter() - started, 1),
    }


def measure_teacher(teacher: Teacher, faces: Faces) -> float:
    """Accuracy of the teacher, each of its networks at its own input size."""
    size = max(teacher.sizes) or 48
    right = 0
    for start in range(0, len(faces), _BATCH):
        chosen = faces.select(np.arange(start, min(start + _BATCH, len(faces))))
        images = paddle.to_tensor(faces_to_batch(list(chosen.images), size))
        right += int((teacher.shares(images).numpy().argmax(axis=1) == chosen.labels).sum())
    return right / len(faces)


def summarize(runs: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Mean and spread of each kind, and its gain over plain training, seed by seed.

    Args:
        runs: Rows with `kind`, `seed` and `accuracy`.

    Returns:
        By kind: `seeds`, `mean`, `deviation` (of the sample; None for one seed), `least`, `most`; and, where plain
        trainings of the same seeds are there, `gain` with its `gain_deviation`.
    """
    by_kind: dict[str, dict[int, float]] = {}
    for run in runs:
        by_kind.setdefault(run["kind"], {})[run["seed"]] = run["accuracy"]
    summary = {}
    for kind, accuracies in by_kind.items():
        mean, deviation = _mean_and_deviation(list(accuracies.values()))
        row = {"seeds": sorted(accuracies), "mean": mean, "deviation": deviation}
        row |= {"least": min(accuracies.values()), "most": max(accuracies.values())}
        plain = by_kind.get("plain", {})
        gains = [accuracies[seed] - plain[seed] for seed in sorted(accuracies.keys() & plain.keys())]
        if kind != "plain" and gains:
            row["gain"], row["gain_deviation"] = _mean_and_deviation(gains)
        summary[kind] = row
    return summary


def _mean_and_deviation(values: Sequence[float]) -> tuple[float, float | None]:
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None
