"""A training run of a landmark network as weights with their card, and as ONNX."""

from __future__ import annotations

import functools
import os
from typing import Any

import numpy as np

from fer_paddle.deployment.export import export_model
from fer_paddle.images import cut_square, faces_to_batch
from fer_paddle.landmarks.data.faces import draw_landmark_faces
from fer_paddle.landmarks.files import LandmarkModel
from fer_paddle.landmarks.predict import LandmarkSettings
from fer_paddle.landmarks.recipes import LandmarkRecipe
from fer_paddle.training.run import check_export, load_best, training_card
from fer_paddle.weights import load_into

PARITY_FACES = 128


def export_run(run: str | os.PathLike[str], path: str | os.PathLike[str], trained_on: str) -> dict[str, Any]:
    """Write the best weights of a run as `.safetensors` with their card, and `.onnx` beside; return the card."""
    check_export(run, path)
    arrays, told = load_best(run)
    recipe = LandmarkRecipe.from_json(told["config"])
    network = recipe.build()
    load_into(network, arrays)
    model = LandmarkModel.of(network, recipe.margin, {**training_card(told), "trained_on": trained_on})
    return export_model(model, path, draw_crops(model.settings), "drawn faces")


@functools.cache
def draw_crops(settings: LandmarkSettings, count: int = PARITY_FACES) -> np.ndarray:
    """Return crops of drawn faces as a network's input, float32 [count, 1, S, S]."""
    faces = draw_landmark_faces(count, 112, seed=0)
    pairs = zip(faces.images, faces.boxes_xyxy)
    return faces_to_batch([cut_square(image, box, settings.margin)[0] for image, box in pairs], settings.input_size)
