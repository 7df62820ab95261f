"""Recipes: everything that decides how a network trains, as frozen data classes that read and write JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from fer_paddle.expression.data.augment import AugmentConfig
from fer_paddle.expression.data.ferplus import MODES
from fer_paddle.expression.data.mixup import MixBatch
from fer_paddle.labels import EXPRESSIONS, FERPLUS_EXPRESSIONS
from fer_paddle.training.config import rename_fields
from fer_paddle.training.optim import check_schedule

OPTIMIZERS = ("adam", "adamw", "momentum")
# The JSON of a recipe holds what was there from the first, and of the rest what differs from its default: so an older
# run can be resumed, and its card compared.
_FIRST_AUGMENT = ("flip", "rotate_deg", "scale", "shift", "brightness", "contrast", "erase", "erase_area")


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How to train an expression network.

    Attributes:
        name: Name on the command line.
        epochs: Passes over the training faces.
        batch_size: Faces of one step, over all processes together.
        sizes: Pairs (first epoch, side in pixels of the training faces), from epoch 0, in rising order.
        valid_sizes: The same for validation; the side of the best epoch is the one the model ships with.
        learning_rate: The highest rate.
        optimizer: One of OPTIMIZERS.
        weight_decay: Of adamw, where batch normalisation and biases do not decay, and of momentum.
        warmup_epochs: Epochs of linear rise to `learning_rate`.
        cosine: Fall to zero along a half cosine (Loshchilov and Hutter 2017, arXiv:1608.03983), else stay.
        label_smoothing: See losses.ExpressionLoss.
        aux_weight: Weight of the helping FER+ head; 0 trains without it.
        class_balance: Power of losses.balance_weights.
        ema_decay: See average.EMA; None evaluates the plain weights.
        global_statistics: Over several processes, see parallel.prepare_model.
        augment: Strengths of the augmentation.
        seed: Seed of weights, order and augmentation.
        schedule: One of schedules.SCHEDULES, in place of `cosine`; None leaves it to `cosine`.
        schedule_points: Points of that schedule, in epochs.
        schedule_factor: Factor of that schedule.
        accumulate: Parts of a batch, see config.FitConfig.
        swa_start: First epoch of the equal average, see config.FitConfig.
        balanced_sampling: Power of sampling.BalancedSampler; 0 shows every face once an epoch.
        soft_labels: Share of the FER+ votes in the labels of the seven expressions, see ferplus.mix_votes.
        ferplus: Learn FER+'s eight classes instead, in one of ferplus.MODES.
        freeze_epochs: Epochs at first in which only the last layer learns (for a network with a start).
        backbone_rate: Factor of the learning rate of all layers but the last.
        mixup_alpha: See mixup.MixBatch, as the next two; with both alphas 0 no batch is mixed.
        cutmix_alpha: Of CutMix.
        mix_chance: Share of the batches that are mixed.
        sam_radius: Radius of sharpness-aware minimisation, see config.FitConfig; twice the cost.

    Raises:
        ValueError: A field is out of its range.
    """

    name: str
    epochs: int
    batch_size: int
    sizes: tuple[tuple[int, int], ...]
    valid_sizes: tuple[tuple[int, int], ...]
    learning_rate: float
    optimizer: str = "adam"
    weight_decay: float = 0.0
    warmup_epochs: float = 0.0
    cosine: bool = False
    label_smoothing: float = 0.0
    aux_weight: float = 0.0
    class_balance: float = 0.0
    ema_decay: float | None = None
    global_statistics: bool = True
    augment: AugmentConfig = AugmentConfig()
    seed: int = 0
    schedule: str | None = None
    schedule_points: tuple[float, ...] = ()
    schedule_factor: float = 0.1
    accumulate: int = 1
    swa_start: int | None = None
    balanced_sampling: float = 0.0
    soft_labels: float = 0.0
    ferplus: str | None = None
    freeze_epochs: int = 0
    backbone_rate: float = 1.0
    mixup_alpha: float = 0.0
    cutmix_alpha: float = 0.0
    mix_chance: float = 1.0
    sam_radius: float = 0.0

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 1 or not self.learning_rate > 0:
            raise ValueError(
                "expected epochs and batch_size of at least 1 and a learning_rate above 0, "
                f"got {self.epochs}, {self.batch_size} and {self.learning_rate}"
            )
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(f"expected the optimizer {', '.join(OPTIMIZERS)}, got {self.optimizer!r}")
        for pairs in (self.sizes, self.valid_sizes):
            firsts = [first for first, _ in pairs]
            if firsts[:1] != [0] or firsts != sorted(set(firsts)) or any(size < 1 for _, size in pairs):
                raise ValueError(f"expected pairs (first epoch, side), from epoch 0 in rising order, got {pairs}")
        if self.schedule is not None:
            check_schedule(self.schedule, self.schedule_points, self.schedule_factor, self.warmup_epochs > 0)
        shares = {name: getattr(self, name) for name in ("balanced_sampling", "soft_labels")}
        if not all(0 <= share <= 1 for share in shares.values()):
            raise ValueError(f"expected shares from 0 to 1, got {shares}")
        if self.ferplus is not None and (self.ferplus not in MODES or self.aux_weight or self.soft_labels):
            got = f"{self.ferplus!r} with aux_weight {self.aux_weight} and soft_labels {self.soft_labels}"
            raise ValueError(f"expected ferplus of {', '.join(MODES)}, and no other use of the votes, got {got}")
        if self.swa_start is not None and not 0 <= self.swa_start < self.epochs:
            raise ValueError(f"expected swa_start of 0 to {self.epochs - 1}, got {self.swa_start}")
        if self.freeze_epochs < 0 or self.backbone_rate < 0:
            got = f"{self.freeze_epochs} and {self.backbone_rate}"
            raise ValueError(f"expected freeze_epochs and backbone_rate of 0 or more, got {got}")
        _ = self.mix  # which checks its numbers

    @property
    def mix(self) -> MixBatch | None:
        """What collates the training batches; None mixes none."""
        if self.mixup_alpha or self.cutmix_alpha:
            return MixBatch(self.mixup_alpha, self.cutmix_alpha, self.mix_chance)
        return None

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes that are learnt."""
        return FERPLUS_EXPRESSIONS if self.ferplus else EXPRESSIONS

    @property
    def input_size(self) -> int:
        """Side in pixels of the validation faces in the last epoch."""
        return self.valid_size_at(self.epochs - 1)

    def valid_size_at(self, epoch: int) -> int:
        """Side in pixels of the validation faces in an epoch, counted from 0."""
        return [size for first, size in self.valid_sizes if first <= epoch][-1]

    def finetune_recipe(self, name: str, epochs: int, learning_rate: float, train_size: int, valid_size: int) -> Recipe:
        """A short recipe for weights that were trained by this one: one size, a half cosine, no layer held back.

        Args:
            name: Of the new recipe.
            epochs: Passes over the faces, 1 or more.
            learning_rate: The highest rate.
            train_size: Side in pixels of the training faces.
            valid_size: Side in pixels of the validation faces.
        """
        return dataclasses.replace(
            self,
            name=name,
            epochs=epochs,
            sizes=((0, train_size),),
            valid_sizes=((0, valid_size),),
            learning_rate=learning_rate,
            cosine=True,
            schedule=None,
            freeze_epochs=0,
            backbone_rate=1.0,
            swa_start=None,
        )

    def to_json(self) -> dict[str, Any]:
        """The recipe as plain JSON values: tuples become lists; fields added later are left out at their default."""
        content = json.loads(json.dumps(dataclasses.asdict(self)))
        first = [field.name for field in dataclasses.fields(self)]
        first = first[: first.index("seed") + 1]
        content["augment"] = _without_defaults(self.augment, content["augment"], _FIRST_AUGMENT)
        return _without_defaults(self, content, first)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Recipe:
        """Reads what `to_json` wrote.

        Raises:
            ValueError: A field is unknown, missing or out of its range.
        """
        try:
            content = rename_fields(content)
            pairs = {name: tuple((int(a), int(b)) for a, b in content[name]) for name in ("sizes", "valid_sizes")}
            points = {"schedule_points": tuple(content.get("schedule_points", ()))}
            return cls(**{**content, **pairs, **points, "augment": AugmentConfig(**content["augment"])})
        except (TypeError, AttributeError, KeyError) as error:
            raise ValueError(f"expected the fields of a recipe, got {content}: {error!r}") from error


def _without_defaults(instance: Any, content: dict[str, Any], always: Sequence[str]) -> dict[str, Any]:
    """Leaves out of a data class's JSON the fields that hold their default, but for those named in `always`."""
    defaults = {field.name: field.default for field in dataclasses.fields(instance)}
    return {
        name: value for name, value in content.items() if name in always or getattr(instance, name) != defaults[name]
    }


