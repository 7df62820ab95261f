"""The packages that the course needs: which are missing, of another version or hidden, and pip for the missing ones.

For a Python that shall stay as it is, such as AI Studio's: what is there is never replaced, Paddle never installed.
`make` and requirements.txt make an environment of their own instead.
"""

from __future__ import annotations

import importlib
import json
import platform
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from fer_paddle.environment import REPOSITORY

EXTRAS = ("train", "collect", "report", "runtimes")  # what the notebooks import, of those in pyproject.toml
PINS = "requirements-common.txt"
PADDLE = "paddlepaddle"
# Any build serves: paddlepaddle-gpu, opencv-contrib-python, onnxruntime-gpu. Two of them in one Python hide each other.
_BUILDS = (PADDLE, "opencv", "onnxruntime")
Copy = tuple[str, str, str]  # name, version and folder of an installed package
_ALONE = ("paddleslim", "paddle2onnx")  # installed without what they ask for: PaddleSlim would replace OpenCV


def check(install: bool = True) -> str:
    """Add the packages of the course that this Python lacks, and return what was done and what else is wrong.

    Paddle is never installed, and what is there is not replaced: pip gets its versions as constraints. Without
    `install` what is missing is only named. RuntimeError: pip could not add a package; nothing else has changed.
    """
    needed, present = _needed(), _present()
    missing = [name for name in needed if name not in present and name != PADDLE]
    if install and missing:
        _install(missing, needed, present)
        _find_new_folders()
        present = _present()
    paddle = " ".join(present[PADDLE][0][:2]) if PADDLE in present else "no Paddle (README tells which to install)"
    found = {
        "added": [" ".join(present[name][0][:2]) for name in missing if name in present],
        "missing": [name for name in missing if name not in present],
        "other versions than expected": _other_versions(needed, present),
        "hidden by a second copy": _hidden(needed, present),
    }
    lines = [f"Python {platform.python_version()}, {paddle}"]
    lines += [f"{what}: {', '.join(names)}" for what, names in found.items() if names]
    if len(lines) == 1 and PADDLE in present:
        lines[0] += ": all packages are there"
    return "\n".join(lines)


def _key(name: str) -> str:
    """Return the name that all builds of a package share."""
    name = canonicalize_name(name)
    return next((build for build in _BUILDS if name == build or name.startswith(f"{build}-")), name)


def _needed() -> dict[str, SpecifierSet]:
    """Return the packages of the course with the versions they may have, by `_key`."""
    text = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    found = {"python": SpecifierSet(re.findall(r'^requires-python = "(.+)"$', text, re.MULTILINE)[0])}
    for one in map(Requirement, _read_lists(text, ("dependencies", *EXTRAS))):
        if one.marker is None or one.marker.evaluate():
            found[_key(one.name)] = found.get(_key(one.name), SpecifierSet()) & one.specifier
    return found


def _read_lists(text: str, names: Sequence[str]) -> list[str]:
    """Return the strings of some lists of pyproject.toml.

    Python 3.10 has no tomllib, and pip's own, once imported, keeps setuptools and with it Paddle 3 from being imported.
    """
    lists = dict(re.findall(r"^([\w-]+) = \[(.*?)\]$", text, re.MULTILINE | re.DOTALL))
    return [line for name in names for line in re.findall(r'"([^"]+)"', lists[name])]


def _present() -> dict[str, list[Copy]]:
    """Return what is installed, by `_key`; of several copies the one that Python imports comes first."""
    found = defaultdict(list, {"python": [("Python", platform.python_version(), sys.prefix)]})
    for one in metadata.distributions():
        about = one.metadata  # read from the file each time
        if name := about["Name"]:  # none: what an interrupted pip left behind
            found[_key(name)].append((name, about["Version"], str(one.locate_file(""))))
    return dict(found)


def _other_versions(needed: Mapping[str, SpecifierSet], present: Mapping[str, list[Copy]]) -> list[str]:
    """Name what is there in a version that is not allowed, and what is allowed."""
    used = [(*present[name][0][:2], allowed) for name, allowed in needed.items() if name in present]
    return [f"{name} {got} ({allowed})" for name, got, allowed in used if not allowed.contains(got, prereleases=True)]


def _hidden(needed: Mapping[str, SpecifierSet], present: Mapping[str, list[Copy]]) -> list[str]:
    """Name each copy that another one hides, of another version or build; protobuf too, which Paddle reads by."""
    found = []
    for name in (*needed, "protobuf"):
        first, *others = present.get(name, [("", "", "")])
        found += [
            f"{other} {version} in {folder} by {first[0]} {first[1]} in {first[2]}"
            for other, version, folder in others
            if (other, version) != first[:2]
        ]
    return found


def _install(missing: Sequence[str], needed: Mapping[str, SpecifierSet], present: Mapping[str, list[Copy]]) -> None:
    """Run pip for the pinned versions of what is missing, with the versions of what is there as constraints."""
    lines = (line.split("#")[0].strip() for line in (REPOSITORY / PINS).read_text(encoding="utf-8").splitlines())
    pins = {_key(pin.name): pin for pin in map(Requirement, filter(None, lines))}
    pins["opencv"] = Requirement(f"opencv-python{needed['opencv']}")  # the pinned one is built for NumPy 1
    kept = ["==".join(present[name][0][:2]) for name in (*needed, "protobuf") if name in present and name != "python"]
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder, "constraints.txt")
        constraints.write_text("\n".join(kept), encoding="utf-8")
        for alone in (False, True):
            chosen = [f"{pins[name].name}{pins[name].specifier}" for name in missing if (name in _ALONE) is alone]
            if not chosen:
                continue
            options = ["--no-deps"] if alone else ["--constraint", str(constraints)]
            command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *options]
            done = subprocess.run([*command, *chosen], capture_output=True, text=True, check=False)
            if done.returncode:
                reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
                raise RuntimeError(f"expected pip to add {', '.join(chosen)}, got: {reason}")


def _find_new_folders() -> None:
    """Search also where pip has just made its first folder, such as that of the user's own packages."""
    command = [sys.executable, "-c", "import json, sys; print(json.dumps(sys.path[1:]))"]
    folders = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    sys.path += [folder for folder in folders if folder not in sys.path]
    importlib.invalidate_caches()
