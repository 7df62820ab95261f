"""Holds DESIGN.md's "Who may import whom" and how the code reads; fails on a new arrow, a circle or a sprawling file.

The checker reads sources by `ast` and runs nothing. It takes a table {path: source}, so that the tests below can show it
small forbidden programs: a checker that cannot fail guards nothing.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path, PurePosixPath

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGES = ("fer_paddle", "yolo3tiny")
MAX_MODULE_LINES = 350
MAX_FUNCTION_LINES = 70

GROUND = ("fer_paddle.labels", "fer_paddle.images", "fer_paddle.environment", "fer_paddle.weight_files")
DETECTOR = tuple(
    f"yolo3tiny.{name}"
    for name in ("boxes", "anchors", "model", "loss", "decode", "metrics", "detector", "draw", "detection")
)
DETECTOR_TRAINING = tuple(
    f"yolo3tiny.{name}" for name in ("photos", "annotations", "augment", "mosaic", "data", "evaluate", "train")
)
FOR_DETECTOR_TRAINING = (
    *DETECTOR,
    *DETECTOR_TRAINING,
    "fer_paddle.images",
    "fer_paddle.environment",
    "fer_paddle.weight_files",
    "fer_paddle.training",
    "fer_paddle.deployment.export",
)

# Module or package -> what it may import of ours, each with all that lies below it. The longest name that fits a module
# rules it, and whatever one row rules may import itself. A module that no row names is a fault: its place must be decided.
RULES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(GROUND, ()),
    "fer_paddle": ("fer_paddle.labels", "fer_paddle.classifier", "fer_paddle.pipeline"),
    "fer_paddle.weights": (),
    "fer_paddle.models": GROUND,
    "fer_paddle.data": GROUND,
    "fer_paddle.collect": GROUND,
    "fer_paddle.collect.select": (*GROUND, "fer_paddle.collect", "fer_paddle.landmarks", "yolo3tiny"),
    "fer_paddle.training": (*GROUND, "fer_paddle.models", "fer_paddle.data"),
    "fer_paddle.analysis": (*GROUND, "fer_paddle.models", "fer_paddle.data"),
    "fer_paddle.analysis.metrics": GROUND,
    "fer_paddle.landmarks": (*GROUND, "fer_paddle.models", "fer_paddle.data", "fer_paddle.training"),
    "fer_paddle.compression": (*GROUND, "fer_paddle.models", "fer_paddle.training"),
    "fer_paddle.search": (*GROUND, "fer_paddle.models", "fer_paddle.training"),
    "fer_paddle.deployment": (*GROUND, "fer_paddle.models"),
    "fer_paddle.classifier": ("fer_paddle.labels", "fer_paddle.images", "fer_paddle.deployment.runtimes"),
    "fer_paddle.pipeline": (
        "fer_paddle.labels",
        "fer_paddle.images",
        "fer_paddle.classifier",
        "fer_paddle.deployment.runtimes",
        "yolo3tiny.boxes",
        "yolo3tiny.decode",
        "yolo3tiny.detector",
        "yolo3tiny.draw",
    ),
    **dict.fromkeys(("fer_paddle.cli", "fer_paddle.web", "fer_paddle.api"), ("fer_paddle", "yolo3tiny")),
    "fer_paddle.__main__": ("fer_paddle.cli",),
    "yolo3tiny": DETECTOR,
    "yolo3tiny.weights": (),
    **dict.fromkeys(DETECTOR, DETECTOR),
    **dict.fromkeys(DETECTOR_TRAINING, FOR_DETECTOR_TRAINING),
    "yolo3tiny.__main__": FOR_DETECTOR_TRAINING,
    "yolo3tiny.keypoint": DETECTOR,
    "yolo3tiny.keypoint.train": (*FOR_DETECTOR_TRAINING, "yolo3tiny.keypoint"),
}
# These start fast: what a command needs they import inside it, and only this at the top.
ADAPTERS = ("fer_paddle.cli", "fer_paddle.web", "fer_paddle.api")
MAY_PRINT = ("fer_paddle.cli", "fer_paddle.__main__", "yolo3tiny.__main__")


@dataclass(frozen=True)
class Arrow:
    """One import of ours: by which module, of which, in which line."""

    source: str
    target: str
    line: int
    at_top: bool
    for_types: bool  # under `if TYPE_CHECKING:`, never run


def module_name(path: str) -> str:
    parts = PurePosixPath(path).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def stands_under(module: str, prefixes: Iterable[str]) -> bool:
    return any(module == prefix or module.startswith(prefix + ".") for prefix in prefixes)


def rule_for(module: str) -> str | None:
    """Names the row of RULES for a module; a package's own row, as "yolo3tiny", rules its __init__ alone."""
    rows = [row for row in RULES if module == row or (row not in PACKAGES and stands_under(module, [row]))]
    return max(rows, key=len, default=None)


