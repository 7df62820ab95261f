"""One-anchor detectors on disk: Paddle's weights and their card."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from fer_paddle.models.model import Model
from yolo3tiny.keypoint.model import KeypointNetwork
from yolo3tiny.keypoint.predict import CHANNELS, SCALE, TASK
from yolo3tiny.keypoint.strips import SIZE_HW


class KeypointModel(Model):
    """A `KeypointNetwork` with its card; `KeypointModel.load(path)` reads one, `save(path)` writes it."""

    task, outputs = TASK, ("cells",)

    @classmethod
    def of(cls, network: KeypointNetwork, classes: Sequence[str], card: Mapping[str, Any]) -> KeypointModel:
        """Describe a network of classes; `card` has more for its card: recipe, figures, training data."""
        own = {
            "task": TASK,
            "model": "one map at stride 32, one anchor a cell",
            "classes": list(classes),
            "longest": max(SIZE_HW),
            "channels": CHANNELS,
            "scale": SCALE,
        }
        return cls(network, own | dict(card))

    @staticmethod
    def build(card: Mapping[str, Any]) -> KeypointNetwork:
        """Build the network of a card."""
        return KeypointNetwork(len(card["classes"]))

    @property
    def metadata(self) -> dict[str, str]:
        """Text that a deployed file of the network carries."""
        return {"task": TASK, "classes": json.dumps(self.card["classes"]), "channels": CHANNELS, "scale": SCALE}
