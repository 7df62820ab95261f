"""Expression networks on disk."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fer_paddle.analysis.complexity import count_parameters
from fer_paddle.environment import paddle
from fer_paddle.expression.losses import AuxiliaryHead, Combination
from fer_paddle.expression.predict import NORMALIZE, TASK, ClassifierSettings
from fer_paddle.labels import EXPRESSIONS, FERPLUS_EXPRESSIONS
from fer_paddle.models import build_model
from fer_paddle.models.model import Model

if TYPE_CHECKING:
    from typing_extensions import Self

OWN_KEYS = ("model", "arguments", "input_size", "classes", "normalize", "parameters", "shapes")


class ExpressionModel(Model):
    """A network of MODELS with its card; `ExpressionModel.load(path)` reads one, `save(path)` writes it."""

    task, outputs = TASK, ("logits",)
    settings_of = ClassifierSettings.from_card

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
        """Describe a network of MODELS by its name, which may be pruned, for faces of `input_size` px.

        `card` is more for the card (figures, recipe, command, terms of the data), `arguments` what its constructor was
        called with. ValueError: `card` holds a key that describes the network itself.
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

    @classmethod
    def load(cls, path: str | os.PathLike[str], labels: str = "both") -> Self:
        """Read what `save` wrote, see models.model.Model.

        Args:
            path: The `.safetensors` file, its card beside it; or the name of a network that ships.
            labels: Of a network of two label sets (its card has `heads`), which of losses.LABEL_SETS answers: `both`
                combined, or one of them. Of any other network only `both`, which changes nothing.
        """
        model = super().load(path)
        if "heads" in model.card:
            return model._answer(labels)
        if labels != "both":
            raise ValueError(f"expected a network of two label sets for the labels {labels!r}, got {path}")
        return model

    def _answer(self, labels: str) -> Self:
        """Return the plain network of an answer of two heads; the temperature is that of both."""
        card = dict(self.card)
        combination = Combination.from_json(card.pop("heads"))
        classes = combination.classes(labels)
        if labels != "both":
            card = {name: value for name, value in card.items() if name not in ("temperature", "calibration")}
        if len(classes) != len(card["classes"]):
            card["arguments"] = {**card["arguments"], "num_classes": len(classes)}
        network = combination.fold(self.network, labels)
        own = {"classes": list(classes), "prior": combination.prior(labels), "parameters": count_parameters(network)}
        return type(self)(network, card | own)

    @staticmethod
    def build(card: Mapping[str, Any]) -> paddle.nn.Layer:
        """Build the network of a card at full size, with both heads where it has two label sets."""
        settings, arguments = ClassifierSettings.from_card(card), card.get("arguments")
        if not isinstance(settings.model, str) or not isinstance(arguments, dict):
            raise ValueError(f"expected a model's name and its arguments by name in the card, got {arguments!r}")
        network = build_model(settings.model, **arguments)
        if len(settings.classes) != network.num_classes:
            raise ValueError(f"expected {network.num_classes} classes in the card, got {len(settings.classes)}")
        return AuxiliaryHead(network, len(FERPLUS_EXPRESSIONS)) if "heads" in card else network

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the outputs, in order."""
        return self.settings.classes

    @property
    def input_size(self) -> int:
        """Side in pixels of the faces."""
        return self.settings.input_size
