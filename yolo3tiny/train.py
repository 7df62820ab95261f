"""Training of a detector on annotated photos, by the shared training loop."""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle.deployment.runtimes.base import Forward
from fer_paddle.deployment.runtimes.paddle import NetworkRunner
from fer_paddle.environment import paddle, seed_everything
from fer_paddle.messages import track
from fer_paddle.training import parallel
from fer_paddle.training.callbacks import Curves, ProgressBar, VisualDL
from fer_paddle.training.checkpoint import load_begun, with_stages_begun
from fer_paddle.training.loader import make_loader
from fer_paddle.training.loop import RunOptions, fit
from fer_paddle.training.optim import cosine_adamw
from fer_paddle.training.run import DIGESTS, start_digest
from yolo3tiny.anchors import ANCHORS, kmeans_anchors
from yolo3tiny.data import FaceTrainingData, repeat_photos
from yolo3tiny.evaluate import evaluate, sources_with_faces
from yolo3tiny.files import DetectorModel
from yolo3tiny.losses import Yolo3Loss
from yolo3tiny.model import NETWORKS, Network
from yolo3tiny.negatives import make_negatives
from yolo3tiny.photos import Photo, check_readable, class_name, digest_photos
from yolo3tiny.predict import Detector
from yolo3tiny.recipes import DetectorRecipe
from yolo3tiny.splits import find_train_valid

logger = logging.getLogger(__name__)
ANCHOR_SAMPLES, BOXES_OF_A_SAMPLE = 1000, 6  # that anchors are fitted to, at most


def fit_anchors(photos: Sequence[Photo], recipe: DetectorRecipe) -> np.ndarray:
    """Find as many anchors as ANCHORS, float64 [K, 2] by area, by k-means over the boxes of a recipe's samples."""
    photos, rng = repeat_photos(photos, dict(recipe.repeat)), np.random.default_rng(recipe.seed)
    # Not those of the training: they hold decoded photos.
    data = FaceTrainingData(photos, recipe.sizes[-1][1], recipe.augment, recipe.seed)
    sizes = [np.zeros((0, 2), np.float32)]
    for index in track(rng.choice(len(data), min(ANCHOR_SAMPLES, len(data)), replace=False), "samples"):
        _, boxes_xyxy, ignore = data.draw(int(index))
        sizes.append(rng.permutation((boxes_xyxy[:, 2:] - boxes_xyxy[:, :2])[~ignore])[:BOXES_OF_A_SAMPLE])
    return kmeans_anchors(np.concatenate(sizes), len(ANCHORS), recipe.seed)


def train_detector(
    network: Network,
    photos: Sequence[Photo],
    valid_photos: Sequence[Photo],
    recipe: DetectorRecipe,
    anchors: Sequence[Sequence[float]],
    options: RunOptions = RunOptions(),
    told: Mapping[str, Any] | None = None,
) -> list[dict[str, float]]:
    """Train `network` in place; return the history of loop.fit.

    `told` is what an export has to know: the data in words, the class and the shapes of pruned layers.
    """
    sources_with_faces(valid_photos)
    digests = {"train": digest_photos(photos), "validation": digest_photos(valid_photos)}
    photos = repeat_photos(photos, dict(recipe.repeat))
    anchors = [[float(width), float(height)] for width, height in anchors]
    model = parallel.prepare_model(network)
    data = FaceTrainingData(photos, recipe.sizes, recipe.augment, recipe.seed)
    loader = make_loader(data, recipe.batch_size, True, recipe.seed, options.workers)
    task = {"anchors": anchors, "photos": len(photos), DIGESTS: digests, **(told or {})}

    def validate(trained: paddle.nn.Layer) -> dict[str, float]:
        forward, longest = paddle_forward(trained), recipe.longest
        detect = Detector(forward=forward, anchors=anchors, strides=network.strides, longest=longest)
        return evaluate(detect, valid_photos)

    loss = Yolo3Loss(anchors, network.strides, recipe.ignore_iou, recipe.extra_anchor_iou)
    optimizer = make_optimizer(model, recipe, len(loader))
    return fit(model, loss, {"train": loader}, optimizer, config=recipe, options=options, validate=validate, task=task)


def train_from_files(
    data: Sequence[str],
    recipe: DetectorRecipe,
    options: RunOptions,
    classes: Sequence[str] | None = None,
    start: str | os.PathLike[str] | None = None,
    tiles: Mapping[str, int] | None = None,
    drawn: int = 0,
) -> list[dict[str, float]]:
    """Read photos, fit the anchors and train: what `python -m yolo3tiny train` does.

    `start` is a detector to go on from, with its network and anchors; `tiles` are sides in pixels by source, `drawn`
    counts the images without people that are added.
    """
    assert options.folder is not None
    folder = Path(options.folder)
    begun = load_begun(folder, options.resume)
    if begun is not None and "anchors" not in begun["task"]:
        raise ValueError(f"expected the run of a face detector in {folder}, got that of another network")
    begin = DetectorModel.load(start) if start is not None else None
    if begin is not None:
        recipe = dataclasses.replace(recipe, network=begin.network.kind, width=begin.network.width)
    photos, valid_photos, about = find_train_valid(data, classes, tiles)
    photos += make_negatives(drawn)
    about += f"; {drawn} drawn images without people" if drawn else ""
    logger.info("%s", about)
    check_readable(track(photos + valid_photos, "photos"))
    recipe = with_stages_begun(recipe, folder, options.resume)
    if begin is not None:
        anchors = begin.settings.anchors
    elif begun is not None:
        anchors = begun["task"]["anchors"]
    else:
        anchors = fit_anchors(photos, recipe).round().tolist()
    logger.info("anchors %s", anchors)
    seed_everything(recipe.seed)
    network = begin.network if begin else NETWORKS[recipe.network](width=recipe.width)
    callbacks = [ProgressBar(), Curves(folder, "ap"), VisualDL(folder / "visualdl")]
    options = dataclasses.replace(options, callbacks=callbacks)
    shapes = begin.card.get("shapes", {}) if begin else {}
    told = {"data": about, "classes": [class_name(classes)], "shapes": shapes}
    told |= start_digest(None if start is None else DetectorModel.find(start))
    return train_detector(network, photos, valid_photos, recipe, anchors, options, told)


def make_optimizer(model: paddle.nn.Layer, recipe: DetectorRecipe, steps_per_epoch: int) -> paddle.optimizer.AdamW:
    """Make AdamW with its schedule, counted in steps."""
    return cosine_adamw(model, recipe, steps_per_epoch, paddle.nn.ClipGradByGlobalNorm(recipe.clip_norm))


def paddle_forward(network: paddle.nn.Layer) -> Forward:
    """Return the network as the `forward` of a Detector: NumPy images in, NumPy heads out."""
    return NetworkRunner(network, {})
