"""Train an expression network by a recipe: from labeled faces to a weights file with its card."""

from __future__ import annotations

import dataclasses
import logging
import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle.environment import paddle, seed_everything, versions
from fer_paddle.expression.data.dataset import ExpressionData
from fer_paddle.expression.data.expressions import load_train_valid
from fer_paddle.expression.data.faces import LabelledFaces, check_classes, digest_faces
from fer_paddle.expression.data.fer2013 import FERPLUS_CLASSES
from fer_paddle.expression.data.ferplus import take_for_training
from fer_paddle.expression.data.mixup import mixed_loss
from fer_paddle.expression.files import ExpressionModel
from fer_paddle.expression.losses import (
    AuxiliaryHead,
    Combination,
    ExpressionLoss,
    accuracy,
    balance_weights,
    share_classes,
)
from fer_paddle.expression.recipes import RECIPES, Recipe
from fer_paddle.expression.teach import take_both_labels
from fer_paddle.labels import EXPRESSIONS, FERPLUS_EXPRESSIONS, describe_classes, look_up
from fer_paddle.models import build_model, find_design
from fer_paddle.training import parallel
from fer_paddle.training.callbacks import Curves, ProgressBar, VisualDL
from fer_paddle.training.loader import Loader, make_loader
from fer_paddle.training.loop import RunOptions, fit
from fer_paddle.training.optim import adamw, make_schedule, momentum
from fer_paddle.training.run import DIGESTS, load_best, start_digest, training_cost
from fer_paddle.training.transfer import frozen_backbone, start_from_file, without_prefix
from fer_paddle.weights import load_arrays, load_card, load_into

logger = logging.getLogger(__name__)
STUDENT = "network."  # of the weights of a student in the checkpoints of a distillation


def train_expressions(
    network: paddle.nn.Layer,
    train: LabelledFaces,
    valid: LabelledFaces,
    recipe: Recipe,
    options: RunOptions = RunOptions(),
    task: Mapping[str, Any] | None = None,
) -> list[dict[str, float]]:
    """Train `network` in place; it ends with the weights of the last step, the best are in the folder.

    For a repeatable run the network's weights come from `seed_everything(recipe.seed)`. With `recipe.aux_weight` the
    training faces need FER+ votes.

    Returns:
        The history of loop.fit.

    Raises:
        ValueError: The recipe wants FER+ votes and the faces have none, or other classes; there are fewer faces than
            one batch; or see loop.fit.
    """
    check_network(network, train)
    loss, told = mixed_loss(make_loss(recipe, train)), {"valid_faces": len(valid), **(task or {})}
    return fit_faces(with_head(network, recipe), loss, train, valid, recipe, options, told)


def fit_faces(
    model: paddle.nn.Layer,
    loss: Callable[[Any, Any], Any],
    train: LabelledFaces,
    valid: LabelledFaces,
    recipe: Recipe,
    options: RunOptions,
    task: Mapping[str, Any],
) -> list[dict[str, float]]:
    """Train a network or a student by a recipe and a loss; `task` is more for the checkpoint, see loop.fit."""
    loaders = make_loaders(train, valid, recipe, options.workers)
    model = parallel.prepare_model(model)
    optimizer = make_optimizer(model, recipe, len(loaders["train"]))
    with frozen_backbone(model, recipe.freeze_epochs, recipe.backbone_rate) as unfreezing:
        options = dataclasses.replace(options, callbacks=[*options.callbacks, *unfreezing])
        task = {**describe_faces(recipe, train, valid), **task}
        return fit(model, loss, loaders, optimizer, {"accuracy": accuracy}, config=recipe, options=options, task=task)


def with_head(network: paddle.nn.Layer, recipe: Recipe) -> paddle.nn.Layer:
    """Return the network with the auxiliary head that a recipe wants, new where it has none."""
    if not recipe.aux_weight or isinstance(network, AuxiliaryHead):
        return network
    return AuxiliaryHead(network, len(FERPLUS_EXPRESSIONS if recipe.both_labels else FERPLUS_CLASSES))


def check_network(network: paddle.nn.Layer, train: LabelledFaces) -> None:
    """Raise ValueError for a network that has not one output for each class of the faces."""
    if network.num_classes != len(train.classes):
        got = f"{len(train.classes)}: {', '.join(train.classes)}"
        raise ValueError(f"expected faces of {network.num_classes} classes, as the network has, got {got}")


