"""The commands of the data chapter on a person's own folder: Chinese names, damaged files, no folder."""

import json

import numpy as np
import pytest

from fer_paddle.apps.cli import main
from fer_paddle.expression.data.expressions import load_train_valid
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


def test_packs_are_made_of_a_csv_and_found_by_name(tmp_path, noise, write_csv, capsys, monkeypatch):
    path = write_csv(tmp_path / "下载" / "fer2013.csv", noise(3), [0, 1, 2], ["Training", "PublicTest", "PublicTest"])
    assert main(["data", str(path), "--out", str(tmp_path / "数据"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [list(row.values()) for row in found] == [
        ["fer2013_train.npz", "train", 1, 28709, False],
        ["fer2013_publictest.npz", "validation", 2, 3589, False],
    ]
    monkeypatch.setenv("FER_DATA", str(tmp_path / "数据"))
    train, valid = load_train_valid("fer2013_train.npz")
    assert (train.labels.tolist(), valid.labels.tolist()) == ([0], [1, 2])


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


@pytest.mark.parametrize(
    "argv",
    [
        *("report {}", "train --data {}", "crop {}", "search --data {}", "batch --data {}", "quantize --data {}"),
        *("study compare --data y --valid {}", "collect train-mouths --data y {}"),
    ],
)
def test_nothing_is_written_into_the_data(argv, folder, capsys):
    """A run in a folder of class folders would be a class the next time: its curves are an image."""
    assert main([*argv.format(folder).split(), "--out", str(folder / "高兴" / ".." / "run")]) == 2
    assert f"error: expected --out outside of the data {folder}, got " in capsys.readouterr().err
    assert not (folder / "run").exists()


def test_the_speed_of_the_augmentation_as_json(capsys):
    assert main(["benchmark-augment", "--size", "24", "--seconds", "0.01", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["images_per_second"]["strong"] > 0


def test_boxes_of_expressions_become_class_folders_that_train_reads(tmp_path, capsys):
    """Of two faces in an image each goes into its class; the splits stay, and a second call adds nothing.

    The name of a category leads nowhere outside.
    """
    from fer_paddle.expression.data.expressions import load_faces

    rng, categories = np.random.default_rng(0), [{"id": 1, "name": "Happiness"}, {"id": 2, "name": "../sad"}]
    for split in ("train", "valid"):
        images = [{"id": number, "file_name": f"{number}.png"} for number in range(2)]
        boxes = [([4, 5, 20, 20], 1, 0), ([40, 5, 10, 20], 2, 0), ([30, 30, 12, 12], 2, 1)]
        rows = [{"bbox": box, "category_id": category, "image_id": image} for box, category, image in boxes]
        for image in images:
            (tmp_path / "data" / split).mkdir(parents=True, exist_ok=True)
            write_image(tmp_path / "data" / split / image["file_name"], rng.integers(0, 256, (60, 80, 3), np.uint8))
        table = {"images": images, "annotations": rows, "categories": categories}
        (tmp_path / "data" / split / "_annotations.coco.json").write_text(json.dumps(table))
    for _ in range(2):
        assert main(["crop", str(tmp_path / "data"), "--out", str(tmp_path / "faces"), "--margin", "0", "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert [tuple(row.values()) for row in found] == [
            ("train", "happy", 1), ("train", "sad", 2), ("validation", "happy", 1), ("validation", "sad", 2)
        ]  # fmt: skip
        faces = load_faces(tmp_path / "faces")
        assert sorted(zip(faces.split, (faces.classes[label] for label in faces.labels))) == [
            ("train", "happy"), ("train", "sad"), ("train", "sad"),
            ("validation", "happy"), ("validation", "sad"), ("validation", "sad"),
        ]  # fmt: skip
    assert sorted({image.shape for image in faces.images}) == [(12, 12), (20, 20)]
