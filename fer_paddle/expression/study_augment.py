"""What each change of the augmentation is worth: the same short training with one of them at a time."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from fer_paddle.expression.data.augment import AugmentConfig, augment_face
from fer_paddle.expression.recipes import STRONG, Recipe
from fer_paddle.expression.trials import Study, Trial, repeat_close_ones

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


def list_trials(recipe: Recipe) -> list[Trial]:
    """Lists one trial of `recipe` for each change alone, for none, and for the whole policy of `strong`."""
    plain = [Trial(name, dataclasses.replace(recipe, augment=augment)) for name, augment in CHANGES.items()]
    return plain + [Trial(name, dataclasses.replace(recipe, **changes)) for name, changes in MIXES.items()]


def study_augmentation(study: Study, recipe: Recipe, seeds: Sequence[int], within: float) -> None:
    """Runs the trials of `list_trials`; see `trials.repeat_close_ones`."""
    repeat_close_ones(study, list_trials(recipe), BASE, seeds, within)


def measure_speed(config: AugmentConfig, size: int, seconds: float = 2.0, side: int = 48) -> float:
    """Gives the pictures that `augment_face` makes in a second of processor time.

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
