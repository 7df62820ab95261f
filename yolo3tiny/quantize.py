"""A detector and its photos in a comparison of quantization methods (fer_paddle.compression.quantize).

The convolutions that make the heads stay in float by default, and so does decoding, which is no part of the network:
the numbers they give place boxes to a fraction of a pixel, and objectness must rank faces far apart in score.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fer_paddle.compression.quantize import QuantizeTask, to_batches
from fer_paddle.deployment.runtimes.base import Forward
from fer_paddle.deployment.runtimes.onnx import OnnxRunner
from fer_paddle.environment import paddle
from fer_paddle.training.callbacks import ProgressBar
from fer_paddle.training.loop import RunOptions
from fer_paddle.weights import load_card
from yolo3tiny.boxes import letterbox
from yolo3tiny.evaluate import evaluate
from yolo3tiny.files import DetectorModel
from yolo3tiny.model import NETWORKS
from yolo3tiny.photos import Photo, digest_photos
from yolo3tiny.predict import Detector, NetworkSettings, to_input
from yolo3tiny.recipes import CROWD, DetectorRecipe
from yolo3tiny.train import train_detector

BATCH = 4  # photos of 544 x 544 px; all activations of a batch lie in memory at once


class DetectorQuantizeTask(QuantizeTask):
    """A face detector to quantize, see compression.quantize.QuantizeTask."""

    kind, input_shape, keep_last = DetectorModel, (None, 3, None, None), True
    recipe: DetectorRecipe

    def __init__(
        self,
        weights: str | os.PathLike[str],
        calibration: Sequence[np.ndarray],
        valid: Sequence[Photo],
        train: Sequence[Photo] | None = None,
        epochs: int = 2,
        learning_rate: float = 1e-4,
    ):
        self.onnx, self.valid, self.train, self.callbacks = Path(weights), valid, train, [ProgressBar()]
        self.box_settings = NetworkSettings.from_metadata(OnnxRunner(self.onnx).metadata)
        longest, strides = self.box_settings.longest, tuple(self.box_settings.strides)
        self.last_layers = next(kind.last_layers for kind in NETWORKS.values() if kind.strides == strides)
        self.batches = calibration_batches(calibration, longest)
        self.card = load_card(self.onnx) if self.onnx.with_suffix(".json").is_file() else {}
        self.settings = {"measure": "AP at IoU 0.5", "photos": len(valid), "longest": longest}
        self.data = {"valid": digest_photos(valid)}
        self.finetune_settings = None
        if train is not None:
            self.recipe = qat_recipe(len(train), longest, epochs, learning_rate)
            self.finetune_settings = {"recipe": self.recipe.to_json(), "photos": len(train)}

    def measure(self, forward: Forward) -> float:
        """Return the average precision on the validation photos."""
        settings = self.box_settings
        detect = Detector(forward=forward, anchors=settings.anchors, longest=settings.longest, strides=settings.strides)
        return evaluate(detect, self.valid)["ap"]

    def fit(self, network: paddle.nn.Layer, options: RunOptions) -> None:
        """Train the network."""
        assert self.train is not None
        train_detector(network, self.train, self.valid, self.recipe, self.box_settings.anchors, options)


def calibration_batches(photos: Sequence[np.ndarray], longest: int) -> list[np.ndarray]:
    """Return photos uint8 [H, W, 3] as batches float32 [N, 3, S, S], padded to squares of one side."""
    side = -(-longest // 32) * 32
    return to_batches(np.stack([to_input(letterbox(photo, (side, side))[0]) for photo in photos]), BATCH)


def qat_recipe(num_photos: int, longest: int, epochs: int, learning_rate: float) -> DetectorRecipe:
    """Return a recipe that goes on from trained weights with fake quantization."""
    return dataclasses.replace(
        CROWD.with_epochs(epochs),
        name="crowd-qat",
        batch_size=min(CROWD.batch_size, num_photos),
        sizes=((0, CROWD.sizes[-1][1]),),
        learning_rate=learning_rate,
        ema_decay=None,  # it would average the ranges of the activations, too
        longest=longest,
        validate_every=1,
    )
