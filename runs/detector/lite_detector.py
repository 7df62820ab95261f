"""Runs the lite network on a photo of any size: ONNX file and settings in, faces out. No Paddle."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime

from yolo3tiny.boxes import clip, letterbox
from yolo3tiny.decode import decode_above, nms
from yolo3tiny.detector import NMS_IOU, Detections, to_input


class LiteDetector:
    """Finds faces with an ONNX file whose metadata say anchors, masks, strides and input size.

    Args:
        path: The ONNX file.
        longest: Longer side of the input in pixels; None takes that of the metadata.
        threads: Threads of ONNX Runtime; 0 lets it choose.
    """

    def __init__(self, path: Path, longest: int | None = None, threads: int = 0) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name
        told = self.session.get_modelmeta().custom_metadata_map
        self.anchors, self.masks, self.strides = (json.loads(told[name]) for name in ("anchors", "masks", "strides"))
        self.longest = longest or int(told["longest"])

    def __call__(self, image: np.ndarray, min_score: float = 0.5, nms_iou: float = NMS_IOU) -> Detections:
        """Find the faces of a picture uint8 [H, W, 3] in BGR."""
        padded, placed = letterbox(image, longest=self.longest)
        heads = self.session.run(None, {self.input: to_input(padded)[None]})
        boxes, scores = decode_above(heads, min_score, self.anchors, self.masks, self.strides)[0]
        kept = nms(boxes, scores, nms_iou)
        inside = clip(placed.to_photo(boxes[kept]), image.shape[:2])
        has_area = (inside[:, 2:] > inside[:, :2]).all(axis=1)
        return Detections(inside[has_area], scores[kept][has_area].astype(np.float32, copy=False))
