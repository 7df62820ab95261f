"""The first cell of a notebook in a Python that is there: it finds the project, adds what lacks, keeps the rest."""

import subprocess
import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest

from fer_paddle import environment, packages
from tests.processes import run_python

PROJECT = """
[project]
requires-python = ">=3.10"
dependencies = ["numpy>=1.26", "opencv-python>=4.6"]
[project.optional-dependencies]
train = ["paddlepaddle>=2.6.2,<3.4", "paddleslim==2.6.0", "scipy>=1.15", "numpy<2 ; platform_machine == 'none'"]
collect = []
report = []
runtimes = ["ncnn>=1.0"]
dev = ["ruff"]
"""
PINS = (
    "numpy==1.26.4\nopencv-python==4.6.0.66\npaddleslim==2.6.0\nscipy==1.15.3  # comment\nncnn==1.0.9\nruff==0.17.6\n"
)
BASE = ["numpy 1.26.4", "opencv-python 4.13.0", "paddlepaddle-gpu 3.2.2", "scipy 1.15.3", "protobuf 3.20.2"]
REST = ["paddleslim 2.6.0", "ncnn 1.0.9"]


class Studio:
    """An environment of two folders, `external` searched before `base`, and a pip that writes into `external`."""

    def __init__(self, folder: Path):
        self.base, self.external = folder / "base", folder / "external"
        self.commands: list[list[str]] = []
        self.constraints: list[str] = []
        self.fails = False
        (folder / "pyproject.toml").write_text(PROJECT)
        (folder / packages.PINS).write_text(PINS)

    def put(self, folder: Path, one: str) -> None:
        name, version = one.split()
        info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")

    def run(self, command, **_):
        """What subprocess.run does: pip, or the Python that tells its folders."""
        if "pip" not in command:
            return SimpleNamespace(stdout=b"[]", returncode=0)
        self.commands.append(command[command.index("install") + 1 :])
        if "--constraint" in command:
            self.constraints = Path(command[command.index("--constraint") + 1]).read_text().split()
        for one in command if not self.fails else ():
            if "==" in one or ">=" in one:
                self.put(self.external, one.replace("==", " ").replace(">=", " "))
        return SimpleNamespace(returncode=int(self.fails), stderr="WARNING: slow\nERROR: No matching distribution\n")


@pytest.fixture
def studio(tmp_path, monkeypatch):
    made = Studio(tmp_path)
    find = metadata.distributions
    monkeypatch.setattr(packages, "REPOSITORY", tmp_path)
    monkeypatch.setattr(packages.metadata, "distributions", lambda: find(path=[str(made.external), str(made.base)]))
    monkeypatch.setattr(packages.subprocess, "run", made.run)
    return made


def test_check_imports_neither_pip_nor_paddle():
    code = (
        "import sys; from fer_paddle import environment; environment.check(); print({'pip', 'paddle'} & {*sys.modules})"
    )
    assert run_python(code) == "set()\n"


HERE = f"Python {environment.platform.python_version()}"
PADDLE = f"{HERE}, paddlepaddle-gpu 3.2.2"


@pytest.mark.parametrize(
    ("base", "external", "says"),
    [
        ([*BASE, *REST], [], [f"{PADDLE}: all packages are there"]),
        (BASE, [], [PADDLE, "missing: paddleslim, ncnn"]),
        ([*BASE[:1], *BASE[2:], "opencv-contrib-python 4.9"], REST, [f"{PADDLE}: all packages are there"]),
        ([one for one in BASE if "paddle" not in one], REST, [f"{HERE}, no Paddle (README tells which to install)"]),
        (
            [*BASE, "ncnn 1.0.9", "paddleslim 2.4.0"],
            [],
            [PADDLE, "other versions than expected: paddleslim 2.4.0 (==2.6.0)"],
        ),
        (
            BASE,
            [*REST, "paddlepaddle 2.6.2"],
            [
                f"{HERE}, paddlepaddle 2.6.2",
                "hidden by a second copy: paddlepaddle-gpu 3.2.2 in {base} by paddlepaddle 2.6.2 in {external}",
            ],
        ),
        (BASE, [*REST, "protobuf 3.20.2"], [f"{PADDLE}: all packages are there"]),
    ],
)
def test_check_says_in_one_line_of_each_kind_what_is_wrong(studio, base, external, says):
    for folder, one in [*((studio.base, one) for one in base), *((studio.external, one) for one in external)]:
        studio.put(folder, one)
    assert environment.check(install=False).splitlines() == [
        line.format(base=studio.base, external=studio.external) for line in says
    ]
    assert not studio.commands


def test_check_adds_what_is_missing_and_never_paddle(studio):
    for one in BASE:
        if "paddle" not in one and "opencv" not in one:
            studio.put(studio.base, one)
    found = environment.check().splitlines()
    assert found == [
        f"{HERE}, no Paddle (README tells which to install)",
        "added: opencv-python 4.6, paddleslim 2.6.0, ncnn 1.0.9",
    ]
    # OpenCV by its range, since the pin is built for NumPy 1; PaddleSlim without what it asks for.
    with_constraints, alone = studio.commands
    assert with_constraints[-2:] == ["opencv-python>=4.6", "ncnn==1.0.9"] and "--no-deps" not in with_constraints
    assert alone[-2:] == ["--no-deps", "paddleslim==2.6.0"]
    assert studio.constraints == ["numpy==1.26.4", "scipy==1.15.3", "protobuf==3.20.2"]
    assert environment.check().splitlines() == found[:1] and len(studio.commands) == 2  # a second run adds nothing


FORKS = Path("learner", "work")  # as AI Studio lays it out: the learner's own folder with `work` in it
NOTEBOOKS = sorted((environment.REPOSITORY / "notebooks").rglob("*.ipynb"))


def first_code(path: Path) -> str:
    return next(cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "code")


def test_every_notebook_starts_with_the_same_cell():
    english = [path for path in NOTEBOOKS if not {"zh", ".ipynb_checkpoints"} & set(path.parts)]
    assert len(english) > 20 and len({first_code(path) for path in english}) == 1


@pytest.mark.parametrize(
    ("project", "working"),
    [
        ("course", "course"),
        ("course", "course/notebooks/solutions"),
        (FORKS, "learner"),
        (FORKS / "my course", FORKS),
        (FORKS / "fer_paddle", FORKS),  # the folder has the package's name: it would be imported itself
        ("learner/fer_paddle", "elsewhere"),
    ],
)
def test_the_start_cell_finds_the_project_from_any_working_directory(project, working, tmp_path):
    package = tmp_path / project / "fer_paddle"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "environment.py").write_text("def check():\n    return __file__\n")
    for folder in (working, "learner"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", first_code(NOTEBOOKS[0])],
        cwd=tmp_path / working,
        env={"HOME": str(tmp_path / "learner"), "USERPROFILE": str(tmp_path / "learner")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == str(package / "environment.py"), done.stderr
