"""What the commands share: kinds of arguments, figures as text."""

from __future__ import annotations

import argparse

DATA_HELP = "a pack (.npz), the official csv, a folder with the packs, or a folder of class folders"


def percent(value: float | None) -> str:
    """A share as text, such as 61.6%; a dash for None."""
    return "-" if value is None else f"{value:.1%}"


def share(text: str) -> float:
    """Reads a number from 0 to 1."""
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 1, got {text}")
    return value


def count(text: str) -> int:
    """Reads a whole number of at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text}")
    return value
