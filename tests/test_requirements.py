"""The requirement files: only pins, one list for every Paddle, wheels for every platform, and what is installed."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from fer_paddle import packages

REPOSITORY = Path(__file__).resolve().parent.parent
COMMON = "requirements-common.txt"
# The file of each Paddle, and the one line that it adds to the common list.
PADDLES = {
    "requirements.txt": "paddlepaddle==2.6.2",
    "requirements-gpu.txt": "paddlepaddle-gpu==2.6.2",
    "requirements-paddle3.txt": "paddlepaddle==3.3.1",
    "requirements-paddle3-gpu.txt": "paddlepaddle-gpu==3.3.1",
}


def lines(name: str) -> list[str]:
    """The lines of a requirement file without comments and empty ones."""
    text = (REPOSITORY / name).read_text(encoding="utf-8")
    return [line for line in (line.split("#")[0].strip() for line in text.splitlines()) if line]


PINS = [Requirement(line) for line in lines(COMMON)]


@pytest.mark.parametrize(("name", "paddle"), PADDLES.items())
def test_a_file_adds_its_paddle_to_the_common_list(name, paddle):
    assert lines(name) == [f"-r {COMMON}", paddle]


def test_every_line_is_an_exact_pin_and_no_package_is_named_twice():
    for pin in PINS:
        assert [(one.operator, "*" in one.version) for one in pin.specifier] == [("==", False)], str(pin)
    names = [canonicalize_name(pin.name) for pin in PINS]
    assert len(names) == len(set(names)), sorted(names)


@pytest.mark.parametrize("pin", PINS, ids=lambda pin: pin.name)
def test_installed_version_is_the_pin(pin):
    if pin.marker and not pin.marker.evaluate():
        pytest.skip(f"not for this platform: {pin}")
    assert importlib.metadata.version(pin.name) in pin.specifier


def test_installed_paddle_is_one_of_the_files():
    found = {f"{one.name}=={one.version}" for one in importlib.metadata.distributions() if one.name in paddle_names()}
    assert len(found) == 1 and found <= set(PADDLES.values())


def paddle_names() -> set[str]:
    return {line.split("==")[0] for line in PADDLES.values()}


def test_what_pyproject_asks_for_is_pinned_to_a_version_that_it_allows():
    pins = {packages._key(pin.name): pin.specifier for pin in [*PINS, *map(Requirement, PADDLES.values())]}
    for name, allowed in packages._needed().items():
        if name != "python":
            (pin,) = pins[name]
            assert allowed.contains(pin.version), f"{name}{allowed}, pinned {pin}"
