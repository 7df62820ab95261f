"""PaddleSlim 2.6.0 beside Paddle 2.6 and 3.x, NumPy 1 and 2: it is imported and used in `with slim():` alone."""

from __future__ import annotations

import functools
import importlib
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib
import numpy as np

from fer_paddle.environment import old_ir, paddle


@contextmanager
def slim() -> Iterator[None]:
    """Make PaddleSlim usable in a `with` block: programs as Paddle 2.6 has them, and dynamic mode again at the end."""
    _import_slim()
    was_dynamic = paddle.in_dynamic_mode()
    with old_ir():
        try:
            yield
        finally:
            if was_dynamic and not paddle.in_dynamic_mode():  # PaddleSlim has failed in static mode
                paddle.disable_static()


@functools.cache
def _import_slim() -> None:
    """Import PaddleSlim without its warnings, its logging and its switch of matplotlib's backend."""
    base = paddle.base.dygraph.base
    if not hasattr(base, "_to_static_mode_guard_"):
        base._to_static_mode_guard_ = base.to_static_mode_guard  # PaddleSlim knows it by its name in Paddle 2.6
    vars(np).setdefault("product", np.prod)  # gone in NumPy 2
    use = matplotlib.use
    matplotlib.use = lambda *backend, **how: None
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Setuptools is replacing distutils")
            importlib.import_module("paddleslim")
    finally:
        matplotlib.use = use
    for name in list(logging.Logger.manager.loggerDict):
        if name.startswith("paddleslim"):
            logging.getLogger(name).setLevel(logging.ERROR)
