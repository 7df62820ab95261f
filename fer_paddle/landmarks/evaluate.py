"""What a landmark network reaches on faces with points, over all and by source."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from fer_paddle.analysis.bootstrap import RESAMPLES, mean_interval
from fer_paddle.landmarks.data.faces import LandmarkFaces
from fer_paddle.landmarks.metrics import LIMITS, NORMS, auc, face_sizes, failure_rate, nme
from fer_paddle.landmarks.points import PARTS

LIMIT = 0.10
Locate = Callable[[np.ndarray, np.ndarray], np.ndarray]  # (image, boxes [n, 4]) -> points [n, 68, 2]


def predict_faces(locate: Locate, faces: LandmarkFaces) -> np.ndarray:
    """Return the points that `locate` finds, float64 [N, 68, 2]; ValueError where there is no face."""
    if not len(faces):
        raise ValueError("expected at least one face, got none")
    found = [locate(image, box[None])[0] for image, box in zip(faces.images, faces.boxes_xyxy)]
    return np.asarray(found, np.float64)


def evaluate(locate: Locate, faces: LandmarkFaces) -> dict[str, Any]:
    """Measure `locate`, such as a Landmarker, on faces.

    Returns:
        JSON values: `faces`, `detected` (those with a detector's box), `nme` by norm, `failure_rate` and `auc` of the
        inter-ocular error by limit, `by_source` with `faces`, `nme` (inter-ocular) and `failure_rate` at 0.10.

    Raises:
        ValueError: There is no face.
    """
    predicted = predict_faces(locate, faces)
    by_source = {
        source: {"faces": len(errors), "nme": float(errors.mean()), "failure_rate": failure_rate(errors, LIMIT)}
        for source, errors in _by_source(predicted, faces).items()
    }
    areas = {str(limit): auc(nme(predicted, faces.points), limit) for limit in LIMITS}
    return {**_figures(predicted, faces, lambda values: float(values.mean())), "auc": areas, "by_source": by_source}


def measure_landmarks(locate: Locate, faces: LandmarkFaces, resamples: int = RESAMPLES) -> dict[str, Any]:
    """Measure what a model card says, with intervals: errors by norm, source and part of the face, failure rates."""
    predicted, interval = predict_faces(locate, faces), partial(mean_interval, resamples=resamples)
    by_source = {
        source: {"faces": len(errors), "nme": interval(errors), "failures": interval(errors > LIMIT)}
        for source, errors in _by_source(predicted, faces).items()
    }
    distances = np.linalg.norm(predicted - faces.points, axis=-1) / face_sizes(faces.points)[:, None]
    by_part = {part: interval(distances[:, where].mean(axis=1)) for part, where in PARTS.items()}
    return {**_figures(predicted, faces, interval), "by_source": by_source, "by_part": by_part}


def _figures(predicted: np.ndarray, faces: LandmarkFaces, mean: Callable[[np.ndarray], Any]) -> dict[str, Any]:
    errors = nme(predicted, faces.points)
    return {
        "faces": len(faces),
        "detected": int(faces.detected.sum()),
        "nme": {norm: mean(nme(predicted, faces.points, norm)) for norm in NORMS},
        "failure_rate": {str(limit): mean(errors > limit) for limit in LIMITS},
    }


def _by_source(predicted: np.ndarray, faces: LandmarkFaces) -> dict[str, np.ndarray]:
    """Return the inter-ocular errors of the faces of each source."""
    errors = nme(predicted, faces.points)
    return {str(source): errors[faces.source == source] for source in np.unique(faces.source)}
