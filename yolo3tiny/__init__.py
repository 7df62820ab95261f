"""Face detection with tiny YOLOv3."""

from fer_paddle.drawing import draw_boxes
from yolo3tiny.predict import Detections, Detector

__all__ = ["Detections", "Detector", "draw_boxes"]
