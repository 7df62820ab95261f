"""One backbone, two answers: a classifier's network whose feature maps a landmark head reads, too.

The classifier stays as it is: its layers are frozen while the head is trained on its maps. The joined network then
costs one backbone, and its ONNX file has two outputs. Source: multi-task learning, Caruana 1997.
"""

from __future__ import annotations

import fnmatch
import os

import numpy as np

from fer_paddle.deployment.export import Parity, export_network
from fer_paddle.environment import paddle
from fer_paddle.landmarks.model import LandmarkNetwork
from fer_paddle.landmarks.predict import LandmarkSettings
from fer_paddle.models.network import FaceNetwork
from fer_paddle.training.transfer import HEADS, drop_keys, freeze, merge_states, start_from, with_prefix, without_prefix
from fer_paddle.weights import load_into, state_arrays

LANDMARK_HEADS = ("regression.*", "heatmap.*")
OUTPUTS = ("logits", "points")


class JoinedNetwork(paddle.nn.Layer):
    """A classifier and a landmark head on one backbone: images -> logits [N, C] and points [N, 68, 2]."""

    def __init__(self, classifier: FaceNetwork, landmarks: LandmarkNetwork):
        super().__init__()
        self.classifier, self.landmarks = classifier, landmarks
        landmarks.backbone = classifier

    def forward(self, images: paddle.Tensor) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Return logits and points in eval mode: images float32 [N, 1, S, S], normalized by images.normalize."""
        maps, last = self.landmarks.features(images)
        return self.classifier.classify(self.classifier.pool(last).flatten(1)), self.landmarks.read(maps)


def start_on(network: LandmarkNetwork, classifier: FaceNetwork) -> list[str]:
    """Give a landmark network a classifier's backbone, frozen; return what is. ValueError: the backbones differ."""
    arrays = with_prefix(drop_keys(state_arrays(classifier), HEADS[:1]), "backbone.")
    start_from(network, arrays, [heads for heads in LANDMARK_HEADS if fnmatch.filter(network.state_dict(), heads)])
    return freeze(network, ["backbone.*"])


def join(classifier: FaceNetwork, landmarks: LandmarkNetwork) -> JoinedNetwork:
    """Join a classifier and a landmark network that was trained on its frozen backbone.

    Raises:
        ValueError: The backbones are not the same, to the last weight.
    """
    own, theirs = drop_keys(state_arrays(classifier), HEADS[:1]), state_arrays(landmarks)
    backbone = without_prefix(theirs, "backbone.")
    if own.keys() != backbone.keys() or not all(np.array_equal(own[name], backbone[name]) for name in own):
        raise ValueError("expected a landmark network on the classifier's own backbone, got one on another")
    state = merge_states(
        with_prefix(state_arrays(classifier), "classifier."),
        with_prefix(state_arrays(classifier), "landmarks.backbone."),
        with_prefix(drop_keys(theirs, ["backbone.*"]), "landmarks."),
    )
    joined = JoinedNetwork(classifier, landmarks)
    load_into(joined, state)
    joined.eval()
    return joined


def export_joined(
    network: JoinedNetwork, path: str | os.PathLike[str], margin: float, crops: np.ndarray, metadata: dict[str, str]
) -> Parity:
    """Write a joined network as ONNX with outputs `logits` and `points`, once it agrees with Paddle on the crops."""
    settings = LandmarkSettings(network.landmarks.input_size, margin)
    size = settings.input_size
    spec = {"images": (None, 1, size, size)}
    return export_network(network, path, spec, {**metadata, **settings.to_metadata()}, crops, "crops", OUTPUTS)
