"""A whole training from files to a model file: what `python -m fer_paddle train` does."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fer_paddle.environment import seed_everything, versions
from fer_paddle.expression.data.expressions import load_train_valid
from fer_paddle.expression.data.ferplus import take_for_training
from fer_paddle.expression.recipes import RECIPES, Recipe
from fer_paddle.expression.train import export_best, train_expressions
from fer_paddle.models import build_model, find_design
from fer_paddle.training import parallel
from fer_paddle.training.callbacks import Curves, ProgressBar, VisualDL
from fer_paddle.training.transfer import start_from_file

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What a training left: its history (see loop.fit) and the weights file, with its card beside it."""

    history: list[dict[str, float]]
    weights: Path


def choose_recipe(name: str, changes: Mapping[str, int]) -> Recipe:
    """Takes a recipe by name and changes `epochs`, `batch_size`, `seed` or `size` (one side for all epochs).

    Raises:
        ValueError: The name or a change is unknown.
    """
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
    model: str,
    recipe_name: str,
    folder: Path,
    resume: bool,
    workers: int,
    changes: Mapping[str, int],
    start: Path | None = None,
) -> Outcome:
    """Reads faces, trains, and writes `model.safetensors` with its card into the run's folder.

    Args:
        data: Where the faces lie; see data.expressions.load_train_valid.
        valid: Where those to measure on lie, or None.
        model: A name of models.DESIGNS.
        recipe_name: A name of RECIPES.
        folder: Folder of the run.
        resume: Go on from its last checkpoint.
        workers: Reader processes.
        changes: See choose_recipe.
        start: Weights of the same kind of network to start from, `.safetensors`; a last layer for other classes is
            new. None starts from random ones.

    Raises:
        FileNotFoundError: The data or the start are not there.
        ValueError: A name is unknown, the data are of no known kind, or the start is of another network.
    """
    recipe = choose_recipe(recipe_name, changes)
    train_faces, valid_faces = load_train_valid(data, valid, seed=recipe.seed)
    if recipe.aux_weight and train_faces.votes is None:
        logger.warning("these faces have no FER+ votes: training without the helping head")
        recipe = dataclasses.replace(recipe, aux_weight=0.0)
    model, arguments = find_design(model, {"num_classes": len(recipe.classes)} if recipe.ferplus else {})
    train_faces, valid_faces = take_for_training(train_faces, valid_faces, recipe.ferplus)
    seed_everything(recipe.seed)
    network = build_model(model, **arguments)
    if start is not None:
        start_from_file(network, start)
    callbacks = [ProgressBar(), Curves(folder), VisualDL(folder / "visualdl")]
    history = train_expressions(network, train_faces, valid_faces, recipe, folder, resume, callbacks, workers)
    card = {"recipe": recipe.to_json(), "data": data, "train_faces": train_faces.counts(), "versions": versions()}
    weights = folder / "model.safetensors"
    if parallel.rank() == 0:
        export_best(folder, weights, model, card=card, arguments=arguments)
    return Outcome(history, weights)
