"""An expression network and its faces in a comparison of quantization methods (fer_paddle.compression.quantize)."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle.compression.quantize import QuantizeTask, to_batches
from fer_paddle.deployment.runtimes.base import Forward
from fer_paddle.environment import paddle, seed_everything
from fer_paddle.expression.data.faces import LabelledFaces, check_classes
from fer_paddle.expression.files import ExpressionModel
from fer_paddle.expression.recipes import STRONG, Recipe
from fer_paddle.expression.train import train_expressions
from fer_paddle.images import faces_to_batch
from fer_paddle.study import digest
from fer_paddle.training.loop import BEST, Callback, RunOptions
from fer_paddle.weights import load_arrays, load_card, load_into

BATCH = 64


class ExpressionQuantizeTask(QuantizeTask):
    """An expression network to quantize, see compression.quantize.QuantizeTask.

    Args:
        weights: `.safetensors` file of the network; the ONNX file of the same name was exported from it.
        calibration: Crops uint8 [H, W] or [H, W, 3] of any sizes.
        valid: Faces to measure the accuracy on.
        train: Faces for QAT, whose are `epochs`, `learning_rate` and `callbacks`; None allows none.
        keep_last: Leave the linear layer in float.
    """

    last_layers = ("classify",)

    def __init__(
        self,
        weights: str | os.PathLike[str],
        calibration: Sequence[np.ndarray],
        valid: LabelledFaces,
        train: LabelledFaces | None = None,
        epochs: int = 2,
        learning_rate: float = 3e-5,
        keep_last: bool = False,
        callbacks: Sequence[Callback] = (),
    ):
        self.weights, self.card = Path(weights), read_network_card(weights)
        self.onnx = self.weights.with_suffix(".onnx")
        if not self.onnx.is_file():
            raise FileNotFoundError(
                f"expected the exported network at {self.onnx}: run python -m fer_paddle export first"
            )
        if not len(calibration) or not len(valid):
            got = f"{len(calibration)}, {len(valid)}"
            raise ValueError(f"expected calibration images and faces to measure on, got {got}")
        for faces in (valid, train):
            if faces is not None:
                check_classes(faces, self.card["classes"])
        size = self.card["input_size"]
        self.valid, self.train, self.keep_last, self.callbacks = valid, train, keep_last, callbacks
        self.input_shape = (None, 1, size, size)
        self.batches = to_batches(faces_to_batch(calibration, size))
        self.images = faces_to_batch(list(valid.images), size)
        self.settings = {"measure": "accuracy", "faces": len(valid), "input_size": size}
        self.data = {"valid": digest(valid.images, valid.labels)}
        self.recipe = _recipe(self.card, size, epochs, learning_rate)
        self.finetune_settings = None
        if train is not None:
            self.finetune_settings = {"recipe": self.recipe.to_json(), "faces": len(train)}

    def load(self) -> paddle.nn.Layer:
        """Return the network."""
        return ExpressionModel.load(self.weights).network

    def measure(self, forward: Forward) -> float:
        """Return the accuracy on the validation faces."""
        logits = np.concatenate([forward(batch)[0] for batch in to_batches(self.images, BATCH)])
        return float((logits.argmax(axis=1) == self.valid.labels).mean())

    def finetune(self, network: paddle.nn.Layer, folder: Path) -> None:
        """Train with fake quantization; the network ends with the weights of the best epoch."""
        assert self.train is not None
        folder.mkdir(parents=True, exist_ok=True)
        seed_everything(self.recipe.seed)
        train_expressions(network, self.train, self.valid, self.recipe, RunOptions(folder, True, self.callbacks))
        load_into(network, load_arrays(folder / BEST))


def read_network_card(weights: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the card beside the `.safetensors` file of an expression network; refuse another."""
    if Path(weights).suffix != ".safetensors":
        raise ValueError(f"expected a .safetensors file with the .onnx file beside it, got {weights}")
    card = load_card(weights)
    if not isinstance(card.get("input_size"), int):
        raise ValueError(f"expected the card of an expression network beside {weights}, it lacks input_size")
    return card


def qat_recipe(recipe: Recipe, input_size: int, epochs: int = 2, learning_rate: float = 3e-5) -> Recipe:
    """Return a recipe that goes on from trained weights with fake quantization: few epochs at a small rate.

    Without auxiliary head, frozen backbone, strong erasing, and average of the weights, which would average the ranges
    of the activations, too.
    """
    return dataclasses.replace(
        recipe.finetune_recipe(f"{recipe.name}-qat", epochs, learning_rate, input_size, input_size),
        warmup_epochs=0.1 * epochs,
        aux_weight=0.0,
        ema_decay=None,
        augment=dataclasses.replace(recipe.augment, erase=0.0),
    )


def _recipe(card: Mapping[str, Any], size: int, epochs: int, learning_rate: float) -> Recipe:
    """Return the recipe of the network's own training where its card holds one, made one for QAT."""
    base = Recipe.from_json(card["recipe"]) if "recipe" in card else STRONG
    return qat_recipe(base, size, epochs, learning_rate)
