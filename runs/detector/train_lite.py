"""Trains the lite detector on the cached photos; can be stopped and resumed.

    OMP_NUM_THREADS=1 nohup nice -n 10 taskset -c 1 python train_lite.py --run runs/detector/lite --hours 2 &

Started again with the same folder it goes on from the last checkpoint; --start begins a new run from other weights.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import math
import time
from pathlib import Path

from fer_paddle.environment import prepare

prepare(1)

import cv2
import numpy as np
from lite_loss import LiteLoss
from lite_model import ANCHORS, MASKS, STRIDES, LiteConfig, Yolo3Lite
from negatives import draw_negatives
from photo_sets import CachedPhoto, read_cache
from safetensors.numpy import load_file, save_file

from fer_paddle.environment import paddle, seed_everything
from fer_paddle.training.average import WeightAverage
from fer_paddle.training.optimizers import adamw
from yolo3tiny.augment import AugmentConfig
from yolo3tiny.boxes import xyxy_to_cxcywh
from yolo3tiny.detector import to_input
from yolo3tiny.mosaic import Pyramid, augment

logger = logging.getLogger(__name__)

SHARES = {  # of the photos that begin a sample or fill a mosaic
    "groups": 0.22, "crowds": 0.18, "mask853": 0.15, "masks": 0.11, "pseudo": 0.07,
    "helen_train": 0.09, "udacity": 0.05, "afw": 0.03, "background": 0.02, "drawn": 0.08,
}
MAX_BOXES = 200


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How to train.

    Attributes:
        hours: Hours of the whole run, at whose end the cosine ends: a shared machine promises no number of steps.
        batch_size: Pictures of a step.
        sizes: Pairs (part of the run, side of the pictures in pixels) in rising order, from part 0.
        learning_rate: The highest, of AdamW, after the warm-up.
        weight_decay: Of AdamW.
        warmup: Steps of the warm-up.
        clip_norm: Largest norm of the gradient.
        average_decay: Of the moving average of the weights.
        ignore_iou: See Yolo3Loss.
        extra_anchor_iou: See Yolo3Loss.
        seed: Of weights and samples.
        augment: How photos are changed.
    """

    hours: float = 2.0
    batch_size: int = 8
    sizes: tuple[tuple[float, int], ...] = ((0.0, 256), (0.5, 320), (0.85, 416))
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    warmup: int = 300
    clip_norm: float = 200.0
    average_decay: float = 0.998
    ignore_iou: float = 0.6
    extra_anchor_iou: float | None = 0.4
    seed: int = 0
    augment: AugmentConfig = AugmentConfig(mosaic=0.45, grids=(2, 2, 3, 3, 4), scale=(0.5, 2.0))


