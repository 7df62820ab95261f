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

    task = TASK

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
        try:
            if (card["task"], card["points"]) != (TASK, NUM_POINTS):
                raise ValueError(f"{card['points']} points")
            return LandmarkNetwork(card["model"], card["arguments"], card["input_size"], card["read_out"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"expected the card of a landmark network, got another: {error!r}") from error

    @property
    def settings(self) -> LandmarkSettings:
        """Input size and margin."""
        return LandmarkSettings(self.card["input_size"], self.card["margin"])
