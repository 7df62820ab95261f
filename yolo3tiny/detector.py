"""Finds faces in a picture of any size. ONNX Runtime by default; starts without Paddle."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from yolo3tiny.anchors import ANCHORS
from yolo3tiny.boxes import clip, letterbox
from yolo3tiny.decode import decode_above, nms

WEIGHTS = Path(__file__).parent / "weights" / "yolo3tiny_face.onnx"
LONGEST = 416  # of a network that does not say otherwise
NMS_IOU = 0.45

Forward = Callable[[np.ndarray], Sequence[np.ndarray]]


@dataclass(frozen=True, eq=False)
class Detections:
    """Faces found in one picture, best first.

    Attributes:
        boxes_xyxy: float32 [N, 4], left, top, right, bottom in pixels of the picture, inside it.
        scores: float32 [N] in 0..1, falling.
    """

    boxes_xyxy: np.ndarray
    scores: np.ndarray

    def __post_init__(self) -> None:
        shapes = self.boxes_xyxy.shape, self.scores.shape
        if shapes != ((len(self.scores), 4), (len(self.scores),)):
            raise ValueError(f"expected boxes [N, 4] and scores [N], got shapes {shapes[0]} and {shapes[1]}")

    def __len__(self) -> int:
        return len(self.scores)


class OnnxForward:
    """The network as a function, run by ONNX Runtime.

    Args:
        path: An ONNX file of `Yolo3Tiny`.
        threads: Threads of one run; 0 lets ONNX Runtime choose.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no ONNX file that ONNX Runtime can run.
    """

    def __init__(self, path: str | os.PathLike[str], threads: int = 0):
        import onnxruntime

        if not Path(path).is_file():
            raise FileNotFoundError(f"expected the weights of a face detector, found no file at {path}")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                Path(path).read_bytes(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's own classes share no narrower base
            raise ValueError(f"expected an ONNX file at {path}, got: {str(error).splitlines()[0]}") from error
        self._input = self._session.get_inputs()[0].name
        self.metadata = dict(self._session.get_modelmeta().custom_metadata_map)

    def __call__(self, images: np.ndarray) -> Sequence[np.ndarray]:
        """float32 [N, 3, H, W] in 0..1, BGR -> the two heads of `Yolo3Tiny`."""
        return self._session.run(None, {self._input: images})


class Detector:
    """Finds faces.

    Args:
        weights: An ONNX file; None takes the one that ships with this package.
        forward: Used instead of a file: any callable images float32 [N, 3, H, W] -> the two heads.
        anchors: Width and height in input pixels of the six anchors; None reads them from the file, or takes ANCHORS.
        longest: The longer side of the network's input in pixels; None reads it from the file, or takes 416.
        threads: Of ONNX Runtime; 0 lets it choose.

    Raises:
        FileNotFoundError: There is no weights file.
        ValueError: The file is no ONNX file, or both a file and `forward` are given.
    """

    def __init__(
        self,
        weights: str | os.PathLike[str] | None = None,
        forward: Forward | None = None,
        *,
        anchors: Sequence[Sequence[float]] | None = None,
        longest: int | None = None,
        threads: int = 0,
    ):
        if weights is not None and forward is not None:
            raise ValueError("expected weights or forward, got both")
        self.forward = forward if forward is not None else OnnxForward(weights or WEIGHTS, threads)
        told = read_settings(getattr(self.forward, "metadata", {}))
        self.anchors = anchors if anchors is not None else told.get("anchors", ANCHORS)
        self.longest = longest if longest is not None else told.get("longest", LONGEST)

    def __call__(self, image: np.ndarray, min_score: float = 0.5, nms_iou: float = NMS_IOU) -> Detections:
        """Finds the faces of one picture.

        Args:
            image: uint8 [H, W, 3] in BGR, any size.
            min_score: Lowest score of a face, in 0..1.
            nms_iou: Of two boxes that overlap more than this, the better stays.

        Returns:
            The faces; none gives empty Detections.

        Raises:
            ValueError: The image is not uint8 [H, W, 3] with pixels, or a threshold is out of range.
        """
        padded, placed = letterbox(image, longest=self.longest)
        heads = self.forward(to_input(padded)[None])
        boxes, scores = decode_above(heads, min_score, self.anchors)[0]
        kept = nms(boxes, scores, nms_iou)
        inside = clip(placed.to_photo(boxes[kept]), image.shape[:2]).astype(np.float32)
        visible = (inside[:, 2:] > inside[:, :2]).all(axis=1)
        return Detections(inside[visible], scores[kept][visible].astype(np.float32))


def to_input(image: np.ndarray) -> np.ndarray:
    """Turns uint8 [H, W, 3] in BGR into the network's float32 [3, H, W] in 0..1, still blue, green, red."""
    return np.multiply(image.transpose(2, 0, 1), np.float32(1 / 255), dtype=np.float32, order="C")


def read_settings(metadata: dict[str, str]) -> dict[str, Any]:
    """Reads `anchors` and `longest` from the metadata of an ONNX file, where they are."""
    return {name: json.loads(metadata[name]) for name in ("anchors", "longest") if name in metadata}
