"""The names that the AI Studio tutorial imports, so that its cells run unchanged on this package's detector.

Boxes are rows x1, y1, x2, y2, score in pixels of the image padded to a square and scaled to 416, whatever
size the scaled array has: a cell that scales to 832 doubles them, as the tutorial does.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from fer_paddle.drawing import draw_boxes
from fer_paddle.images import read_image
from yolo3tiny import predict

SQUARE = 416


class Detector:
    """Finds faces the tutorial's way; `yolo3tiny.Detector` is the same without the detour of the square.

    Args:
        modelPath: An ONNX file. Anything else is taken for the tutorial's folder, whose file format Paddle 2
            no longer reads: then the tiny YOLOv3 of this repository is used, and a warning says so.
        USE_CUDA: The network runs on the CPU either way; a warning says so.
    """

    def __init__(self, modelPath: str | os.PathLike[str] = "./infer_model", USE_CUDA: bool = False):
        is_ours = Path(modelPath).suffix.lower() == ".onnx"
        if not is_ours:
            warnings.warn(
                f"{os.fspath(modelPath)}: the tutorial's file format is one that Paddle 2 no longer reads; "
                f"using {predict.TINY}.onnx, which ships with yolo3tiny",
                stacklevel=2,
            )
        if USE_CUDA:
            warnings.warn("USE_CUDA: this detector runs on the CPU, in ONNX Runtime", stacklevel=2)
        self._find = predict.Detector(modelPath if is_ours else predict.TINY)

    def __call__(
        self, imgList: Sequence[np.ndarray], confidence_threshold: float = 0.5, nms_threshold: float = 0.3
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Find the faces of several images: imgList uint8 [H, W, 3] -> float32 [3, 416, 416]."""
        arrays = [scale_img(image) for image in imgList]
        return arrays, [self.detect(array, confidence_threshold, nms_threshold)[0] for array in arrays]

    def detect(
        self, imgArrs: np.ndarray, confidence_threshold: float = 0.5, nms_threshold: float = 0.3
    ) -> list[np.ndarray]:
        """Find the faces of one image.

        Args:
            imgArrs: One image float32 [3, S, S] in 0..1, as `scale_img` gives it.
            confidence_threshold: Lowest score, in 0..1.
            nms_threshold: Largest IoU of two boxes, in 0..1.

        Returns:
            A list with one array of boxes float32 [K, 5], in pixels of the 416 square, best first.
        """
        image = recover_img(imgArrs)
        faces = self._find(image, confidence_threshold, nms_threshold)
        height, width = image.shape[:2]
        boxes = faces.boxes_xyxy * np.array((SQUARE / width, SQUARE / height) * 2, np.float32)
        return [np.column_stack([boxes, faces.scores])]


def scale_img(img: str | os.PathLike[str] | np.ndarray, IMG_WH: int = SQUARE) -> np.ndarray:
    """Pad an image to a square with black and scale it.

    Args:
        img: An image uint8 [H, W, 3] in BGR, its path, or a scaled array.
        IMG_WH: Side of the result in pixels.

    Returns:
        float32 [3, IMG_WH, IMG_WH] in 0..1, BGR.
    """
    image = recover_img(img)
    height, width = image.shape[:2]
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    square = cv2.copyMakeBorder(
        image, top, side - height - top, left, side - width - left, cv2.BORDER_CONSTANT, value=(0, 0, 0)
    )
    interpolation = cv2.INTER_AREA if side > IMG_WH else cv2.INTER_LINEAR
    return predict.to_input(cv2.resize(square, (IMG_WH, IMG_WH), interpolation=interpolation))


def recover_img(img: str | os.PathLike[str] | np.ndarray) -> np.ndarray:
    """Return the image from which an array was scaled.

    Args:
        img: An array [3, H, W] or [H, W, 3], uint8 or float (in 0..1, else in 0..255), or an image's path.

    Returns:
        uint8 [H, W, 3] in BGR.
    """
    image = img if isinstance(img, np.ndarray) else read_image(img)
    if image.ndim == 3 and image.shape[0] == 3 and image.shape[2] != 3:
        image = image.transpose(1, 2, 0)
    if image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ValueError(f"expected an image [H, W, 3] or [3, H, W], got shape {image.shape}")
    if image.dtype == np.uint8:
        return np.ascontiguousarray(image)
    scale = 255 if image.max() <= 1 else 1
    return np.ascontiguousarray((image * scale).round().clip(0, 255).astype(np.uint8))


def draw_bbox(
    img: str | os.PathLike[str] | np.ndarray, bboxes: np.ndarray, color: Sequence[int] = (0, 0, 255)
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Draw boxes and cut out what is in them.

    Args:
        img: An image as `recover_img` takes it.
        bboxes: Rows x1, y1, x2, y2 and perhaps more, in its pixels.
        color: BGR, 0..255.

    Returns:
        The image with its boxes uint8 [H, W, 3], and for each box the uint8 crop of at least one pixel,
        without lines.
    """
    image = recover_img(img)
    boxes = np.asarray(bboxes, np.float64)
    boxes = boxes[:, :4] if boxes.size else np.zeros((0, 4))
    limits = np.array(image.shape[1::-1])
    starts = boxes[:, :2].round().astype(int).clip(0, limits - 1)
    ends = boxes[:, 2:].round().astype(int).clip(starts + 1, limits)
    crops = [image[y1:y2, x1:x2].copy() for (x1, y1), (x2, y2) in zip(starts.tolist(), ends.tolist())]
    return draw_boxes(image, boxes, color_bgr=color), crops
