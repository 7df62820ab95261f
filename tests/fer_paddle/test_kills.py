"""Commands that are killed leave nothing hidden behind; `python tests/kills.py 20` kills more often."""

import random
import sys

import pytest

from tests import kills


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the time of a process is read from /proc")
@pytest.mark.parametrize("name", kills.CPU_SECONDS)
def test_a_killed_command_goes_on_and_leaves_nothing(name, tmp_path):
    assert kills.run(name, 1, tmp_path, random.Random(name)) == 1
