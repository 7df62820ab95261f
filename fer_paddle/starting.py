"""What `python -m` does before it imports anything that takes long."""

from __future__ import annotations

import signal
import sys
from typing import Any


def answer_signals() -> None:
    """End at Ctrl-C and SIGTERM by one line, as console.run does once it is imported: no traceback of an import."""

    def stop(number: int, frame: Any) -> None:
        sys.stderr.write(f"error: stopped by {'Ctrl-C' if number == signal.SIGINT else 'SIGTERM'}\n")
        sys.exit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
