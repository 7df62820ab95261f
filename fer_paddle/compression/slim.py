"""PaddleSlim, imported without what its import does to the process.

It switches matplotlib to a backend that shows nothing, so that a notebook draws no more figures; it warns of distutils;
and it logs every tensor it looks at.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib


@contextmanager
def importing_slim() -> Iterator[None]:
    """Keeps things as they are while PaddleSlim is imported in a `with` block."""
    use = matplotlib.use
    matplotlib.use = lambda *backend, **how: None
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Setuptools is replacing distutils")
            yield
    finally:
        matplotlib.use = use
    for name in list(logging.Logger.manager.loggerDict):
        if name.startswith("paddleslim"):
            logging.getLogger(name).setLevel(logging.ERROR)
