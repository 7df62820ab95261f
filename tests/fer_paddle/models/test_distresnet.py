"""DistResNet as the tutorial has it."""

import numpy as np
import pytest

from fer_paddle.environment import paddle, seed_everything
from fer_paddle.models.distresnet import Bottleneck, ConvBN, DistResNet

nn = paddle.nn


def trainable(network):
    return sum(parameter.size for parameter in network.parameters() if not parameter.stop_gradient)


@pytest.mark.parametrize(("num_classes", "expected"), [(7, 403_767), (10, 404_538)])
def test_parameters(num_classes, expected):
    assert trainable(DistResNet(num_classes)) == expected


@pytest.fixture(scope="module")
def network():
    seed_everything(0)
    return DistResNet()


@pytest.fixture(scope="module")
def blocks(network):
    return [layer for layer in network.sublayers() if isinstance(layer, Bottleneck)]


def test_strides_and_shortcuts(blocks):
    """Stride 2 in the 3x3 of the first block of stages 2 to 5; 1x1 and BN where the shape changes."""
    for number, block in enumerate(blocks):
        is_first = number % 3 == 0
        stride = 2 if is_first and number > 0 else 1
        assert (block.reduce[0]._stride, block.expand[0]._stride) == ([1, 1], [1, 1])
        assert block.spatial[0]._stride == [stride, stride]
        # The third stage doubles the filters, the second has those of the first but a stride of its own.
        if is_first:
            assert isinstance(block.shortcut, ConvBN)
            assert block.shortcut[0].weight.shape[2:] == [1, 1] and block.shortcut[0]._stride == [stride] * 2
        else:
            assert isinstance(block.shortcut, nn.Identity)


def test_the_last_scale_of_a_block_starts_at_zero(blocks):
    for block in blocks:
        assert (block.expand[1].weight.numpy() == 0).all()
        for norm in (block.reduce[1], block.spatial[1], block.after[0]):
            assert (norm.weight.numpy() == 1).all()


def test_a_new_block_gives_its_shortcut_through_elu_norm_and_elu():
    """ELU after the sum, then a further BN and ELU; with a last scale of zero the sum is the shortcut."""
    block = Bottleneck(64, 16)
    block.eval()
    features = paddle.randn([2, 64, 5, 5]) * 2
    elu = nn.functional.elu
    # A new norm in eval mode only divides by sqrt(1 + epsilon).
    expected = elu(elu(features) / np.sqrt(1 + 1e-5))
    np.testing.assert_allclose(block(features).numpy(), expected.numpy(), rtol=1e-5, atol=1e-6)
