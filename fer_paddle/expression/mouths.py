"""Trains the mouth classifier of chapter 1.1: neutral, smile, and the reader's own pout and laugh."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle.environment import REPOSITORY, seed_everything, versions
from fer_paddle.expression.data.augment import AugmentConfig
from fer_paddle.expression.data.mouths import LabelledMouths, MouthData
from fer_paddle.expression.files import ExpressionModel
from fer_paddle.expression.losses import ExpressionLoss, accuracy, balance_weights
from fer_paddle.models import build_model
from fer_paddle.training.loader import make_loader
from fer_paddle.training.loop import BEST, Callback, FitConfig, RunOptions, fit
from fer_paddle.training.optim import adamw, make_schedule
from fer_paddle.training.run import training_cost
from fer_paddle.training.transfer import HEADS, start_from
from fer_paddle.weights import load_arrays, load_card, load_into

WEIGHTS = REPOSITORY / "fer_paddle" / "weights"


@dataclasses.dataclass(frozen=True)
class MouthRecipe:
    """How the mouth classifier trains. About a minute and a half of one core for the 900 mouths of mouth_smile.

    Attributes:
        model: A name of MODELS.
        start: Trained weights of that network, a path or a file of `fer_paddle/weights`: it begins with all layers of
            it but the last; None begins at random. Who knows faces learns mouths from few: 0.95 instead of 0.92.
        epochs: Passes over the mouths; the weights of the best are kept.
        batch_size: Mouths of one step.
        size: Side in pixels.
        learning_rate: The highest; it falls to zero along a cosine.
        weight_decay: Of AdamW.
        label_smoothing: See losses.ExpressionLoss.
        class_balance: Power of losses.balance_weights: the reader's own classes are small.
        ema_decay: See average.EMA: single epochs differ by two mouths of a hundred.
        augment: Strengths of the random changes.
        seed: Of weights, order and random changes.
    """

    model: str = "distresnet"
    start: str | None = "distresnet.fer2013.safetensors"
    epochs: int = 16
    batch_size: int = 32
    size: int = 56
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    label_smoothing: float = 0.05
    class_balance: float = 0.5
    ema_decay: float = 0.98
    augment: AugmentConfig = AugmentConfig(
        flip=0.5, rotate_deg=12, scale=0.12, shift=0.06, brightness=0.15, contrast=0.3, erase=0.1
    )
    seed: int = 0


def train_mouths(
    mouths: LabelledMouths,
    folder: Path,
    recipe: MouthRecipe = MouthRecipe(),
    data: str = "",
    callbacks: Sequence[Callback] = (),
    resume: bool = False,
) -> tuple[list[dict[str, float]], Path]:
    """Trains, and writes the weights of the best epoch as `model.safetensors` with their card into the run's folder.

    The best epoch is chosen on the validation set, so its accuracy is slightly optimistic.

    Args:
        mouths: What to learn from and to measure on.
        folder: Of the run.
        recipe: How.
        data: Where the mouths came from, for the card.
        callbacks: See loop.fit.
        resume: Go on from the folder's last checkpoint.

    Returns:
        The history of loop.fit, and the weights file.

    Raises:
        ValueError: The weights to start from are damaged or of another network; or see loop.fit.
    """
    seed_everything(recipe.seed)
    arguments = {"num_classes": len(mouths.classes)}
    network = build_model(recipe.model, **arguments)
    if recipe.start is not None:
        start_from(network, load_arrays(WEIGHTS / recipe.start), HEADS)
    images, labels = mouths.part(valid=False)
    batch_size = min(recipe.batch_size, len(images))
    train = MouthData(images, labels, recipe.size, recipe.augment, recipe.seed)
    loaders = {
        "train": make_loader(train, batch_size, shuffle=True, seed=recipe.seed),
        "valid": make_loader(MouthData(*mouths.part(valid=True), recipe.size), recipe.batch_size, shuffle=False),
    }
    weights = balance_weights(np.bincount(labels, minlength=len(mouths.classes)), recipe.class_balance)
    steps = len(loaders["train"])
    rate = make_schedule("cosine", recipe.learning_rate, recipe.epochs * steps, warmup_steps=steps)
    task = {
        "mouths_recipe": dataclasses.asdict(recipe),
        "classes": mouths.classes,
        "mouths": mouths.counts(valid=False),
    }
    history = fit(
        network,
        ExpressionLoss(recipe.label_smoothing, class_weights=weights),
        loaders,
        adamw(network, rate, recipe.weight_decay),
        {"accuracy": accuracy},
        config=FitConfig(recipe.epochs, recipe.seed, "valid_accuracy", "max", ema_decay=recipe.ema_decay),
        options=RunOptions(folder, resume, callbacks),
        task=task,
    )
    path, best = folder / "model.safetensors", folder / BEST
    load_into(network, load_arrays(best))
    told = load_card(best)
    card: dict[str, Any] = {
        "figures": told["figures"],
        **training_cost(told),
        "recipe": dataclasses.asdict(recipe),
        "data": data,
        "train_mouths": mouths.counts(valid=False),
        "valid_mouths": mouths.counts(valid=True),
        "versions": versions(),
    }
    ExpressionModel.of(recipe.model, network, recipe.size, card, arguments, mouths.classes).save(path)
    return history, path
