"""Recipes: everything that decides how the one-anchor detector trains."""

from __future__ import annotations

import dataclasses

from fer_paddle.training.config import StagedRecipe


@dataclasses.dataclass(frozen=True, kw_only=True)
class KeypointRecipe(StagedRecipe):
    """How to train the one-anchor detector: by AdamW, whose rate is halved again and again."""

    batch_size: int = 4
    strips: int = 3000  # drawn strips of an epoch; of files, all are one epoch
    sizes: tuple[tuple[int, int], ...] = ((0, 320),)
    learning_rate: float = 3e-3
    halve_every: int = 400  # steps after which the rate is halved
    weight_decay: float = 0.01
    class_weight: float = 0.3  # u, see KeypointLoss
    negatives: int = 5  # see KeypointLoss
    monitor: str = "valid_cost_px"  # F1 is near 1 long before the offsets are learned
    mode: str = "min"
    ema_decay: float | None = 0.99

    def __post_init__(self) -> None:
        super().__post_init__()
        if any(side % 32 for _, side in self.sizes):
            raise ValueError(f"expected sides in multiples of 32, got {self.sizes}")
        if min(self.strips, self.halve_every) < 1:
            raise ValueError(f"expected strips and halve_every of 1 or more, got {self.strips} and {self.halve_every}")


# Drawn strips, other ones in every epoch; marks are denser in small ones, so most steps are cheap.
STRIPS = KeypointRecipe(name="strips", epochs=30, sizes=((0, 192), (20, 320)), halve_every=3750)
# From the weights of another look, on some hundred files; thousands want fewer `--epochs`.
FINE_TUNE = KeypointRecipe(
    name="fine_tune",
    epochs=160,
    sizes=((0, 192), (60, 320)),
    learning_rate=2e-3,
    halve_every=1600,
    validate_every=10,
)

KEYPOINT_RECIPES = {recipe.name: recipe for recipe in (STRIPS, FINE_TUNE)}
