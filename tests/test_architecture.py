"""Holds how the code reads: no sprawling file, no star import, no print outside the command line.

Who may import whom is held by import-linter (pyproject.toml, `make check`).
"""

import ast
from pathlib import Path, PurePosixPath

import pytest

from tests.processes import run_python

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGES = ("fer_paddle", "yolo3tiny")
MAX_MODULE_LINES = 350
MAX_FUNCTION_LINES = 70
MAY_PRINT = ("fer_paddle/apps/", "fer_paddle/console.py", "yolo3tiny/cli/")


def node_fault(node: ast.AST, may_print: bool) -> str | None:
    """Says what is wrong with one node of a module, None where nothing is."""
    if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
        return "star import"
    if isinstance(node, ast.ExceptHandler) and node.type is None:
        return "bare except"
    if isinstance(node, ast.Name) and node.id == "print" and not may_print:
        return "print outside the command line"
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        if length > MAX_FUNCTION_LINES:
            return f"{node.name} has {length} lines, at most {MAX_FUNCTION_LINES}"
    return None


def style_faults(sources: dict[str, str]) -> list[str]:
    faults = []
    for path, source in sources.items():
        num_lines = len(source.splitlines())
        if PurePosixPath(path).name == "utils.py":
            faults.append(f"{path}: utils.py names no idea")
        if num_lines > MAX_MODULE_LINES:
            faults.append(f"{path}: {num_lines} lines, at most {MAX_MODULE_LINES}")
        may_print = path.startswith(MAY_PRINT)
        for node in ast.walk(ast.parse(source)):
            if fault := node_fault(node, may_print):
                faults.append(f"{path}, line {node.lineno}: {fault}")
    return faults


def read_sources() -> dict[str, str]:
    paths = sorted(path for package in PACKAGES for path in (REPOSITORY / package).rglob("*.py"))
    return {path.relative_to(REPOSITORY).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def test_the_packages():
    sources = read_sources()
    assert {"fer_paddle/__init__.py", "yolo3tiny/__init__.py"} <= sources.keys()
    faults = style_faults(sources)
    assert not faults, "\n" + "\n".join(faults)


@pytest.mark.parametrize(
    ("statement", "package"),
    [
        ("import fer_paddle.apps.cli", "paddle"),
        ("import fer_paddle.pipeline", "paddle"),
        ("from fer_paddle import Classifier, Pipeline, EXPRESSIONS", "paddle"),
        ("from yolo3tiny import Detector", "paddle"),
        # These run before __main__ can answer Ctrl-C.
        ("import fer_paddle", "numpy"),
        ("import yolo3tiny", "numpy"),
    ],
)
def test_starts_without_a_package_that_takes_long(statement, package):
    loaded = f"import sys; print([name for name in sys.modules if name.partition('.')[0] == {package!r}])"
    assert run_python(f"{statement}; {loaded}") == "[]\n"
