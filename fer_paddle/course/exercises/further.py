"""Cases of notebooks 11 to 15."""

from __future__ import annotations

from functools import partial
from typing import Any

import cv2
import numpy as np

from fer_paddle.course.chapters import Between
from fer_paddle.course.checks import Case, Cases, mean_difference
from fer_paddle.drawn import draw_face
from fer_paddle.landmarks.measures import measure_face
from fer_paddle.landmarks.metrics import nme
from fer_paddle.landmarks.pose import estimate_pose
from yolo3tiny.anchors import kmeans_anchors, mean_best_iou
from yolo3tiny.boxes import iou


def exercise_11_1() -> Cases:
    """Neighbors in a small space, listed, and in the course's."""
    from fer_paddle.search.space import PLAIN

    small = {"width": (8, 16, 32), "depth": (1, 2), "activation": ("relu",)}
    yield Case((small,), 3, name=f"count_neighbors({small})")
    changed = [(name, value) for name, values in PLAIN.choices.items() for value in values[1:]]
    yield Case((dict(PLAIN.choices),), len(changed), name="count_neighbors(PLAIN.choices)")


def _two_costs(count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(count)
    costs = rng.permutation(count).astype(float)
    return costs, costs + rng.normal(0, count / 4, count)


def exercise_11_3() -> Cases:
    """Rank correlations, against the library's."""
    from fer_paddle.search.proxies import rank_correlation

    for count in (8, 40):
        costs, others = _two_costs(count)
        expected = rank_correlation(list(costs), list(others))
        yield Case((costs, others), expected, 1e-6, f"rank_agreement({count} costs, others)")


def exercise_11_4() -> Cases:
    """Kendall's tau, against scipy's."""
    from scipy.stats import kendalltau

    for count in (4, 12):
        scores, others = _two_costs(count)
        expected = float(kendalltau(scores, others).statistic)
        yield Case((scores, others), expected, 1e-6, f"kendall({count} scores, others)")


def exercise_12_4() -> Cases:
    """How well anchors fit sizes."""
    sizes = np.random.default_rng(4).lognormal(3.5, 0.6, (80, 2))
    for k in (1, 3, 6):
        anchors = kmeans_anchors(sizes, k)
        yield Case((sizes, anchors), mean_best_iou(sizes, anchors), 1e-4, f"fit_of(sizes, {k} anchors)")


def exercise_12b_1() -> Cases:
    """The found shares of small and of large faces, of which some are moved too far."""
    rng = np.random.default_rng(5)
    corner, side = rng.uniform(0, 900, (30, 2)), rng.uniform(15, 90, (30, 1))
    drawn = np.concatenate([corner, corner + side], axis=1)
    found = drawn[::2] + side[::2] * rng.uniform(-0.3, 0.3, (15, 1))
    hit, small = (iou(drawn, found) >= 0.5).any(axis=1), side[:, 0] < 40
    expected = (float(hit[small].mean()), float(hit[~small].mean()))
    yield Case((drawn, found), expected, 1e-6, "recalls(drawn, found)")
    yield Case((drawn, drawn), (1.0, 1.0), 1e-6, "recalls(drawn, drawn)")


def _points(yaw_deg: float = 0.0, seed: int = 3) -> np.ndarray:
    return draw_face("neutral", 256, seed, pose_deg=(yaw_deg, 0, 0), clean=True).points.astype(float)


def exercise_13_1() -> Cases:
    """The same error in pixels on a turned head, over that on a frontal one."""
    frontal = _points()
    for yaw in (15, 35):
        turned = _points(yaw)
        for norm in ("inter_ocular", "box"):
            before, after = (nme(points[None] + (3, 0), points[None], norm)[0] for points in (frontal, turned))
            name = f"growth(frontal, turned by {yaw}, {norm!r})"
            yield Case((frontal, turned, norm), float(after / before), 0.01, name)


def exercise_13_3() -> Cases:
    """Changes of yaw, pitch and roll, against estimate_pose."""
    points = _points()
    before = estimate_pose(points, (256, 256))
    for point, pull in ((30, (6, 0)), (30, (0, -6)), (8, (6, 0))):
        moved = points.copy()
        moved[point] += pull
        after = estimate_pose(moved, (256, 256))
        names = ("yaw_deg", "pitch_deg", "roll_deg")
        expected = np.array([abs(getattr(after, name) - getattr(before, name)) for name in names])
        yield Case((points.copy(), point, pull), expected, 0.05, f"angle_changes(points, {point}, {pull})")


def exercise_13_4() -> Cases:
    """How closed the library finds eyes whose lids were moved together."""
    for seed, ratio in ((3, 0.0), (3, 0.5), (5, 0.75), (3, 1.0)):
        points, lids = _points(seed=seed), _points(seed=seed)
        for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46)):
            middle = points[[upper, lower]].mean(axis=0)
            lids[[upper, lower]] = (1 - ratio) * points[[upper, lower]] + ratio * middle
        name = f"measure_face(close_eyes(points, {ratio})).eye_closed"
        yield Case((points, ratio), measure_face(lids).eye_closed, 0.01, name, of=_measure)


def _measure(points: Any) -> float:
    return measure_face(np.asarray(points)).eye_closed


def exercise_14_2() -> Cases:
    """Mean difference, in gray levels, from OpenCV's shift."""
    image = cv2.GaussianBlur(np.random.default_rng(2).integers(0, 256, (24, 40), np.uint8), (0, 0), 2)
    for pixels in (0.25, 1.0, -2.5):
        matrix = np.array([[1, 0, pixels], [0, 1, 0]], np.float32)
        wanted = cv2.warpAffine(image, matrix, image.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
        name = f"|shift_right(image, {pixels}) - OpenCV|.mean()"
        yield Case((image, pixels), Between(0, 1), name=name, of=partial(mean_difference, wanted=wanted))


def exercise_15_3() -> Cases:
    """A file with other bytes, one that is new, one that is gone, none."""
    before = {"index.html": b"<html>", "expression.onnx": b"abc", "old.js": b"1"}
    after = {"index.html": b"<html>", "expression.onnx": b"abd", "new.js": b"1"}
    for name, new, expected in (
        ("a network of the same size, new.js for old.js", after, {"expression.onnx", "new.js"}),
        ("old.js gone", {name: before[name] for name in ("index.html", "expression.onnx")}, set()),
        ("the same files", dict(before), set()),
    ):
        yield Case((dict(before), new), expected, name=f"changed(old, new): {name}")
