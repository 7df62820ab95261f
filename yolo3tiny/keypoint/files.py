"""One-anchor detectors on disk: Paddle's weights and their card."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fer_paddle.models.model import Model
from yolo3tiny.keypoint.model import KeypointNetwork
from yolo3tiny.keypoint.predict import CHANNELS, SCALE, TASK


class KeypointModel(Model):
    """A `KeypointNetwork` with its card; `KeypointModel.load(path)` reads one, `save(path)` writes it."""

    task = TASK

    @staticmethod
    def build(card: Mapping[str, Any]) -> KeypointNetwork:
        """Build the network of a card."""
        if card.get("task") != TASK or not card.get("classes"):
            raise ValueError(f"expected the card of a network that finds marks, got task {card.get('task')!r}")
        return KeypointNetwork(len(card["classes"]))

    @property
    def metadata(self) -> dict[str, str]:
        """Text that a deployed file of the network carries."""
        return {"task": TASK, "classes": json.dumps(self.card["classes"]), "channels": CHANNELS, "scale": SCALE}
