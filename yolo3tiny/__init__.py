"""Face detection with tiny YOLOv3."""
