"""A network small enough to prune in milliseconds, with what makes pruning hard: a sum, and ELU."""

import pytest

from fer_paddle.environment import paddle, seed_everything

nn = paddle.nn
SHAPE = (1, 1, 8, 8)


class SmallNet(nn.Layer):
    """float32 [N, 1, H, W] -> [N, 3]: a convolution, a residual block, a mean and a linear layer."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2D(1, 8, 3, padding=1, bias_attr=False), nn.BatchNorm2D(8), nn.ELU())
        self.first = nn.Sequential(nn.Conv2D(8, 6, 3, padding=1, bias_attr=False), nn.BatchNorm2D(6), nn.ELU())
        self.second = nn.Sequential(nn.Conv2D(6, 8, 1, bias_attr=False), nn.BatchNorm2D(8))
        self.pool = nn.AdaptiveAvgPool2D(1)
        self.classify = nn.Linear(8, 3)

    def forward(self, images):
        features = self.stem(images)
        features = nn.functional.elu(features + self.second(self.first(features)))
        return self.classify(self.pool(features).flatten(1))


def make_small_net():
    """Makes the network with every parameter random, so that no scale or mean hides a mistake."""
    seed_everything(0)
    network = SmallNet()
    for tensor in network.state_dict().values():
        tensor.set_value(paddle.uniform(tensor.shape, min=0.1, max=1.0))
    for convolution in (network.stem[0], network.first[0], network.second[0]):
        convolution.weight.set_value(paddle.randn(convolution.weight.shape))
    network.eval()
    return network


@pytest.fixture
def small_net():
    return make_small_net()


@pytest.fixture(scope="session")
def make_net():
    """The function that makes the same network again; modules here cannot import one another by name."""
    return make_small_net
