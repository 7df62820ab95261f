"""A landmark network in int8, by ONNX Runtime's static quantization."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle.compression.onnx_quantize import quantize_onnx
from fer_paddle.compression.quantize import choose, to_batches
from fer_paddle.deployment.runtimes import load_runner
from fer_paddle.files import write_json
from fer_paddle.landmarks.data.dataset import LandmarkData
from fer_paddle.landmarks.data.faces import LandmarkFaces
from fer_paddle.landmarks.predict import LandmarkSettings
from fer_paddle.weights import load_card


def quantize_landmarks(
    source: str | os.PathLike[str],
    path: str | os.PathLike[str],
    faces: LandmarkFaces,
    about: str,
    method: str = "minmax",
    images: int = 256,
    seed: int = 0,
) -> dict[str, Any]:
    """Write an exported network in int8, calibrated on faces (`about`: what they are); write and return its card."""
    source, path = Path(source), Path(path)
    settings = LandmarkSettings.from_metadata(load_runner(source).metadata)
    data = LandmarkData(faces, settings.input_size, settings.margin)
    crops = np.stack([data[row][0] for row in choose(range(len(faces)), images, seed)])
    quantize_onnx(source, path, to_batches(crops), method, keep_last=False)
    told = {
        "weights": source.name,
        "method": f"ort-{method}",
        "calibration": about,
        "calibration_images": len(crops),
        "share": round(path.stat().st_size / source.stat().st_size, 4),
    }
    card = {**load_card(source), "quantization": told}
    write_json(path.with_suffix(".json"), card)
    return card
