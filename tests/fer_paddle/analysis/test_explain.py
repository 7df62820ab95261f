"""Feature maps, Grad-CAM, saliency and occlusion of a network whose gradients are known."""

import numpy as np
import pytest

from fer_paddle.analysis.embeddings import embed, lay_out, plot_embedding
from fer_paddle.analysis.features import capture, feature_maps
from fer_paddle.analysis.gradcam import class_saliency, grad_cam, grad_cam_plus_plus, occlusion
from fer_paddle.environment import paddle
from fer_paddle.expression.explain import plot_explanations, write_figures
from tests.fer_paddle.tiny_expressions import TinyExpressions

IMAGES = np.random.default_rng(0).normal(size=(2, 1, 16, 16)).astype(np.float32)
CLASSES = np.array([2, 0])


@pytest.fixture(scope="module")
def tiny_network():
    paddle.seed(3)
    return TinyExpressions(3, dropout=0.5)  # must be off: maps are of the network in use


def logits_of(network, images=IMAGES):
    network.eval()
    with paddle.no_grad():
        return network(paddle.to_tensor(images)).numpy()


def test_grad_cam_is_cam_where_a_mean_and_a_linear_layer_follow(tiny_network):
    """Selvaraju et al. 2017, section 3.1: a_k is the weight of the linear layer over the pixels of the map."""
    maps = feature_maps(tiny_network, IMAGES, ["features"])["features"]  # [2, 4, 8, 8]
    weights = tiny_network.classify.weight.numpy()[:, CLASSES].T  # [2, 4]
    expected = np.maximum(np.einsum("nk,nkhw->nhw", weights / 64, maps), 0)
    np.testing.assert_allclose(grad_cam(tiny_network, IMAGES, "features", CLASSES), expected, atol=1e-6)


def test_grad_cam_plus_plus_by_the_papers_equations(tiny_network):
    """Equations 11 and 19 written as loops, with the slopes of Y = exp(S) to the third."""
    maps = feature_maps(tiny_network, IMAGES, ["features"])["features"][:1].astype(np.float64)
    slope = tiny_network.classify.weight.numpy()[:, 2] / 64  # d logit / d A_k, alike at each pixel
    score = np.exp(logits_of(tiny_network)[0, 2])
    expected = np.zeros((8, 8))
    for k in range(4):
        first, second, third = score * slope[k], score * slope[k] ** 2, score * slope[k] ** 3
        alpha = second / (2 * second + maps[0, k].sum() * third)
        expected += 64 * alpha * max(first, 0) * maps[0, k]
    found = grad_cam_plus_plus(tiny_network, IMAGES[:1], "features", CLASSES[:1])[0]
    np.testing.assert_allclose(found * score, np.maximum(expected, 0), rtol=1e-4, atol=1e-6)


def test_saliency_is_a_finite_difference(tiny_network):
    found = class_saliency(tiny_network, IMAGES, CLASSES)
    assert found.shape == (2, 16, 16)
    step = 1e-2
    for row, column in ((5, 5), (0, 15)):
        up, down = IMAGES.copy(), IMAGES.copy()
        up[:, 0, row, column] += step
        down[:, 0, row, column] -= step
        slope = (logits_of(tiny_network, up) - logits_of(tiny_network, down))[[0, 1], CLASSES] / (2 * step)
        np.testing.assert_allclose(found[:, row, column], np.abs(slope), atol=2e-4)


def test_occlusion_loses_what_the_covered_place_gave(tiny_network):
    heat = occlusion(tiny_network, IMAGES[0], 2, patch=4, stride=4)
    assert heat.shape == (16, 16)
    covered = IMAGES[:1].copy()
    covered[0, 0, 4:8, 12:16] = 0
    both = np.exp(np.concatenate([logits_of(tiny_network), logits_of(tiny_network, covered)]))
    probs = both / both.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(heat[4:8, 12:16], probs[0, 2] - probs[2, 2], atol=1e-6)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        *(
            (lambda network, settings=settings: occlusion(network, IMAGES[0], **settings), "expected")
            for settings in ({"patch": 17}, {"patch": 0}, {"stride": 0}, {"patch": 4, "stride": 5}, {"label": 3})
        ),
        (lambda network: grad_cam(network, IMAGES, "nowhere"), "nowhere"),
        (lambda network: grad_cam(network, IMAGES, "classify"), "maps"),  # a layer without maps
        (
            lambda network: grad_cam(network, IMAGES, "features", np.array([3, 0])),
            "indices 0 to 2, got int64 .* 0 to 3",
        ),
        (lambda network: grad_cam(network, IMAGES, "features", np.array([1])), "expected 2 class indices"),
        *(
            (
                lambda network, use=use, images=images: use(network, images),
                "expected (finite images|at least one image)",
            )
            for images in (IMAGES[:0], IMAGES[0], IMAGES.astype(np.uint8), np.full_like(IMAGES, np.nan))
            for use in (
                embed,
                class_saliency,
                lambda network, images: grad_cam(network, images, "features"),
                lambda network, images: feature_maps(network, images, ["features"]),
            )
        ),
    ],
)
def test_wrong_arguments_are_named(tiny_network, call, words):
    with pytest.raises(ValueError, match=words):
        call(tiny_network)


def test_the_network_is_left_as_it_was(tiny_network):
    tiny_network.train()
    grad_cam(tiny_network, IMAGES, "features")
    assert tiny_network.training and not tiny_network.features._forward_post_hooks
    assert all(parameter.grad is None for parameter in tiny_network.parameters())
    with pytest.raises(ZeroDivisionError), capture(tiny_network, ["features"]):
        raise ZeroDivisionError
    assert not tiny_network.features._forward_post_hooks


def test_grad_cam_of_a_frozen_network(tiny_network):
    expected = grad_cam(tiny_network, IMAGES, "features", CLASSES)
    for parameter in tiny_network.parameters():
        parameter.stop_gradient = True
    try:
        np.testing.assert_array_equal(grad_cam(tiny_network, IMAGES, "features", CLASSES), expected)
    finally:
        for parameter in tiny_network.parameters():
            parameter.stop_gradient = False


def test_embedding_is_the_networks_and_groups_stay_together(tiny_network):
    tiny_network.eval()
    with paddle.no_grad():
        expected = tiny_network.embed(paddle.to_tensor(IMAGES)).numpy()
    np.testing.assert_allclose(embed(tiny_network, IMAGES), expected, atol=1e-6)
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 12)
    features = rng.normal(size=(24, 5)) + 20 * labels[:, None]
    points = lay_out(features, perplexity=5)
    distances = np.linalg.norm(points[:, None] - points[None], axis=2) + 1e9 * np.eye(24)
    assert (labels[distances.argmin(axis=1)] == labels).all()
    assert len(plot_embedding(points, labels).axes[0].collections) == 2
    with pytest.raises(ValueError, match="perplexity"):
        lay_out(features, perplexity=24)


def test_sheets_and_files(tiny_network, tmp_path):
    crops = [np.random.default_rng(1).integers(0, 256, (20, 18, 3), np.uint8)] * 2
    figure = plot_explanations(tiny_network, crops, 16, names=("a", "b", "c"))
    assert len(figure.axes) == 10 and figure.axes[1].get_title() == "Grad-CAM features"
    with pytest.raises(ValueError, match="at least one face"):
        plot_explanations(tiny_network, [], 16)
    probs = np.random.default_rng(0).dirichlet(np.ones(7), 20)
    written = write_figures(tmp_path / "图", probs, np.arange(20) % 7)
    assert sorted(path.name for path in (tmp_path / "图").iterdir()) == sorted(path.name for path in written)
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written)
