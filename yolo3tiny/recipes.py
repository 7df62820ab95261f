"""Recipes: everything that decides how the face detector trains, as frozen data classes."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from fer_paddle.training.config import rename_fields
from yolo3tiny.augment import AugmentConfig


@dataclasses.dataclass(frozen=True)
class DetectorRecipe:
    """How to train the face detector.

    Attributes:
        name: Name on the command line.
        epochs: Passes over the photos.
        batch_size: Photos of one step, over all processes together.
        sizes: Pairs (first epoch, side in pixels of the training canvas), from epoch 0.
        width: Width multiplier of Yolo3Tiny.
        learning_rate: The highest rate of AdamW; it rises over `warmup_epochs`, then falls as a half cosine.
        weight_decay: Of AdamW; not applied to batch normalisation and biases.
        warmup_epochs: Epochs of the rise, fewer than `epochs`.
        clip_norm: Largest norm of the gradient.
        ema_decay: Of the moving average of the weights; None keeps none.
        ignore_iou: See Yolo3Loss.
        extra_anchor_iou: See Yolo3Loss.
        longest: Longer side of the input in pixels when the network is used.
        validate_every: Epochs between two measurements.
        repeat: Pairs (source, times an epoch sees its photos); 1 for a source not named.
        augment: See AugmentConfig.
        seed: Seed of weights, order and augmentation.

    Raises:
        ValueError: A number is out of range.
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
    ema_decay: float | None = 0.998
    ignore_iou: float = 0.6
    extra_anchor_iou: float | None = 0.4
    longest: int = 640
    validate_every: int = 3
    repeat: tuple[tuple[str, int], ...] = ()
    augment: AugmentConfig = AugmentConfig()
    seed: int = 0

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 1 or self.validate_every < 1:
            got = f"{self.epochs}, {self.batch_size} and {self.validate_every}"
            raise ValueError(f"expected epochs, batch_size and validate_every of at least 1, got {got}")
        if not 0 <= self.warmup_epochs < self.epochs:
            got = f"{self.warmup_epochs} of {self.epochs}"
            raise ValueError(f"expected 0 or more warmup_epochs, fewer than epochs, got {got}")

    def over(self, epochs: int) -> DetectorRecipe:
        """The same recipe in another number of epochs: its stages and warm-up shrink or grow with it.

        Raises:
            ValueError: There is not at least one epoch.
        """
        share = epochs / self.epochs
        # Of two stages that would begin together the later stays.
        stages = {int(first * share): side for first, side in self.sizes}
        return dataclasses.replace(
            self, epochs=epochs, sizes=tuple(stages.items()), warmup_epochs=self.warmup_epochs * share
        )

    def to_json(self) -> dict[str, Any]:
        """The recipe as plain JSON values: tuples become lists."""
        return json.loads(json.dumps(dataclasses.asdict(self)))

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> DetectorRecipe:
        """Reads what `to_json` wrote; fields left out keep their defaults.

        Raises:
            ValueError: A field is unknown, missing or malformed.
        """
        try:
            content = rename_fields(content)
            pairs = {name: tuple(map(tuple, content[name])) for name in ("sizes", "repeat") if name in content}
            augment = AugmentConfig.from_json(json.dumps(content.get("augment", {})))
            return cls(**{**content, **pairs, "augment": augment})
        except (TypeError, AttributeError, KeyError) as error:
            raise ValueError(f"expected the fields of a detector recipe, got: {error}") from error


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

DETECTOR_RECIPES = {recipe.name: recipe for recipe in (CROWD,)}
