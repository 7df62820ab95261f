"""k-means over box sizes: finds clusters that are there, repeats itself, and says what it cannot do."""

import numpy as np
import pytest

from yolo3tiny.anchors import ANCHOR_MASKS, ANCHORS, STRIDES, anchor_masks, kmeans_anchors, mean_best_iou


def make_sizes(count: int = 400, seed: int = 0) -> np.ndarray:
    """Log-uniform sizes of 8 to 300 px, a little higher than wide, as faces are."""
    rng = np.random.default_rng(seed)
    width = np.exp(rng.uniform(np.log(8), np.log(300), count))
    return np.stack([width, width * rng.uniform(1.1, 1.5, count)], axis=1)


def test_anchors_are_those_of_tiny_yolov3() -> None:
    assert ANCHORS == ((10, 14), (23, 27), (37, 58), (81, 82), (135, 169), (344, 319))
    assert ANCHOR_MASKS == ((3, 4, 5), (0, 1, 2)) == anchor_masks(6, STRIDES)
    assert anchor_masks(9, (32, 16, 8)) == ((6, 7, 8), (3, 4, 5), (0, 1, 2)) and anchor_masks(1, (8,)) == ((0,),)
    for wrong in ((5, STRIDES), (0, STRIDES), (6, ())):
        with pytest.raises(ValueError, match="expected a multiple of"):
            anchor_masks(*wrong)
    assert STRIDES == (32, 16)


def test_kmeans_rises_repeats_itself_fits_and_ends_where_a_further_step_changes_nothing() -> None:
    sizes = make_sizes()
    found = kmeans_anchors(sizes, seed=3)
    assert found.shape == (6, 2) and (np.diff(found.prod(axis=1)) > 0).all()
    np.testing.assert_array_equal(found, kmeans_anchors(sizes.copy(), seed=3))
    assert mean_best_iou(sizes, found) > mean_best_iou(sizes, ANCHORS) + 0.02
    # Independent step in plain loops: put each box to its best anchor, average each cluster.
    clusters = [[] for _ in found]
    for w, h in sizes:
        overlaps = [min(w, aw) * min(h, ah) for aw, ah in found]
        ious = [overlap / (w * h + aw * ah - overlap) for overlap, (aw, ah) in zip(overlaps, found)]
        clusters[int(np.argmax(ious))].append((w, h))
    np.testing.assert_allclose([np.mean(cluster, axis=0) for cluster in clusters], found)
