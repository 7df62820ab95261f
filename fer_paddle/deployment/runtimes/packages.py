"""The packages that runtimes stand on, imported when a runtime is asked for."""

from __future__ import annotations

import importlib
from types import ModuleType


def import_package(name: str, package: str) -> ModuleType:
    """Imports what a runtime stands on.

    Args:
        name: The module.
        package: What pip calls it.

    Raises:
        RuntimeError: It is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise RuntimeError(
            f"expected the package {package} for this runtime, got: {error} (pip install {package})"
        ) from error
