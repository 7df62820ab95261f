"""Holds who may import whom, and how the code reads: fails on a new arrow, a circle or a sprawling file.

The checker reads sources by `ast` and runs nothing. It takes {path: source}, so that the tests at the end can
show it small forbidden programs: a checker that cannot fail guards nothing.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from importlib.util import resolve_name
from pathlib import Path, PurePosixPath

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGES = ("fer_paddle", "yolo3tiny")
MAX_MODULE_LINES = 350
MAX_FUNCTION_LINES = 70

GROUND = tuple(f"fer_paddle.{name}" for name in ("labels", "images", "environment", "weight_files", "layer_sizes"))
DETECTOR = tuple(
    f"yolo3tiny.{name}"
    for name in ("boxes", "anchors", "model", "loss", "decode", "metrics", "detector", "draw", "detection")
)
DETECTOR_TRAINING = tuple(
    f"yolo3tiny.{name}"
    for name in ("photos", "annotations", "splits", "augment", "mosaic", "data")
    + ("recipes", "train", "evaluate", "export", "prune", "quantize")
)
FOR_DETECTOR_TRAINING = (
    *DETECTOR,
    *DETECTOR_TRAINING,
    "fer_paddle.images",
    "fer_paddle.environment",
    "fer_paddle.weight_files",
    "fer_paddle.layer_sizes",
    "fer_paddle.training",
    "fer_paddle.compression",
    "fer_paddle.deployment.export",
)
FOR_PIPELINE = (
    "fer_paddle.labels",
    "fer_paddle.images",
    "fer_paddle.deployment.runtimes",
    "fer_paddle.classifier",
    "yolo3tiny.boxes",
    "yolo3tiny.decode",
    "yolo3tiny.detector",
    "yolo3tiny.draw",
)

# Module or package -> what it may import of ours, each with all that lies below it. The longest name that
# fits a module rules it; what one row rules may import itself. A module without a row is a fault: place it.
RULES: dict[str, tuple[str, ...]] = {
    # Ground floor
    **dict.fromkeys(GROUND, ()),
    "fer_paddle.decoding": (),
    "fer_paddle.images": ("fer_paddle.decoding",),
    "fer_paddle.layer_sizes": ("fer_paddle.environment",),
    **dict.fromkeys(DETECTOR, DETECTOR),
    "yolo3tiny": DETECTOR,
    "yolo3tiny.keypoint": DETECTOR,
    "fer_paddle.weights": (),
    "yolo3tiny.weights": (),
    # The course, chapter by chapter
    "fer_paddle.models": GROUND,
    "fer_paddle.data": GROUND,
    "fer_paddle.collect": GROUND,
    "fer_paddle.collect.select": (*GROUND, "fer_paddle.collect", "fer_paddle.landmarks", "yolo3tiny"),
    "fer_paddle.collect.mouths": (*GROUND, "fer_paddle.deployment.runtimes", "fer_paddle.classifier"),
    "fer_paddle.training": (*GROUND, "fer_paddle.models", "fer_paddle.data"),
    "fer_paddle.analysis": (*GROUND, "fer_paddle.models", "fer_paddle.data"),
    "fer_paddle.analysis.metrics": GROUND,
    "fer_paddle.analysis.detector": (
        *GROUND,
        "fer_paddle.analysis",
        *DETECTOR,
        "yolo3tiny.photos",
        "yolo3tiny.evaluate",
    ),
    "fer_paddle.landmarks": (*GROUND, "fer_paddle.models", "fer_paddle.data", "fer_paddle.training"),
    "fer_paddle.compression": (*GROUND, "fer_paddle.models", "fer_paddle.data", "fer_paddle.training"),
    "fer_paddle.studies": (
        *GROUND,
        *(f"fer_paddle.{name}" for name in ("models", "data", "training", "analysis", "deployment")),
    ),
    "fer_paddle.search": (*GROUND, "fer_paddle.models", "fer_paddle.training"),
    "fer_paddle.deployment": (*GROUND, "fer_paddle.models"),
    "fer_paddle.deployment.expression": (*GROUND, "fer_paddle.models", "fer_paddle.deployment", "fer_paddle.data"),
    **dict.fromkeys(DETECTOR_TRAINING, FOR_DETECTOR_TRAINING),
    "yolo3tiny.deploy": (*FOR_DETECTOR_TRAINING, "fer_paddle.deployment"),
    "yolo3tiny.keypoint.train": (*FOR_DETECTOR_TRAINING, "yolo3tiny.keypoint"),
    # From a picture to its faces, without Paddle
    "fer_paddle": ("fer_paddle.labels", "fer_paddle.classifier", "fer_paddle.pipeline"),
    "fer_paddle.classifier": ("fer_paddle.labels", "fer_paddle.images", "fer_paddle.deployment.runtimes"),
    "fer_paddle.pipeline": (*FOR_PIPELINE, "yolo3tiny.deploy"),
    "fer_paddle.drawing": (*FOR_PIPELINE, "fer_paddle.pipeline"),
    "fer_paddle.recognize": (
        *FOR_PIPELINE,
        "fer_paddle.pipeline",
        "fer_paddle.drawing",
        "fer_paddle.picture_files",
        "fer_paddle.weight_files",
    ),
    # Adapters: they may import anything, and only each other imports them
    "fer_paddle.speed": (
        *FOR_PIPELINE,
        "fer_paddle.pipeline",
        "fer_paddle.demo",
        "fer_paddle.deployment",
        "yolo3tiny.deploy",
    ),
    "fer_paddle.demo": ("fer_paddle.images", "fer_paddle.data"),
    "fer_paddle.commands": (),
    "fer_paddle.arguments": (),
    "fer_paddle.picture_files": ("fer_paddle.images",),
    "fer_paddle.cli": PACKAGES,
    "fer_paddle.web": PACKAGES,
    "fer_paddle.api": PACKAGES,
    "fer_paddle.__main__": ("fer_paddle.cli",),
    "yolo3tiny.cli": (
        *FOR_DETECTOR_TRAINING,
        "fer_paddle.commands",
        "fer_paddle.arguments",
        "fer_paddle.picture_files",
        "fer_paddle.deployment.runtimes",
        "yolo3tiny.deploy",
    ),
    "yolo3tiny.__main__": ("yolo3tiny.cli",),
}
# What a command needs is imported inside it, so that each starts fast. At the top there is no more than this.
ADAPTERS = ("fer_paddle.cli", "fer_paddle.web", "fer_paddle.api", "yolo3tiny.cli")
FOR_ADAPTERS_AT_TOP = (*GROUND, "fer_paddle.commands", "fer_paddle.arguments")
MAY_PRINT = ("fer_paddle.cli", "fer_paddle.commands", "yolo3tiny.cli")
NAMED = {name for row, allowed in RULES.items() for name in (row, *allowed)}


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
    """Names the row of RULES for a module; the rows of PACKAGES are for their __init__ alone."""
    rows = [row for row in RULES if module == row or (row not in PACKAGES and stands_under(module, [row]))]
    return max(rows, key=len, default=None)


def walk(node: ast.AST, at_top: bool = True, for_types: bool = False) -> Iterator[tuple[ast.AST, bool, bool]]:
    """Yields every node below, whether it runs at import, and whether it is there for type checkers only."""
    for child in ast.iter_child_nodes(node):
        top = at_top and not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        types = for_types or (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test))
        yield child, top, types
        yield from walk(child, top, types)


def called_names(node: ast.Call, tree: ast.Module) -> list[str]:
    """Gives the modules that `importlib.import_module(...)` may import; nothing for any other call."""
    function = ast.unparse(node.func)
    if function not in ("importlib.import_module", "import_module", "__import__") or not node.args:
        return []
    # A computed name is made of some string in this module: all that look like a module of ours count.
    nodes = [node.args[0]] if isinstance(node.args[0], ast.Constant) else ast.walk(tree)
    strings = [one.value for one in nodes if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    return [one for one in strings if re.fullmatch(r"[.\w]*\w", one)]


def imported_modules(node: ast.AST, package: str, tree: ast.Module, known: set[str]) -> list[str]:
    """Gives the modules that one node imports, by their full names; `package` is where it stands."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        base = resolve_name("." * node.level + (node.module or ""), package)
        names = [f"{base}.{alias.name}" for alias in node.names]
        return sorted({name if name in known else base for name in names})
    if isinstance(node, ast.Call):
        return [resolve_name(name, package) for name in called_names(node, tree)]
    return []


