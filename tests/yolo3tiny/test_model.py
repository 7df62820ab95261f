"""Both networks: layers, counts and sizes, those of the original, gradients everywhere, the same numbers in ONNX."""

import numpy as np
import paddle
import pytest

from fer_paddle.analysis.complexity import count_flops
from yolo3tiny.model import NETWORKS, Yolo3Lite, Yolo3Tiny


def count(model: paddle.nn.Layer, *, trainable: bool) -> int:
    return sum(int(p.size) for p in model.parameters() if p.stop_gradient is not trainable)


def layers_of(model: paddle.nn.Layer, kind: type) -> list:
    return [layer for layer in model.sublayers() if isinstance(layer, kind)]


def test_parameters_and_shapes_at_width_1() -> None:
    model = Yolo3Tiny()
    # Convolutions 8,649,648, batch norm scale and shift 2 x 3,184, heads 512 x 18 + 18 and 256 x 18 + 18.
    assert count(model, trainable=True) == 8_669_876
    assert count(model, trainable=False) == 2 * 3_184  # running mean and variance
    assert [head.shape for head in model(paddle.rand([1, 3, 96, 64]))] == [[1, 18, 3, 2], [1, 18, 6, 4]]


def test_the_lite_network_is_thin() -> None:
    model = Yolo3Lite()
    assert count(model, trainable=True) == 262_732
    works = [count_flops(network, (1, 3, 416, 416)) for network in (model, Yolo3Tiny(width=0.5))]
    assert works[0] < works[1] / 2
    layers = dict(model.named_sublayers())
    assert [layers[name].weight.shape[0] for name in model.last_layers] == [12, 12, 12]


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("width", [0.1, 0.375])
@pytest.mark.parametrize(("n", "h", "w"), [(1, 32, 32), (2, 64, 96), (1, 160, 64), (3, 96, 96)])
def test_output_shapes_without_nan(kind: str, width: float, n: int, h: int, w: int) -> None:
    model = NETWORKS[kind](width)
    heads = model(paddle.rand([n, 3, h, w]))
    channels = 6 // len(model.strides) * 6
    expected = [[n, channels, h // stride, w // stride] for stride in model.strides]
    assert [head.shape for head in heads] == expected
    assert all(np.isfinite(head.numpy()).all() for head in heads)


def test_last_pool_keeps_size_and_no_padding_wins() -> None:
    pool = layers_of(Yolo3Tiny(width=0.1), paddle.nn.MaxPool2D)[-1]
    # All values negative: a zero from padding would show at the right and bottom.
    x = -1 - np.random.default_rng(0).random((1, 2, 5, 7)).astype(np.float32)
    repeated = np.pad(x, ((0, 0), (0, 0), (0, 1), (0, 1)), mode="edge")
    expected = np.maximum.reduce([repeated[..., i : i + 5, j : j + 7] for i in (0, 1) for j in (0, 1)])
    np.testing.assert_array_equal(pool(paddle.to_tensor(x)).numpy(), expected)


@pytest.mark.parametrize("kind", NETWORKS)
def test_sizes_off_the_grid_and_impossible_models_are_refused(kind: str) -> None:
    for h, w in ((48, 64), (64, 40), (31, 32)):
        with pytest.raises(ValueError, match="multiples of 32"):
            NETWORKS[kind](width=0.1)(paddle.rand([1, 3, h, w]))
    for width in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="a width above 0"):
            NETWORKS[kind](width)
