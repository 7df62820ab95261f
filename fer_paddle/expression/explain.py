"""Sheets of explanations: four maps for each face, and the figures of a whole data set."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from fer_paddle.analysis.calibration import plot_reliability
from fer_paddle.analysis.features import last_layer_of_side
from fer_paddle.analysis.gradcam import class_saliency, grad_cam, grad_cam_plus_plus, occlusion
from fer_paddle.analysis.metrics import confusion_matrix
from fer_paddle.analysis.plots import class_texts, plot_class_figures, plot_confusion, plot_heat, plot_roc, save_figure
from fer_paddle.environment import paddle
from fer_paddle.images import faces_to_batch, resize, to_gray, to_square
from fer_paddle.labels import EXPRESSIONS
from fer_paddle.models.network import evaluating


def plot_explanations(
    network: paddle.nn.Layer,
    crops: Sequence[np.ndarray],
    size: int,
    layer: str | None = None,
    names: Sequence[str] = EXPRESSIONS,
) -> Figure:
    """Draw a row for each face: the face, Grad-CAM, Grad-CAM++, saliency and occlusion of the predicted class.

    Crops are uint8, shown to the network at `size` px; `layer` of Grad-CAM is by default features.last_layer_of_side.
    ValueError: there is no crop, or the layer is unknown.
    """
    if not len(crops):
        raise ValueError("expected at least one face to explain, got none")
    images = faces_to_batch(crops, size)
    layer = layer or last_layer_of_side(network, size)
    with paddle.no_grad(), evaluating(network):
        probs = paddle.nn.functional.softmax(network(paddle.to_tensor(images))).numpy()
    maps = (
        grad_cam(network, images, layer),
        grad_cam_plus_plus(network, images, layer),
        class_saliency(network, images),
    )
    figure = Figure((9.0, 2.0 * len(crops)), dpi=90, layout="constrained")
    axes = figure.subplots(len(crops), 5, squeeze=False)
    texts, font = class_texts(names, 9)
    titles = (f"Grad-CAM {layer}", "Grad-CAM++", "saliency", "occlusion")
    for row, crop, image, prob, *heats in zip(axes, crops, images, probs, *maps):
        face, said = resize(to_gray(to_square(crop)), 2 * size), int(prob.argmax())
        row[0].imshow(face, cmap="gray", vmin=0, vmax=255)
        row[0].set_title(f"{texts[said]} {prob[said]:.0%}", font=font)
        row[0].axis("off")
        patch = max(size // 5, 1)
        heats.append(np.maximum(occlusion(network, image, said, patch, max(patch // 3, 1)), 0))
        for axis, heat, title in zip(row[1:], heats, titles):
            plot_heat(face, heat, axis, title)
    return figure


def write_figures(
    folder: str | os.PathLike[str], probs: np.ndarray, labels: np.ndarray, names: Sequence[str] = EXPRESSIONS
) -> list[Path]:
    """Draw confusion matrix, figures by class, ROC and reliability of probs [N, C] into a folder; return the files."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    confusion = confusion_matrix(labels, probs.argmax(axis=1), len(names))
    figures = {
        "confusion": plot_confusion(confusion, names=names),
        "classes": plot_class_figures(confusion, names=names),
        "roc": plot_roc(probs, labels, names=names),
        "reliability": plot_reliability(probs, labels),
    }
    return [save_figure(figure, folder / f"{name}.png") for name, figure in figures.items()]