# The course's own: Adam 2e-4, batches of 16, 20 epochs, flips, 128 px.
# Cost: about 5 hours for FER2013 on two cores; minutes for the tutorial's 1,235 pictures.
TUTORIAL = Recipe(
    name="tutorial",
    epochs=20,
    batch_size=16,
    sizes=((0, 128),),
    valid_sizes=((0, 128),),
    learning_rate=2e-4,
    augment=AugmentConfig(flip=0.5),
)

# What the shipped DistResNet was trained by: PublicTest 0.660, mean recall 0.638 after 52 epochs.
# Cost: two hours of two cores (paddle.distributed.launch). In use at the size of training: this network halves a face
# five times, and at 64 px what it learnt at 56 meets other borders (accuracy 0.648, mean recall 0.604).
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
    cosine=True,
    label_smoothing=0.05,
    aux_weight=1.0,
    class_balance=0.4,
    ema_decay=0.998,
    global_statistics=False,
    augment=AugmentConfig(
        flip=0.5,
        rotate_deg=15,
        scale=0.18,
        shift=0.08,
        brightness=0.15,
        contrast=0.3,
        erase=0.25,
        erase_area=0.2,
    ),
)

# For a larger network: most epochs at smaller sides, which cost less (progressive resizing, Howard 2018); no class
# counts for more, so that it is right oftener, and disgust is found less often. Cost of VGG8: 86 minutes of one core
# for the first 28 epochs. It gains from a second run at a high rate from those weights (`--start --size 40`);
# a last step to 48 px when the rate was low did not help (PublicTest 0.682 at 40 px, 0.676 after five epochs at 48 px).
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

