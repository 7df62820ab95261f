"""Face detectors on disk: Paddle's weights and their card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fer_paddle.models.model import Model
from fer_paddle.weights import DETECTION
from yolo3tiny.model import NETWORKS, Network
from yolo3tiny.predict import NetworkSettings


class DetectorModel(Model):
    """A detector with its card; `DetectorModel.load(path)` reads one, `save(path)` writes it."""

    task = DETECTION

    @staticmethod
    def build(card: Mapping[str, Any]) -> Network:
        """Build the network of a card at full size."""
        try:
            _settings_of(card)
            return NETWORKS[card["network"]](width=float(card["width"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"expected the card of a face detector, got another: {error!r}") from error

    @property
    def settings(self) -> NetworkSettings:
        """Anchors, strides and input size."""
        return _settings_of(self.card)


def _settings_of(card: Mapping[str, Any]) -> NetworkSettings:
    return NetworkSettings(card["anchors"], card["longest"], tuple(card["strides"]), tuple(card["classes"]))
