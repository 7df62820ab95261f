"""What the commands share: kinds of arguments."""

from __future__ import annotations

import argparse
import math
from functools import partial

DATA_HELP = (
    "a name in the data folders or a path: a folder or .tar with annotations.json (COCO), a COCO .json, a "
    "WIDER FACE list (.txt) or folder, or a folder of YOLO .txt or VOC .xml"
)


def share(text: str) -> float:
    """Reads a number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 1, got {text!r}")
    return value


def part(text: str) -> float:
    """Reads a number above 0 and at most 1."""
    if not (value := share(text)) > 0:
        raise argparse.ArgumentTypeError(f"expected a number above 0 and at most 1, got {text!r}")
    return value


def whole(text: str, least: int) -> int:
    """Reads a whole number of at least so much."""
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if value < least:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least {least}, got {text!r}")
    return value


count, count_or_none = partial(whole, least=1), partial(whole, least=0)
