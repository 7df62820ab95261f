"""Recipes: everything that decides how a detector trains."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from fer_paddle.training.config import FitConfig, check_stages, scale_stages
from yolo3tiny.augment import AugmentConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class DetectorRecipe(FitConfig):
    """How to train the face detector; the loop's own fields stand in config.FitConfig."""

    name: str  # name on the command line
    batch_size: int  # photos of one step, over all processes together
    sizes: tuple[tuple[int, int], ...]  # pairs (first epoch, side in pixels of the training canvas), from epoch 0
    width: float  # width multiplier of the network
    learning_rate: float  # the highest rate of AdamW; it rises over `warmup_epochs`, then falls as a half cosine
    network: str = "tiny"  # one of model.NETWORKS
    monitor: str = "valid_ap"
    mode: str = "max"
    weight_decay: float = 0.01  # of AdamW; not applied to batch normalization and biases
    warmup_epochs: float = 1.0  # epochs of the rise, fewer than `epochs`
    clip_norm: float = 200.0  # largest norm of the gradient
    ema_decay: float | None = 0.998
    ignore_iou: float = 0.6  # see Yolo3Loss
    extra_anchor_iou: float | None = 0.4  # see Yolo3Loss
    longest: int = 640  # longer side of the input in pixels when the network is used
    validate_every: int = 3
    repeat: tuple[tuple[str, int], ...] = ()  # pairs (source, times an epoch sees its photos); 1 for a source not named
    augment: AugmentConfig = AugmentConfig()  # see AugmentConfig

    def __post_init__(self) -> None:
        super().__post_init__()
        check_stages(self.sizes)
        if self.batch_size < 1:
            raise ValueError(f"expected a batch_size of at least 1, got {self.batch_size}")
        if not 0 <= self.warmup_epochs < self.epochs:
            got = f"{self.warmup_epochs} of {self.epochs}"
            raise ValueError(f"expected 0 or more warmup_epochs, fewer than epochs, got {got}")

    def with_epochs(self, epochs: int) -> DetectorRecipe:
        """Return the recipe in another number of epochs: its stages and warm-up shrink or grow with it."""
        ratio = epochs / self.epochs
        sizes, warmup_epochs = scale_stages(self.sizes, ratio), self.warmup_epochs * ratio
        return dataclasses.replace(self, epochs=epochs, sizes=sizes, warmup_epochs=warmup_epochs)

    def as_longer(self, former: Mapping[str, Any]) -> DetectorRecipe:
        """Return the recipe with the stages of the run that it goes on with for more epochs, else itself."""
        begun = DetectorRecipe.from_json(former)
        if self.epochs <= begun.epochs:
            return self
        return dataclasses.replace(self, sizes=begun.sizes, warmup_epochs=begun.warmup_epochs)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> DetectorRecipe:
        """Read what `to_json` wrote; fields left out keep their defaults."""
        if not isinstance(content, Mapping):
            raise ValueError(f"expected the fields of a detector recipe, got {content!r}")
        return super().from_json({**content, "augment": AugmentConfig.from_json(content.get("augment", {}))})


# Faces of 8 to 400 px, small and damaged ones in dozens. Made for facedet, with facedet_pseudo and mask853 seen twice.
CROWD = DetectorRecipe(
    name="crowd",
    epochs=10,
    batch_size=16,
    sizes=((0, 320), (3, 416)),
    width=0.5,
    learning_rate=1.5e-3,
    longest=544,
    augment=AugmentConfig(mosaic=0.4, scale=(0.4, 2.0)),
)

# The network for use: groups, crowds as tiles and masks in shares, see docs/commands.md.
LITE = DetectorRecipe(
    name="lite",
    network="lite",
    epochs=6,
    batch_size=8,
    sizes=((0, 320), (2, 416)),
    width=1.0,
    learning_rate=1.5e-3,
    weight_decay=0.02,
    warmup_epochs=0.1,
    longest=416,
    validate_every=1,
    augment=AugmentConfig(mosaic=0.45, grids=(2, 2, 3, 3, 4), scale=(0.5, 2.0)),
)

DETECTOR_RECIPES = {recipe.name: recipe for recipe in (CROWD, LITE)}
