"""Test-time augmentation (TTA) and ensembles: the mean of the probabilities over several views and networks.

Source: Krizhevsky et al. 2012, "ImageNet classification with deep convolutional neural networks", section 4.1;
ensembles: Hansen and Salamon 1990, "Neural network ensembles".
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

import numpy as np

from fer_paddle.environment import paddle
from fer_paddle.expression.files import ExpressionModel
from fer_paddle.images import faces_to_batch, predict

CROP = 0.9  # side of a crop over that of the image; Krizhevsky et al. have 0.875


class TTAClassifier:
    """A classifier of face crops that shows each in several views to each of several networks.

    Args:
        networks: One or more expression networks; they are put into eval mode.
        sizes: Side in pixels that each network sees the faces at, as many as networks.
        scales: Times these sides: (0.9, 1, 1.1) shows each face in three sizes.
        flip: Add the mirror image of each.
        five_crop: Enlarge each face by 1 / CROP and see its four corners and its center instead of the whole (with
            `flip` the ten crops of the source).
    """

    def __init__(
        self,
        networks: Sequence[paddle.nn.Layer],
        sizes: Sequence[int],
        scales: Sequence[float] = (1.0,),
        flip: bool = True,
        five_crop: bool = False,
    ):
        self.networks, self.sizes, self.scales = list(networks), tuple(sizes), tuple(scales)
        self.flip, self.five_crop = flip, five_crop
        for network in self.networks:
            network.eval()

    @property
    def views(self) -> int:
        """Passes through a network for one face."""
        return len(self.networks) * len(self.scales) * (5 if self.five_crop else 1) * (2 if self.flip else 1)

    @paddle.no_grad()
    def __call__(self, crops: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
        """Return the mean probabilities, float32 [N, num_classes], of crops uint8, gray or BGR, of any sizes."""
        if not len(crops):
            return np.zeros((0, self.networks[0].num_classes), np.float32)
        return predict(self._mean_probs, crops)

    def _mean_probs(self, crops: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
        probs = paddle.zeros([len(crops), self.networks[0].num_classes])
        for network, size in zip(self.networks, self.sizes):
            for view in self._show(crops, size):
                probs += paddle.nn.functional.softmax(network(view))
        return (probs / self.views).numpy()

    def _show(self, crops: Sequence[np.ndarray] | np.ndarray, size: int) -> Iterable[paddle.Tensor]:
        """Give the views for a network of a side in pixels, float32 [N, 1, side, side] each."""
        for side in (max(1, round(scale * size)) for scale in self.scales):
            full = round(side / CROP) if self.five_crop else side
            images = paddle.to_tensor(faces_to_batch(crops, full))
            end = full - side
            corners = [(0, 0), (0, end), (end, 0), (end, end), (end // 2, end // 2)]
            for top, left in corners if self.five_crop else [(0, 0)]:
                view = images[:, :, top : top + side, left : left + side]
                yield from (view, view.flip(3)) if self.flip else (view,)


def load_ensemble(
    paths: Sequence[str | os.PathLike[str]],
    scales: Sequence[float] = (1.0,),
    flip: bool = False,
    five_crop: bool = False,
) -> tuple[TTAClassifier, tuple[str, ...]]:
    """Read `.safetensors` files as one classifier, each network at the side in its card; return it and its classes."""
    loaded = [ExpressionModel.load(path) for path in paths]
    classes = {model.classes for model in loaded}
    if len(classes) != 1:
        raise ValueError(f"expected networks of the same classes, got {len(classes)} different lists")
    sizes = [model.input_size for model in loaded]
    return TTAClassifier([model.network for model in loaded], sizes, scales, flip, five_crop), classes.pop()
