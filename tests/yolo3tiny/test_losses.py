"""The loss against paddle.vision.ops.yolo_loss, and by hand where Paddle has no answer."""

import math

import numpy as np
import paddle
import pytest

from tests.yolo3tiny.samples import random_heads
from yolo3tiny.anchors import ANCHORS, STRIDES, anchor_masks
from yolo3tiny.decode import decode
from yolo3tiny.losses import TERMS, Targets, Yolo3Loss

ONE = (0.30, 0.40, 0.12, 0.15)  # 11.5 x 14.4 px of a 96 px input: anchor 0, (10, 14), fits best
GRIDS = [(3, 3), (6, 6)]  # of a 96 px input: predictions 0 to 26 are coarse, 27 to 134 fine
RAW = np.zeros((1, 135, 6), dtype=np.float32)


def make_truths(n: int, m: int, padding: int = 3, seed: int = 0) -> np.ndarray:
    """Boxes of every size, some colliding in a cell; the last rows are padding."""
    rng = np.random.default_rng(seed)
    centers = rng.uniform(0, 0.999, (n, m, 2))
    sizes = np.exp(rng.uniform(np.log(0.01), np.log(0.9), (n, m, 2)))
    boxes = np.concatenate([centers, sizes], axis=-1).astype(np.float32)
    boxes[:, m - padding :] = 0
    return boxes


def tensors(heads: list) -> list[paddle.Tensor]:
    return [paddle.to_tensor(head, stop_gradient=False) for head in heads]


def paddle_loss(
    heads: list, boxes: np.ndarray, ignore_iou: float = 0.7, anchors: tuple = ANCHORS, strides: tuple = STRIDES
) -> paddle.Tensor:
    """Paddle's own loss, the sum of that of each head."""
    sides, labels = [side for anchor in anchors for side in anchor], paddle.zeros(boxes.shape[:2], "int32")
    return sum(
        paddle.vision.ops.yolo_loss(
            head, paddle.to_tensor(boxes), labels, sides, list(mask), 1, ignore_iou, stride, use_label_smooth=False
        ).mean()
        for head, mask, stride in zip(heads, anchor_masks(len(anchors), strides), strides)
    )


def terms_of(heads: list, wanted: tuple, **settings: object) -> dict[str, float]:
    return values(Yolo3Loss(**settings)(tensors(heads), wanted))


def build(wanted: tuple, **settings: object) -> Targets:
    """Targets of a network whose every raw output is 0."""
    return Yolo3Loss(**settings).build_targets(RAW, GRIDS, wanted)


def values(terms: dict) -> dict[str, float]:
    return {name: float(term) for name, term in terms.items()}


def targets(*rows: tuple, ignore: tuple = ()) -> tuple:
    """One image with these boxes cxcywh, and ignored ones behind them."""
    boxes = np.array([[*rows, *ignore]], dtype=np.float32).reshape(1, -1, 4)
    flags = np.array([[0] * len(rows) + [1] * len(ignore)], dtype=np.float32)
    return boxes, flags


def test_gradients_equal_paddles() -> None:
    # So few truths that no two share a place: there Paddle's gradient forgets all but the last one, though
    # its loss counts each.
    boxes, heads = make_truths(3, 8, seed=4), random_heads(3, 416, 416, seed=4)
    theirs, ours = tensors(heads), tensors(heads)
    paddle_loss(theirs, boxes).backward()
    sum(Yolo3Loss()(ours, (boxes, np.zeros((3, 8)))).values()).backward()
    for own, other in zip(ours, theirs):
        np.testing.assert_allclose(own.grad.numpy(), other.grad.numpy(), atol=1e-6)


NINE = ((10, 13), (16, 30), (33, 23), (30, 61), (62, 45), (59, 119), (116, 90), (156, 198), (373, 326))


