"""Commands that are killed leave nothing hidden behind; `python tests/kills.py 20` kills more often."""

from __future__ import annotations

import importlib.util
import random
import sys
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location("kills", Path(__file__).parents[1] / "kills.py")
kills = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(kills)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the time of a process is read from /proc")
@pytest.mark.parametrize("name", kills.CPU_SECONDS)
def test_a_killed_command_goes_on_and_leaves_nothing(name, tmp_path):
    kills.run(name, 1, tmp_path, random.Random(name))
