"""The configuration of a training: a frozen data class that reads and writes JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self

# Fields of older checkpoints and cards by the name they have today; None where there is no such field any more.
_FORMER_NAMES: dict[str, str | None] = {
    "average_decay": "ema_decay",
    "average_from": "swa_start",
    "sharpness": "sam_radius",
    "global_statistics": None,
}


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
        if self.epochs < 1 or self.seed < 0:
            raise ValueError(f"expected epochs >= 1 and seed >= 0, got {self.epochs} and {self.seed}")
        if self.mode not in ("min", "max"):
            raise ValueError(f"expected mode 'min' or 'max', got {self.mode!r}")
        if self.patience is not None and self.patience < 1:
            raise ValueError(f"expected patience >= 1 or None, got {self.patience}")
        if self.validate_every < 1 or self.accumulate < 1:
            got = f"{self.validate_every} and {self.accumulate}"
            raise ValueError(f"expected validate_every and accumulate >= 1, got {got}")
        if self.swa_start is not None and (self.ema_decay is not None or not 0 <= self.swa_start < self.epochs):
            got = f"{self.swa_start} with ema_decay {self.ema_decay}"
            raise ValueError(f"expected swa_start of 0 to {self.epochs - 1} and no ema_decay beside it, got {got}")
        if not 0 <= self.sam_radius < math.inf:
            raise ValueError(f"expected sam_radius >= 0, got {self.sam_radius}")

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain JSON values: tuples become lists."""
        return json.loads(json.dumps(dataclasses.asdict(self)))

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote, also under the names of older files; fields left out keep their defaults.

        Raises:
            ValueError: A field is unknown, missing or out of its range.
        """
        try:
            renamed = {_FORMER_NAMES.get(name, name): _to_tuples(value) for name, value in content.items()}
            return cls(**{name: value for name, value in renamed.items() if name is not None})
        except (TypeError, AttributeError) as error:
            raise ValueError(f"expected the fields of a {cls.__name__}, got {content}: {error}") from error


def check_stages(stages: Any) -> None:
    """Raise ValueError for sizes that are no pairs (first epoch, side in pixels), from epoch 0 in rising order."""
    try:
        firsts = [first for first, _ in stages]
        is_right = firsts[:1] == [0] and firsts == sorted(set(firsts)) and all(size >= 1 for _, size in stages)
    except (TypeError, ValueError):
        is_right = False
    if not is_right:
        raise ValueError(f"expected pairs (first epoch, side), from epoch 0 in rising order, got {stages}")


def side_at(stages: Sequence[tuple[int, int]], epoch: int) -> int:
    """Return the side in pixels of the stage (first epoch, side) that an epoch, counted from 0, belongs to."""
    return [side for first, side in stages if first <= epoch][-1]


def scale_stages(stages: Sequence[tuple[int, int]], ratio: float) -> tuple[tuple[int, int], ...]:
    """Return the stages of a run that has `ratio` as many epochs; of two that would begin together the later stays."""
    return tuple({int(first * ratio): side for first, side in stages}.items())


def _to_tuples(value: Any) -> Any:
    return tuple(map(_to_tuples, value)) if isinstance(value, list) else value
