"""Face detection with tiny YOLOv3."""

from yolo3tiny.detector import Detections, Detector
from yolo3tiny.draw import draw_boxes

__all__ = ["Detections", "Detector", "draw_boxes"]
