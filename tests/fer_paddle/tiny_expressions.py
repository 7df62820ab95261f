"""Faces of noise, and the interface of MODELS in a few weights with what a training could wrongly change."""

import numpy as np

from fer_paddle.environment import paddle
from fer_paddle.expression.data.faces import LabelledFaces
from fer_paddle.labels import EXPRESSIONS

nn = paddle.nn


class TinyExpressions(nn.Layer):
    """A convolution of stride 2, the mean over the image, one linear layer: Grad-CAM is CAM, with a closed form."""

    def __init__(self, num_classes=7, width=4, dropout=0.0):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2D(1, width, 3, 2, padding=1), nn.BatchNorm2D(width), nn.ReLU())
        self.pool, self.drop = nn.AdaptiveAvgPool2D(1), nn.Dropout(dropout)
        self.num_features, self.num_classes = width, num_classes
        self.classify = nn.Linear(width, num_classes)

    def embed(self, images):
        return self.drop(self.pool(self.features(images)).flatten(1))

    def forward(self, images):
        return self.classify(self.embed(images))


def noise_faces(count, side, classes=EXPRESSIONS, seed=0, **columns):
    """Faces of noise, the classes in turn."""
    images = np.random.default_rng(seed).integers(0, 256, (count, side, side), np.uint8)
    return LabelledFaces(images, np.arange(count) % len(classes), classes=classes, **columns)
