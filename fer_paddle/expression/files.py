"""Expression networks on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fer_paddle.environment import paddle
from fer_paddle.expression.predict import FOLDER
from fer_paddle.expression.settings import NORMALIZE, ClassifierSettings
from fer_paddle.labels import EXPRESSIONS
from fer_paddle.models import build_model
from fer_paddle.models.model import Model

OWN_KEYS = ("model", "arguments", "input_size", "classes", "normalize", "parameters", "shapes")


class ExpressionModel(Model):
    """A network of MODELS with its card; `ExpressionModel.load(path)` reads one, `save(path)` writes it."""

    folder = FOLDER

    @classmethod
    def of(
        cls,
        name: str,
        network: paddle.nn.Layer,
        input_size: int,
        card: Mapping[str, Any] | None = None,
        arguments: Mapping[str, Any] | None = None,
        classes: Sequence[str] = EXPRESSIONS,
    ) -> ExpressionModel:
        """Describe a network.

        Args:
            name: Name of the network in MODELS.
            network: The network; it may be pruned.
            input_size: Side in pixels of the faces it is to be used with.
            card: More for the card: figures, recipe, command, machine, hours, terms of the data.
            arguments: What its constructor was called with.
            classes: Names of its outputs, in order.

        Raises:
            ValueError: `card` holds a key that describes the network itself.
        """
        if taken := set(OWN_KEYS) & set(card or {}):
            raise ValueError(f"expected a card without {', '.join(sorted(taken))}, which the model writes itself")
        own = {
            "model": name,
            "arguments": dict(arguments or {}),
            "input_size": input_size,
            "classes": list(classes),
            "normalize": NORMALIZE,
            "parameters": 0,  # set by save
        }
        return cls(network, own | dict(card or {}))

    def derive(self, network: paddle.nn.Layer, card: Mapping[str, Any]) -> ExpressionModel:
        """Describe a network made from this one, such as a pruned one, with a new card."""
        own = self.card
        return self.of(own["model"], network, self.input_size, card, own["arguments"], self.classes)

    @staticmethod
    def build(card: Mapping[str, Any]) -> paddle.nn.Layer:
        """Build the network of a card at full size."""
        settings, arguments = ClassifierSettings.from_card(card), card.get("arguments")
        if not isinstance(settings.model, str) or not isinstance(arguments, dict):
            raise ValueError(f"expected a model's name and its arguments by name in the card, got {arguments!r}")
        network = build_model(settings.model, **arguments)
        if len(settings.classes) != network.num_classes:
            raise ValueError(f"expected {network.num_classes} classes in the card, got {len(settings.classes)}")
        return network

    @property
    def settings(self) -> ClassifierSettings:
        """How to use the network."""
        return ClassifierSettings.from_card(self.card)

    @property
    def metadata(self) -> dict[str, str]:
        """Text that a deployed file of the network carries."""
        return self.settings.to_metadata()

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the outputs, in order."""
        return self.settings.classes

    @property
    def input_size(self) -> int:
        """Side in pixels of the faces."""
        return self.settings.input_size

    @property
    def input_spec(self) -> dict[str, tuple[int | None, ...]]:
        """Shape of the input by name, None for a free axis."""
        return {"images": (None, 1, self.input_size, self.input_size)}