def find_arrows(sources: dict[str, str]) -> list[Arrow]:
    """Lists the imports of ours in all sources, those inside functions too."""
    known = NAMED | {module_name(path) for path in sources}
    arrows = []
    for path, source in sources.items():
        module, tree = module_name(path), ast.parse(source)
        package = module if path.endswith("__init__.py") else module.rpartition(".")[0]
        for node, at_top, for_types in walk(tree):
            for target in imported_modules(node, package, tree, known):
                if stands_under(target, PACKAGES) and target != module:
                    arrows.append(Arrow(module, target, node.lineno, at_top, for_types))
    return arrows


def arrow_faults(sources: dict[str, str]) -> list[str]:
    faults = []
    for path in sources:
        if rule_for(module_name(path)) is None:
            faults.append(f"{path}: no row of RULES names it")
    for arrow in find_arrows(sources):
        row = rule_for(arrow.source)
        if row is None:
            continue
        own = () if row in PACKAGES else (row,)
        runs_at_start = row in ADAPTERS and arrow.at_top and not arrow.for_types
        if not stands_under(arrow.target, (*RULES[row], *own)):
            faults.append(f"{arrow.source}, line {arrow.line}: may not import {arrow.target}")
        elif runs_at_start and not stands_under(arrow.target, (*FOR_ADAPTERS_AT_TOP, *own)):
            faults.append(f"{arrow.source}, line {arrow.line}: may not import {arrow.target} at its top")
    return faults


