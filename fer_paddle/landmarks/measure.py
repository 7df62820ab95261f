"""What a model card says of a landmark network on one set of faces, with confidence intervals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fer_paddle.analysis.bootstrap import RESAMPLES, bootstrap
from fer_paddle.landmarks.data.faces import LandmarkFaces
from fer_paddle.landmarks.evaluate import predict_faces
from fer_paddle.landmarks.metrics import LIMITS, NORMS, face_sizes, nme
from fer_paddle.landmarks.points import PARTS

LIMIT = 0.10


def measure_landmarks(
    locate: Callable[[np.ndarray, np.ndarray], np.ndarray],
    faces: LandmarkFaces,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure a network on faces with points: errors by norm, source and part of the face, failure rates."""
    predicted = predict_faces(locate, faces)

    def interval(values: np.ndarray) -> dict[str, float | None]:
        return bootstrap(lambda chosen: values[chosen].mean(), len(values), resamples, seed=seed)[0].to_json()

    errors = nme(predicted, faces.points)
    sizes = face_sizes(faces.points)[:, None]
    distances = np.linalg.norm(predicted - faces.points, axis=-1) / sizes
    by_source = {}
    for source in np.unique(faces.source):
        of = errors[faces.source == source]
        by_source[str(source)] = {"faces": len(of), "nme": interval(of), "failures": interval(of > LIMIT)}
    return {
        "faces": len(faces),
        "detected": int(faces.detected.sum()),
        "nme": {norm: interval(nme(predicted, faces.points, norm)) for norm in NORMS},
        "failure_rate": {str(limit): interval(errors > limit) for limit in LIMITS},
        "by_source": by_source,
        "by_part": {part: interval(distances[:, where].mean(axis=1)) for part, where in PARTS.items()},
    }
