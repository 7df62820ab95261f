"""Recipes: everything that decides how a landmark network trains, as frozen data classes."""

from __future__ import annotations

import dataclasses
from typing import Any

from fer_paddle.landmarks.model import LandmarkNetwork
from fer_paddle.training.augment import AugmentConfig
from fer_paddle.training.config import StagedRecipe


@dataclasses.dataclass(frozen=True, kw_only=True)
class LandmarkRecipe(StagedRecipe):
    """How to train a landmark network: by AdamW, whose rate falls as a half cosine."""

    backbone: str = "resnet18"  # name in models.MODELS
    arguments: tuple[tuple[str, Any], ...] = ()  # pairs (name, value) of the backbone's constructor
    read_out: str = "both"  # one of model.READ_OUTS
    loss: str = "wing"  # one of losses.LOSSES
    maps_weight: float = 0.0  # see LandmarkLoss
    margin: float = 0.1  # added to each side of the square around a box, as a ratio of its side
    monitor: str = "valid_nme"
    weight_decay: float = 0.01
    warmup_epochs: float = 0.5
    ema_decay: float | None = 0.998
    repeat: tuple[tuple[str, int], ...] = ()  # pairs (source, times an epoch sees its faces); 1 for a source not named
    augment: AugmentConfig = AugmentConfig()

    @property
    def size(self) -> int:
        """Side in pixels of the crops at the end of the training, which the network is used with."""
        return self.sizes[-1][1]

    def build(self) -> LandmarkNetwork:
        """Build the recipe's network, with random weights."""
        return LandmarkNetwork(self.backbone, dict(self.arguments), self.size, self.read_out)


# Of the shipped network. Depthwise convolutions, ten times cheaper in operations, cost Paddle ten times the time to
# train on a CPU: so the backbone has plain ones.
POINTS68 = LandmarkRecipe(
    name="points68",
    epochs=16,
    batch_size=32,
    sizes=((0, 48), (7, 64), (13, 80)),
    learning_rate=2.5e-3,
    arguments=(
        ("channels", (16, 32, 64, 96)),
        ("width", 1.0),
        ("blocks", (0, 1, 1, 1)),
        ("stem_stride", 2),
        ("dropout", 0.0),
    ),
    repeat=(("afw", 3), ("helen_train", 3)),
    augment=AugmentConfig(
        flip=0.5,
        rotate_deg=25,
        scale=0.15,
        shift=0.06,
        brightness=0.15,
        contrast=0.3,
        erase=0.3,
        erase_area=0.12,
        blur=0.012,
        noise=0.04,
    ),
)

# Goes on from the weights of the first, which is still far from fitting its training faces: longer, and with less
# change. Cost: an hour of a busy core.
FINE = dataclasses.replace(
    POINTS68,
    name="points68_fine",
    epochs=20,
    sizes=((0, 80),),
    learning_rate=2.2e-3,
    warmup_epochs=0.25,
    repeat=(("afw", 5), ("helen_train", 5)),
    augment=dataclasses.replace(
        POINTS68.augment, rotate_deg=15, scale=0.1, shift=0.03, erase=0.1, blur=0.008, noise=0.02
    ),
)

# A small budget, for comparisons.
STUDY = dataclasses.replace(
    POINTS68, name="points68_study", epochs=5, sizes=((0, 48),), read_out="regression", repeat=(), ema_decay=0.98
)

LANDMARK_RECIPES = {recipe.name: recipe for recipe in (POINTS68, FINE)}
