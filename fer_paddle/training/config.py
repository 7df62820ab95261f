"""The configuration of a training: a frozen data class that reads and writes JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any, TypeVar

from fer_paddle.files import check_integer, check_number, is_number

if TYPE_CHECKING:
    from typing_extensions import Self

_Fields = TypeVar("_Fields")
_Recipe = TypeVar("_Recipe", bound="StagedRecipe")


@dataclasses.dataclass(frozen=True)
class FitConfig:
    """What the training loop needs to know; the recipe of a task adds its own fields to these.

    It is saved in every checkpoint, and a resumed run must bring the same.
    """

    epochs: int  # passes over the training loader, 1 or more
    seed: int = 0  # seed of everything random in a step, 0 or more
    monitor: str = "valid_loss"  # the figure of an epoch that decides which weights are best, such as `valid_accuracy`
    mode: str = "min"  # `max` where a larger `monitor` is better, else `min`
    # stop when `monitor` is measured and was not improved for so many epochs; None never stops early
    patience: int | None = None
    validate_every: int = 1  # epochs between two measurements; the last epoch always has one
    # decay of ema.EMA over the weights, which is what is evaluated and kept; None keeps none
    ema_decay: float | None = None
    swa_start: int | None = None  # first epoch, counted from 0, of ema.SWA; None keeps none
    # parts in which a batch goes through the network before one optimizer step: the same step in less memory, but for
    # batch normalization, which sees the parts
    accumulate: int = 1
    sam_radius: float = 0.0  # radius of sam.sam_ascent, which doubles the cost of a step; 0 takes plain gradients

    def __post_init__(self) -> None:
        for name in ("epochs", "validate_every", "accumulate", *(() if self.patience is None else ("patience",))):
            check_integer(name, getattr(self, name), 1)
        check_integer("seed", self.seed)
        check_number("sam_radius", self.sam_radius)
        if self.ema_decay is not None and not 0 <= self.ema_decay < 1:
            raise ValueError(f"expected an ema_decay in [0, 1), got {self.ema_decay}")
        if self.mode not in ("min", "max"):
            raise ValueError(f"expected mode 'min' or 'max', got {self.mode!r}")
        if self.swa_start is not None and (self.ema_decay is not None or self.swa_start not in range(self.epochs)):
            got = f"{self.swa_start} with ema_decay {self.ema_decay}"
            raise ValueError(f"expected swa_start of 0 to {self.epochs - 1} and no ema_decay beside it, got {got}")

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain JSON values: tuples become lists."""
        return json.loads(json.dumps(dataclasses.asdict(self)))

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote, see `read_fields`."""
        return read_fields(cls, content)


@dataclasses.dataclass(frozen=True, kw_only=True)
class StagedRecipe(FitConfig):
    """What the recipes of all tasks share: samples that grow from stage to stage, a rate that rises before it falls."""

    name: str  # name on the command line
    batch_size: int  # samples of one step, over all processes together
    sizes: tuple[tuple[int, int], ...]  # pairs (first epoch, side in pixels of the training samples), from epoch 0
    learning_rate: float  # the highest rate
    weight_decay: float = 0.0  # of AdamW not applied to batch normalization and biases
    warmup_epochs: float = 0.0  # epochs of linear rise to `learning_rate`

    def __post_init__(self) -> None:
        super().__post_init__()
        check_stages(self.sizes)
        check_integer("batch_size", self.batch_size, 1)
        if not 0 < self.learning_rate < math.inf or not math.isfinite(self.weight_decay):
            got = f"{self.learning_rate} and {self.weight_decay}"
            raise ValueError(f"expected a learning_rate above 0 and a finite weight_decay, got {got}")
        check_number("warmup_epochs", self.warmup_epochs, 0, self.epochs)

    def with_epochs(self, epochs: int) -> Self:
        """Return the recipe in another number of epochs: its stages and warm-up shrink or grow with it."""
        ratio = epochs / self.epochs
        # Of two stages that would begin together the later stays.
        sizes = tuple({int(first * ratio): side for first, side in self.sizes}.items())
        return dataclasses.replace(self, epochs=epochs, sizes=sizes, warmup_epochs=self.warmup_epochs * ratio)

    def for_samples(self, count: int) -> Self:
        """Return the recipe with batches of no more than all samples: a compression has no option of its own for it."""
        return dataclasses.replace(self, batch_size=min(self.batch_size, count))

    def as_longer(self, begun: Self) -> Self:
        """Return the recipe with the stages of the run that it goes on with for more epochs, else itself."""
        if self.epochs <= begun.epochs:
            return self
        return dataclasses.replace(self, sizes=begun.sizes, warmup_epochs=begun.warmup_epochs)


def choose_recipe(recipes: Mapping[str, _Recipe], name: str, changes: Mapping[str, Any]) -> _Recipe:
    """Return a recipe by name with other fields, but for those that are None; its stages follow other `epochs`."""
    if name not in recipes:
        raise ValueError(f"expected a recipe of {', '.join(recipes)}, got {name!r}")
    recipe, changes = recipes[name], {field: value for field, value in changes.items() if value is not None}
    return dataclasses.replace(recipe.with_epochs(changes.pop("epochs", recipe.epochs)), **changes)


def read_fields(kind: type[_Fields], content: Mapping[str, Any]) -> _Fields:
    """Make a data class, with those inside it, of JSON; ValueError where a field is wrong."""
    try:
        values = {name: _to_tuples(value) for name, value in content.items()}
        for field in dataclasses.fields(kind):  # type: ignore[arg-type]
            if dataclasses.is_dataclass(field.default) and field.name in values:
                values[field.name] = read_fields(type(field.default), values[field.name])
        return kind(**values)
    except (TypeError, AttributeError) as error:
        raise ValueError(f"expected the fields of {kind.__name__}, got others: {error}") from error


def check_stages(stages: Any) -> None:
    """Raise ValueError for sizes that are no pairs (first epoch, side in pixels), from epoch 0 in rising order."""
    try:
        firsts = [first for first, _ in stages]
        is_right = all(is_number(one, Integral) for stage in stages for one in stage)
        is_right &= firsts[:1] == [0] and firsts == sorted(set(firsts)) and all(side >= 1 for _, side in stages)
    except (TypeError, ValueError):
        is_right = False
    if not is_right:
        raise ValueError(f"expected pairs (first epoch, side), from epoch 0 in rising order, got {stages}")


def to_stages(size: Any) -> tuple[tuple[int, int], ...]:
    """Return the stages of a side in pixels for all epochs, or of pairs as `check_stages` wants them."""
    stages = ((0, size),) if isinstance(size, int) else size
    check_stages(stages)
    return tuple(stages)


def side_at(stages: Sequence[tuple[int, int]], epoch: int) -> int:
    """Return the side in pixels of the stage (first epoch, side) that an epoch, counted from 0, belongs to."""
    return [side for first, side in stages if first <= epoch][-1]


def _to_tuples(value: Any) -> Any:
    return tuple(map(_to_tuples, value)) if isinstance(value, list) else value
