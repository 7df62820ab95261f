"""Embeddings: the last features of a network, laid out on a plane by t-SNE.

Source: van der Maaten and Hinton 2008, "Visualizing Data using t-SNE".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fer_paddle.analysis.metrics import check_labels
from fer_paddle.analysis.plots import class_texts, figure_of, take_axis
from fer_paddle.environment import paddle
from fer_paddle.images import predict
from fer_paddle.labels import EXPRESSIONS, class_colors
from fer_paddle.models.network import evaluating, image_tensor


def embed(network: paddle.nn.Layer, images: np.ndarray) -> np.ndarray:
    """Return the features [N, num_features] that the last layer of a network sees, of images [N, 1, H, W]."""
    with paddle.no_grad(), evaluating(network):
        return predict(lambda batch: network.embed(image_tensor(batch)).numpy(), images)


def lay_out(features: np.ndarray, perplexity: float = 30.0) -> np.ndarray:
    """Lay out features [N, F] on a plane by t-SNE, float32 [N, 2]; distances between groups mean nothing.

    The perplexity is about how many neighbors each face has: above 0 and below N.
    """
    from sklearn.manifold import TSNE

    if not 0 < perplexity < len(features):
        raise ValueError(f"expected a perplexity above 0 and below the {len(features)} faces, got {perplexity}")
    return TSNE(perplexity=perplexity, init="pca", learning_rate="auto", random_state=0).fit_transform(features)


def plot_embedding(
    points: np.ndarray,
    labels: np.ndarray,
    axis: Axes | None = None,
    names: Sequence[str] = EXPRESSIONS,
    title: str = "",
) -> Figure:
    """Draw points [N, 2] of `lay_out` in the colors of their classes, labels int [N]."""
    labels = check_labels(labels, len(points), len(names))
    axis = take_axis(axis, (4.6, 4.2))
    shown, (texts, font) = {}, class_texts(names, 7)
    for index in np.unique(labels):
        chosen = points[labels == index]
        color = np.array(class_colors(names)[index][::-1]) / 255
        shown[texts[index]] = axis.scatter(chosen[:, 0], chosen[:, 1], s=7, color=color, linewidths=0)
    axis.set(xticks=[], yticks=[])
    axis.set_title(title, fontsize=10)
    axis.legend(list(shown.values()), list(shown), prop=font, markerscale=2)
    return figure_of(axis)
