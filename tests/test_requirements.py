"""The two requirement files say the same, pin everything, and are what is installed."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).resolve().parent.parent
CPU, GPU = "paddlepaddle", "paddlepaddle-gpu"


def parse(text: str) -> list[Requirement]:
    """Reads requirement lines in their order, without comments and empty lines."""
    lines = (line.split("#")[0].strip() for line in text.splitlines())
    return [Requirement(line) for line in lines if line]


def read(name: str) -> list[Requirement]:
    return parse((REPOSITORY / name).read_text(encoding="utf-8"))


FILES = ("requirements.txt", "requirements-gpu.txt")
PINS = read(FILES[0])


def test_gpu_file_differs_in_paddle_only():
    as_gpu = [str(pin).replace(f"{CPU}==", f"{GPU}==") if pin.name == CPU else str(pin) for pin in PINS]
    assert as_gpu == [str(pin) for pin in read("requirements-gpu.txt")]
    assert f"{GPU}==2.6.2" in as_gpu  # a file without Paddle would be equal too


@pytest.mark.parametrize("name", FILES)
def test_every_line_is_an_exact_pin(name):
    for pin in read(name):
        assert [(one.operator, "*" in one.version) for one in pin.specifier] == [("==", False)], str(pin)


@pytest.mark.parametrize("name", FILES)
def test_no_package_is_named_twice(name):
    names = [canonicalize_name(pin.name) for pin in read(name)]
    assert len(names) == len(set(names)), sorted(names)


@pytest.mark.parametrize("pin", PINS, ids=lambda pin: pin.name)
def test_installed_version_is_the_pin(pin):
    if pin.marker and not pin.marker.evaluate():
        pytest.skip(f"not for this platform: {pin}")
    name = pin.name
    if name == CPU and GPU in {dist.metadata["Name"] for dist in importlib.metadata.distributions()}:
        name = GPU
    assert importlib.metadata.version(name) in pin.specifier
