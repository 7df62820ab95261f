"""Two studies on any faces: what the size of the faces is worth, and what each augmentation is worth."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from fer_paddle.expression.recipes import STRONG
from fer_paddle.expression.trials import Trial, TrialStudy
from fer_paddle.models import build_model
from fer_paddle.search.cost import measure_cost
from fer_paddle.training.augment import AugmentConfig, augment_face

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
    study: TrialStudy, trial: Trial, sizes: Sequence[int], seeds: Sequence[int], runs: int = 50
) -> list[dict[str, Any]]:
    """Train at each side in pixels, repeat those close to the best, and return the summary with what each costs."""
    trials = [dataclasses.replace(trial, name=f"{size} px", recipe=trial.recipe.with_size(size)) for size in sizes]
    study.run_trials(trials)
    study.repeat_close_ones(trials, max(map(study.first_accuracy, trials)), seeds)
    model, arguments = study.design(trial)
    network = build_model(model, **arguments)  # random weights cost the same
    costs = {f"{size} px": measure_cost(network, size, runs) for size in sizes}
    return [{**row, **costs.get(row["name"], {})} for row in study.summarize(trials[0].name)]


def study_augmentation(study: TrialStudy, trial: Trial, seeds: Sequence[int]) -> list[dict[str, Any]]:
    """Train with each change, repeat those close to no augmentation (and that), and return the summary."""
    changes = {name: {"augment": augment} for name, augment in CHANGES.items()} | MIXES
    trials = [
        dataclasses.replace(trial, name=name, recipe=dataclasses.replace(trial.recipe, **fields))
        for name, fields in changes.items()
    ]
    study.run_trials(trials)
    study.repeat_close_ones(trials, study.first_accuracy(trials[0]), seeds)
    return study.summarize(BASE)


def measure_speed(config: AugmentConfig, size: int, seconds: float = 2.0, side: int = 48) -> float:
    """Return the images that `augment_face` makes of noise of `side` px in a second of processor time."""
    rng = np.random.default_rng(0)
    sources = rng.integers(0, 256, (64, side, side), np.uint8)
    count, start = 0, time.process_time()
    while (passed := time.process_time() - start) < seconds:
        for image in sources:
            augment_face(image, size, config, rng)
        count += len(sources)
    return count / passed