# Further from the weights of another network (`--start`), towards a flat minimum. From those of the second VGG8, seed
# 14: cross-entropy on PublicTest 0.840 instead of 0.854, accuracy 0.698 instead of 0.699. Cost: 70 minutes of a core.
SAM = dataclasses.replace(ACCURATE.finetune_recipe("sam", 10, 1e-3, 40, 40), warmup_epochs=0.25, sam_radius=0.1)

# FER+'s eight classes by probability voting (Barsoum et al. 2016: 0.85 with 8.8 million parameters, 100 epochs), from
# the weights of a network of the seven (`--start`). Measured on the faces with a majority. Cost: an hour of one core.
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

# For comparisons of many trainings: so many steps that a network learns something from 4,000 faces. Larger batches,
# stronger augmentation and smoothed labels leave DistResNet at 0.35 after 8 epochs, where this has 0.44 after 12.
# Cost: stated by the command.
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

# For a network below 100,000 parameters, which learns too little rather than by heart: little augmentation. vgg8_flat,
# taught by VGG8, has 0.655 after 25 epochs of `accurate` and 0.670 after 18 of these from there. Cost: an hour and a
# quarter of one core, a teacher included.
COMPACT = dataclasses.replace(
    ACCURATE, name="compact", epochs=40, sizes=((0, 40),), valid_sizes=((0, 40),), augment=STUDY.augment
)

# A further training from the weights of another network: the last layer first, then all, the others ten times slower.
FINE_TUNE = dataclasses.replace(
    STRONG, name="fine_tune", epochs=12, learning_rate=1e-3, aux_weight=0.0, freeze_epochs=2, backbone_rate=0.1
)

RECIPES = {recipe.name: recipe for recipe in (TUTORIAL, STRONG, ACCURATE, SAM, FERPLUS, STUDY, COMPACT, FINE_TUNE)}