def describe_faces(recipe: Recipe, train: LabelledFaces, valid: LabelledFaces) -> dict[str, Any]:
    """Return what a checkpoint keeps of the faces; their classes where they are not those of the recipe."""
    classes = {} if train.classes == _recipe_classes(recipe) else {"classes": train.classes}
    heads = {}
    if recipe.both_labels:
        prior_ferplus = share_classes(train.votes.sum(axis=0))  # type: ignore[union-attr]
        heads = {"heads": dataclasses.asdict(Combination(assumed_prior(train, recipe), prior_ferplus))}
    return {"train_faces": len(train), DIGESTS: digest_faces(train, valid), **classes, **heads}


def describe_training(train: LabelledFaces, valid: LabelledFaces, recipe: Recipe) -> dict[str, Any]:
    """Return what a card says of the faces of a training: their classes, and the prior that the answers assume."""
    told = {"train_faces": train.counts(), "valid_faces": valid.counts(), "versions": versions()}
    return told if recipe.both_labels else {**told, "prior": assumed_prior(train, recipe)}


def assumed_prior(train: LabelledFaces, recipe: Recipe) -> list[float]:
    """Return the class shares that a network trained by a recipe assumes: those of the faces, as it evens them out."""
    counts = np.array(list(train.counts().values())) if train.targets is None else train.targets.sum(axis=0)
    return share_classes(counts, max(0, 1 - recipe.class_balance - recipe.balanced_sampling))


def _recipe_classes(recipe: Recipe) -> tuple[str, ...]:
    return FERPLUS_EXPRESSIONS if recipe.ferplus else EXPRESSIONS


def make_loaders(train: LabelledFaces, valid: LabelledFaces, recipe: Recipe, workers: int = 0) -> dict[str, Loader]:
    """Make the loaders `train` and `valid` of this process, with the labels and the order that the recipe wants."""
    if recipe.ferplus and train.targets is None:
        raise ValueError(f"expected faces of take_ferplus for the recipe {recipe.name!r}, got labels alone")
    if recipe.aux_weight and train.votes is None:
        raise ValueError(f"expected faces with FER+ votes for the recipe {recipe.name!r}; use one with aux_weight 0")
    for faces in (train, valid):
        check_classes(faces, train.classes)
    draw = recipe.ferplus == "probability"
    train_data = ExpressionData(train, recipe.sizes, recipe.augment, recipe.seed, train.targets, draw)
    valid_data = ExpressionData(valid, recipe.valid_sizes)
    size, seed, power = recipe.batch_size, recipe.seed, recipe.balanced_sampling
    return {
        "train": make_loader(train_data, size, True, seed, workers, recipe.mix, train.labels, power),
        "valid": make_loader(valid_data, size, False, seed, workers),
    }


def make_loss(recipe: Recipe, train: LabelledFaces) -> ExpressionLoss:
    """Make the recipe's loss, with class weights from the training faces."""
    counts = np.array(list(train.counts().values()))
    weights = balance_weights(counts, recipe.class_balance) if recipe.class_balance else None
    return ExpressionLoss(recipe.label_smoothing, recipe.aux_weight, weights)


def make_optimizer(model: paddle.nn.Layer, recipe: Recipe, steps_per_epoch: int) -> paddle.optimizer.Optimizer:
    """Make the recipe's optimizer with its schedule, counted in steps."""
    # A plateau counts epochs, all others steps.
    scale = 1 if recipe.schedule == "plateau" else steps_per_epoch
    rate = make_schedule(
        recipe.schedule,
        recipe.learning_rate,
        recipe.epochs * steps_per_epoch,
        [math.ceil(point * scale) for point in recipe.schedule_points],
        recipe.schedule_factor,
        math.ceil(recipe.warmup_epochs * steps_per_epoch),
    )
    if recipe.optimizer == "adam":
        return paddle.optimizer.Adam(rate, parameters=model.parameters())
    return (momentum if recipe.optimizer == "momentum" else adamw)(model, rate, recipe.weight_decay)


