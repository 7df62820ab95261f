"""The supernet against the networks that it holds, and the proxies against other ways to compute them."""

import numpy as np
import pytest

from fer_paddle.environment import paddle, seed_everything
from fer_paddle.search.proxies import grad_norm, naswot, rank_correlation, synflow
from fer_paddle.search.space import build_plain, plain_space
from fer_paddle.search.supernet import PlainSupernet, sandwich_loss
from fer_paddle.training.config import FitConfig
from fer_paddle.training.loop import fit

SPACE = plain_space(stages=2, widths=(8, 16), depths=(1, 3), kernels=(3, 5), activations=("elu",), sizes=(12,))
DESIGN = {"width0": 8, "depth0": 3, "kernel0": 5, "width1": 16, "depth1": 1, "kernel1": 3, "activation": "elu"}
DESIGN["size"] = 12


@pytest.fixture
def batch():
    seed_everything(0)
    return paddle.randn([8, 1, 12, 12]), paddle.to_tensor([0, 1, 2, 0, 1, 2, 0, 1])


def trained(batch, epochs=3):
    seed_everything(0)
    supernet = PlainSupernet(SPACE, num_classes=3)
    optimizer = paddle.optimizer.Adam(3e-3, parameters=supernet.parameters())
    loaders = {"train": [batch] * 4}
    history = fit(supernet, sandwich_loss, loaders, optimizer, config=FitConfig(epochs=epochs, monitor="train_loss"))
    return supernet, history


def test_a_cut_network_answers_as_the_shared_one_alone_once_its_norms_are_measured(batch):
    supernet, history = trained(batch)
    assert history[-1]["train_loss_largest"] < history[0]["train_loss_largest"] - 0.2
    expected = supernet.run(DESIGN, batch[0]).numpy()
    blind, measured = supernet.slice_design(DESIGN), supernet.slice_design(DESIGN, [batch[0].numpy()])
    far, near = (np.abs(network(batch[0]).numpy() - expected).max() for network in (blind, measured))
    assert near < 0.1 * far
    blind.train()  # both by the statistics of the batch
    np.testing.assert_allclose(blind(batch[0]).numpy(), expected, atol=1e-5)


def test_every_batch_teaches_the_largest_the_smallest_and_the_same_random_ones_again(batch):
    supernet = PlainSupernet(SPACE, random_designs=2, num_classes=3)
    asked = []
    supernet.run = lambda design, images: asked.append(design) or paddle.zeros([8, 3])
    for _ in range(2):
        seed_everything(5)  # as the loop does before each step
        supernet(batch[0])
    assert asked[:4] == asked[4:]
    assert asked[0] == supernet.largest and asked[1] == supernet.space.smallest and len(asked) == 8
    supernet.eval()
    assert len(supernet(batch[0])) == 2


def test_the_proxies_leave_the_network_as_it_was(batch):
    network = build_plain(DESIGN, num_classes=3)
    before = {name: tensor.numpy().copy() for name, tensor in network.state_dict().items() if "_mean" not in name}
    network.eval()
    values = grad_norm(network, *batch), synflow(network, (1, 12, 12)), naswot(network, batch[0])
    assert np.isfinite(values).all()
    after = network.state_dict()
    assert all(np.array_equal(before[name], after[name].numpy()) for name in before if "_variance" not in name)
    assert not any(weight.grad is not None and weight.grad.any() for weight in network.parameters())


def test_grad_norm_and_synflow_of_one_layer_by_hand(batch):
    network = paddle.nn.Sequential(paddle.nn.Flatten(), paddle.nn.Linear(144, 3))
    images, labels = batch
    pixels, weight, bias = images.flatten(1).numpy(), network[1].weight.numpy(), network[1].bias.numpy()
    scores = np.exp(pixels @ weight + bias)
    slope = (scores / scores.sum(1, keepdims=True) - np.eye(3)[labels.numpy()]) / 8
    expected = np.sqrt(((pixels.T @ slope) ** 2).sum() + (slope.sum(0) ** 2).sum())
    assert grad_norm(network, images, labels) == pytest.approx(expected, rel=1e-4)
    # Every weight meets a pixel of one and a gradient of one.
    assert synflow(network, (1, 12, 12)) == pytest.approx(np.log10(np.abs(weight).sum() + np.abs(bias).sum()))


def test_naswot_counts_what_two_images_switch_alike():
    network = paddle.nn.Sequential(paddle.nn.ReLU())
    images = paddle.to_tensor([[1.0, 1.0, -1.0], [1.0, -1.0, -1.0]])
    assert naswot(network, images) == pytest.approx(np.log(3 * 3 - 2 * 2))


@pytest.mark.parametrize("lists", [([1], [1]), ([1, 2], [1, 2, 3]), ([1, 1], [1, 2]), ([1, float("nan")], [1, 2])])
def test_what_has_no_ranks_is_named(lists):
    with pytest.raises(ValueError, match="expected"):
        rank_correlation(*lists)
