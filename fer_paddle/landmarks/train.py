"""Training of a landmark network by the shared loop."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle.deployment.runtimes.paddle import NetworkRunner
from fer_paddle.environment import paddle, seed_everything
from fer_paddle.files import each_once
from fer_paddle.landmarks.data.dataset import LandmarkData
from fer_paddle.landmarks.data.faces import LandmarkFaces, hold_out, join_faces, load_faces
from fer_paddle.landmarks.evaluate import evaluate
from fer_paddle.landmarks.files import LandmarkModel
from fer_paddle.landmarks.losses import LandmarkLoss
from fer_paddle.landmarks.points import OUTER_CORNERS
from fer_paddle.landmarks.predict import Landmarker, LandmarkSettings
from fer_paddle.landmarks.recipes import LandmarkRecipe
from fer_paddle.study import Row, Study
from fer_paddle.training import parallel
from fer_paddle.training.callbacks import Curves, ProgressBar
from fer_paddle.training.checkpoint import with_stages_begun
from fer_paddle.training.loader import make_loader
from fer_paddle.training.loop import RunOptions, fit
from fer_paddle.training.optim import cosine_adamw
from fer_paddle.training.run import DIGESTS, start_digest
from fer_paddle.weights import load_arrays, load_into

logger = logging.getLogger(__name__)


def train_landmarks(
    network: paddle.nn.Layer,
    train: LandmarkFaces,
    valid: LandmarkFaces,
    recipe: LandmarkRecipe,
    options: RunOptions = RunOptions(),
    start: Path | None = None,
) -> list[dict[str, float]]:
    """Train `network` in place; it ends with the weights of the last step, the best are in the folder.

    The network is a LandmarkNetwork, or another layer from crops to points float32 [N, 68, 2]. Training faces have a
    detector's boxes: their jitter is part of what is learned. `start` is the file that the network was loaded from.

    Returns:
        The history of loop.fit, with `valid_nme` and `valid_nme_SOURCE`, inter-ocular, and `valid_failures` at 0.10.
    """
    task = {
        "faces": len(train),
        DIGESTS: {"train": train.digest(), "validation": valid.digest()},
        **start_digest(start),
    }
    model = parallel.prepare_model(network)
    times = dict(recipe.repeat)
    repeated = train.take(np.repeat(np.arange(len(train)), [times.get(source, 1) for source in train.source.tolist()]))
    data = LandmarkData(repeated, recipe.sizes, recipe.margin, recipe.augment, recipe.seed)
    loader = make_loader(data, recipe.batch_size, True, recipe.seed, options.workers)
    loss = LandmarkLoss(recipe.loss, recipe.size, recipe.maps_weight)
    optimizer = cosine_adamw(model, recipe, len(loader))
    settings = LandmarkSettings(recipe.size, recipe.margin)

    def validate(trained: paddle.nn.Layer) -> dict[str, float]:
        figures = evaluate(Landmarker(forward=NetworkRunner(trained, {}), settings=settings), valid)
        by_source = {f"nme_{source}": figure["nme"] for source, figure in figures["by_source"].items()}
        return {"nme": figures["nme"]["inter_ocular"], **by_source, "failures": figures["failure_rate"]["0.1"]}

    loaders, metrics = {"train": loader}, {"nme": batch_nme}
    return fit(model, loss, loaders, optimizer, metrics, config=recipe, options=options, validate=validate, task=task)


def batch_nme(outputs: Any, points_norm: paddle.Tensor) -> float:
    """Return the mean inter-ocular error of a batch, of the mean of the network's heads."""
    points = [value for name, value in outputs.items() if name != "maps"] if isinstance(outputs, dict) else [outputs]
    distances = (sum(points) / len(points) - points_norm).norm(axis=-1).mean(-1)
    first, second = (points_norm[:, corner] for corner in OUTER_CORNERS)
    return float((distances / (first - second).norm(axis=-1)).mean())


def train_from_files(
    data: Sequence[Path],
    recipe: LandmarkRecipe,
    folder: Path,
    resume: bool = False,
    workers: int = 0,
    start: Path | None = None,
) -> list[dict[str, float]]:
    """Read faces (see `landmarks crops`) and train: what `python -m fer_paddle landmarks train` does."""
    recipe = with_stages_begun(recipe, folder, resume)
    train, valid = load_train_valid(data)
    seed_everything(recipe.seed)
    options = RunOptions(folder, resume, [ProgressBar(), Curves(folder, "nme")], workers)
    network = recipe.build()
    if start is not None:
        start = LandmarkModel.find(start)
        load_into(network, load_arrays(start))
    return train_landmarks(network, train, valid, recipe, options, start)


def load_train_valid(data: Sequence[Path]) -> tuple[LandmarkFaces, LandmarkFaces]:
    """Read faces of the splits train and val from files of `landmarks crops`; where none has val, see `hold_out`."""
    parts = [load_faces(path) for path in each_once(data)]
    has_val = any("val" in part.split for part in parts)
    faces = join_faces(parts if has_val else map(hold_out, parts))
    train, valid = (faces.take(faces.split == split) for split in ("train", "val"))
    if not len(train) or not len(valid):
        raise ValueError(f"expected faces of the splits train and val, got {len(train)} and {len(valid)}")
    logger.info("training on %d faces, measuring on %d", len(train), len(valid))
    return train, valid


def study_losses(
    study: Study,
    train: LandmarkFaces,
    valid: LandmarkFaces,
    recipe: LandmarkRecipe,
    losses: Sequence[str],
    seeds: Sequence[int],
) -> list[dict[str, Any]]:
    """Train once for each loss and seed under one budget, and return a row a loss.

    Returns:
        `loss`, `seeds`, `nme` and `deviation`, mean and standard deviation over the seeds, and `gain` and
        `gain_deviation`, those of the error of the first loss minus this one's, seed by seed; deviations of one seed
        are None.
    """

    def train_once(row: Row) -> dict[str, float]:
        chosen = dataclasses.replace(recipe, loss=row["loss"], seed=row["seed"])
        seed_everything(chosen.seed)
        last = train_landmarks(chosen.build(), train, valid, chosen, RunOptions(callbacks=[ProgressBar()]))[-1]
        return {name: value for name, value in last.items() if name.startswith("valid_")}

    study.run([{"loss": loss, "seed": seed} for seed in seeds for loss in losses], train_once)
    errors = {
        loss: np.array([study.find({"loss": loss, "seed": seed})[0]["valid_nme"] for seed in seeds]) for loss in losses
    }
    summary = []
    for loss in losses:
        nme, gain = errors[loss], errors[losses[0]] - errors[loss]
        spread = [float(np.std(values, ddof=1)) if len(seeds) > 1 else None for values in (nme, gain)]
        means = {"nme": float(nme.mean()), "deviation": spread[0], "gain": float(gain.mean())}
        summary.append({"loss": loss, "seeds": len(seeds), **means, "gain_deviation": spread[1]})
    return summary
