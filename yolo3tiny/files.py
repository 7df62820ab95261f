"""Face detectors on disk: Paddle's weights and their card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fer_paddle.models.model import Model
from fer_paddle.weights import DETECTION
from yolo3tiny.model import NETWORKS, Network
from yolo3tiny.predict import NetworkSettings

INPUT = "float32 [N, 3, H, W], blue, green, red in 0..1, H and W multiples of 32"


class DetectorModel(Model):
    """A detector with its card; `DetectorModel.load(path)` reads one, `save(path)` writes it."""

    task = DETECTION

    @classmethod
    def of(cls, network: Network, settings: NetworkSettings, card: Mapping[str, Any]) -> DetectorModel:
        """Describe a network, which may be pruned; `card` has more for its card: recipe, figures, training data."""
        own = {
            "model": f"{network.kind} YOLOv3 of one class, width {network.width}",
            "network": network.kind,
            "width": network.width,
            "parameters": 0,  # set by save
            **settings.to_metadata(),
            **settings.to_json(),
            "input": INPUT,
        }
        return cls(network, own | dict(card))

    @staticmethod
    def build(card: Mapping[str, Any]) -> Network:
        """Build the network of a card at full size."""
        DetectorModel.settings_of(card)
        return NETWORKS[card["network"]](width=card["width"])

    @staticmethod
    def settings_of(card: Mapping[str, Any]) -> NetworkSettings:
        """Return anchors, strides, input size and class."""
        return NetworkSettings(card["anchors"], card["longest"], tuple(card["strides"]), tuple(card["classes"]))

    @property
    def metadata(self) -> dict[str, str]:
        """Text that a deployed file of the network carries."""
        told = {**self.card, "recipe": self.card.get("recipe", {}).get("name")}
        texts = {name: told[name] for name in ("recipe", "trained_on", "input") if told.get(name)}
        return self.settings.to_metadata() | texts

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the heads."""
        return tuple(f"head{stride}" for stride in self.settings.strides)