class Samples:
    """Augmented batches; a batch depends on seed, step and side alone."""

    def __init__(self, photos: list[CachedPhoto], shares: dict[str, float], recipe: Recipe) -> None:
        self.recipe = recipe
        self.by_source = [[photo for photo in photos if photo.source == source] for source in shares]
        self.bounds = np.cumsum(list(shares.values())) / sum(shares.values())

    def batch(self, step: int, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Images float32 [N, 3, S, S], boxes float32 [N, M, 4] (cx cy w h in 0..1), ignore float32 [N, M]."""
        recipe = self.recipe
        rng = np.random.default_rng((recipe.seed, step))

        def pick() -> Pyramid:
            photos = self.by_source[min(int(np.searchsorted(self.bounds, rng.random())), len(self.bounds) - 1)]
            return photos[int(rng.random() * len(photos))]

        images = np.empty((recipe.batch_size, 3, size, size), np.float32)
        boxes = np.zeros((recipe.batch_size, MAX_BOXES, 4), np.float32)
        ignore = np.zeros((recipe.batch_size, MAX_BOXES), np.float32)
        for index in range(recipe.batch_size):
            image, found, skipped = augment(pick(), pick, size, rng, recipe.augment)
            order = np.argsort(skipped, kind="stable")[:MAX_BOXES]  # faces before ignored boxes
            images[index] = to_input(image)
            boxes[index, : len(order)] = xyxy_to_cxcywh(found[order]) / size
            ignore[index, : len(order)] = skipped[order]
        return images, boxes, ignore


def drawn_photos(count: int) -> list[CachedPhoto]:
    """Pictures without people as photos of the source `drawn`."""
    photos = []
    for _, image in draw_negatives(count, "train"):
        photo = Pyramid(image, np.zeros((0, 4), np.float32), np.zeros(0, bool))
        photos.append(CachedPhoto(photo.levels, photo.boxes_xyxy, photo.ignore, "drawn"))
    return photos


def rate(recipe: Recipe, step: int, part: float) -> float:
    """Learning rate of a step after `part` of the run: a line up, times a half cosine down to zero."""
    warm = min((step + 1) / recipe.warmup, 1.0)
    return recipe.learning_rate * warm * (1 + math.cos(math.pi * min(part, 1.0))) / 2


class Checkpoint:
    """Weights, their average, the optimizer's state and the progress, in one folder without pickles."""

    def __init__(self, folder: Path, network: Yolo3Lite, optimizer: paddle.optimizer.AdamW, average: WeightAverage) -> None:
        self.folder, self.network, self.optimizer, self.average = folder, network, optimizer, average

    def save(self, progress: dict) -> None:
        """Write all of it; the progress last, each file in one move."""
        state = {name: value for name, value in self.optimizer.state_dict().items() if hasattr(value, "numpy")}
        parts = {"weights": self.network.state_dict(), "optimizer": state}
        arrays = {part: {name: np.array(value) for name, value in values.items()} for part, values in parts.items()}
        arrays["average"] = self.average.arrays()
        for part, values in arrays.items():
            values = {name: np.ascontiguousarray(value) for name, value in values.items()}
            save_file(values, self.folder / f"{part}.new")
            (self.folder / f"{part}.new").replace(self.folder / f"{part}.safetensors")
        (self.folder / "progress.new").write_text(json.dumps(progress, indent=1))
        (self.folder / "progress.new").replace(self.folder / "progress.json")

    def load(self) -> dict:
        """Read it; an empty dict where there is none."""
        if not (self.folder / "progress.json").is_file():
            return {}
        parts = ("weights", "optimizer", "average")
        weights, state, average = (load_file(self.folder / f"{part}.safetensors") for part in parts)
        self.network.set_state_dict({name: paddle.to_tensor(value) for name, value in weights.items()})
        self.optimizer.set_state_dict({name: paddle.to_tensor(value) for name, value in state.items()})
        self.average.load(average)
        return json.loads((self.folder / "progress.json").read_text())


def train(folder: Path, cache: Path, config: LiteConfig, recipe: Recipe, start: Path | None, save_every: int, drawn: int) -> None:
    """Train to the end of the recipe, or go on with what the folder holds."""
    seed_everything(recipe.seed)
    cv2.setNumThreads(1)
    network = Yolo3Lite(config)
    if start is not None:
        network.set_state_dict({name: paddle.to_tensor(np.float32(value)) for name, value in load_file(start).items()})
    loss = LiteLoss(ANCHORS, MASKS, STRIDES, ignore_iou=recipe.ignore_iou, extra_anchor_iou=recipe.extra_anchor_iou)
    optimizer = adamw(network, recipe.learning_rate, recipe.weight_decay, paddle.nn.ClipGradByGlobalNorm(recipe.clip_norm))
    average = WeightAverage(network, recipe.average_decay)
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = Checkpoint(folder, network, optimizer, average)
    progress = checkpoint.load() or {"step": 0, "hours": 0.0}
    settings = {"config": dataclasses.asdict(config), "recipe": dataclasses.asdict(recipe), "shares": SHARES, "anchors": ANCHORS}
    (folder / "settings.json").write_text(json.dumps(settings, indent=1))
    samples = Samples(read_cache(cache) + drawn_photos(drawn), SHARES, recipe)
    logger.info("from step %d, %.3f of %.3f h", progress["step"], progress["hours"], recipe.hours)

    step, before, begun, sums, waited = progress["step"], progress["hours"], time.perf_counter(), {}, 0.0
    network.train()
    while (hours := before + (time.perf_counter() - begun) / 3600) < recipe.hours:
        part = hours / recipe.hours
        mark = time.perf_counter()
        images, boxes, ignore = samples.batch(step, [side for first, side in recipe.sizes if part >= first][-1])
        waited += time.perf_counter() - mark
        optimizer.set_lr(rate(recipe, step, part))
        terms = loss(network(paddle.to_tensor(images)), (boxes, ignore))
        sum(terms.values()).backward()
        optimizer.step()
        optimizer.clear_grad()
        average.update(step)
        step += 1
        for name, term in terms.items():
            sums[name] = sums.get(name, 0.0) + float(term)
        if step % 100 == 0:
            told = " ".join(f"{name} {total / 100:.3f}" for name, total in sums.items())
            logger.info("step %d %s loader %.0f ms, %.3f h", step, told, waited * 10, hours)
            sums, waited = {}, 0.0
        if step % save_every == 0:
            checkpoint.save({"step": step, "hours": hours})
    checkpoint.save({"step": step, "hours": hours})


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path("data/cache"))
    parser.add_argument("--start", type=Path, help="weights (.safetensors) to begin from")
    parser.add_argument("--hours", type=float, default=Recipe.hours)
    parser.add_argument("--rate", type=float, default=Recipe.learning_rate)
    parser.add_argument("--sizes", type=json.loads, default=Recipe.sizes, help="[[part of the run, pixels], ...]")
    parser.add_argument("--seed", type=int, default=Recipe.seed)
    parser.add_argument("--save-every", type=int, default=250)
    parser.add_argument("--drawn", type=int, default=210, help="drawn pictures without people")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", force=True)
    sizes = tuple(tuple(pair) for pair in options.sizes)
    recipe = Recipe(hours=options.hours, learning_rate=options.rate, sizes=sizes, seed=options.seed)
    train(options.run, options.cache, LiteConfig(), recipe, options.start, options.save_every, options.drawn)


if __name__ == "__main__":
    main()
