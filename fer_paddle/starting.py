"""What `python -m` does before it imports anything that takes long, and the standard streams."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any


def answer_signals() -> None:
    """End at Ctrl-C and SIGTERM by one line, as console.run does once it is imported: no traceback of an import."""

    def stop(number: int, frame: Any) -> None:
        sys.stderr.write(f"error: stopped by {'Ctrl-C' if number == signal.SIGINT else 'SIGTERM'}\n")
        sys.exit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)


def open_streams() -> None:
    """Lead the standard streams that the caller has closed nowhere: the next file would be opened in their place."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8")
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8")


def drop_unwritten() -> None:
    """Drop what stdout cannot take: Python would try again at its end, and show a traceback."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


@contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """Send what others print meanwhile to stderr: Paddle2ONNX does, from Python and from C++."""
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
