"""What a measured figure must say of itself: command, date, versions and machine."""

from __future__ import annotations

import datetime
import shlex
import sys
from typing import Any

from fer_paddle.environment import versions


def origin() -> dict[str, Any]:
    """Gives `command` (as typed after `python -m fer_paddle`), `date` and `versions`, as plain JSON values."""
    command = " ".join(["python -m fer_paddle", *map(shlex.quote, sys.argv[1:])])
    return {"command": command, "date": datetime.date.today().isoformat(), "versions": versions()}
