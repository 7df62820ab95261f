"""The interface of MODELS in a few weights; batch normalization has what a training could wrongly change."""

from fer_paddle.environment import paddle

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
