"""Decoding and suppression against paddle.vision.ops, and at the ends of float32."""

import numpy as np
import paddle
import pytest

from tests.yolo3tiny.samples import random_heads
from yolo3tiny.anchors import ANCHOR_MASKS, ANCHORS, STRIDES
from yolo3tiny.decode import decode, decode_above, nms


def make_boxes(count: int, seed: int, side: float = 100.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, side, (count, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(5, 40, (count, 2))], axis=1)
    return boxes.astype(np.float32), rng.permutation(count).astype(np.float32) / count


@pytest.mark.parametrize(("h", "w"), [(96, 96), (64, 160), (480, 640)])
def test_decode_equals_paddles_yolo_box(h: int, w: int) -> None:
    heads = random_heads(2, h, w)
    boxes, scores = decode(heads)
    yolo_box, size_hw = paddle.vision.ops.yolo_box, paddle.to_tensor(np.array([[h, w]] * 2, np.int32))
    sides_of_heads = [[side for i in mask for side in ANCHORS[i]] for mask in ANCHOR_MASKS]
    parts = [
        yolo_box(paddle.to_tensor(head), size_hw, sides, 1, 0.0, stride, clip_bbox=False)
        for head, sides, stride in zip(heads, sides_of_heads, STRIDES)
    ]
    expected = np.concatenate([part[0].numpy() for part in parts], axis=1)
    np.testing.assert_allclose(boxes, expected, atol=2e-3, rtol=1e-5)
    expected = np.concatenate([part[1].numpy()[..., 0] for part in parts], axis=1)
    np.testing.assert_allclose(scores, expected, atol=1e-6)
    assert boxes.dtype == scores.dtype == np.float32


@pytest.mark.parametrize("min_score", [0.0, 0.2, 0.6, 1.0])
def test_decode_above_is_decode_filtered(min_score: float) -> None:
    heads = random_heads(3, 96, 160)
    boxes, scores = decode(heads)
    found = decode_above(heads, min_score)
    assert len(found) == 3
    for i, (some_boxes, some_scores) in enumerate(found):
        above = scores[i] >= min_score
        np.testing.assert_array_equal(some_boxes, boxes[i][above])
        np.testing.assert_array_equal(some_scores, scores[i][above])


@pytest.mark.parametrize("value", [-1e4, -100, 100, 1e4])
@pytest.mark.filterwarnings("error")
def test_extreme_outputs_neither_warn_nor_overflow(value: float) -> None:
    heads = [np.full((1, 18, 32 // s, 32 // s), value, np.float32) for s in STRIDES]
    boxes, scores = decode(heads)
    assert np.isfinite(boxes).all()
    assert (scores == (value > 0)).all()


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([(1, 18, 3, 3)], "expected heads at strides .32, 16., got 1 heads"),
        ([(1, 18, 6, 6), (1, 18, 3, 3)], "one input size"),  # the heads the wrong way round
        ([(1, 18, 3, 3), (2, 18, 6, 6)], "expected heads"),
        ([(1, 21, 3, 3), (1, 21, 6, 6)], r"\[N, 18, H, W\]"),
        ([(18, 3, 3), (18, 6, 6)], "expected heads"),
    ],
)
def test_wrong_heads_are_refused(shapes: list, message: str) -> None:
    heads = [np.zeros(shape, np.float32) for shape in shapes]
    with pytest.raises(ValueError, match=message):
        decode(heads)
    with pytest.raises(ValueError, match=message):
        decode_above(heads, 0.5)
    with pytest.raises(ValueError, match="min_score"):
        decode_above(random_heads(1, 32, 32), 1.5)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("count", [1, 20, 300])
@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.7])
def test_nms_equals_paddle(seed: int, count: int, threshold: float) -> None:
    boxes, scores = make_boxes(count, seed)
    kept = nms(boxes, scores, threshold).tolist()
    theirs = paddle.vision.ops.nms(paddle.to_tensor(boxes), threshold, paddle.to_tensor(scores))
    assert kept == theirs.numpy().tolist()


@pytest.mark.parametrize(
    ("boxes", "scores", "expected"),
    [
        ([], [], []),
        ([(0, 0, 10, 10)], [0.5], [0]),
        ([(0, 0, 10, 10), (0, 0, 10, 10)], [0.5, 0.9], [1]),  # copies: the better one
        ([(0, 0, 10, 10), (0, 0, 10, 10)], [0.5, 0.5], [0]),  # equal scores: the first
        ([(0, 0, 10, 10), (20, 0, 30, 10)], [0.5, 0.9], [1, 0]),  # apart: both, the better one first
        # A chain: the second goes because of the first, so the third, which only the second overlaps, stays.
        ([(0, 0, 10, 10), (3, 0, 13, 10), (6, 0, 16, 10)], [0.9, 0.8, 0.7], [0, 2]),
        # The same with its best link in the middle.
        ([(0, 0, 10, 10), (3, 0, 13, 10), (6, 0, 16, 10)], [0.8, 0.9, 0.7], [1]),
        ([(0, 0, 10, 10), (0, 0, 10, 5)], [0.9, 0.8], [0]),  # IoU 0.5, above 0.45
        ([(5, 5, 5, 5), (5, 5, 5, 5)], [0.9, 0.8], [0, 1]),  # points overlap nothing
    ],
)
def test_nms_table(boxes: list, scores: list, expected: list) -> None:
    array = np.array(boxes, dtype=np.float32).reshape(-1, 4)
    assert nms(array, np.array(scores, dtype=np.float32)).tolist() == expected
