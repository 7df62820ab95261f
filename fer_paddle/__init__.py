"""Facial expressions with PaddlePaddle: find faces in a photo, name their expressions, train it yourself."""

from __future__ import annotations

import importlib
from typing import Any

from fer_paddle.labels import EXPRESSIONS

__version__ = "0.2.0"
__all__ = ["EXPRESSIONS", "Classifier", "Face", "Pipeline", "list_models"]

_HOME = {
    "Classifier": "fer_paddle.expression.predict",
    "Pipeline": "fer_paddle.pipeline",
    "Face": "fer_paddle.pipeline",
    "list_models": "fer_paddle.zoo",
}


def __getattr__(name: str) -> Any:
    """Import the public classes on first use, so that `import fer_paddle` stays cheap."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
