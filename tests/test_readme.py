"""Both READMEs show the same commands and lead to the same places, which exist; the pages' commands do, too."""

import re
import shlex
from collections import Counter

import pytest

from fer_paddle import console
from fer_paddle.apps.cli import main as fer
from fer_paddle.environment import REPOSITORY
from yolo3tiny.cli import main as yolo3tiny

READMES = [REPOSITORY / "README.md", REPOSITORY / "README.zh-CN.md"]
PAGES = [*READMES, REPOSITORY / "CONTRIBUTING.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)")
# Of a block for the shell or a text in backticks: `fer ...`, `yolo3tiny ...`, `.venv/bin/python -m fer_paddle ...`.
COMMAND = re.compile(r"(?:^|[;&] |-m |=\w+ )(?:fer|fer_paddle|(yolo3tiny)) ([a-z][^;&|\n]*)", re.MULTILINE)


def test_both_languages_show_the_same():
    english, chinese = (path.read_text(encoding="utf-8") for path in READMES)
    for pattern in (r"```.*?```", r"`[^`\n]+`", r"^#+ "):
        found = [Counter(re.findall(pattern, text, re.DOTALL | re.MULTILINE)) for text in (english, chinese)]
        assert found[0] == found[1], pattern
    links = [Counter(LINK.findall(text)) for text in (english, chinese)]
    assert links[0] - links[1] == Counter(["README.zh-CN.md"]) and links[1] - links[0] == Counter(["README.md"])


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in LINK.findall(text):
        if "://" not in link:
            assert (path.parent / link.partition("#")[0]).exists(), link


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_the_commands_take_what_is_shown(path, monkeypatch, capsys):
    monkeypatch.setattr(console.Command, "invoke", lambda self, ctx: console.OK)
    text = re.sub(r"\$\w+", "1", path.read_text(encoding="utf-8")).replace("\\\n", " ")
    blocks = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    quoted = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    for tiny, words in COMMAND.findall("\n".join([*blocks, *quoted])):
        if "..." not in words:
            code = (yolo3tiny if tiny else fer)(shlex.split(words, comments=True))
            assert code == console.OK, f"{words}: {capsys.readouterr().err}"


def test_the_course_table_names_every_notebook_in_order():
    named = re.findall(r"\(notebooks/(\S+\.ipynb)\)", READMES[0].read_text(encoding="utf-8"))
    assert named == sorted(path.name for path in (REPOSITORY / "notebooks").glob("*.ipynb"))
    assert len(READMES[0].read_text(encoding="utf-8").splitlines()) <= 130


def test_the_map_names_files_that_are_there():
    packages = REPOSITORY / "fer_paddle", REPOSITORY / "yolo3tiny"
    there = {"main.gradio.py", *(path.name for package in packages for path in package.rglob("*.py"))}
    text = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert set(re.findall(r"[\w.]+\.py\b", text)) - {"test_architecture.py"} <= there
