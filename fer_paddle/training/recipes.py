"""Recipes: everything that decides how DistResNet trains, as frozen data classes that read and write JSON."""

from __future__ import annotations

import dataclasses
from typing import Any

from fer_paddle.data.augment import AugmentConfig


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
        optimizer: `adam` or `adamw`.
        weight_decay: Of adamw; not applied to batch normalisation and biases.
        warmup_epochs: Epochs of linear rise to `learning_rate`.
        cosine: Fall to zero along a half cosine (Loshchilov and Hutter 2017, arXiv:1608.03983), else stay.
        label_smoothing: See losses.ExpressionLoss.
        votes_weight: Weight of the helping FER+ head; 0 trains without it.
        class_balance: Power of losses.balance_weights.
        average_decay: See average.WeightAverage; None evaluates the plain weights.
        global_statistics: Over several processes, see parallel.prepare_model.
        augment: Strengths of the augmentation.
        seed: Seed of weights, order and augmentation.

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
    votes_weight: float = 0.0
    class_balance: float = 0.0
    average_decay: float | None = None
    global_statistics: bool = True
    augment: AugmentConfig = AugmentConfig()
    seed: int = 0

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 1 or not self.learning_rate > 0:
            raise ValueError(
                "expected epochs and batch_size of at least 1 and a learning_rate above 0, "
                f"got {self.epochs}, {self.batch_size} and {self.learning_rate}"
            )
        if self.optimizer not in ("adam", "adamw"):
            raise ValueError(f"expected the optimizer adam or adamw, got {self.optimizer!r}")
        for pairs in (self.sizes, self.valid_sizes):
            firsts = [first for first, _ in pairs]
            if firsts[:1] != [0] or firsts != sorted(set(firsts)) or any(size < 1 for _, size in pairs):
                raise ValueError(f"expected pairs (first epoch, side), from epoch 0 in rising order, got {pairs}")

    @property
    def input_size(self) -> int:
        """Side in pixels of the validation faces in the last epoch."""
        return self.valid_size_at(self.epochs - 1)

    def valid_size_at(self, epoch: int) -> int:
        """Side in pixels of the validation faces in an epoch, counted from 0."""
        return [size for first, size in self.valid_sizes if first <= epoch][-1]

    def to_json(self) -> dict[str, Any]:
        """The recipe as plain JSON values: tuples become lists."""
        pairs = {name: [list(pair) for pair in getattr(self, name)] for name in ("sizes", "valid_sizes")}
        return {**dataclasses.asdict(self), **pairs}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Recipe:
        """Reads what `to_json` wrote.

        Raises:
            ValueError: A field is unknown, missing or out of its range.
        """
        try:
            pairs = {name: tuple((int(a), int(b)) for a, b in content[name]) for name in ("sizes", "valid_sizes")}
            return cls(**{**content, **pairs, "augment": AugmentConfig(**content["augment"])})
        except (TypeError, KeyError) as error:
            raise ValueError(f"expected the fields of a recipe, got {content}: {error!r}") from error


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

# Trained a little smaller than in use, so that faces look as large: Touvron et al. 2019, arXiv:1906.06423.
STRONG = Recipe(
    name="strong",
    epochs=60,
    batch_size=128,
    sizes=((0, 56),),
    valid_sizes=((0, 64),),
    learning_rate=3e-3,
    optimizer="adamw",
    weight_decay=0.05,
    warmup_epochs=1,
    cosine=True,
    label_smoothing=0.05,
    votes_weight=1.0,
    class_balance=0.4,
    average_decay=0.998,
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

RECIPES = {recipe.name: recipe for recipe in (TUTORIAL, STRONG)}