def walk(node: ast.AST, at_top: bool = True, for_types: bool = False) -> Iterator[tuple[ast.AST, bool, bool]]:
    """Yields every node below with whether it runs at import and whether it is there for type checkers alone."""
    for child in ast.iter_child_nodes(node):
        inner_top = at_top and not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        inner_types = for_types or (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test))
        yield child, inner_top, inner_types
        yield from walk(child, inner_top, inner_types)


def imported_names(node: ast.AST, module: str, is_package: bool, tree: ast.Module) -> list[str]:
    """Gives the full names one statement imports: `from a import b` as "a.b", relative ones resolved."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        parents = module.split(".")
        base = parents[: len(parents) - node.level + is_package] if node.level else []
        start = ".".join([*base, *([node.module] if node.module else [])])
        return [f"{start}.{alias.name}" for alias in node.names]
    if not isinstance(node, ast.Call) or not node.args:
        return []
    if ast.unparse(node.func) not in ("importlib.import_module", "import_module", "__import__"):
        return []
    name = node.args[0]
    if isinstance(name, ast.Constant) and str(name.value).startswith("."):
        return [module.rsplit(".", 1)[0] * (not is_package) + module * is_package + str(name.value)]
    # A computed name comes from some string of the module: each string that begins like a module of ours counts.
    strings = [name] if isinstance(name, ast.Constant) else ast.walk(tree)
    return [str(one.value) for one in strings if isinstance(one, ast.Constant)]


def find_arrows(sources: dict[str, str]) -> list[Arrow]:
    """Lists the imports of ours in all sources, inside functions too; a target is always a module, never a name in it."""
    known = {module_name(path) for path in sources} | set(RULES)
    arrows = []
    for path, source in sources.items():
        module, tree = module_name(path), ast.parse(source)
        for node, at_top, for_types in walk(tree):
            for name in imported_names(node, module, path.endswith("__init__.py"), tree):
                target = name if name in known or "." not in name else name.rpartition(".")[0]
                if isinstance(node, (ast.Import, ast.Call)):
                    target = name
                if stands_under(target, PACKAGES):
                    arrows.append(Arrow(module, target, node.lineno, at_top, for_types))
    return arrows


def arrow_faults(sources: dict[str, str]) -> list[str]:
    modules = {module_name(path) for path in sources}
    faults = [f"{module}: no row of RULES names it" for module in sorted(modules) if rule_for(module) is None]
    for arrow in find_arrows(sources):
        row = rule_for(arrow.source)
        if row is None:
            continue
        allowed = RULES[row] if row in PACKAGES else (*RULES[row], row)
        if not stands_under(arrow.target, allowed):
            faults.append(f"{arrow.source}:{arrow.line} imports {arrow.target}: no such arrow in RULES")
        elif arrow.at_top and row in ADAPTERS and not stands_under(arrow.target, (*GROUND, row)):
            faults.append(f"{arrow.source}:{arrow.line} imports {arrow.target} at its top, not inside the command")
    return faults


def circle_faults(sources: dict[str, str]) -> list[str]:
    """Finds modules that import each other round, inside functions too; imports for type checkers do not count."""
    graph: dict[str, set[str]] = {}
    for arrow in find_arrows(sources):
        if not arrow.for_types:
            graph.setdefault(arrow.source, set()).add(arrow.target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return ["circle: " + " <- ".join(error.args[1])]
    return []


def style_faults(sources: dict[str, str]) -> list[str]:
    faults = []
    for path, source in sources.items():
        module, lines = module_name(path), len(source.splitlines())
        if PurePosixPath(path).name == "utils.py":
            faults.append(f"{path}: no utils.py; name the idea")
        if lines > MAX_MODULE_LINES:
            faults.append(f"{path}: {lines} lines, at most {MAX_MODULE_LINES}")
        for node in ast.walk(ast.parse(source)):
            where = f"{path}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
                faults.append(f"{where}: star import")
            if isinstance(node, ast.ExceptHandler) and node.type is None:
                faults.append(f"{where}: bare except")
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > MAX_FUNCTION_LINES:
                    faults.append(f"{where}: {node.name} has {length} lines, at most {MAX_FUNCTION_LINES}")
            if isinstance(node, ast.Name) and node.id == "print" and not stands_under(module, MAY_PRINT):
                faults.append(f"{where}: print outside the command line")
    return faults


def read_sources() -> dict[str, str]:
    paths = sorted(path for package in PACKAGES for path in (REPOSITORY / package).rglob("*.py"))
    return {path.relative_to(REPOSITORY).as_posix(): path.read_text(encoding="utf-8") for path in paths}


@pytest.mark.parametrize("find_faults", [arrow_faults, circle_faults, style_faults])
def test_the_packages(find_faults):
    sources = read_sources()
    assert {module_name(path) for path in sources} >= {"fer_paddle", "yolo3tiny"}
    faults = find_faults(sources)
    assert not faults, "\n" + "\n".join(faults)


FORBIDDEN_ARROWS = [
    # path, source, the module that must not be reached
    ("fer_paddle/models/blocks.py", "from fer_paddle.training import loop", "fer_paddle.training"),
    ("fer_paddle/models/blocks.py", "from fer_paddle.training.loop import fit", "fer_paddle.training.loop"),
    ("fer_paddle/models/blocks.py", "import fer_paddle.training.loop as loop", "fer_paddle.training.loop"),
    ("fer_paddle/models/blocks.py", "from ..training.loop import fit", "fer_paddle.training.loop"),
    ("fer_paddle/models/__init__.py", "from ..training import loop", "fer_paddle.training"),
    ("fer_paddle/models/__init__.py", "from .. import pipeline", "fer_paddle.pipeline"),
    ("fer_paddle/models/blocks.py", "def f():\n    import fer_paddle.training", "fer_paddle.training"),
    ("fer_paddle/models/blocks.py", "class A:\n    def f(self):\n        from .. import cli", "fer_paddle.cli"),
    ("fer_paddle/models/a.py", "import importlib\nimportlib.import_module('fer_paddle.cli')", "fer_paddle.cli"),
    ("fer_paddle/labels.py", "from importlib import import_module as i, import_module\nimport_module('.web', 'x')", ".web"),
    ("fer_paddle/models/a.py", "T = {'A': 'fer_paddle.web'}\nimportlib.import_module(T[x])", "fer_paddle.web"),
    ("fer_paddle/models/a.py", "from fer_paddle import EXPRESSIONS", "fer_paddle"),
    ("fer_paddle/labels.py", "from fer_paddle import images", "fer_paddle.images"),
    ("fer_paddle/environment.py", "if TYPE_CHECKING:\n    import fer_paddle.models", "fer_paddle.models"),
    ("fer_paddle/data/a.py", "import fer_paddle.models", "fer_paddle.models"),
    ("fer_paddle/analysis/metrics.py", "from fer_paddle.analysis import plots", "fer_paddle.analysis"),
    ("fer_paddle/collect/clean.py", "import yolo3tiny.detector", "yolo3tiny.detector"),
    ("fer_paddle/pipeline.py", "from fer_paddle.deployment import export", "fer_paddle.deployment.export"),
    ("fer_paddle/pipeline.py", "from yolo3tiny.model import Yolo3Tiny", "yolo3tiny.model"),
    ("fer_paddle/web.py", "def f():\n    import fer_paddle_tools, yolo3tiny.nothing, fer_paddle.cli", None),
    ("yolo3tiny/boxes.py", "import fer_paddle.labels", "fer_paddle.labels"),
    ("yolo3tiny/detector.py", "def f():\n    from yolo3tiny import train", "yolo3tiny.train"),
    ("yolo3tiny/train.py", "from fer_paddle.data import synthetic", "fer_paddle.data"),
    ("yolo3tiny/train.py", "from fer_paddle.deployment import runtimes", "fer_paddle.deployment"),
]