@pytest.mark.parametrize(
    ("anchors", "strides", "m"),
    [(NINE, (32, 16, 8), 20), (NINE[2:3], (8,), 20), (ANCHORS, STRIDES, 1), (ANCHORS, STRIDES, 60)],
)
def test_any_heads_equal_paddle(anchors: tuple, strides: tuple, m: int) -> None:
    boxes, channels = make_truths(2, m, padding=0), 6 * len(anchors) // len(strides)
    rng = np.random.default_rng(0)
    heads = tensors([rng.normal(0, 1.5, (2, channels, 160 // s, 160 // s)).astype(np.float32) for s in strides])
    ours = Yolo3Loss(anchors, strides)(heads, (boxes, np.zeros((2, m))))
    assert tuple(ours) == TERMS
    expected = float(paddle_loss(heads, boxes, 0.7, anchors, strides))
    assert sum(values(ours).values()) == pytest.approx(expected, rel=1e-4)


def test_perfect_outputs_rest_and_decode_to_the_truth() -> None:
    # A wide input, 96 x 160, so that a swap of rows and columns shows; one truth for each head.
    boxes, flags = targets((0.31, 0.42, 0.09, 0.16), (0.72, 0.55, 0.5, 0.9))
    grids = [(3, 5), (6, 10)]
    raw = np.zeros((1, 3 * (15 + 60), 6), dtype=np.float32)
    raw[..., 4] = -50
    built = Yolo3Loss().build_targets(raw, grids, (boxes, flags))
    assert (built.slots >= 45).tolist() == [True, False]
    raw[0, built.slots, :2] = np.log(built.offsets / (1 - built.offsets))
    raw[0, built.slots, 2:4] = built.log_sizes
    raw[0, built.slots, 4:] = 50
    parts = raw[:, :45].reshape(1, 3, 3, 5, 6), raw[:, 45:].reshape(1, 3, 6, 10, 6)
    heads = [np.moveaxis(part, -1, 2).reshape(1, 18, *grid) for part, grid in zip(parts, grids)]

    given = tensors(heads)
    terms = Yolo3Loss()(given, (boxes, flags))
    sum(terms.values()).backward()
    for name in ("wh", "objectness", "class"):
        assert float(terms[name]) == pytest.approx(0, abs=1e-5)
    for head in given:  # xy is a cross-entropy: at the truth not zero, but flat
        np.testing.assert_allclose(head.grad.numpy(), 0, atol=1e-5)
    found, scores = decode(heads)
    np.testing.assert_allclose(scores[0, built.slots], 1)
    expected = [(42.4, 32.64, 56.8, 48.0), (75.2, 9.6, 155.2, 96.0)]
    np.testing.assert_allclose(found[0, built.slots], expected, atol=1e-3)


@pytest.mark.parametrize(("right_edge", "unjudged"), [(39.9, 2), (40.1, 3), (55.9, 3), (56.1, 4)])
def test_predictions_half_in_an_ignored_box_are_not_judged(right_edge: float, unjudged: int) -> None:
    # Anchor 0 makes boxes 10 px wide with their centers at x = 8, 24, 40, 56, 72, 88.
    share = right_edge / 96
    built = build(targets(ignore=((share / 2, 0.5, share, 1.0),)))
    assert len(built.slots) == 0
    anchor0 = built.objectness_weight[0, 27 : 27 + 36].reshape(6, 6)
    np.testing.assert_array_equal(anchor0, np.repeat([np.arange(6) >= unjudged], 6, axis=0))
    # Anchor 5, 344 x 319, is larger than the image: no half of it can lie inside.
    assert (built.objectness_weight[0, 18:27] == 1).all()


def test_extra_anchors_learn_too() -> None:
    # IoU of sizes: 140 / 320 with anchor 0, 320 / 621 with anchor 1, 0.15 with anchor 2.
    truth = targets((0.3, 0.4, 16 / 96, 20 / 96))
    cell = 2 * 6 + 1
    for threshold in (None, 0.5):  # at 0.5 only the best anchor, which is there already
        assert build(truth, extra_anchor_iou=threshold).slots.tolist() == [27 + 36 + cell]
    extra = build(truth, extra_anchor_iou=0.4)
    assert extra.slots.tolist() == [27 + cell, 27 + 36 + cell]
    np.testing.assert_allclose(np.exp(extra.log_sizes), [(16 / 10, 20 / 14), (16 / 23, 20 / 27)], rtol=1e-5)


@pytest.mark.parametrize("m", [0, 1, 4])
def test_no_truth_at_all(m: int) -> None:
    heads = tensors(random_heads(2, 96, 96))
    terms = Yolo3Loss()(heads, (np.zeros((2, m, 4)), np.zeros((2, m))))
    sum(terms.values()).backward()
    assert values(terms) == {"xy": 0, "wh": 0, "class": 0, "objectness": float(terms["objectness"])}
    assert float(terms["objectness"]) > 0
    assert all(float(head.grad.abs().sum()) > 0 for head in heads)


@pytest.mark.parametrize("extra_anchor_iou", [None, 0.2])
def test_padding_does_not_matter(extra_anchor_iou: float | None) -> None:
    heads = random_heads(2, 96, 96)
    loss = Yolo3Loss(extra_anchor_iou=extra_anchor_iou)
    boxes = make_truths(1, 3, padding=0)
    wide = np.zeros((2, 40, 4), np.float32)
    wide[0, [3, 9, 20]] = boxes[0]  # zeros before, between and behind them, and a whole image of zeros
    terms = values(loss(tensors(heads), (wide, np.zeros((2, 40)))))
    first = values(loss(tensors([head[:1] for head in heads]), (boxes, np.zeros((1, 3)))))
    second = values(loss(tensors([head[1:] for head in heads]), (np.zeros((1, 0, 4)), np.zeros((1, 0)))))
    assert terms == pytest.approx({name: (first[name] + second[name]) / 2 for name in TERMS})


def test_extreme_outputs_stay_finite_and_nan_shows() -> None:
    heads = random_heads(1, 96, 96, spread=300)
    assert all(map(math.isfinite, terms_of(heads, targets(ONE)).values()))
    heads[1][0, 4, 0, 0] = np.nan  # the training loop stops at it, so it must not be hidden
    assert math.isnan(terms_of(heads, targets(ONE))["objectness"])
