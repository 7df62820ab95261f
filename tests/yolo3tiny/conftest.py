"""A network in a file and a folder of photos, made once."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fer_paddle.images import write_image
from tests.yolo3tiny.samples import NO_FACE, make_photo, write_coco
from yolo3tiny.anchors import STRIDES
from yolo3tiny.predict import NetworkSettings


@pytest.fixture(scope="session")
def make_onnx(tmp_path_factory) -> Callable[..., Path]:
    """`make_onnx(metadata, head_channels)`: an ONNX file with the inputs and outputs of Yolo3Tiny.

    Each head is one convolution over the pixels of a cell: where all are white, its middle anchor finds one.
    """
    onnx = pytest.importorskip("onnx")
    from tests.fer_paddle import small_onnx

    folder = tmp_path_factory.mktemp("onnx")

    def make(metadata=None, head_channels=18, strides=STRIDES) -> Path:
        nodes, arrays = [], {}
        for stride in strides:
            kernel = np.zeros((head_channels, 3, stride, stride), np.float32)
            bias = np.full(head_channels, NO_FACE, np.float32)
            kernel[10:12] = 100 / (3 * stride**2)  # objectness and class of the middle anchor
            bias[10:12] = -90
            bias[6:10] = 0
            name = f"head{stride}"
            arrays |= {f"{name}.w": kernel, f"{name}.b": bias}
            inputs = ["images", f"{name}.w", f"{name}.b"]
            nodes.append(onnx.helper.make_node("Conv", inputs, [name], strides=[stride, stride], name=name))
        told = NetworkSettings().to_metadata() if metadata is None else metadata
        model = small_onnx.make_onnx(nodes, arrays, (3, "h", "w"), [n.name for n in nodes], name="images", **told)
        path = folder / f"{len(list(folder.iterdir()))}.onnx"
        onnx.save(model, path)
        return path

    return make


@pytest.fixture(scope="session")
def photo_folder(tmp_path_factory) -> Path:
    """A folder of 24 annotated images, ellipses of many sizes, as COCO without splits."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    photos = []
    for index in range(24):
        corners = rng.integers(0, 40, (2, 2)) + np.array([[0], [48]])
        sizes = rng.integers(12, 44, (2, 2))
        boxes = np.concatenate([corners, corners + sizes], axis=1).tolist()
        photos.append(make_photo(f"{index}.png", boxes))
        write_image(folder / f"{index}.png", photos[-1].read())
    write_coco(folder / "annotations.json", photos)
    return folder
