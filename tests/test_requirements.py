"""The requirement files: only pins, one list for every Paddle, wheels for every platform, and what is installed."""

import ast
import importlib.metadata
import os
import re
import subprocess
import sys
from collections.abc import Iterable
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


MACOS = ("13_0", "12_0", "11_0", "10_15", "10_9")
# What pip calls the wheels of a platform, and what its markers see.
PLATFORMS = {
    "Linux": (["manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"], "linux", "x86_64"),
    "Linux on ARM": (["manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64"], "linux", "aarch64"),
    "Windows": (["win_amd64"], "win32", "AMD64"),
    "macOS on ARM": ([f"macosx_{major}_0_arm64" for major in (14, 13, 12, 11)], "darwin", "arm64"),
    "macOS on Intel": (
        [f"macosx_{version}_{kind}" for version in MACOS for kind in ("x86_64", "universal2")],
        "darwin",
        "x86_64",
    ),
}
SYSTEM = {"linux": "Linux", "win32": "Windows", "darwin": "Darwin"}
NO_PADDLE_3 = {"Linux on ARM", "macOS on Intel"}


def dry_run(*arguments: str) -> subprocess.CompletedProcess[str]:
    options = (
        "--dry-run --quiet --disable-pip-version-check --no-deps --ignore-installed --only-binary=:all: --retries 1"
    )
    command = [sys.executable, "-m", "pip", "install", *options.split(), "--timeout", "20"]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)


@pytest.fixture(scope="session")
def network() -> None:
    if not os.environ.get("FER_WHEELS"):
        pytest.skip("downloads gigabytes of wheels: FER_WHEELS=1 asks for it")
    if dry_run(str(next(pin for pin in PINS if pin.name == "six"))).returncode:
        pytest.skip("pip reaches no package index")


@pytest.mark.slow
@pytest.mark.parametrize("python", ["3.10", "3.12"])
@pytest.mark.parametrize("name", PLATFORMS)
def test_every_pin_has_a_wheel_on_every_platform(name, python, network, tmp_path):
    tags, system, machine = PLATFORMS[name]
    markers = {"sys_platform": system, "platform_machine": machine, "platform_system": SYSTEM[system]}
    chosen = [f"{pin.name}{pin.specifier}" for pin in PINS if not pin.marker or pin.marker.evaluate(markers)]
    chosen += [PADDLES["requirements.txt"]]
    where = [part for tag in tags for part in ("--platform", tag)]
    where += ["--python-version", python, "--implementation", "cp", "--target", str(tmp_path)]
    done = dry_run(*where, *chosen)
    assert done.returncode == 0, done.stderr[-500:]
    newer = dry_run(*where, PADDLES["requirements-paddle3.txt"])
    assert (newer.returncode == 0) is (name not in NO_PADDLE_3), newer.stderr[-500:]


def imported(paths: Iterable[Path]) -> set[str]:
    """The packages that Python files import, without Python's own and ours, by their name on a package index."""
    nodes = (node for path in paths for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = {
        name.partition(".")[0]
        for node in nodes
        if isinstance(node, ast.Import) or (isinstance(node, ast.ImportFrom) and not node.level)
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
    }
    of_name = importlib.metadata.packages_distributions()
    return {packages._key(of_name.get(name, [name])[0]) for name in names - sys.stdlib_module_names - OURS}


OURS = {"fer_paddle", "yolo3tiny"}
NOT_ASKED_FOR = {
    "onnx2tf": "in an environment of its own",
    "ai-edge-quantizer": "in an environment of its own",
    "ipython": "Jupyter brings it",
    "nbformat": "Jupyter brings it",
    "pydantic": "fastapi brings it",
    "sqlalchemy": "optuna brings it",
    "starlette": "fastapi brings it",
    "typing-extensions": "for the type checker",
}


def test_what_the_code_imports_is_asked_for_in_pyproject():
    project = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    extras = re.findall(
        r"^([\w-]+) = \[", project.split("[project.optional-dependencies]")[1].split("\n[")[0], re.MULTILINE
    )
    asked = {packages._key(Requirement(line).name) for line in packages._read_lists(project, ["dependencies", *extras])}
    found = imported(path for package in OURS for path in (REPOSITORY / package).rglob("*.py"))
    assert found - asked == NOT_ASKED_FOR.keys()
