"""A network small enough to check gradients by hand."""

import pytest


@pytest.fixture(scope="session")
def tiny_network():
    """Maps [N, 4, 8, 8], mean, linear: for it, Grad-CAM is the older CAM and has a closed form."""
    from fer_paddle.environment import paddle

    nn = paddle.nn

    class TinyNetwork(nn.Layer):
        def __init__(self):
            super().__init__()
            self.stem = nn.Sequential(nn.Conv2D(1, 4, 3, 2, padding=1), nn.ELU())
            self.pool = nn.AdaptiveAvgPool2D(1)
            self.drop = nn.Dropout(0.5)  # must be off: maps are of the network in use
            self.classify = nn.Linear(4, 3)
            self.num_features = 4

        def embed(self, images):
            return self.drop(self.pool(self.stem(images)).flatten(1))

        def forward(self, images):
            return self.classify(self.embed(images))

    paddle.seed(3)
    return TinyNetwork()
