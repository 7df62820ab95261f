"""Training of the one-anchor detector by the shared training loop."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from fer_paddle.deployment.runtimes.paddle import NetworkRunner
from fer_paddle.environment import paddle, seed_everything
from fer_paddle.training import parallel
from fer_paddle.training.callbacks import Curves, ProgressBar
from fer_paddle.training.checkpoint import with_stages_begun
from fer_paddle.training.loader import make_loader
from fer_paddle.training.loop import RunOptions, fit
from fer_paddle.training.optim import adamw, make_schedule
from fer_paddle.training.run import DIGESTS, start_digest
from fer_paddle.training.transfer import start_from
from fer_paddle.weights import state_arrays
from yolo3tiny.keypoint.data import StripData, draw_from_files, find_marks, read_strip
from yolo3tiny.keypoint.evaluate import evaluate
from yolo3tiny.keypoint.files import KeypointModel
from yolo3tiny.keypoint.losses import KeypointLoss
from yolo3tiny.keypoint.model import KeypointNetwork
from yolo3tiny.keypoint.predict import KeypointDetector
from yolo3tiny.keypoint.recipes import KeypointRecipe
from yolo3tiny.keypoint.strips import LOOKS, Strip, draw_strip
from yolo3tiny.photos import digest_photos
from yolo3tiny.splits import TRAIN, VALIDATION, choose_split

logger = logging.getLogger(__name__)
VALID_STRIPS, VALID_SEED, VALID_HW = 150, 10**6, (320, 640)


def train_keypoints(
    network: paddle.nn.Layer,
    data: StripData,
    valid_strips: Sequence[Strip],
    classes: Sequence[str],
    recipe: KeypointRecipe,
    options: RunOptions = RunOptions(),
    task: dict[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """Train `network` in place and return the history of loop.fit, with `valid_f1`, `valid_error_px` and others."""
    model = parallel.prepare_model(network)
    loader = make_loader(data, recipe.batch_size, True, recipe.seed, options.workers)
    rate = make_schedule("halve", recipe.learning_rate, recipe.epochs * len(loader), (recipe.halve_every,))

    def validate(trained: paddle.nn.Layer) -> dict[str, float]:
        detect = KeypointDetector(forward=NetworkRunner(trained, {}), classes=classes)
        figures = evaluate(detect, valid_strips, classes)
        return {name: value for name, value in figures.items() if isinstance(value, float)}

    loss = KeypointLoss(recipe.class_weight, recipe.negatives)
    told = {"classes": list(classes), "strips": len(data)} | (task or {})
    optimizer = adamw(model, rate, recipe.weight_decay)
    return fit(model, loss, {"train": loader}, optimizer, config=recipe, options=options, validate=validate, task=told)


def train_from(
    recipe: KeypointRecipe,
    folder: Path,
    data: str | None = None,
    look: str = "belt",
    start: str | None = None,
    classes: Sequence[str] | None = None,
    resume: bool = False,
    workers: int = 0,
) -> list[dict[str, Any]]:
    """Train on annotated strips, or on drawn ones, from `start` where given: `python -m yolo3tiny keypoint train`."""
    recipe = with_stages_begun(recipe, folder, resume)
    if data is None:
        draw, length = partial(draw_strip, look), recipe.strips
        known = LOOKS[look].classes
        valid = [draw_strip(look, (VALID_SEED, index), VALID_HW) for index in range(VALID_STRIPS)]
        task: dict[str, Any] = {"data": f"strips drawn by the program, look {look}"}
    else:
        photos, known = find_marks(data, classes)
        parts = choose_split(photos, TRAIN), choose_split(photos, VALIDATION)
        draw, length = partial(draw_from_files, parts[0], known), len(parts[0])
        valid = [read_strip(photo, known) for photo in parts[1]]
        digests = {"train": digest_photos(parts[0]), "validation": digest_photos(parts[1])}
        task = {"data": f"{Path(data).name}: {len(parts[0])} strips, validated on {len(parts[1])}", DIGESTS: digests}
    logger.info("%s", task["data"])
    seed_everything(recipe.seed)
    network = KeypointNetwork(len(known))
    if start is not None:
        model = KeypointModel.load(start)
        start_from(network, state_arrays(model.network), () if model.card["classes"] == list(known) else ("head.*",))
    task |= start_digest(None if start is None else KeypointModel.find(start))
    options = RunOptions(folder, resume, [ProgressBar(), Curves(folder, "f1")], workers)
    samples = StripData(draw, length, recipe.sizes, recipe.seed)
    return train_keypoints(network, samples, valid, known, recipe, options, task)
