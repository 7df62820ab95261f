"""Landmark networks on disk: Paddle's weights and their card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fer_paddle.landmarks.model import LandmarkNetwork
from fer_paddle.landmarks.points import NUM_POINTS
from fer_paddle.landmarks.predict import TASK, LandmarkSettings
from fer_paddle.models.model import Model


class LandmarkModel(Model):
    """A LandmarkNetwork with its card; `LandmarkModel.load(path)` reads one, `save(path)` writes it."""

    task, outputs = TASK, ("points",)

    @classmethod
    def of(cls, network: LandmarkNetwork, margin: float, card: Mapping[str, Any] | None = None) -> LandmarkModel:
        """Describe a network; `card` has more for its card: figures, recipe, command, machine, data."""
        own = {
            "task": TASK,
            "classes": [],
            "model": network.backbone_name,
            "arguments": dict(network.arguments),
            "read_out": network.read_out,
            "points": NUM_POINTS,
            "input_size": network.input_size,
            "margin": margin,
            "parameters": 0,  # set by save
        }
        return cls(network, own | dict(card or {}))

    @staticmethod
    def build(card: Mapping[str, Any]) -> LandmarkNetwork:
        """Build the network of a card at full size."""
        if card["points"] != NUM_POINTS:
            raise ValueError(f"expected a network of {NUM_POINTS} points, got one of {card['points']}")
        return LandmarkNetwork(card["model"], card["arguments"], card["input_size"], card["read_out"])

    @staticmethod
    def settings_of(card: Mapping[str, Any]) -> LandmarkSettings:
        """Return input size and margin."""
        return LandmarkSettings(card["input_size"], card["margin"])
