"""Two studies on any faces: what the size of the faces is worth, and what each augmentation is worth."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from fer_paddle.expression.compare import measure_cost
from fer_paddle.expression.data.augment import AugmentConfig, augment_face
from fer_paddle.expression.recipes import STRONG, Recipe
from fer_paddle.expression.trials import Trial, TrialStudy, make_network

SIZES = (24, 32, 48, 64, 96, 128)
BASE = "none"
# One change a row, of the strength that the recipe `strong` has where it has it.
CHANGES: dict[str, AugmentConfig] = {
    BASE: AugmentConfig(),
    "flip": AugmentConfig(flip=0.5),
    "shift": AugmentConfig(shift=0.08),
    "rotate": AugmentConfig(rotate_deg=15),
    "scale": AugmentConfig(scale=0.18),
    "brightness and contrast": AugmentConfig(brightness=0.15, contrast=0.3),
    "blur": AugmentConfig(blur=0.02),
    "noise": AugmentConfig(noise=0.05),
    "random erasing": AugmentConfig(erase=0.25, erase_area=0.2),
    "RandAugment": AugmentConfig(randaugment=2),
    "strong": STRONG.augment,
    "strong and RandAugment": dataclasses.replace(STRONG.augment, randaugment=1),
}
MIXES: dict[str, dict[str, Any]] = {
    "mixup": {"augment": AugmentConfig(), "mixup_alpha": 0.2},
    "CutMix": {"augment": AugmentConfig(), "cutmix_alpha": 1.0, "mix_chance": 0.5},
    "strong and mixup": {"augment": STRONG.augment, "mixup_alpha": 0.2},
}


def study_scale(
    study: TrialStudy, recipe: Recipe, sizes: Sequence[int], seeds: Sequence[int], within: float, runs: int = 50
) -> None:
    """Train at each side in pixels, repeat those close to the best, and measure what each costs (`costs` by name)."""
    sides = {f"{size} px": ((0, size),) for size in sizes}
    trials = [Trial(name, dataclasses.replace(recipe, sizes=side, valid_sizes=side)) for name, side in sides.items()]
    study.run_trials(trials)
    best = max(study.accuracies(trial.name)[0] for trial in trials)
    study.repeat_close_ones(trials, best, seeds, within)
    network = make_network(study.model, 0)  # random weights cost the same
    study.content["costs"] = {f"{size} px": measure_cost(network, size, runs) for size in sizes}
    study.save()


def list_trials(recipe: Recipe) -> list[Trial]:
    """List one trial of `recipe` for each change alone, for none, and for the whole policy of `strong`."""
    changes = {name: {"augment": augment} for name, augment in CHANGES.items()} | MIXES
    return [Trial(name, dataclasses.replace(recipe, **fields)) for name, fields in changes.items()]


def study_augmentation(study: TrialStudy, recipe: Recipe, seeds: Sequence[int], within: float) -> None:
    """Run the trials of `list_trials`, and those close to no augmentation (and that) with more seeds."""
    trials = list_trials(recipe)
    study.run_trials(trials)
    study.repeat_close_ones(trials, study.accuracies(BASE)[0], seeds, within)


def measure_speed(config: AugmentConfig, size: int, seconds: float = 2.0, side: int = 48) -> float:
    """Return the images that `augment_face` makes in a second of processor time.

    Args:
        config: Strengths.
        size: Side of the results in pixels.
        seconds: How long to measure, at least.
        side: Side of the sources in pixels; they are noise.
    """
    rng = np.random.default_rng(0)
    sources = rng.integers(0, 256, (64, side, side), np.uint8)
    count, start = 0, time.process_time()
    while (passed := time.process_time() - start) < seconds:
        for image in sources:
            augment_face(image, size, config, rng)
        count += len(sources)
    return count / passed
