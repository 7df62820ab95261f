"""Face detection with tiny YOLOv3."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["Detections", "Detector", "draw_boxes"]


def __getattr__(name: str) -> Any:
    """Import the public names on first use: `python -m yolo3tiny` must be there for Ctrl-C before NumPy is."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("fer_paddle.drawing" if name == "draw_boxes" else "yolo3tiny.predict"), name)
