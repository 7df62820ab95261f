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
from fer_paddle.environment import paddle
from fer_paddle.expression.data.faces import LabelledFaces, check_classes
from fer_paddle.expression.files import ExpressionModel
from fer_paddle.expression.predict import ClassifierSettings
from fer_paddle.expression.recipes import Recipe, recipe_of
from fer_paddle.expression.train import train_expressions
from fer_paddle.images import faces_to_batch
from fer_paddle.study import digest
from fer_paddle.training.loop import Callback, RunOptions
from fer_paddle.weights import load_card

BATCH = 64


class ExpressionQuantizeTask(QuantizeTask):
    """An expression network to quantize, see compression.quantize.QuantizeTask."""

    kind, keep_last, last_layers = ExpressionModel, False, ("classify",)
    recipe: Recipe

    def __init__(
        self,
        weights: str | os.PathLike[str],  # `.safetensors`; the ONNX file of the same name was exported from it
        calibration: Sequence[np.ndarray],  # crops uint8 [H, W] or [H, W, 3] of any sizes
        valid: LabelledFaces,  # to measure the accuracy on
        train: LabelledFaces | None = None,  # for QAT, whose are epochs, learning rate and callbacks; None allows none
        epochs: int = 2,
        learning_rate: float = 3e-5,
        callbacks: Sequence[Callback] = (),
    ):
        self.card, self.onnx = load_card(weights), Path(weights).with_suffix(".onnx")
        size = ClassifierSettings.from_card(self.card).input_size
        if not self.onnx.is_file():
            raise FileNotFoundError(
                f"expected the exported network at {self.onnx}: run python -m fer_paddle export first"
            )
        for faces in (valid, train):
            if faces is not None:
                check_classes(faces, self.card["classes"])
        self.valid, self.train, self.callbacks = valid, train, callbacks
        self.input_shape = (None, 1, size, size)
        self.batches = to_batches(faces_to_batch(calibration, size))
        self.images = faces_to_batch(list(valid.images), size)
        self.settings = {"measure": "accuracy", "faces": len(valid), "input_size": size}
        self.data = {"valid": digest(valid.images, valid.labels)}
        self.recipe = _qat_recipe(self.card, epochs, learning_rate)
        self.finetune_settings = None
        if train is not None:
            self.recipe = self.recipe.for_samples(len(train))
            self.finetune_settings = {"recipe": self.recipe.to_json(), "faces": len(train)}

    def measure(self, forward: Forward) -> float:
        """Return the accuracy on the validation faces."""
        logits = np.concatenate([forward(batch)[0] for batch in to_batches(self.images, BATCH)])
        return float((logits.argmax(axis=1) == self.valid.labels).mean())

    def fit(self, network: paddle.nn.Layer, options: RunOptions) -> None:
        """Train the network."""
        assert self.train is not None
        train_expressions(network, self.train, self.valid, self.recipe, options)


def _qat_recipe(card: Mapping[str, Any], epochs: int, learning_rate: float) -> Recipe:
    """Return the recipe of the network's own training, shortened and weakened for fake quantization."""
    recipe, size = recipe_of(card), card["input_size"]
    return dataclasses.replace(
        recipe.finetune_recipe(f"{recipe.name}-qat", epochs, learning_rate, size, size),
        warmup_epochs=0.1 * epochs,
        aux_weight=0.0,
        ema_decay=None,  # it would average the ranges of the activations, too
        augment=dataclasses.replace(recipe.augment, erase=0.0),
    )
