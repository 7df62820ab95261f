"""The losses against Paddle's own, the papers' equations, and their gradients at the places that matter."""

import numpy as np
import pytest

from fer_paddle.environment import paddle
from fer_paddle.landmarks.heatmaps import draw_heatmaps, soft_argmax
from fer_paddle.landmarks.losses import LOSSES, LandmarkLoss, adaptive_wing

ERRORS = np.array([-30, -10, -2, -1, -0.5, 0, 0.25, 1, 3, 9.999, 10, 12], np.float32)


def by_hand(name: str, error: float) -> float:
    """The equations, one error at a time."""
    size = abs(error)
    if name == "wing":
        return 10 * np.log(1 + size / 2) if size < 10 else size - (10 - 10 * np.log(1 + 10 / 2))
    return {"l1": size, "l2": size**2 / 2, "smooth_l1": size**2 / 2 if size < 1 else size - 0.5}[name]


@pytest.mark.parametrize("name", LOSSES)
def test_each_loss_is_its_equation_and_its_gradient_is_finite_everywhere(name):
    errors = paddle.to_tensor(ERRORS, stop_gradient=False)
    values = LOSSES[name](errors)
    np.testing.assert_allclose(values.numpy(), [by_hand(name, float(error)) for error in ERRORS], rtol=1e-5, atol=1e-6)
    values.sum().backward()
    assert np.isfinite(errors.grad.numpy()).all()


def test_adaptive_wing_is_continuous_at_theta_and_finite_at_zero():
    for target in (0.0, 0.5, 1.0):
        near = paddle.to_tensor(np.array([0.0, 0.4999, 0.5001, 1.0], np.float32), stop_gradient=False)
        values = adaptive_wing(near, paddle.full_like(near, target))
        values.sum().backward()
        numbers = values.numpy()
        assert abs(numbers[2] - numbers[1]) < 0.02 and (np.diff(numbers) > 0).all() and abs(numbers[0]) < 1e-4
        assert np.isfinite(near.grad.numpy()).all()
        assert abs(near.grad.numpy()[2] - near.grad.numpy()[1]) < 0.05


def test_a_drawn_heatmap_is_read_back_by_its_soft_argmax():
    points = paddle.to_tensor(np.random.default_rng(0).uniform(0.25, 0.75, (2, 68, 2)).astype(np.float32))
    maps = draw_heatmaps(points, 24, 24, 0.05).reshape([2, 68, 24, 24])
    # The logarithm of a Gaussian, as raw map, has that Gaussian as its softmax.
    read = soft_argmax(paddle.log(maps))
    np.testing.assert_allclose(read.numpy(), points.numpy(), atol=2e-3)
    assert maps.max() <= 1


def test_a_term_for_each_head_in_pixels_of_the_crop():
    points = paddle.zeros([2, 68, 2])
    outputs = {"regression": points + 0.5, "heatmap": points - 0.25, "maps": paddle.zeros([2, 68, 6, 6])}
    terms = LandmarkLoss("l1", 96)(outputs, points)
    assert {name: float(term) for name, term in terms.items()} == pytest.approx({"regression": 48, "heatmap": 24})
    assert set(LandmarkLoss("l1", 96, maps_weight=1)(outputs, points)) == {"regression", "heatmap", "maps"}
    assert float(LandmarkLoss("l1", 96)(points + 0.5, points)["points"]) == pytest.approx(48)
