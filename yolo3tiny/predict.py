"""Finds faces in a picture of any size. ONNX Runtime by default; starts without Paddle."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path

import numpy as np

from yolo3tiny.anchors import ANCHORS
from yolo3tiny.boxes import clip, letterbox
from yolo3tiny.decode import decode_above, nms

WEIGHTS = Path(__file__).parent / "weights" / "yolo3tiny.face.onnx"
CLASSES = ("face",)
CHANNELS, SCALE = "BGR", "1/255"  # what `to_input` does
HEAD_CHANNELS = 18  # 3 anchors of 4 numbers, objectness and one class
NMS_IOU = 0.45

Forward = Callable[[np.ndarray], Sequence[np.ndarray]]


@dataclass(frozen=True, eq=False)
class Detections:
    """Faces found in one picture, best first.

    Attributes:
        boxes_xyxy: float32 [N, 4], left, top, right, bottom in pixels of the picture, with area.
        scores: float32 [N] in 0..1, falling.

    Raises:
        ValueError: They are anything else.
    """

    boxes_xyxy: np.ndarray
    scores: np.ndarray

    def __post_init__(self) -> None:
        boxes, scores = self.boxes_xyxy, self.scores
        are_float32 = all(isinstance(array, np.ndarray) and array.dtype == np.float32 for array in (boxes, scores))
        if not are_float32 or scores.ndim != 1 or boxes.shape != (len(scores), 4):
            got = f"{_say(boxes)} and {_say(scores)}"
            raise ValueError(f"expected boxes float32 [N, 4] and scores float32 [N], got {got}")
        # Every comparison is False for NaN.
        if not (boxes[:, 2:] > boxes[:, :2]).all() or not np.isfinite(boxes).all():
            raise ValueError("expected finite boxes with left < right and top < bottom, got others")
        if not ((scores >= 0) & (scores <= 1)).all() or not (scores[1:] <= scores[:-1]).all():
            raise ValueError("expected scores in 0..1, best first, got others")

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True)
class NetworkSettings:
    """What a network was made for; an ONNX file carries it as metadata.

    Attributes:
        anchors: Width and height in input pixels of the six anchors.
        longest: The longer side of the network's input in pixels.

    Raises:
        ValueError: There are not six positive anchors, or longest is below 1.
    """

    anchors: Sequence[Sequence[float]] = ANCHORS
    longest: int = 416

    def __post_init__(self) -> None:
        try:
            sizes = np.asarray(self.anchors, np.float64)
        except (TypeError, ValueError):  # ragged, or no numbers
            sizes = np.zeros(0)
        if sizes.shape != (len(ANCHORS), 2) or not (np.isfinite(sizes) & (sizes > 0)).all():
            raise ValueError(f"expected {len(ANCHORS)} anchors of positive sides, got {self.anchors!r}")
        if not isinstance(self.longest, Integral) or self.longest < 1:
            raise ValueError(f"expected the longest side in whole pixels, 1 or more, got {self.longest!r}")

    def to_metadata(self) -> dict[str, str]:
        """Gives the settings as the metadata of an ONNX file."""
        return {
            "anchors": json.dumps(np.asarray(self.anchors, np.float64).tolist()),
            "longest": str(self.longest),
            "channels": CHANNELS,
            "scale": SCALE,
            "classes": json.dumps(CLASSES),
        }

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> NetworkSettings:
        """Reads the metadata of an ONNX file; what is not there keeps its default.

        Raises:
            ValueError: Something in it is malformed, or the network wants another input than BGR in 0..1.
        """
        told = metadata.get("channels", CHANNELS), metadata.get("scale", SCALE)
        if told != (CHANNELS, SCALE):
            raise ValueError(f"expected channels {CHANNELS} and scale {SCALE}, got {' and '.join(told)}")
        try:
            values = {name: json.loads(metadata[name]) for name in ("anchors", "longest") if name in metadata}
        except ValueError as error:
            raise ValueError(f"expected anchors and longest as JSON in the metadata, got: {error}") from error
        return cls(**values)


def check_metadata(metadata: Mapping[str, str]) -> None:
    """Refuses a network whose file says that it names other things than faces; one that says nothing may pass.

    Raises:
        ValueError: It is another network.
    """
    classes = metadata.get("classes", json.dumps(CLASSES))
    if classes != json.dumps(CLASSES):
        raise ValueError(f"expected a network of the class {', '.join(CLASSES)}, got one of {classes}")


class OnnxForward:
    """The network as a function, run by ONNX Runtime.

    Args:
        path: An ONNX file of `Yolo3Tiny`.
        threads: Threads of one run; 0 lets ONNX Runtime choose.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no ONNX file that ONNX Runtime can run, or of another network.
    """

    def __init__(self, path: str | os.PathLike[str], threads: int = 0):
        import onnxruntime

        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"expected the weights of a face detector, found no file at {path}")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        # Detector and classifier take turns: threads that spin while they wait take the cores from the other.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            # From bytes, because ONNX Runtime would also read other files that the ONNX file names.
            session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's own classes share no narrower base
            reason = " ".join(str(error).split())
            raise ValueError(f"expected an ONNX file at {path}, got: {reason}") from error
        channels = [_channels(node) for node in (*session.get_inputs(), *session.get_outputs())]
        wanted = [3, HEAD_CHANNELS, HEAD_CHANNELS]
        if len(session.get_inputs()) != 1 or channels != wanted:
            got = f"expected inputs and outputs of channels {wanted}, got {channels}"
            raise ValueError(f"expected a Yolo3Tiny of one class at {path}: {got}")
        self._session, self._input = session, session.get_inputs()[0].name
        self.metadata = dict(session.get_modelmeta().custom_metadata_map)

    def __call__(self, images: np.ndarray) -> Sequence[np.ndarray]:
        """float32 [N, 3, H, W] in 0..1, BGR -> the two heads of `Yolo3Tiny`."""
        return self._session.run(None, {self._input: images})


class Detector:
    """Finds faces.

    Args:
        weights: An ONNX file; None takes the one that ships with this package.
        forward: Used instead of a file: any callable images float32 [N, 3, H, W] -> the two heads, such as a
            runner of any runtime (deploy.load_forward). Its attribute `metadata`, where it has one, is read as
            that of a file.
        anchors: Width and height in input pixels of the six anchors; None reads them from the metadata.
        longest: The longer side of the network's input in pixels; None reads it from the metadata.
        threads: Of ONNX Runtime; 0 lets it choose.

    Raises:
        FileNotFoundError: There is no weights file.
        ValueError: The file is no ONNX file of this network, its metadata are malformed, anchors or longest
            are out of range, or both a file and `forward` are given.
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
        if forward is None:
            forward = OnnxForward(WEIGHTS if weights is None else weights, threads)
        asked = {"anchors": anchors, "longest": longest}
        given = {name: value for name, value in asked.items() if value is not None}
        self.forward = forward
        metadata = getattr(forward, "metadata", {})
        check_metadata(metadata)
        told = NetworkSettings.from_metadata(metadata)
        self.settings = dataclasses.replace(told, **given)

    def __call__(self, image: np.ndarray, min_score: float = 0.5, nms_iou: float = NMS_IOU) -> Detections:
        """Finds the faces of one picture.

        Args:
            image: uint8 [H, W, 3] in BGR, any size.
            min_score: Lowest score of a face, in 0..1.
            nms_iou: Of two boxes that overlap more than this, the better stays; in 0..1.

        Returns:
            The faces; none gives empty Detections.

        Raises:
            ValueError: The image is not uint8 [H, W, 3] with pixels, or a threshold is out of range.
        """
        padded, placed = letterbox(image, longest=self.settings.longest)
        heads = self.forward(to_input(padded)[None])
        boxes, scores = decode_above(heads, min_score, self.settings.anchors)[0]
        kept = nms(boxes, scores, nms_iou)
        inside = clip(placed.to_photo(boxes[kept]), image.shape[:2])
        has_area = (inside[:, 2:] > inside[:, :2]).all(axis=1)  # a box wholly in the gray border has none left
        return Detections(inside[has_area], scores[kept][has_area].astype(np.float32, copy=False))


def to_input(image: np.ndarray) -> np.ndarray:
    """Turns uint8 [H, W, 3] in BGR into the network's float32 [3, H, W] in 0..1, still blue, green, red."""
    return np.multiply(image.transpose(2, 0, 1), np.float32(1 / 255), dtype=np.float32, order="C")


def _channels(node: object) -> object:
    """Size of the second axis of an ONNX Runtime input or output, None where it has no such axis."""
    return node.shape[1] if len(node.shape) == 4 else None


def _say(value: object) -> str:
    return f"{value.dtype} {list(value.shape)}" if isinstance(value, np.ndarray) else type(value).__name__
