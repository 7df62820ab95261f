"""Recipes: everything that decides how a detector trains."""

from __future__ import annotations

import dataclasses

from fer_paddle.training.config import StagedRecipe
from yolo3tiny.augment import AugmentConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class DetectorRecipe(StagedRecipe):
    """How to train the face detector: by AdamW, whose rate falls as a half cosine."""

    width: float  # width multiplier of the network
    network: str = "tiny"  # one of model.NETWORKS
    monitor: str = "valid_ap"
    mode: str = "max"
    weight_decay: float = 0.01
    warmup_epochs: float = 1.0
    clip_norm: float = 200.0  # largest norm of the gradient
    ema_decay: float | None = 0.998
    ignore_iou: float = 0.6  # see Yolo3Loss
    extra_anchor_iou: float | None = 0.4  # see Yolo3Loss
    longest: int = 640  # longer side of the input in pixels when the network is used
    validate_every: int = 3
    repeat: tuple[tuple[str, int], ...] = ()  # pairs (source, times an epoch sees its photos); 1 for a source not named
    augment: AugmentConfig = AugmentConfig()  # see AugmentConfig


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
