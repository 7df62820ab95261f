"""Hands out the tiny training, in this process and in one that can be killed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fer_paddle.training import tiny_run

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def unbroken(tmp_path_factory):
    """The folder, network, optimizer and history of a whole tiny training."""
    folder = tmp_path_factory.mktemp("unbroken")
    return folder, *tiny_run.train(folder)


@pytest.fixture(scope="session")
def start_tiny_run():
    """Gives `start(folder, how, launcher=())`, which runs tiny_run.py in a process group of its own."""

    def start(folder: Path, how: str, launcher: tuple[str, ...] = ()) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, *launcher, tiny_run.__file__, str(folder), how],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            start_new_session=True,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return start
