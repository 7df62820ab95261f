"""How far predicted points lie from the true ones, in NumPy.

Source: Sagonas et al. 2016, "300 Faces In-The-Wild Challenge: database and results" (errors, cumulative distribution).
"""

from __future__ import annotations

import numpy as np

from fer_paddle.landmarks.points import LEFT_EYE, OUTER_CORNERS, RIGHT_EYE, box_of_points, check_points

NORMS = ("inter_ocular", "inter_pupil", "box")
LIMITS = (0.08, 0.10, 0.30)  # of failure rate and AUC: of 300-W, of most papers, of the course's notes


def face_sizes(points: np.ndarray, norm: str = "inter_ocular") -> np.ndarray:
    """Return what errors of faces [N, 68, 2] are divided by, in pixels, float64 [N].

    | norm | size |
    |---|---|
    | inter_ocular | distance of the outer corners of the eyes |
    | inter_pupil | distance of the means of both eyes' points |
    | box | sqrt(w * h) of the least box about the points |
    """
    points = check_points(points)
    if norm == "inter_ocular":
        sizes = np.linalg.norm(points[:, OUTER_CORNERS[0]] - points[:, OUTER_CORNERS[1]], axis=-1)
    elif norm == "inter_pupil":
        sizes = np.linalg.norm(points[:, LEFT_EYE].mean(1) - points[:, RIGHT_EYE].mean(1), axis=-1)
    elif norm == "box":
        boxes = box_of_points(points)
        sizes = np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1))
    else:
        raise ValueError(f"expected a norm of {', '.join(NORMS)}, got {norm!r}")
    if not (sizes > 0).all():
        raise ValueError(f"expected faces with a size above 0 by {norm}, got a face without")
    return sizes


def nme(predicted: np.ndarray, true: np.ndarray, norm: str = "inter_ocular") -> np.ndarray:
    """Return the normalized mean error of each face, float64 [N]: mean distance of its 68 points over its size."""
    distances = np.linalg.norm(check_points(predicted) - check_points(true), axis=-1)
    return distances.mean(axis=-1) / face_sizes(true, norm)


def failure_rate(errors: np.ndarray, limit: float) -> float:
    """Return the ratio of errors above a limit."""
    return float((_check_errors(errors, limit) > limit).mean())


def ced(errors: np.ndarray, limit: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the cumulative error distribution up to a limit: errors, rising, and the ratio of faces not above each."""
    ordered = np.sort(_check_errors(errors, limit))
    ratio = np.arange(1, len(ordered) + 1) / len(ordered)
    below = ordered <= limit
    last = ratio[below][-1] if below.any() else 0.0
    return np.concatenate([[0.0], ordered[below], [limit]]), np.concatenate([[0.0], ratio[below], [last]])


def auc(errors: np.ndarray, limit: float) -> float:
    """Return the area under the curve of `ced` over its limit, 0 to 1: the mean of max(0, 1 - error / limit)."""
    return float(np.maximum(0, 1 - _check_errors(errors, limit) / limit).mean())


def auc_histogram(errors: np.ndarray, limit: float, step: float = 1e-4) -> float:
    """Return the same area as the course's notes: a histogram of the errors, summed up, by the trapezoid rule."""
    edges = np.linspace(0, limit, round(limit / step) + 1)
    counts, _ = np.histogram(_check_errors(errors, limit), edges)
    curve = np.concatenate([[0], np.cumsum(counts)]) / len(errors)
    return float(((curve[1:] + curve[:-1]) / 2).mean())


def jitter(points: np.ndarray, norm: str = "inter_ocular") -> float:
    """Return the mean movement of the points [T, 68, 2] of a video from frame to frame, over the face's size.

    On the video of a still face it is the noise of the network.
    """
    points = check_points(points)
    if points.ndim != 3 or len(points) < 2:
        raise ValueError(f"expected points [T, 68, 2] of two frames or more, got {list(points.shape)}")
    moved = np.linalg.norm(np.diff(points, axis=0), axis=-1).mean(axis=-1)
    return float((moved / face_sizes(points[1:], norm)).mean())


def _check_errors(errors: np.ndarray, limit: float) -> np.ndarray:
    """Return errors as float64 [N]; ValueError where there is none, one is no number, or the limit is not above 0."""
    errors = np.asarray(errors, np.float64)
    if errors.ndim != 1 or not len(errors) or not (np.isfinite(errors) & (errors >= 0)).all() or not limit > 0:
        raise ValueError(f"expected finite errors [N] of 0 or more and a limit above 0, got {errors.shape} and {limit}")
    return errors
