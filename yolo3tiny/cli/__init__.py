"""The command line: `python -m yolo3tiny COMMAND`, also installed as `yolo3tiny`."""

from __future__ import annotations

from collections.abc import Sequence

from fer_paddle import __version__
from fer_paddle.console import group, run
from yolo3tiny.cli import compress, detector, keypoint

APP = group(
    "python -m yolo3tiny",
    "Faces in photos: find, train, measure, export, compress.",
    *(detector.detect, detector.train, detector.evaluate, detector.export, compress.prune, compress.quantize),
    group(
        "keypoint",
        "Small marks in wide images: one map, one anchor a cell.",
        *(keypoint.train, keypoint.detect, keypoint.evaluate, keypoint.export, keypoint.draw),
    ),
    version=__version__,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    return run(APP, argv)
