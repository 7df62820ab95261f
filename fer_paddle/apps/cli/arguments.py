"""What the commands share: what --data takes, figures as text."""

from __future__ import annotations

DATA_HELP = "a pack (.npz), the official csv, a folder with the packs, or a folder of class folders"


def percent(value: float | None) -> str:
    """A share as text, such as 61.6%; a dash for None."""
    return "-" if value is None else f"{value:.1%}"
