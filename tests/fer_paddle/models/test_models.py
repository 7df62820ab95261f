"""Every design, after timm's test_models.py: shapes, no NaN, a gradient for every parameter, any size, to disk."""

import numpy as np
import pytest

from fer_paddle.environment import paddle, seed_everything
from fer_paddle.expression.losses import AuxiliaryHead
from fer_paddle.models import DESIGNS, blocks, build_model, distresnet, find_design
from fer_paddle.models.network import evaluating

nn = paddle.nn
SIZE = 32  # small, for the sweep goes through many networks
each_design = pytest.mark.parametrize("name", DESIGNS)


@pytest.fixture(scope="module")
def networks():
    """Every design once; tests that change one build their own."""
    built = {}

    def get(name):
        if name not in built:
            seed_everything(0)
            model, arguments = find_design(name)
            built[name] = build_model(model, **arguments)
        built[name].eval()
        return built[name]

    return get


def trainable(network):
    return [(name, tensor) for name, tensor in network.named_parameters() if not tensor.stop_gradient]


@each_design
def test_features_and_logits_of_any_size(name, networks):
    network = networks(name)
    for size in ((SIZE, SIZE), (16, 16), (99, 48)):
        images = paddle.randn([2, 1, *size])
        with paddle.no_grad():
            features, logits = network.embed(images), network(images)
            np.testing.assert_array_equal(network.classify(features).numpy(), logits.numpy())
        assert (features.shape, logits.shape) == ([2, network.num_features], [2, 7]) and network.num_classes == 7
        assert np.isfinite(logits.numpy()).all() and isinstance(network.classify, nn.Linear)
        assert not np.array_equal(logits.numpy()[0], logits.numpy()[1])  # it looks at the image


@each_design
def test_a_gradient_for_every_parameter_with_the_auxiliary_head_too(name):
    model, arguments = find_design(name)
    network = AuxiliaryHead(build_model(model, **arguments))
    for _, parameter in trainable(network):  # scales that start at zero would hide what lies before them
        if not parameter.numpy().any():
            parameter.set_value(paddle.full(parameter.shape, 0.5))
    logits, votes = network(paddle.randn([3, 1, SIZE, SIZE]))
    (nn.functional.cross_entropy(logits, paddle.to_tensor([0, 1, 2])) + votes.square().mean()).backward()
    for parameter_name, parameter in trainable(network):
        assert parameter.grad is not None, parameter_name
        gradient = parameter.grad.numpy()
        assert np.isfinite(gradient).all() and gradient.any(), parameter_name


@pytest.mark.parametrize("training", [True, False])
def test_eval_mode_for_a_block(training):
    network = nn.Sequential(nn.Dropout())
    network.train() if training else network.eval()
    with pytest.raises(RuntimeError, match="power cut"), evaluating(network):
        assert not network.training and not network[0].training
        raise RuntimeError("power cut")
    assert network.training == network[0].training == training


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("distresnet", 403_767),
        ("mini_xception", 49_783),  # the paper's 56,951 less 128 * 7 * (9 - 1): a linear layer for the 3x3 convolution
        ("resnet18", 2_796_263),
        ("vgg8", 1_174_439),
        # convolutions of 9 weights a pair of channels, two figures of normalization a channel, the linear layer
        ("vgg8_flat", 9 * (24 + 24**2 + 24 * 32 + 32**2 + 32 * 48 + 3 * 48**2) + 4 * (24 + 32 + 48 + 48) + 49 * 7),
    ],
)
def test_parameters_by_formula(name, expected, networks):
    assert sum(tensor.size for _, tensor in trainable(networks(name))) == expected


def test_strides_and_shortcuts_of_distresnet(networks):
    """Stride 2 in the 3x3 of the first block of stages 2 to 5; 1x1 and BN where the shape changes."""
    found = [layer for layer in networks("distresnet").sublayers() if isinstance(layer, distresnet.Bottleneck)]
    for number, block in enumerate(found):
        stride = [2 if number % 3 == 0 and number > 0 else 1] * 2
        assert (block.reduce[0]._stride, block.spatial[0]._stride, block.expand[0]._stride) == ([1, 1], stride, [1, 1])
        # The third stage doubles the filters, the second has those of the first but a stride of its own.
        if number % 3:
            assert isinstance(block.shortcut, nn.Identity)
        else:
            assert block.shortcut[0].weight.shape[2:] == [1, 1] and block.shortcut[0]._stride == stride


def test_a_new_block_of_distresnet_gives_its_shortcut_through_elu_norm_and_elu():
    """ELU after the sum, then a further BN and ELU; with a last scale of zero the sum is the shortcut."""
    block = distresnet.Bottleneck(64, 16)
    block.eval()
    features, elu = paddle.randn([2, 64, 5, 5]) * 2, nn.functional.elu
    # A new norm in eval mode only divides by sqrt(1 + epsilon).
    expected = elu(elu(features) / np.sqrt(1 + 1e-5))
    np.testing.assert_allclose(block(features).numpy(), expected.numpy(), rtol=1e-5, atol=1e-6)


def test_cbam_weighs_channels_then_places():
    block = blocks.ConvolutionalAttention(8, kernel=1)
    block.place.weight.set_value(paddle.to_tensor([[[[2.0]], [[-1.0]]]]))
    x = paddle.randn([1, 8, 4, 4])
    by_channel = nn.functional.sigmoid(
        block.channel(x.mean((2, 3), keepdim=True)) + block.channel(x.max((2, 3), keepdim=True))
    )
    weighed = (x * by_channel).numpy()
    gate = 1 / (1 + np.exp(-(2 * weighed.mean(1, keepdims=True) - weighed.max(1, keepdims=True))))
    np.testing.assert_allclose(block(x).numpy(), weighed * gate, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("resnet18", {"width": 0}, "a width above 0"),
        ("resnet18", {"attention": "eca"}, "expected attention of none, se, cbam, got 'eca'"),
        ("vgg8", {"channels": []}, r"expected channels of 1 or more for 1 to 8 stages, got \[\]"),
        ("shufflenet_v2", {"width": 0.7}, "expected a width of 0.25, 0.33, .*, got 0.7"),
        ("mini_xception", {"width": 2}, "expected arguments that the model 'mini_xception' has, got {'width': 2}"),
        ("distresnet", {"in_channels": 0}, "expected num_classes and in_channels of 1 to 4096"),
        ("resnet", {}, "expected a model of distresnet.*, got 'resnet'"),
    ],
)
def test_arguments_out_of_range(name, arguments, says):
    with pytest.raises(ValueError, match=says):
        build_model(name, **arguments)
