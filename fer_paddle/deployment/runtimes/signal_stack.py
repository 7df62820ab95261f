"""Keeps a library from changing the stack that signal handlers run on.

OpenVINO gives the thread that compiles its first network a signal stack, and frees that memory with the network. The
next Ctrl-C would run Python's handler on memory that is gone, and end the process with SIGSEGV.

Source: sigaltstack(2).
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class SignalStack(ctypes.Structure):
    """stack_t of Linux."""

    _fields_ = [("address", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t)]


@contextmanager
def signal_stack_kept() -> Iterator[None]:
    """Gives this thread its signal stack back at the end of a `with` block; does nothing where it is not Linux."""
    if sys.platform != "linux":
        yield
        return
    libc, before = ctypes.CDLL(None), SignalStack()
    libc.sigaltstack(None, ctypes.byref(before))
    try:
        yield
    finally:
        libc.sigaltstack(ctypes.byref(before), None)
