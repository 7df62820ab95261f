"""Both READMEs show the same commands and lead to the same places, which exist."""

import re
from collections import Counter

import pytest

from fer_paddle.environment import REPOSITORY

READMES = [REPOSITORY / "README.md", REPOSITORY / "README.zh-CN.md"]
LINK = re.compile(r"\]\(([^)\s]+)\)")


def test_both_languages_show_the_same():
    english, chinese = (path.read_text(encoding="utf-8") for path in READMES)
    for pattern in (r"```.*?```", r"`[^`\n]+`", r"^#+ "):
        found = [Counter(re.findall(pattern, text, re.DOTALL | re.MULTILINE)) for text in (english, chinese)]
        assert found[0] == found[1], pattern
    links = [Counter(LINK.findall(text)) for text in (english, chinese)]
    assert links[0] - links[1] == Counter(["README.zh-CN.md"]) and links[1] - links[0] == Counter(["README.md"])


@pytest.mark.parametrize("path", [*READMES, *sorted((REPOSITORY / "docs").glob("*.md"))], ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in LINK.findall(text):
        if "://" not in link:
            assert (path.parent / link.partition("#")[0]).exists(), link


def test_the_course_table_names_every_notebook_in_order():
    named = re.findall(r"\(notebooks/(\S+\.ipynb)\)", READMES[0].read_text(encoding="utf-8"))
    assert named == sorted(path.name for path in (REPOSITORY / "notebooks").glob("*.ipynb"))
    assert len(READMES[0].read_text(encoding="utf-8").splitlines()) <= 130
