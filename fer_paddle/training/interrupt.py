"""Ctrl-C and SIGTERM end a run between two steps, so that nothing is half done."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

logger = logging.getLogger(__name__)


class Interrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM: the step was finished and the checkpoint written before this was raised."""


@contextmanager
def note_interrupts() -> Iterator[threading.Event]:
    """Turns Ctrl-C and SIGTERM (which paddle.distributed.launch makes of Ctrl-C) into an event.

    A second Ctrl-C acts at once. Outside the main thread, where Python allows no handlers, nothing changes.
    """
    interrupted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield interrupted
        return

    def note(number: int, frame: Any) -> None:
        interrupted.set()
        logger.warning("interrupted: the step or the validation is finished first, then the run is saved")
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    # A handler that was not set from Python reads as None; SIG_DFL is the nearest that can be set back.
    former = {number: signal.getsignal(number) or signal.SIG_DFL for number in (signal.SIGINT, signal.SIGTERM)}
    for number in former:
        signal.signal(number, note)
    try:
        yield interrupted
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
