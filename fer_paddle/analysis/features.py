"""Filters of a convolution, and feature maps of any layer.

Source: Zeiler and Fergus 2014, "Visualizing and Understanding Convolutional Networks", arXiv:1311.2901.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fer_paddle.analysis.plots import figure_of, scale_to_one, take_axis, tile_images
from fer_paddle.environment import paddle
from fer_paddle.models.network import evaluating, hooked, image_tensor

COLUMNS = 8  # of a sheet
LEAST_SIDE = 6  # pixels of a map that shows a place


def find_layer(network: paddle.nn.Layer, name: str) -> paddle.nn.Layer:
    """Return a layer by its name in the network, such as `stages.8`; ValueError names some where there is none."""
    layers = dict(network.named_sublayers())
    if name not in layers:
        raise ValueError(f"expected a layer such as {', '.join(list(layers)[:6])}, got {name!r}")
    return layers[name]


@contextmanager
def capture(network: paddle.nn.Layer, names: Sequence[str]) -> Iterator[dict[str, paddle.Tensor]]:
    """Collect what layers put out while the network runs within a `with` block."""
    outputs: dict[str, paddle.Tensor] = {}

    def note(name: str, layer: paddle.nn.Layer, inputs: object, output: paddle.Tensor) -> None:
        outputs.pop(name, None)  # the order is that of the last runs
        outputs[name] = output

    with hooked({name: find_layer(network, name) for name in names}, note):
        yield outputs


def feature_maps(network: paddle.nn.Layer, images: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the outputs of layers by name, float32 [N, ...], of images float32 [N, 1, H, W] in eval mode."""
    with paddle.no_grad(), evaluating(network), capture(network, names) as outputs:
        network(image_tensor(images))
    return {name: outputs[name].numpy() for name in names}


def spatial_layers(network: paddle.nn.Layer, size: int) -> dict[str, tuple[int, int]]:
    """List the layers with maps in the order in which they finish: name -> (channels, side of the map in pixels)."""
    names = [name for name, _ in network.named_sublayers()]
    with paddle.no_grad(), evaluating(network), capture(network, names) as outputs:
        network(paddle.zeros([1, 1, size, size]))
    is_map = {name: isinstance(output, paddle.Tensor) and output.ndim == 4 for name, output in outputs.items()}
    return {name: tuple(output.shape[1:3]) for name, output in outputs.items() if is_map[name]}


def last_layer_of_side(network: paddle.nn.Layer, size: int) -> str:
    """Name the layer that Grad-CAM reads best: the last of the widest ones whose maps still have LEAST_SIDE pixels.

    Deeper layers know more of the class, and less of the place: DistResNet ends with maps of 2 x 2 at 64 px.
    """
    large = {name: found for name, found in spatial_layers(network, size).items() if found[1] >= LEAST_SIDE}
    if not large:
        raise ValueError(f"expected a layer with maps of {LEAST_SIDE} px or more at {size} px, found none")
    side = min(side for _, side in large.values())
    channels = max(channels for channels, own in large.values() if own == side)
    return [name for name, found in large.items() if found == (channels, side)][-1]


def plot_filters(weights: np.ndarray, axis: Axes | None = None, title: str = "") -> Figure:
    """Draw the kernels of a convolution [out, in, k, k], of several input channels the first; gray is zero."""
    if weights.ndim != 4:
        raise ValueError(f"expected the weights [out, in, k, k] of a convolution, got the shape {weights.shape}")
    kernels = weights[:, 0]
    largest = np.abs(kernels).max(axis=(1, 2), keepdims=True)
    sheet = tile_images(list(kernels / np.maximum(largest, 1e-12)), COLUMNS, gap=np.nan)
    return _show(sheet, 4.0, -1, axis, title)


def plot_feature_maps(maps: np.ndarray, axis: Axes | None = None, title: str = "") -> Figure:
    """Draw the first 32 maps [C, h, w] of one face, each stretched to black and white."""
    sheet = tile_images([scale_to_one(one) for one in maps[:32]], COLUMNS)
    return _show(sheet, 5.0, 0, axis, title)


def _show(sheet: np.ndarray, width: float, black: float, axis: Axes | None, title: str) -> Figure:
    axis = take_axis(axis, (width, width * sheet.shape[0] / sheet.shape[1] + 0.3))
    axis.imshow(sheet, cmap="gray", vmin=black, vmax=1)
    axis.set_title(title, fontsize=9)
    axis.axis("off")
    return figure_of(axis)
