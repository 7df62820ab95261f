"""The commands of the data chapter on a person's own folder: Chinese names, damaged files, no folder."""

from __future__ import annotations

import json

import numpy as np
import pytest

from fer_paddle.apps.cli import main
from fer_paddle.images import write_image


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("高兴/脸 1.png", "高兴/脸 2.png", "悲伤/脸 3.png"):
        path = tmp_path / "我的图片" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_image(path, rng.integers(0, 256, (40, 40), np.uint8))
    whole = (tmp_path / "我的图片" / "高兴" / "脸 1.png").read_bytes()
    (tmp_path / "我的图片" / "高兴" / "坏.png").write_bytes(whole[:60])
    (tmp_path / "我的图片" / "悲伤" / "同.png").write_bytes(whole)
    return tmp_path / "我的图片"


def test_report_of_a_folder(folder, tmp_path, capsys):
    before = sorted(path.read_bytes() for path in folder.rglob("*.png"))
    assert main(["report", str(folder), "--quick", "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr()
    assert said.err.count("\n") == 1 and "坏.png" in said.err
    assert "Exact copies with different labels" in said.out and "4 images" in said.out
    content = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    (group,) = content["findings"]["exact_disagreeing"]["groups"]
    assert set(group["names"]) == {"高兴/脸 1.png", "悲伤/同.png"}
    assert "我的图片" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert sorted(path.read_bytes() for path in folder.rglob("*.png")) == before


@pytest.mark.parametrize("source", ["empty", "text.txt"])
def test_what_is_no_source_ends_in_one_line(tmp_path, capsys, source):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.txt").write_text("x")
    assert main(["report", str(tmp_path / source), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("error: expected") and said.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_the_speed_of_the_augmentation_as_json(capsys):
    assert main(["benchmark-augment", "--size", "24", "--seconds", "0.01", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["images_per_second"]["strong"] > 0
