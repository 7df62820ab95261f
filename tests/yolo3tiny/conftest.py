"""Networks that need no training, as they find white rectangles, and photos that need no camera."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_paddle.images import write_image
from tests.yolo3tiny.samples import write_coco
from yolo3tiny.anchors import ANCHOR_MASKS, ANCHORS, STRIDES, size_iou
from yolo3tiny.photos import Photo
from yolo3tiny.predict import NetworkSettings

NO_FACE, SURE = -20.0, 12.0  # logits


def encode_heads(boxes_xyxy, input_hw, anchors=ANCHORS, logits=None):
    """The heads of a network that finds these boxes, in pixels of its input: what decode.py undoes."""
    heads = [np.full((1, 18, input_hw[0] // stride, input_hw[1] // stride), NO_FACE, np.float32) for stride in STRIDES]
    for index, (x1, y1, x2, y2) in enumerate(boxes_xyxy):
        size = np.array([x2 - x1, y2 - y1])
        best = int(size_iou(size, np.array(anchors)).argmax())
        level = next(level for level, mask in enumerate(ANCHOR_MASKS) if best in mask)
        stride, slot = STRIDES[level], 6 * ANCHOR_MASKS[level].index(best)
        centre = np.array([x1 + x2, y1 + y2]) / 2 / stride
        cell = np.floor(centre).astype(int)
        offset = np.clip(centre - cell, 1e-6, 1 - 1e-6)
        column = heads[level][0, slot : slot + 6, cell[1], cell[0]]
        column[:2] = np.log(offset / (1 - offset))
        column[2:4] = np.log(size / anchors[best])
        column[4] = SURE if logits is None else logits[index]
        column[5] = SURE
    return heads


def find_white(images):
    """A network that finds every white rectangle in its input."""
    (image,) = images
    # White is 1, the gray of the border 0.45; a pixel half covered by white is 0.5.
    mask = (image.min(axis=0) > 0.5).astype(np.uint8)
    stats = cv2.connectedComponentsWithStats(mask, connectivity=4)[2][1:]
    boxes = [(x, y, x + width, y + height) for x, y, width, height, _ in stats.tolist()]
    return encode_heads(boxes, mask.shape)


@pytest.fixture(scope="session")
def white_finder() -> Callable:
    """The network as a function: images -> heads."""
    return find_white


@pytest.fixture(scope="session")
def make_heads() -> Callable:
    """`make_heads(boxes_xyxy, input_hw, anchors, logits)`: heads that say these boxes."""
    return encode_heads


@pytest.fixture(scope="session")
def make_onnx(tmp_path_factory) -> Callable[..., Path]:
    """`make_onnx(metadata, head_channels)`: an ONNX file with the inputs and outputs of Yolo3Tiny.

    Each head is one convolution over the pixels of a cell: where all are white, its middle anchor finds one.
    """
    onnx = pytest.importorskip("onnx")
    folder = tmp_path_factory.mktemp("onnx")

    def make(metadata=None, head_channels=18, strides=STRIDES) -> Path:
        nodes, weights, outputs = [], [], []
        for stride in strides:
            kernel = np.zeros((head_channels, 3, stride, stride), np.float32)
            bias = np.full(head_channels, NO_FACE, np.float32)
            kernel[10:12] = 100 / (3 * stride**2)  # objectness and class of the middle anchor
            bias[10:12] = -90
            bias[6:10] = 0
            name = f"head{stride}"
            weights += [
                onnx.numpy_helper.from_array(kernel, f"{name}.w"),
                onnx.numpy_helper.from_array(bias, f"{name}.b"),
            ]
            inputs = ["images", f"{name}.w", f"{name}.b"]
            nodes.append(onnx.helper.make_node("Conv", inputs, [name], strides=[stride, stride], name=name))
            shape = ["n", head_channels, f"{name}.h", f"{name}.w"]
            outputs.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape))
        images = onnx.helper.make_tensor_value_info("images", onnx.TensorProto.FLOAT, ["n", 3, "h", "w"])
        graph = onnx.helper.make_graph(nodes, "finder", [images], outputs, weights)
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
        onnx.helper.set_model_props(model, NetworkSettings().to_metadata() if metadata is None else metadata)
        path = folder / f"{len(list(folder.iterdir()))}.onnx"
        onnx.save(model, path)
        return path

    return make


def draw_photo(name, boxes_xyxy, side=96, source="drawn", split=""):
    """A photo of bright ellipses on a dark ground, as large as their boxes."""
    image = np.full((side, side, 3), 60, np.uint8)
    for x1, y1, x2, y2 in boxes_xyxy:
        centre, half = ((x1 + x2) // 2, (y1 + y2) // 2), ((x2 - x1) // 2, (y2 - y1) // 2)
        cv2.ellipse(image, centre, half, 0, 0, 360, (80, 160, 220), cv2.FILLED)
    boxes = np.array(boxes_xyxy, np.float32).reshape(-1, 4)
    return Photo(name, lambda: image, boxes, np.zeros(len(boxes), bool), (side, side), source, split)


@pytest.fixture(scope="session")
def make_photo() -> Callable[..., Photo]:
    """`make_photo(name, boxes_xyxy, side, source, split)`: a Photo of ellipses."""
    return draw_photo


@pytest.fixture(scope="session")
def photo_folder(tmp_path_factory) -> Path:
    """A folder of 24 annotated pictures, ellipses of many sizes, as COCO without splits."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    photos = []
    for index in range(24):
        corners = rng.integers(0, 40, (2, 2)) + np.array([[0], [48]])
        sizes = rng.integers(12, 44, (2, 2))
        boxes = np.concatenate([corners, corners + sizes], axis=1).tolist()
        photos.append(draw_photo(f"{index}.png", boxes))
        write_image(folder / f"{index}.png", photos[-1].read())
    write_coco(folder / "annotations.json", photos)
    return folder
