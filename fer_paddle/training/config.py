"""What the training loop is told, saved in every checkpoint."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class FitConfig:
    """What the loop itself is told. Saved in every checkpoint; a resumed run must bring the same.

    Attributes:
        epochs: Passes over the training loader, 1 or more.
        seed: Seed of everything random in a step, 0 or more.
        monitor: The figure of an epoch that decides which checkpoint is best, such as `valid_accuracy`.
        mode: `max` when a larger `monitor` is better, else `min`.
        patience: Stop when `monitor`, measured anew, was not bettered for so many epochs; None never stops
            early.
        average_decay: Keep a moving average of the weights and evaluate that; None keeps none.
        average_from: Keep the equal mean of the weights at the ends of the epochs from this one on, counted from 0
            (see average.EqualAverage); None keeps none.
        accumulate: Parts in which each batch goes through the network before one optimizer step: the step of the
            whole batch, in less memory, but for batch normalisation, which sees the parts.
        sharpness: Radius of sharpness-aware minimisation (see sharpness.uphill), which doubles the cost of a step; 0
            takes plain gradients.
        task: The caller's own settings (recipe, data), kept beside the checkpoint. Any JSON values; tuples
            become lists.

    Raises:
        ValueError: A field is out of its range, or `task` cannot be written as JSON.
    """

    epochs: int
    seed: int = 0
    monitor: str = "valid_loss"
    mode: str = "min"
    patience: int | None = None
    average_decay: float | None = None
    task: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    average_from: int | None = None
    accumulate: int = 1
    sharpness: float = 0.0

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.seed < 0:
            raise ValueError(f"expected epochs >= 1 and seed >= 0, got {self.epochs} and {self.seed}")
        if self.mode not in ("min", "max"):
            raise ValueError(f"expected mode 'min' or 'max', got {self.mode!r}")
        if self.patience is not None and self.patience < 1:
            raise ValueError(f"expected patience >= 1 or None, got {self.patience}")
        if self.average_from is not None and (self.average_decay is not None or self.average_from < 0):
            got = f"{self.average_from} with the decay {self.average_decay}"
            raise ValueError(f"expected average_from >= 0 and no average_decay beside it, got {got}")
        if self.accumulate < 1:
            raise ValueError(f"expected accumulate >= 1, got {self.accumulate}")
        if not 0 <= self.sharpness < math.inf:
            raise ValueError(f"expected sharpness >= 0, got {self.sharpness}")
        try:
            task = json.loads(json.dumps(dict(self.task)))
        except TypeError as error:
            raise ValueError(f"expected JSON values in the field task, got: {error}") from error
        object.__setattr__(self, "task", task)

    def to_json(self) -> dict[str, Any]:
        """The fields as plain JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def complete(cls, content: Mapping[str, Any]) -> dict[str, Any]:
        """What `to_json` gave, with the fields added since, at the defaults that an older run had without knowing."""
        defaults = {field.name: field.default for field in dataclasses.fields(cls)}
        return {**{name: value for name, value in defaults.items() if value is not dataclasses.MISSING}, **content}
