"""Tiny YOLOv3 and its photos in a pruning study (fer_paddle.compression.prune_study).

PaddleSlim knows no concat ("Unsupported operator named concat"): the two convolutions whose outputs are joined before
the fine head keep their filters, and the outputs of both heads are what decode.py reads. The nine others can be cut.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle.compression.prune_study import PruneTask, ema_decay
from fer_paddle.deployment.runtimes.paddle import NetworkRunner
from fer_paddle.environment import paddle, seed_everything
from fer_paddle.training.loop import BEST, RunOptions
from fer_paddle.training.run import training_cost
from fer_paddle.weights import load_arrays, load_card, load_into
from yolo3tiny.data import FaceTrainingData, repeat_photos
from yolo3tiny.evaluate import evaluate
from yolo3tiny.export import export_network
from yolo3tiny.files import DetectorModel
from yolo3tiny.losses import Yolo3Loss
from yolo3tiny.photos import Photo, digest_photos
from yolo3tiny.predict import Detector
from yolo3tiny.recipes import CROWD, DetectorRecipe
from yolo3tiny.train import train_detector

BATCH = 8


class DetectorPruneTask(PruneTask):
    """A face detector to prune, see prune_study.PruneTask; `trained_on` says in words what the photos are."""

    figure = "ap"

    def __init__(
        self,
        weights: Path,
        train: Sequence[Photo],
        valid: Sequence[Photo],
        trained_on: str,
        epochs: int = 4,
        learning_rate: float = 5e-4,
        samples: int = 96,  # augmented ones, for the sensitivities and recalibrate_norms
        seed: int = 0,
        workers: int = 0,
    ):
        self.weights, self.train, self.valid, self.trained_on = weights, train, valid, trained_on
        self.workers = workers
        self.model = model = DetectorModel.load(weights)
        self.card, self.box_settings = model.card, model.settings
        side = -(-self.box_settings.longest // 32) * 32
        self.input_shape = (1, 3, side, side)
        self.recipe = fit_to_photos(finetune_recipe(self.card, epochs, learning_rate, seed), train)
        recipe, anchors = self.recipe, self.box_settings.anchors
        self._loss = Yolo3Loss(anchors, self.box_settings.strides, recipe.ignore_iou, recipe.extra_anchor_iou)
        self._batches = make_batches(train, self.recipe, samples)
        side = self.recipe.sizes[-1][1]
        self.measured_on = {"train_photos": len(train), "samples": samples, "seed": seed, "size": side}
        data = {"trained_on": trained_on, "valid_photos": len(valid)}
        self.settings = {**self.measured_on, **data, "recipe": self.recipe.to_json()}
        self.data = {"train": digest_photos(train), "valid": digest_photos(valid)}

    def measure(self, network: paddle.nn.Layer) -> dict[str, float]:
        """Return the average precision on the validation photos, and the other figures of evaluate."""
        network.eval()
        forward = NetworkRunner(network, self.box_settings.to_metadata())
        return evaluate(Detector(forward=forward, longest=self.box_settings.longest), self.valid)

    def measure_sensitivity(self, network: paddle.nn.Layer) -> dict[str, float]:
        """Return the training loss on fixed samples, by term, and their sum as `loss`."""
        network.eval()
        totals: dict[str, float] = {}
        with paddle.no_grad():
            for images, targets in self._batches:
                terms = self._loss(network(paddle.to_tensor(images)), targets)
                for name, term in terms.items():
                    totals[name] = totals.get(name, 0.0) + float(term) / len(self._batches)
        return {"loss": sum(totals.values()), **totals}

    def norm_batches(self) -> Iterable[np.ndarray]:
        """Return the same samples, float32 [N, 3, side, side]."""
        return (images for images, _ in self._batches)

    def fit(self, network: paddle.nn.Layer, folder: Path, options: RunOptions) -> None:
        """Fine-tune."""
        seed_everything(self.recipe.seed)
        anchors = self.box_settings.anchors
        options = dataclasses.replace(options, workers=self.workers)
        told = {"data": self.trained_on}
        train_detector(network, self.train, self.valid, self.recipe, anchors, options, told)
        load_into(network, load_arrays(folder / BEST))

    def save(self, network: paddle.nn.Layer, path: Path, record: Mapping[str, Any]) -> None:
        """Write ONNX and Paddle's weights; the card keeps the recipe and the record."""
        card = {"recipe": self.recipe.to_json(), "pruning": dict(record), "pruned_from": self.weights.name}
        card |= training_cost(load_card(path.parent / BEST)) | {"trained_on": self.trained_on}
        export_network(network, path.with_suffix(".onnx"), self.box_settings, card)


def finetune_recipe(card: Mapping[str, Any], epochs: int, learning_rate: float, seed: int) -> DetectorRecipe:
    """Return a short recipe to fine-tune by: fewer epochs, a lower rate, the canvas of the training's end."""
    recipe = DetectorRecipe.from_json(card["recipe"]) if "recipe" in card else CROWD
    return dataclasses.replace(
        recipe,
        name="finetune",
        epochs=epochs,
        sizes=((0, recipe.sizes[-1][1]),),
        learning_rate=learning_rate,
        warmup_epochs=0.25,
        ema_decay=ema_decay(recipe.ema_decay, epochs),
        longest=card["longest"],
        validate_every=max(epochs // 2, 1),
        seed=seed,
    )


def fit_to_photos(recipe: DetectorRecipe, photos: Sequence[Photo]) -> DetectorRecipe:
    """Leave out of a recipe the sources that no photo is from, and make its batch no larger than an epoch."""
    sources = {photo.source for photo in photos}
    repeat = tuple(pair for pair in recipe.repeat if pair[0] in sources)
    if not (seen := len(repeat_photos(photos, dict(repeat)))):
        raise ValueError("expected at least one photo to learn from, got none")
    return dataclasses.replace(recipe, repeat=repeat, batch_size=min(recipe.batch_size, seen))


def make_batches(photos: Sequence[Photo], recipe: DetectorRecipe, samples: int) -> list[tuple[np.ndarray, Any]]:
    """Return augmented samples, the same for the same recipe: (images float32 [BATCH, 3, side, side], targets)."""
    data = FaceTrainingData(photos, recipe.sizes[-1][1], recipe.augment, recipe.seed, cache_mb=0)
    rng = np.random.default_rng(recipe.seed)
    drawn = [data[int(index)] for index in rng.integers(0, len(photos), samples)]
    batches = []
    for start in range(0, samples, BATCH):
        images, targets = zip(*drawn[start : start + BATCH])
        batches.append((np.stack(images), tuple(np.stack(part) for part in zip(*targets))))
    return batches
