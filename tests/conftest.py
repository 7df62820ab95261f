"""Prepares the process before any test module is imported, and hands out what many tests share."""

import inspect
import os
import random
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from fer_paddle import environment

environment.prepare()  # before any import of Paddle, which reads its settings then and crashes without zlib
os.environ["FER_LANG"] = "en"  # whatever the locale of the machine

import numpy as np  # noqa: E402
import pytest  # noqa: E402

# Paddle asks for the stack at many operators that it traces, and the source lines of pytest's frames take long to find.
inspect.stack = partial(inspect.stack, 0)

# What Paddle 3 cannot do, by the name of its test.
NOT_ON_PADDLE_3 = {
    "test_masks_are_those_of_paddleslim": "PaddleSlim's UnstructuredPruner needs Paddle 2.6",
    "test_ofa_trains_a_supernet_but_exports_no_plain_network": "PaddleSlim's OFA needs Paddle 2.6",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long tests first, marks for what needs the real data, skips for what the installed Paddle cannot do."""
    # A test that takes minutes and begins last leaves the other worker idle. Of two workers each gets one half of the
    # list, so both begin with notebooks, by turns since those of one chapter are alike, then with their share of slow.
    notebooks = [item for item in items if item.get_closest_marker("notebook")]
    slow = [item for item in items if item.get_closest_marker("slow")]
    marked = {*notebooks, *slow}
    others = [item for item in items if item not in marked]
    long = [notebooks[::2] + slow[: len(slow) // 2], notebooks[1::2] + slow[len(slow) // 2 :]]
    middle = len(items) // 2 - len(long[0])
    items[:] = long[0] + others[:middle] + long[1] + others[middle:]
    versions = environment.versions()
    on_paddle_3 = versions.get("paddlepaddle", versions.get("paddlepaddle-gpu", "")).startswith("3.")
    for item in items:
        if "data_pack" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.data)
        if on_paddle_3 and (reason := NOT_ON_PADDLE_3.get(item.name.partition("[")[0])):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(autouse=True)
def fixed_seeds() -> None:
    """Starts every test from the same seeds, whatever ran before it."""
    random.seed(0)
    np.random.seed(0)
    if "paddle" in sys.modules:  # a test that needs no Paddle shall not wait for its import
        sys.modules["paddle"].seed(0)


@pytest.fixture(scope="session")
def data_pack() -> Callable[[str], Path]:
    """Gives `data_pack(name)`, the path of a real data file or folder; skips the test where it is absent."""

    def find(name: str) -> Path:
        try:
            return environment.find_data(name)
        except FileNotFoundError as error:
            pytest.skip(f"real data not here: {error}")

    return find
