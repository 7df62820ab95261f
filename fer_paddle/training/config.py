"""What the training loop is told, saved in every checkpoint."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any

# Fields of older checkpoints and cards by the name they have today.
FORMER_NAMES = {
    "average_decay": "ema_decay",
    "average_from": "swa_start",
    "sharpness": "sam_radius",
    "aux_weight": "aux_weight",
}


def rename_fields(content: Mapping[str, Any]) -> dict[str, Any]:
    """Put the fields of an older checkpoint or card under the names they have today, at every depth."""
    return {
        FORMER_NAMES.get(name, name): rename_fields(value) if isinstance(value, Mapping) else value
        for name, value in content.items()
    }


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
        ema_decay: Keep a moving average of the weights and evaluate that; None keeps none.
        swa_start: Keep the equal mean of the weights at the ends of the epochs from this one on, counted from 0
            (see average.SWA); None keeps none.
        accumulate: Parts in which each batch goes through the network before one optimizer step: the step of the
            whole batch, in less memory, but for batch normalisation, which sees the parts.
        sam_radius: Radius of sharpness-aware minimisation (see sam.sam_ascent), which doubles the cost of a step; 0
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
    ema_decay: float | None = None
    task: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    swa_start: int | None = None
    accumulate: int = 1
    sam_radius: float = 0.0

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.seed < 0:
            raise ValueError(f"expected epochs >= 1 and seed >= 0, got {self.epochs} and {self.seed}")
        if self.mode not in ("min", "max"):
            raise ValueError(f"expected mode 'min' or 'max', got {self.mode!r}")
        if self.patience is not None and self.patience < 1:
            raise ValueError(f"expected patience >= 1 or None, got {self.patience}")
        if self.swa_start is not None and (self.ema_decay is not None or self.swa_start < 0):
            got = f"{self.swa_start} with the decay {self.ema_decay}"
            raise ValueError(f"expected swa_start >= 0 and no ema_decay beside it, got {got}")
        if self.accumulate < 1:
            raise ValueError(f"expected accumulate >= 1, got {self.accumulate}")
        if not 0 <= self.sam_radius < math.inf:
            raise ValueError(f"expected sam_radius >= 0, got {self.sam_radius}")
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
        return {
            **{name: value for name, value in defaults.items() if value is not dataclasses.MISSING},
            **rename_fields(content),
        }
