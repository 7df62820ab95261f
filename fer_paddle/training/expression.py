"""Trains an expression network by a recipe: from labelled faces to a weights file with its card."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle import weight_files
from fer_paddle.data.dataset import ExpressionData
from fer_paddle.data.expressions import LabelledFaces
from fer_paddle.environment import paddle
from fer_paddle.labels import EXPRESSIONS
from fer_paddle.models import build_model
from fer_paddle.models.files import save_model
from fer_paddle.training import parallel
from fer_paddle.training.loader import make_loader
from fer_paddle.training.loop import BEST, Callback, FitConfig, fit
from fer_paddle.training.losses import ExpressionLoss, TwoHeads, accuracy, balance_weights
from fer_paddle.training.optimizers import adamw, warm_up
from fer_paddle.training.recipes import Recipe


def train_expressions(
    network: paddle.nn.Layer,
    train: LabelledFaces,
    valid: LabelledFaces,
    recipe: Recipe,
    folder: Path | None = None,
    resume: bool = False,
    callbacks: Sequence[Callback] = (),
    workers: int = 0,
) -> list[dict[str, float]]:
    """Trains `network` in place; it ends with the weights of the last step, the best are in the folder.

    Args:
        network: A network of MODELS; its weights should come from `seed_everything(recipe.seed)` for a
            repeatable run.
        train: Faces to learn from; with `recipe.votes_weight` they need FER+ votes.
        valid: Faces to measure on after every epoch.
        recipe: How to train.
        folder: Where checkpoints go; None keeps none.
        resume: Go on from the folder's last checkpoint.
        callbacks: See loop.fit.
        workers: Reader processes.

    Returns:
        The history of loop.fit.

    Raises:
        ValueError: The recipe wants FER+ votes and the faces have none; the processes cannot share a batch;
            there are fewer faces than one batch; or see loop.fit.
    """
    world = parallel.world()
    if recipe.batch_size % world:
        raise ValueError(f"expected a batch size that {world} processes can share, got {recipe.batch_size}")
    if recipe.votes_weight and train.votes is None:
        raise ValueError(f"expected faces with FER+ votes for the recipe {recipe.name!r}; use one with votes_weight 0")
    share = {"seed": recipe.seed, "rank": parallel.rank(), "world": world, "workers": workers}
    train_data = ExpressionData(train, recipe.sizes, recipe.augment, recipe.seed)
    valid_data = ExpressionData(valid, recipe.valid_sizes)
    loaders = {
        "train": make_loader(train_data, recipe.batch_size // world, shuffle=True, **share),
        "valid": make_loader(valid_data, recipe.batch_size // world, shuffle=False, **share),
    }
    parallel.start()
    trained = TwoHeads(network) if recipe.votes_weight else network
    model = parallel.prepare_model(trained, recipe.global_statistics)
    config = FitConfig(
        epochs=recipe.epochs,
        seed=recipe.seed,
        monitor="valid_accuracy",
        mode="max",
        average_decay=recipe.average_decay,
        task={"recipe": recipe.to_json(), "train_faces": len(train), "valid_faces": len(valid)},
    )
    return fit(
        model,
        make_loss(recipe, train),
        loaders,
        make_optimizer(model, recipe, len(loaders["train"])),
        {"accuracy": accuracy},
        callbacks,
        config=config,
        folder=folder,
        resume=resume,
    )


def make_loss(recipe: Recipe, train: LabelledFaces) -> ExpressionLoss:
    """Makes the recipe's loss, with class weights from the faces that are trained on."""
    counts = np.bincount(train.labels, minlength=len(EXPRESSIONS))
    weights = balance_weights(counts, recipe.class_balance) if recipe.class_balance else None
    return ExpressionLoss(recipe.label_smoothing, recipe.votes_weight, weights)


def make_optimizer(model: paddle.nn.Layer, recipe: Recipe, steps_per_epoch: int) -> paddle.optimizer.Optimizer:
    """Makes the recipe's optimizer with its schedule, counted in steps."""
    rate = warm_up(recipe.learning_rate, recipe.epochs, recipe.warmup_epochs, steps_per_epoch, recipe.cosine)
    if recipe.optimizer == "adam":
        return paddle.optimizer.Adam(rate, parameters=model.parameters())
    return adamw(model, rate, recipe.weight_decay)


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
        card: More for the card, such as command, machine and hours.
        arguments: Of the network's constructor.

    Returns:
        The card: that of `models.files.save_model` with the run's `figures` and `recipe`.

    Raises:
        FileNotFoundError: The folder holds no best weights.
        ValueError: The weights are damaged, or of another network or run.
    """
    best = Path(folder) / BEST
    arrays, told = weight_files.load_arrays(best), weight_files.load_card(best)
    try:
        figures, recipe = told["figures"], Recipe.from_json(told["config"]["task"]["recipe"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"expected the card of an expression run beside {best}, it lacks {error}") from error
    network = build_model(model, **(arguments or {}))
    weight_files.load_into(TwoHeads(network) if recipe.votes_weight else network, arrays)
    size = recipe.valid_size_at(figures["epoch"] - 1) if input_size is None else input_size
    content = {"figures": figures, "recipe": recipe.to_json(), **(card or {})}
    return save_model(path, model, network, size, content, arguments)
