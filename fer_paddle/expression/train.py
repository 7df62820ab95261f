"""Trains an expression network by a recipe: from labelled faces to a weights file with its card."""

from __future__ import annotations

import dataclasses
import logging
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle.environment import paddle, seed_everything, versions
from fer_paddle.expression.data.dataset import ExpressionData
from fer_paddle.expression.data.expressions import LabelledFaces, load_train_valid
from fer_paddle.expression.data.faces import check_classes
from fer_paddle.expression.data.ferplus import FerPlusFaces, SoftData, mix_votes, take_for_training
from fer_paddle.expression.data.mixup import mixed_loss
from fer_paddle.expression.files import ExpressionModel
from fer_paddle.expression.losses import AuxiliaryHead, ExpressionLoss, accuracy, balance_weights
from fer_paddle.expression.recipes import RECIPES, Recipe
from fer_paddle.models import build_model, find_design
from fer_paddle.training import parallel
from fer_paddle.training.callbacks import Curves, ProgressBar, VisualDL
from fer_paddle.training.loader import BalancedSampler, Loader, make_loader
from fer_paddle.training.loop import RunOptions, fit
from fer_paddle.training.optim import adamw, make_schedule, momentum
from fer_paddle.training.run import load_best, training_cost
from fer_paddle.training.transfer import frozen_backbone, start_from_file
from fer_paddle.weights import load_into

logger = logging.getLogger(__name__)

Faces = LabelledFaces | FerPlusFaces


def train_expressions(
    network: paddle.nn.Layer, train: Faces, valid: Faces, recipe: Recipe, options: RunOptions = RunOptions()
) -> list[dict[str, float]]:
    """Train `network` in place; it ends with the weights of the last step, the best are in the folder.

    Args:
        network: A network of MODELS; its weights should come from `seed_everything(recipe.seed)` for a
            repeatable run.
        train: Training faces; with `recipe.aux_weight` or `recipe.soft_labels` they need FER+ votes.
        valid: Validation faces.
        recipe: How to train.
        options: Where checkpoints go, whether to resume, callbacks, reader processes.

    Returns:
        The history of loop.fit.

    Raises:
        ValueError: The recipe wants FER+ votes and the faces have none, or other classes; the processes cannot share a
            batch; there are fewer faces than one batch; or see loop.fit.
    """
    loaders = make_loaders(train, valid, recipe, options.workers)
    model = parallel.prepare_model(AuxiliaryHead(network) if recipe.aux_weight else network)
    optimizer = make_optimizer(model, recipe, len(loaders["train"]))
    loss = mixed_loss(make_loss(recipe, train))
    with frozen_backbone(model, recipe.freeze_epochs, recipe.backbone_rate) as unfreezing:
        options = dataclasses.replace(options, callbacks=[*options.callbacks, *unfreezing])
        task = {"train_faces": len(train), "valid_faces": len(valid)}
        return fit(model, loss, loaders, optimizer, {"accuracy": accuracy}, config=recipe, options=options, task=task)


def make_loaders(train: Faces, valid: Faces, recipe: Recipe, workers: int = 0) -> dict[str, Loader]:
    """Make the loaders `train` and `valid` of this process, with the labels and the order that the recipe wants.

    Raises:
        ValueError: The recipe wants FER+ votes and the faces have none, or the classes of one and the other differ.
    """
    if (recipe.aux_weight or recipe.soft_labels) and train.votes is None:
        raise ValueError(f"expected faces with FER+ votes for the recipe {recipe.name!r}; use one with aux_weight 0")
    for faces in (train, valid):
        check_classes(faces, recipe.classes)
    batch_size = parallel.local_batch(recipe.batch_size)
    ranks = {"seed": recipe.seed, "rank": parallel.rank(), "world": parallel.world_size()}
    shown = (recipe.sizes, recipe.augment, recipe.seed)
    if isinstance(train, FerPlusFaces):
        train_data: ExpressionData = SoftData(train, train.shares, *shown, draw=train.draw)
    elif recipe.soft_labels:
        train_data = SoftData(train, mix_votes(train.labels, train.votes, recipe.soft_labels), *shown)
    else:
        train_data = ExpressionData(train, *shown)
    if recipe.balanced_sampling:
        sampler = BalancedSampler(train.labels, recipe.balanced_sampling, batch_size, **ranks)
        train_loader = Loader(train_data, sampler, workers, recipe.mix)
    else:
        train_loader = make_loader(train_data, batch_size, True, workers=workers, collate=recipe.mix, **ranks)
    valid_data = ExpressionData(valid, recipe.valid_sizes)
    return {"train": train_loader, "valid": make_loader(valid_data, batch_size, False, workers=workers, **ranks)}


