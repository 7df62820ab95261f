"""Recipes: everything that decides how an expression network trains, as frozen data classes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from fer_paddle.expression.data.ferplus import MODES
from fer_paddle.expression.data.mixup import MixBatch
from fer_paddle.training.augment import AugmentConfig
from fer_paddle.training.config import StagedRecipe, check_stages, side_at
from fer_paddle.training.optim import check_schedule

OPTIMIZERS = ("adam", "adamw", "momentum")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe(StagedRecipe):
    """How to train an expression network."""

    # The same as `sizes` for validation; the side of the best epoch is the one the model ships with.
    valid_sizes: tuple[tuple[int, int], ...]
    monitor: str = "valid_accuracy"
    mode: str = "max"
    optimizer: str = "adam"  # one of OPTIMIZERS; `weight_decay` counts for adamw and momentum
    schedule: str = "constant"  # one of optim.SCHEDULES
    schedule_points: tuple[float, ...] = ()  # points of that schedule, in epochs
    schedule_factor: float = 0.1  # factor of that schedule
    label_smoothing: float = 0.0  # see losses.ExpressionLoss
    class_balance: float = 0.0  # power of losses.balance_weights
    balanced_sampling: float = 0.0  # power of loader.BalancedSampler; 0 shows every face once an epoch
    aux_weight: float = 0.0  # weight of the auxiliary head that learns the FER+ votes; 0 trains without it
    both_labels: bool = False  # keep that head, of FER+'s eight classes, and answer by both (losses.Combination)
    teacher_share: float = 0.5  # ratio of the teachers' answers in the targets, see teach.add_soft_targets
    ferplus: str | None = None  # learn FER+'s eight classes instead, in one of ferplus.MODES
    freeze_epochs: int = 0  # epochs at first in which only the last layer learns, for a network with a start
    backbone_rate: float = 1.0  # factor of the learning rate of all layers but the last
    augment: AugmentConfig = AugmentConfig()
    mixup_alpha: float = 0.0  # see mixup.MixBatch, as the next two; with both alphas 0 no batch is mixed
    cutmix_alpha: float = 0.0
    mix_chance: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(f"expected the optimizer {', '.join(OPTIMIZERS)}, got {self.optimizer!r}")
        check_stages(self.valid_sizes)
        check_schedule(self.schedule, self.schedule_points, self.schedule_factor, self.warmup_epochs > 0)
        if self.ferplus is not None and (self.ferplus not in MODES or self.aux_weight):
            got = f"{self.ferplus!r} with aux_weight {self.aux_weight}"
            raise ValueError(f"expected ferplus of {', '.join(MODES)}, and no other use of the votes, got {got}")

    @property
    def mix(self) -> MixBatch | None:
        """What collates the training batches; None mixes none."""
        if self.mixup_alpha or self.cutmix_alpha:
            return MixBatch(self.mixup_alpha, self.cutmix_alpha, self.mix_chance)
        return None

    @property
    def input_size(self) -> int:
        """Side in pixels of the validation faces in the last epoch."""
        return self.valid_size_at(self.epochs - 1)

    def with_size(self, size: int) -> Recipe:
        """Return the same recipe with one side of the faces for all epochs, in pixels."""
        return dataclasses.replace(self, sizes=((0, size),), valid_sizes=((0, size),))

    def valid_size_at(self, epoch: int) -> int:
        """Return the side in pixels of the validation faces in an epoch, counted from 0."""
        return side_at(self.valid_sizes, epoch)

    def finetune_recipe(self, name: str, epochs: int, learning_rate: float, train_size: int, valid_size: int) -> Recipe:
        """Return a short recipe for weights trained by this one: one size, a half cosine, no layer frozen."""
        return dataclasses.replace(
            self,
            name=name,
            epochs=epochs,
            sizes=((0, train_size),),
            valid_sizes=((0, valid_size),),
            learning_rate=learning_rate,
            schedule="cosine",
            schedule_points=(),
            both_labels=False,
            freeze_epochs=0,
            backbone_rate=1.0,
            swa_start=None,
        )


# The tutorial's own. Cost: about 5 hours for FER2013 on two cores; minutes for the tutorial's 1,235 images.
TUTORIAL = Recipe(
    name="tutorial",
    epochs=20,
    batch_size=16,
    sizes=((0, 128),),
    valid_sizes=((0, 128),),
    learning_rate=2e-4,
    augment=AugmentConfig(flip=0.5),
)

# Of the shipped DistResNet. Cost: two hours of two cores (paddle.distributed.launch).
STRONG = Recipe(
    name="strong",
    epochs=60,
    batch_size=128,
    sizes=((0, 56),),
    valid_sizes=((0, 56),),
    learning_rate=3e-3,
    optimizer="adamw",
    weight_decay=0.05,
    warmup_epochs=1,
    schedule="cosine",
    label_smoothing=0.05,
    aux_weight=1.0,
    class_balance=0.4,
    ema_decay=0.998,
    augment=AugmentConfig(
        flip=0.5, rotate_deg=15, scale=0.18, shift=0.08, brightness=0.15, contrast=0.3, erase=0.25, erase_area=0.2
    ),
)

# For a larger network: small sides first, which cost less (progressive resizing, Howard 2018); no class weights: higher
# accuracy, lower recall of disgust. Cost of VGG8: two hours of one core.
ACCURATE = dataclasses.replace(
    STRONG,
    name="accurate",
    epochs=38,
    batch_size=64,
    sizes=((0, 32), (12, 40)),
    valid_sizes=((0, 32), (12, 40)),
    learning_rate=2e-3,
    class_balance=0.0,
    ema_decay=0.999,
)

# From the weights of a network of `accurate` (`--start`) towards a flat minimum. Cost of VGG8: 70 minutes of one core.
SAM = dataclasses.replace(ACCURATE.finetune_recipe("sam", 10, 1e-3, 40, 40), warmup_epochs=0.25, sam_radius=0.1)

# FER+'s eight classes by probability voting (Barsoum et al. 2016), from the weights of a network of the seven
# (`--start`). Measured on the faces with a majority. Cost: an hour of one core.
FERPLUS = dataclasses.replace(
    STRONG,
    name="ferplus",
    epochs=16,
    learning_rate=2e-3,
    label_smoothing=0.0,
    aux_weight=0.0,
    class_balance=0.0,
    ferplus="probability",
)

# For people's own photos: both label sets, faces damaged as in photos; with `--teachers` soft targets, also for faces
# without labels (`--unlabeled`). From the weights of a network of `accurate` (`--start`). Cost of VGG8: three hours of
# one core.
PHOTOS = dataclasses.replace(
    ACCURATE.finetune_recipe("photos", 12, 1e-3, 40, 40),
    warmup_epochs=0.25,
    monitor="valid_loss",
    mode="min",
    label_smoothing=0.0,
    both_labels=True,
    balanced_sampling=0.4,
    augment=dataclasses.replace(
        STRONG.augment, scale=0.2, shift=0.09, blur=0.015, noise=0.02, shrink=0.3, jpeg=0.3, gamma=0.3
    ),
)

# For comparisons of many trainings on some thousand faces: many small steps, little regularization.
STUDY = dataclasses.replace(
    STRONG,
    name="study",
    epochs=12,
    batch_size=32,
    sizes=((0, 40),),
    valid_sizes=((0, 40),),
    learning_rate=2e-3,
    label_smoothing=0.0,
    aux_weight=0.0,
    class_balance=0.0,
    ema_decay=0.98,
    augment=AugmentConfig(flip=0.5, rotate_deg=8, scale=0.08, shift=0.06),
)

# For a network below 100,000 parameters, which underfits: little augmentation. Cost: 75 minutes of one core, a teacher
# included.
COMPACT = dataclasses.replace(ACCURATE.with_size(40), name="compact", epochs=40, augment=STUDY.augment)

# From the weights of another network (`--start`): the last layer first, then all, the others ten times slower.
FINE_TUNE = dataclasses.replace(
    STRONG, name="fine_tune", epochs=12, learning_rate=1e-3, aux_weight=0.0, freeze_epochs=2, backbone_rate=0.1
)

# Few images of a user's own classes, such as mouths, from the weights of an expression network (`--start`). Cost: a
# minute and a half of one core for the 900 mouths of mouth_smile.
MOUTHS = dataclasses.replace(
    STRONG,
    name="mouths",
    epochs=16,
    batch_size=32,
    learning_rate=1e-3,
    aux_weight=0.0,
    class_balance=0.5,
    ema_decay=0.98,
    augment=AugmentConfig(flip=0.5, rotate_deg=12, scale=0.12, shift=0.06, brightness=0.15, contrast=0.3, erase=0.1),
)


def recipe_of(card: Mapping[str, Any]) -> Recipe:
    """Return the recipe that a network's card tells, STRONG without one."""
    return Recipe.from_json(card["recipe"]) if "recipe" in card else STRONG


RECIPES = {
    recipe.name: recipe
    for recipe in (TUTORIAL, STRONG, ACCURATE, SAM, FERPLUS, PHOTOS, STUDY, COMPACT, FINE_TUNE, MOUTHS)
}
