"""Trains tiny YOLOv3 on face photos, with the shared training loop."""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle.environment import paddle
from fer_paddle.training import parallel
from fer_paddle.training.loader import make_loader
from fer_paddle.training.loop import Callback, FitConfig, fit
from yolo3tiny.anchors import kmeans_anchors
from yolo3tiny.annotations import Photo
from yolo3tiny.augment import AugmentConfig
from yolo3tiny.data import FaceTrainingData
from yolo3tiny.detector import Detector
from yolo3tiny.evaluate import evaluate
from yolo3tiny.loss import Yolo3Loss

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class DetectorRecipe:
    """How to train the face detector.

    Attributes:
        name: Name on the command line.
        epochs: Passes over the photos.
        batch_size: Photos of one step, over all processes together.
        sizes: Pairs (first epoch, side in pixels of the training canvas), from epoch 0.
        width: Width multiplier of Yolo3Tiny.
        learning_rate: The highest rate of AdamW; it rises over `warmup_epochs` and falls along a half cosine.
        weight_decay: Of AdamW; not applied to batch normalisation and biases.
        warmup_epochs: Epochs of the rise.
        clip_norm: Largest norm of the gradient.
        average_decay: Of the moving average of the weights.
        ignore_iou: See Yolo3Loss.
        extra_anchor_iou: See Yolo3Loss.
        longest: Longer side of the input in pixels when the network is used.
        validate_every: Epochs between two measurements.
        repeat: Pairs (source, times an epoch sees its photos); 1 for a source not named.
        augment: See AugmentConfig.
        seed: Seed of weights, order and augmentation.
    """

    name: str
    epochs: int
    batch_size: int
    sizes: tuple[tuple[int, int], ...]
    width: float
    learning_rate: float
    weight_decay: float = 0.01
    warmup_epochs: float = 1.0
    clip_norm: float = 200.0
    average_decay: float | None = 0.998
    ignore_iou: float = 0.6
    extra_anchor_iou: float | None = 0.4
    longest: int = 640
    validate_every: int = 3
    repeat: tuple[tuple[str, int], ...] = ()
    augment: AugmentConfig = AugmentConfig()
    seed: int = 0


CROWD = DetectorRecipe(
    name="crowd",
    epochs=15,
    batch_size=16,
    sizes=((0, 320), (12, 416)),
    width=0.5,
    learning_rate=1.5e-3,
    augment=AugmentConfig(mosaic=0.5),
)

DETECTOR_RECIPES = {recipe.name: recipe for recipe in (CROWD,)}


def fit_anchors(data: FaceTrainingData, samples: int = 1000, per_sample: int = 6) -> np.ndarray:
    """Finds six anchors by k-means over the boxes of augmented samples.

    A sample gives at most `per_sample` boxes, else the mosaics, with dozens of small faces each, leave no anchor
    for large ones.

    Returns:
        Width and height in pixels, [6, 2], by area.
    """
    rng = np.random.default_rng(data.seed)
    sizes = []
    for index in rng.choice(len(data), min(samples, len(data)), replace=False):
        _, boxes_xyxy, ignore = data.draw(int(index))
        sizes.append(rng.permutation((boxes_xyxy[:, 2:] - boxes_xyxy[:, :2])[~ignore])[:per_sample])
    return kmeans_anchors(np.concatenate(sizes), 6, data.seed)


def train_detector(
    network: paddle.nn.Layer,
    photos: Sequence[Photo],
    valid_photos: Sequence[Photo],
    recipe: DetectorRecipe,
    anchors: Sequence[Sequence[float]],
    folder: Path | None = None,
    resume: bool = False,
    callbacks: Sequence[Callback] = (),
    workers: int = 0,
) -> list[dict[str, float]]:
    """Trains `network` in place.

    Args:
        network: A Yolo3Tiny with one class.
        photos: Photos to learn from.
        valid_photos: Photos to measure the average precision on.
        recipe: How to train.
        anchors: Width and height in input pixels of the six anchors.
        folder: Where checkpoints go; None keeps none.
        resume: Go on from the folder's last checkpoint.
        callbacks: See loop.fit.
        workers: Reader processes.

    Returns:
        The history of loop.fit, with `valid_ap` every `validate_every` epochs and at the end.
    """
    world = parallel.world()
    if recipe.batch_size % world:
        raise ValueError(f"expected a batch size that {world} processes can share, got {recipe.batch_size}")
    parallel.start()
    model = parallel.prepare_model(network)
    data = FaceTrainingData(photos, recipe.sizes, recipe.augment, recipe.seed)
    loader = make_loader(
        data, recipe.batch_size // world, shuffle=True, seed=recipe.seed, workers=workers, rank=parallel.rank(), world=world
    )
    anchors = [[float(width), float(height)] for width, height in anchors]
    config = FitConfig(
        epochs=recipe.epochs,
        seed=recipe.seed,
        monitor="valid_ap",
        mode="max",
        average_decay=recipe.average_decay,
        task={"recipe": to_json(recipe), "anchors": anchors, "photos": len(photos)},
    )
    return fit(
        model,
        Yolo3Loss(anchors, ignore_iou=recipe.ignore_iou, extra_anchor_iou=recipe.extra_anchor_iou),
        {"train": loader},
        make_optimizer(model, recipe, len(loader)),
        callbacks=callbacks,
        config=config,
        folder=folder,
        resume=resume,
        validate=lambda trained: evaluate(Detector(forward=paddle_forward(trained), anchors=anchors, longest=recipe.longest), valid_photos),
        validate_every=recipe.validate_every,
    )


def make_optimizer(model: paddle.nn.Layer, recipe: DetectorRecipe, steps_per_epoch: int) -> paddle.optimizer.AdamW:
    """Makes AdamW with its schedule, counted in steps."""
    warmup_steps = math.ceil(recipe.warmup_epochs * steps_per_epoch)
    cosine = paddle.optimizer.lr.CosineAnnealingDecay(recipe.learning_rate, recipe.epochs * steps_per_epoch - warmup_steps)
    schedule = paddle.optimizer.lr.LinearWarmup(cosine, warmup_steps, start_lr=0.0, end_lr=recipe.learning_rate)
    matrices = {parameter.name for parameter in model.parameters() if parameter.ndim > 1}
    return paddle.optimizer.AdamW(
        schedule,
        parameters=model.parameters(),
        weight_decay=recipe.weight_decay,
        apply_decay_param_fun=matrices.__contains__,
        grad_clip=paddle.nn.ClipGradByGlobalNorm(recipe.clip_norm),
    )


def paddle_forward(network: paddle.nn.Layer):
    """The network as the `forward` of a Detector: NumPy images in, NumPy heads out."""

    def forward(images: np.ndarray) -> list[np.ndarray]:
        with paddle.no_grad():
            return [head.numpy() for head in network(paddle.to_tensor(images))]

    return forward


def to_json(recipe: DetectorRecipe) -> dict[str, Any]:
    """The recipe as plain JSON values: tuples become lists."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: plain(item) for name, item in value.items()}
        return [plain(item) for item in value] if isinstance(value, (tuple, list)) else value

    return plain(dataclasses.asdict(recipe))