def circle_faults(sources: dict[str, str]) -> list[str]:
    """Finds a circle of imports, those inside functions too; imports for type checkers do not count."""
    graph: dict[str, set[str]] = {}
    for arrow in find_arrows(sources):
        if not arrow.for_types:
            graph.setdefault(arrow.source, set()).add(arrow.target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return ["circle: " + " <- ".join(error.args[1])]
    return []


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
        may_print = stands_under(module_name(path), MAY_PRINT)
        for node in ast.walk(ast.parse(source)):
            if fault := node_fault(node, may_print):
                faults.append(f"{path}, line {node.lineno}: {fault}")
    return faults


def read_sources() -> dict[str, str]:
    paths = sorted(path for package in PACKAGES for path in (REPOSITORY / package).rglob("*.py"))
    return {path.relative_to(REPOSITORY).as_posix(): path.read_text(encoding="utf-8") for path in paths}


@pytest.mark.parametrize("find_faults", [arrow_faults, circle_faults, style_faults])
def test_the_packages(find_faults):
    sources = read_sources()
    assert {module_name(path) for path in sources} >= set(PACKAGES)
    faults = find_faults(sources)
    assert not faults, "\n" + "\n".join(faults)


@pytest.mark.parametrize(
    "statement",
    [
        "import fer_paddle.cli",
        "import fer_paddle.pipeline",
        "from fer_paddle import Classifier, Pipeline, EXPRESSIONS",
        "from yolo3tiny import Detector",
    ],
)
def test_starts_without_paddle(statement):
    loaded = "import sys; print([name for name in sys.modules if name.partition('.')[0] == 'paddle'])"
    command = [sys.executable, "-c", f"{statement}; {loaded}"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


MODEL = "fer_paddle/models/a.py"
FORBIDDEN_ARROWS = [
    # path, source, what it reaches for
    (MODEL, "import fer_paddle.training.loop as loop", "fer_paddle.training.loop"),
    (MODEL, "from fer_paddle.training.loop import fit", "fer_paddle.training.loop"),
    (MODEL, "from fer_paddle import training", "fer_paddle.training"),
    (MODEL, "from ..training.loop import fit", "fer_paddle.training.loop"),
    ("fer_paddle/models/__init__.py", "from ..training import loop", "fer_paddle.training"),
    ("fer_paddle/models/__init__.py", "from .. import pipeline", "fer_paddle.pipeline"),
    # inside a function, a method, a branch
    (MODEL, "def f():\n    import fer_paddle.training", "fer_paddle.training"),
    (MODEL, "class A:\n    def f(self):\n        from .. import cli", "fer_paddle.cli"),
    ("fer_paddle/images.py", "if TYPE_CHECKING:\n    import fer_paddle.models", "fer_paddle.models"),
    # by name
    (MODEL, "importlib.import_module('fer_paddle.web')", "fer_paddle.web"),
    (MODEL, "import_module('..web', __package__)", "fer_paddle.web"),
    (MODEL, "TABLE = {'A': 'fer_paddle.web'}\nimport_module(TABLE[x])", "fer_paddle.web"),
    # the package's own face is for users: the library names the module it means
    (MODEL, "from fer_paddle import EXPRESSIONS", "fer_paddle"),
    # one for each floor
    ("fer_paddle/labels.py", "from fer_paddle import images", "fer_paddle.images"),
    ("fer_paddle/data/a.py", "from fer_paddle.models import distresnet", "fer_paddle.models"),
    ("fer_paddle/collect/clean.py", "import yolo3tiny.detector", "yolo3tiny.detector"),
    ("fer_paddle/analysis/metrics.py", "import fer_paddle.analysis.plots", "fer_paddle.analysis.plots"),
    ("fer_paddle/training/a.py", "import fer_paddle.analysis.metrics", "fer_paddle.analysis.metrics"),
    ("fer_paddle/landmarks/a.py", "import fer_paddle.pipeline", "fer_paddle.pipeline"),
    ("fer_paddle/search/a.py", "import fer_paddle.deployment", "fer_paddle.deployment"),
    ("fer_paddle/deployment/a.py", "import fer_paddle.training", "fer_paddle.training"),
    ("fer_paddle/pipeline.py", "from fer_paddle.deployment import export", "fer_paddle.deployment.export"),
    ("fer_paddle/pipeline.py", "from yolo3tiny.model import Yolo3Tiny", "yolo3tiny.model"),
    ("fer_paddle/__init__.py", "from fer_paddle.models import distresnet", "fer_paddle.models"),
    ("yolo3tiny/boxes.py", "import fer_paddle.labels", "fer_paddle.labels"),
    ("yolo3tiny/detector.py", "from yolo3tiny import train", "yolo3tiny.train"),
    ("yolo3tiny/train.py", "from fer_paddle.data import synthetic", "fer_paddle.data"),
    ("yolo3tiny/train.py", "from fer_paddle.deployment import runtimes", "fer_paddle.deployment.runtimes"),
    ("fer_paddle/cli/train.py", "import fer_paddle.models", "fer_paddle.models"),  # allowed inside a command only
]


@pytest.mark.parametrize(("path", "source", "target"), FORBIDDEN_ARROWS)
def test_finds_a_forbidden_arrow(path, source, target):
    (fault,) = arrow_faults({path: source})
    assert f" {target} " in f"{fault} "


ALLOWED_ARROWS = [
    (MODEL, "import os, paddle\nfrom fer_paddle.models.blocks import ConvBN\nfrom . import blocks"),
    (MODEL, "import fer_paddle_tools, yolo3tinyish.train"),  # their names only begin like ours
    (MODEL, "'fer_paddle.web is elsewhere'\nimport_module(f'paddle.{name}')"),
    ("fer_paddle/environment.py", "importlib.import_module('paddle')"),
    ("fer_paddle/cli.py", "import fer_paddle.labels\ndef run():\n    import fer_paddle.models, yolo3tiny"),
    ("fer_paddle/collect/select.py", "from yolo3tiny import Detector\nfrom fer_paddle import landmarks"),
    ("yolo3tiny/keypoint/train.py", "from fer_paddle.deployment import export\nfrom . import model"),
]


@pytest.mark.parametrize(("path", "source"), ALLOWED_ARROWS)
def test_lets_an_allowed_arrow_pass(path, source):
    assert arrow_faults({path: source}) == []


def test_finds_a_module_without_a_row():
    assert arrow_faults({"fer_paddle/misc.py": ""}) == ["fer_paddle/misc.py: no row of RULES names it"]


@pytest.mark.parametrize("back", ["from . import a", "def f():\n    import fer_paddle.data.a"])
def test_finds_a_circle(back):
    sources = {"fer_paddle/data/a.py": "from fer_paddle.data.b import x", "fer_paddle/data/b.py": back}
    assert len(circle_faults(sources)) == 1


def test_imports_for_types_make_no_circle():
    back = "if TYPE_CHECKING:\n    from fer_paddle.data.a import A"
    sources = {"fer_paddle/data/a.py": "import fer_paddle.data.b", "fer_paddle/data/b.py": back}
    assert circle_faults(sources) == []


DATA = "fer_paddle/data/a.py"
STYLE_FAULTS = [
    # path, source, what the checker says; None: nothing
    (DATA, "from numpy import *", "star import"),
    (DATA, "try:\n    x\nexcept:\n    y", "bare except"),
    (DATA, "try:\n    x\nexcept ValueError:\n    y", None),
    ("fer_paddle/data/utils.py", "", "utils.py names no idea"),
    (DATA, "\n" * MAX_MODULE_LINES, None),
    (DATA, "\n" * (MAX_MODULE_LINES + 1), "351 lines, at most 350"),
    (DATA, "def f():\n" + "    x\n" * (MAX_FUNCTION_LINES - 1), None),
    (DATA, "async def f():\n" + "    x\n" * MAX_FUNCTION_LINES, "f has 71 lines, at most 70"),
    (DATA, "print(1)", "print outside the command line"),
    ("fer_paddle/cli.py", "print(1)", None),
]


@pytest.mark.parametrize(("path", "source", "says"), STYLE_FAULTS)
def test_finds_a_fault_of_style(path, source, says):
    faults = style_faults({path: source})
    assert [fault.rpartition(": ")[2] for fault in faults] == ([] if says is None else [says])
