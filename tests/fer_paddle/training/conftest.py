"""Hands out the tiny training, in this process and in one that can be killed."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "tiny_run.py"
REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def tiny_run():
    """The module tiny_run.py; modules in this folder cannot import one another by name."""
    spec = importlib.util.spec_from_file_location("tiny_run", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def start_tiny_run():
    """Gives `start(folder, how, launcher=())`, which runs tiny_run.py in a process group of its own."""

    def start(folder: Path, how: str, launcher: tuple[str, ...] = ()) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, *launcher, str(SCRIPT), str(folder), how],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            start_new_session=True,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return start
