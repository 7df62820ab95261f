"""What `pip install .` and its extras bring is enough for what they are named after: no other package is imported."""

import pytest

from fer_paddle.drawn import draw_scene
from fer_paddle.images import write_image
from tests.processes import run_python

ONLY = """
import sys
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from fer_paddle.packages import REPOSITORY, Requirement, _key, _read_lists

def needs(name):
    try:
        found = map(Requirement, requires(name) or ())
    except PackageNotFoundError:  # another build of it, such as paddlepaddle-gpu
        return set()
    return {one.name for one in found if one.marker is None or one.marker.evaluate({"extra": ""})}

image, out, *extras = sys.argv[1:]
project = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
asked, new = set(), {Requirement(line).name for line in _read_lists(project, ["dependencies", *extras])}
while new:
    asked, new = asked | new, set().union(*map(needs, new)) - asked - new
asked = {*map(_key, asked)}
absent = {name for name, found in packages_distributions().items() if not asked & {*map(_key, found)}}
sys.modules.update(dict.fromkeys(absent - {*sys.modules}))  # what Python takes for not installed
"""
COMMANDS = """
from fer_paddle.apps.cli import main as fer
from yolo3tiny.cli import main as yolo3tiny
assert fer(["recognize", image, "--landmarks", "--out", out]) == 0
assert fer(["models", "yolo3lite*", "--runs", "1"]) == 0
assert yolo3tiny(["detect", image]) == 0
"""


@pytest.mark.parametrize(
    ("extra", "code"),
    [
        ("", COMMANDS),
        ("api", "from fer_paddle.apps.api import create_app; create_app()"),
        ("web", "from fer_paddle.apps.web import build_page; build_page()"),
        ("runtimes", "from fer_paddle import Classifier; Classifier(runtime='openvino')"),
    ],
    ids=["none", "api", "web", "runtimes"],
)
def test_an_extra_brings_enough(extra, code, tmp_path):
    if extra == "runtimes":
        pytest.importorskip("openvino")  # has no wheel for some platforms
    write_image(tmp_path / "一.png", draw_scene(5, 160, 120, num_faces=1, min_px=50).image)
    run_python(ONLY + code, tmp_path / "一.png", tmp_path / "out", *extra.split())
