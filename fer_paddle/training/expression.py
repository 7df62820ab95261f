"""Trains an expression network by a recipe: from labelled faces to a weights file with its card."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fer_paddle.data.dataset import ExpressionData
from fer_paddle.data.expressions import LabelledFaces
from fer_paddle.environment import paddle, seed_everything
from fer_paddle.labels import EXPRESSIONS
from fer_paddle.training import parallel
from fer_paddle.training.loader import make_loader
from fer_paddle.training.loop import Callback, FitConfig, fit
from fer_paddle.training.losses import ExpressionLoss, TwoHeads, accuracy, balance_weights
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
    """Trains `network` in place.

    Args:
        network: A network of MODELS; its weights should come from `seed_everything(recipe.seed)` for a repeatable run.
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
        ValueError: The recipe wants FER+ votes and the faces have none, or the batch does not divide.
    """
    world = parallel.world()
    if recipe.batch_size % world:
        raise ValueError(f"expected a batch size that {world} processes can share, got {recipe.batch_size}")
    if recipe.votes_weight and train.votes is None:
        raise ValueError(f"expected faces with FER+ votes for the recipe {recipe.name!r}; use one with votes_weight 0")
    parallel.start()
    model = parallel.prepare_model(TwoHeads(network) if recipe.votes_weight else network)
    share = {"seed": recipe.seed, "rank": parallel.rank(), "world": world, "workers": workers}
    train_data = ExpressionData(train, recipe.sizes, recipe.augment, recipe.seed)
    valid_data = ExpressionData(valid, recipe.valid_sizes)
    loaders = {
        "train": make_loader(train_data, recipe.batch_size // world, shuffle=True, **share),
        "valid": make_loader(valid_data, recipe.batch_size // world, shuffle=False, **share),
    }
    counts = np.bincount(train.labels, minlength=len(EXPRESSIONS))
    weights = balance_weights(counts, recipe.class_balance) if recipe.class_balance else None
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
        ExpressionLoss(recipe.label_smoothing, recipe.votes_weight, weights),
        loaders,
        make_optimizer(model, recipe, len(loaders["train"])),
        {"accuracy": accuracy},
        callbacks,
        config=config,
        folder=folder,
        resume=resume,
    )


def make_optimizer(model: paddle.nn.Layer, recipe: Recipe, steps_per_epoch: int) -> paddle.optimizer.Optimizer:
    """Makes the recipe's optimizer with its schedule, counted in steps."""
    rate = recipe.learning_rate
    warmup_steps = math.ceil(recipe.warmup_epochs * steps_per_epoch)
    if recipe.cosine:
        rate = paddle.optimizer.lr.CosineAnnealingDecay(rate, T_max=recipe.epochs * steps_per_epoch - warmup_steps)
    if warmup_steps:
        rate = paddle.optimizer.lr.LinearWarmup(rate, warmup_steps, start_lr=0.0, end_lr=recipe.learning_rate)
    if recipe.optimizer == "adam":
        return paddle.optimizer.Adam(rate, parameters=model.parameters())
    if recipe.optimizer == "adamw":
        matrices = {parameter.name for parameter in model.parameters() if parameter.ndim > 1}
        return paddle.optimizer.AdamW(
            rate, parameters=model.parameters(), weight_decay=recipe.weight_decay, apply_decay_param_fun=matrices.__contains__
        )
    raise ValueError(f"expected the optimizer adam or adamw, got {recipe.optimizer!r}")