def make_loss(recipe: Recipe, train: Faces) -> ExpressionLoss:
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
    input_size: int | None = None,
    card: Mapping[str, Any] | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Write the best weights of a run of `train_expressions` as a model to ship, without the auxiliary head.

    Args:
        folder: Folder of the run.
        path: The `.safetensors` file to write, its card beside it.
        model: Name in MODELS of the network that was trained.
        input_size: Side in pixels to use it with; None takes the side of the validation faces in the best epoch.
        card: More for the card, such as the command.
        arguments: Of the network's constructor, as it was trained.

    Returns:
        The card: that of `ExpressionModel.save` with the run's `figures`, `recipe`, `hours` and `machine`.

    Raises:
        FileNotFoundError: The folder holds no best weights.
        ValueError: The weights are damaged, or of another network or run.
    """
    arrays, best = load_best(Path(folder))
    figures, recipe = best["figures"], Recipe.from_json(best["config"])
    network = build_model(model, **(arguments or {}))
    load_into(AuxiliaryHead(network) if recipe.aux_weight else network, arrays)
    size = recipe.valid_size_at(figures["epoch"] - 1) if input_size is None else input_size
    content = {"figures": figures, "recipe": recipe.to_json(), **training_cost(best), **(card or {})}
    return ExpressionModel.of(model, network, size, content, arguments, recipe.classes).save(path)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a training left: its history (see loop.fit) and the weights file, with its card beside it."""

    history: list[dict[str, float]]
    weights: Path


def choose_recipe(name: str, changes: Mapping[str, Any]) -> Recipe:
    """Return a recipe by name with other `epochs`, `batch_size`, `seed` or `size` (one side for all epochs)."""
    if name not in RECIPES:
        raise ValueError(f"expected a recipe of {', '.join(RECIPES)}, got {name!r}")
    changes = dict(changes)
    size = changes.pop("size", None)
    if size is not None:
        changes |= {"sizes": ((0, size),), "valid_sizes": ((0, size),)}
    return dataclasses.replace(RECIPES[name], **changes)


def train_from_files(
    data: str,
    valid: str | None,
    design: str,
    recipe: Recipe,
    folder: Path,
    resume: bool = False,
    workers: int = 0,
    start: Path | None = None,
) -> Outcome:
    """Read faces, train, and write `model.safetensors` with its card: what `python -m fer_paddle train` does.

    Args:
        data: Where the faces lie; see data.expressions.load_train_valid.
        valid: Where the validation faces lie, or None.
        design: A name of models.DESIGNS.
        recipe: How to train; its auxiliary head is left out where the faces have no FER+ votes.
        folder: Folder of the run: checkpoints, the best weights, curves and a VisualDL log.
        resume: Go on from its last checkpoint.
        workers: Reader processes.
        start: Weights of the same kind of network to start from, `.safetensors`; a last layer for other classes is
            new. None starts from random ones.

    Raises:
        FileNotFoundError: The data or the start are not there.
        ValueError: A name is unknown, the data are of no known kind, or the start is of another network.
    """
    train_faces, valid_faces = load_train_valid(data, valid, seed=recipe.seed)
    if recipe.aux_weight and train_faces.votes is None:
        logger.warning("these faces have no FER+ votes: training without the auxiliary head")
        recipe = dataclasses.replace(recipe, aux_weight=0.0)
    model, arguments = find_design(design, {"num_classes": len(recipe.classes)} if recipe.ferplus else {})
    train_faces, valid_faces = take_for_training(train_faces, valid_faces, recipe.ferplus)
    seed_everything(recipe.seed)
    network = build_model(model, **arguments)
    if start is not None:
        start_from_file(network, start)
    callbacks = [ProgressBar(), Curves(folder), VisualDL(folder / "visualdl")]
    options = RunOptions(folder, resume, callbacks, workers)
    history = train_expressions(network, train_faces, valid_faces, recipe, options)
    card = {"data": data, "train_faces": train_faces.counts(), "versions": versions()}
    weights = folder / "model.safetensors"
    if parallel.rank() == 0:
        export_best(folder, weights, model, card=card, arguments=arguments)
    return Outcome(history, weights)
