"""What a landmark network reaches on faces with points, over all and by source."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fer_paddle.landmarks.data.faces import LandmarkFaces
from fer_paddle.landmarks.metrics import LIMITS, NORMS, auc, failure_rate, nme


def predict_faces(locate: Callable[[np.ndarray, np.ndarray], np.ndarray], faces: LandmarkFaces) -> np.ndarray:
    """Return the points that `locate(image, boxes [1, 4]) -> [1, 68, 2]` finds, float64 [N, 68, 2]."""
    found = [locate(image, box[None])[0] for image, box in zip(faces.images, faces.boxes_xyxy)]
    return np.asarray(found, np.float64).reshape(-1, *faces.points.shape[1:])


def evaluate(locate: Callable[[np.ndarray, np.ndarray], np.ndarray], faces: LandmarkFaces) -> dict[str, Any]:
    """Measure `locate`, such as a Landmarker, on faces.

    Returns:
        JSON values: `faces`, `detected` (those with a detector's box), `nme` by norm, `failure_rate` and `auc` of the
        inter-ocular error by limit, `by_source` with `faces`, `nme` (inter-ocular) and `failure_rate` at 0.10.

    Raises:
        ValueError: There is no face.
    """
    return measure(predict_faces(locate, faces), faces)


def measure(predicted: np.ndarray, faces: LandmarkFaces) -> dict[str, Any]:
    """Measure predicted points [N, 68, 2]; see `evaluate`."""
    if not len(faces):
        raise ValueError("expected at least one face, got none")
    errors = nme(predicted, faces.points)
    by_source = {}
    for source in np.unique(faces.source):
        of = errors[faces.source == source]
        by_source[str(source)] = {"faces": len(of), "nme": float(of.mean()), "failure_rate": failure_rate(of, 0.10)}
    return {
        "faces": len(faces),
        "detected": int(faces.detected.sum()),
        "nme": {norm: float(nme(predicted, faces.points, norm).mean()) for norm in NORMS},
        "failure_rate": {str(limit): failure_rate(errors, limit) for limit in LIMITS},
        "auc": {str(limit): auc(errors, limit) for limit in LIMITS},
        "by_source": by_source,
    }