def export_best(
    folder: str | os.PathLike[str],
    path: str | os.PathLike[str],
    model: str = "distresnet",
    card: Mapping[str, Any] | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Write the best weights of a run of `train_expressions`, or of a student, as a model to ship; return its card.

    The auxiliary head is left out, but for a recipe of both label sets, and so is what a teacher brought. The network
    is for the side of the validation faces in the best epoch.
    """
    arrays, best = load_best(Path(folder))
    figures, recipe = best["figures"], Recipe.from_json(best["config"])
    network = build_model(model, **(arguments or {}))
    learner = with_head(network, recipe)
    is_student = "distill" in best["task"]
    load_into(learner, without_prefix(arrays, STUDENT) if is_student else arrays)
    size = recipe.valid_size_at(figures["epoch"] - 1)
    content = {"figures": figures, "recipe": recipe.to_json(), **training_cost(best), **(card or {})}
    if is_student:
        content["distill"] = best["task"]["distill"]
    if "heads" in best["task"]:
        network, heads = learner, best["task"]["heads"]
        content |= {"heads": heads, "prior": Combination.from_json(heads).prior("both")}
    classes = tuple(best["task"].get("classes", _recipe_classes(recipe)))
    return ExpressionModel.of(model, network, size, content, arguments, classes).save(path)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The result of a training: its history (see loop.fit), the weights file with its card beside it, the classes."""

    history: list[dict[str, float]]
    weights: Path
    classes: tuple[str, ...]


def choose_recipe(name: str, changes: Mapping[str, Any]) -> Recipe:
    """Return a recipe by name with other fields, but for those that are None; `size` is one side for all epochs."""
    recipe = look_up(RECIPES, name, "a recipe of {}")
    changes = {field: value for field, value in changes.items() if value is not None}
    if size := changes.pop("size", None):
        recipe = recipe.with_size(size)
    return dataclasses.replace(recipe, **changes)


def train_from_files(
    data: str | Sequence[str],
    valid: str | None,
    design: str,
    recipe: Recipe,
    options: RunOptions,
    start: Path | None = None,
    classes: Sequence[str] | None = None,
    teachers: Sequence[str | os.PathLike[str]] = (),
    unlabeled: str | None = None,
) -> Outcome:
    """Read faces (see expressions.load_train_valid) and train on them: what `python -m fer_paddle train` does."""
    assert options.folder is not None
    faces = load_train_valid(data, valid, seed=recipe.seed, classes=classes)
    faces = take_both_labels(*faces, recipe, teachers, unlabeled)
    callbacks = [ProgressBar(), Curves(options.folder), VisualDL(options.folder / "visualdl")]
    named = data if isinstance(data, str) else ", ".join(data)
    return train_faces(*faces, recipe, dataclasses.replace(options, callbacks=callbacks), design, start, named)


def train_faces(
    train: LabelledFaces,
    valid: LabelledFaces,
    recipe: Recipe,
    options: RunOptions,
    design: str = "distresnet",
    start: Path | None = None,
    data: str = "",
    arguments: Mapping[str, Any] | None = None,
) -> Outcome:
    """Train a network of the faces' classes, and write `model.safetensors` with its card into the run's folder.

    The best epoch is chosen on the validation faces, so its accuracy is slightly optimistic. The recipe's auxiliary
    head is left out where the faces have no FER+ votes.

    Args:
        design: A name of models.DESIGNS.
        start: Pretrained `.safetensors` of the same kind of network, or the name of one that ships; a last layer for
            other classes stays random.
        data: Where the faces came from, for the card.
    """
    if options.folder is None:
        raise ValueError("expected a folder for the weights, got None")
    if recipe.aux_weight and train.votes is None:
        logger.warning("these faces have no FER+ votes: training without the auxiliary head")
        recipe = dataclasses.replace(recipe, aux_weight=0.0)
    train, valid = take_for_training(train, valid, recipe.ferplus)
    model, arguments = find_design(design, {**head_arguments(train), **(arguments or {})})
    logger.info("training on %s", describe_classes(train.classes))
    seed_everything(recipe.seed)
    network = with_head(build_model(model, **arguments), recipe)
    start = None if start is None else ExpressionModel.find(start)
    if start is not None:
        _start(network, start, train.classes, recipe)
    history = train_expressions(network, train, valid, recipe, options, start_digest(start))
    card = {"data": data, **describe_training(train, valid, recipe)}
    weights = options.folder / "model.safetensors"
    if parallel.rank() == 0:
        export_best(options.folder, weights, model, card=card, arguments=arguments)
    return Outcome(history, weights, train.classes)


def head_arguments(train: LabelledFaces) -> dict[str, Any]:
    """Return what a network's constructor needs to know of the classes of the faces."""
    return {} if len(train.classes) == len(EXPRESSIONS) else {"num_classes": len(train.classes)}


def _start(network: paddle.nn.Layer, path: Path, classes: Sequence[str], recipe: Recipe) -> None:
    """Load pretrained weights into a network, with their heads where it learns both label sets as they did."""
    if recipe.both_labels and "heads" in load_card(path):
        load_into(network, load_arrays(path))
    else:
        start_from_file(network.network if isinstance(network, AuxiliaryHead) else network, path, classes)
