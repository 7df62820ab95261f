"""Trains an expression network by a recipe: from labelled faces to a weights file with its card."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle.environment import paddle
from fer_paddle.expression.data.dataset import ExpressionData
from fer_paddle.expression.data.expressions import LabelledFaces
from fer_paddle.expression.data.faces import check_classes
from fer_paddle.expression.data.ferplus import FerPlusFaces, SoftData, mix_votes
from fer_paddle.expression.data.mixup import mixed_loss
from fer_paddle.expression.files import ExpressionModel
from fer_paddle.expression.losses import AuxiliaryHead, ExpressionLoss, accuracy, balance_weights
from fer_paddle.expression.recipes import Recipe
from fer_paddle.models import build_model
from fer_paddle.training import parallel
from fer_paddle.training.loader import BalancedSampler, Loader, make_loader
from fer_paddle.training.loop import BEST, Callback, FitConfig, fit
from fer_paddle.training.optim import adamw, make_schedule, momentum, warm_up
from fer_paddle.training.run import training_cost
from fer_paddle.training.transfer import frozen_backbone
from fer_paddle.weights import load_arrays, load_card, load_into

Faces = LabelledFaces | FerPlusFaces


def train_expressions(
    network: paddle.nn.Layer,
    train: Faces,
    valid: Faces,
    recipe: Recipe,
    folder: Path | None = None,
    resume: bool = False,
    callbacks: Sequence[Callback] = (),
    workers: int = 0,
    validate_every: int = 1,
) -> list[dict[str, float]]:
    """Trains `network` in place; it ends with the weights of the last step, the best are in the folder.

    Args:
        network: A network of MODELS; its weights should come from `seed_everything(recipe.seed)` for a
            repeatable run.
        train: Faces to learn from; with `recipe.aux_weight` or `recipe.soft_labels` they need FER+ votes.
        valid: Faces to measure on.
        recipe: How to train.
        folder: Where checkpoints go; None keeps none.
        resume: Go on from the folder's last checkpoint.
        callbacks: See loop.fit.
        workers: Reader processes.
        validate_every: Epochs between two measurements; the last epoch always has one.

    Returns:
        The history of loop.fit.

    Raises:
        ValueError: The recipe wants FER+ votes and the faces have none, or other classes; the processes cannot share a
            batch; there are fewer faces than one batch; or see loop.fit.
    """
    world = parallel.world_size()
    if recipe.batch_size % world:
        raise ValueError(f"expected a batch size that {world} processes can share, got {recipe.batch_size}")
    loaders = make_loaders(train, valid, recipe, workers)
    parallel.start()
    trained = AuxiliaryHead(network) if recipe.aux_weight else network
    model = parallel.prepare_model(trained, recipe.global_statistics)
    task = {"recipe": recipe.to_json(), "train_faces": len(train), "valid_faces": len(valid)}
    with frozen_backbone(model, recipe.freeze_epochs, recipe.backbone_rate) as unfreezing:
        return fit(
            model,
            mixed_loss(make_loss(recipe, train)),
            loaders,
            make_optimizer(model, recipe, len(loaders["train"])),
            {"accuracy": accuracy},
            [*callbacks, *unfreezing],
            config=make_config(recipe, task),
            folder=folder,
            resume=resume,
            validate_every=validate_every,
        )


def make_config(recipe: Recipe, task: Mapping[str, Any]) -> FitConfig:
    """What a recipe tells the loop; the best epoch is the one most right on the faces measured on.

    Args:
        recipe: How to train.
        task: See loop.FitConfig.
    """
    return FitConfig(
        epochs=recipe.epochs,
        seed=recipe.seed,
        monitor="valid_accuracy",
        mode="max",
        ema_decay=recipe.ema_decay,
        swa_start=recipe.swa_start,
        accumulate=recipe.accumulate,
        sam_radius=recipe.sam_radius,
        task=task,
    )


def make_loaders(train: Faces, valid: Faces, recipe: Recipe, workers: int = 0) -> dict[str, Loader]:
    """Makes the loaders `train` and `valid` of this process, with the labels and the order that the recipe wants.

    Raises:
        ValueError: The recipe wants FER+ votes and the faces have none, or the classes of one and the other differ.
    """
    if (recipe.aux_weight or recipe.soft_labels) and train.votes is None:
        raise ValueError(f"expected faces with FER+ votes for the recipe {recipe.name!r}; use one with aux_weight 0")
    for faces in (train, valid):
        check_classes(faces, recipe.classes)
    world = parallel.world_size()
    batch_size = recipe.batch_size // world
    share = {"seed": recipe.seed, "rank": parallel.rank(), "world": world}
    shown = (recipe.sizes, recipe.augment, recipe.seed)
    if isinstance(train, FerPlusFaces):
        train_data: ExpressionData = SoftData(train, train.shares, *shown, draw=train.draw)
    elif recipe.soft_labels:
        train_data = SoftData(train, mix_votes(train.labels, train.votes, recipe.soft_labels), *shown)
    else:
        train_data = ExpressionData(train, *shown)
    if recipe.balanced_sampling:
        sampler = BalancedSampler(train.labels, recipe.balanced_sampling, batch_size, **share)
        train_loader = Loader(train_data, sampler, workers, recipe.mix)
    else:
        train_loader = make_loader(train_data, batch_size, shuffle=True, workers=workers, collate=recipe.mix, **share)
    valid_data = ExpressionData(valid, recipe.valid_sizes)
    return {"train": train_loader, "valid": make_loader(valid_data, batch_size, False, workers=workers, **share)}


def make_loss(recipe: Recipe, train: Faces) -> ExpressionLoss:
    """Makes the recipe's loss, with class weights from the faces that are trained on."""
    counts = np.array(list(train.counts().values()))
    weights = balance_weights(counts, recipe.class_balance) if recipe.class_balance else None
    return ExpressionLoss(recipe.label_smoothing, recipe.aux_weight, weights)


def make_optimizer(model: paddle.nn.Layer, recipe: Recipe, steps_per_epoch: int) -> paddle.optimizer.Optimizer:
    """Makes the recipe's optimizer with its schedule, counted in steps."""
    if recipe.schedule is None:
        rate = warm_up(recipe.learning_rate, recipe.epochs, recipe.warmup_epochs, steps_per_epoch, recipe.cosine)
    else:
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
    """Writes the best weights of a run of `train_expressions` as a model to ship, without the helping head.

    Args:
        folder: Folder of the run.
        path: The `.safetensors` file to write, its card beside it.
        model: Name in MODELS of the network that was trained.
        input_size: Side in pixels to use it with; None takes the side of the faces the best epoch was
            measured on.
        card: More for the card, such as the command.
        arguments: Of the network's constructor, as it was trained.

    Returns:
        The card: that of `ExpressionModel.save` with the run's `figures`, `recipe`, `hours` and `machine`.

    Raises:
        FileNotFoundError: The folder holds no best weights.
        ValueError: The weights are damaged, or of another network or run.
    """
    best = Path(folder) / BEST
    arrays, told = load_arrays(best), load_card(best)
    try:
        figures, recipe = told["figures"], Recipe.from_json(told["config"]["task"]["recipe"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"expected the card of an expression run beside {best}, it lacks {error}") from error
    network = build_model(model, **(arguments or {}))
    load_into(AuxiliaryHead(network) if recipe.aux_weight else network, arrays)
    size = recipe.valid_size_at(figures["epoch"] - 1) if input_size is None else input_size
    content = {"figures": figures, "recipe": recipe.to_json(), **training_cost(told), **(card or {})}
    return ExpressionModel.of(model, network, size, content, arguments, recipe.classes).save(path)
