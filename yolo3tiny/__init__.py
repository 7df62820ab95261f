"""Face detection with tiny YOLOv3."""

from yolo3tiny.draw import draw_boxes
from yolo3tiny.predict import Detections, Detector

__all__ = ["Detections", "Detector", "draw_boxes"]
