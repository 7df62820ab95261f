"""Many files at once: names, bad files, what is written."""

import csv
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from fer_paddle.apps.recognize import RESULTS_JSON, recognize_files
from fer_paddle.drawn import draw_face
from fer_paddle.image_files import find_images, read_ours
from fer_paddle.images import read_image, write_image
from fer_paddle.labels import EXPRESSIONS
from fer_paddle.pipeline import Face


def pipeline(image, min_score, min_face=None):
    """Finds one sad face in every image that is not black."""
    if not image.any():
        return []
    return [Face(np.array([2, 2, 20, 20], np.float32), 0.8, np.eye(7, dtype=np.float32)[4], "sad")]


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "照片"
    (folder / "more").mkdir(parents=True)
    white = np.full((40, 60, 3), 255, np.uint8)
    write_image(folder / "笑脸.png", white)
    write_image(folder / "empty.jpg", np.zeros_like(white))
    write_image(folder / "more" / "笑脸.png", white)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff no image")
    (folder / "loop.png").symlink_to("loop.png")
    return folder


def test_folder_with_a_bad_file_and_equal_names(images, tmp_path):
    out = tmp_path / "结果"
    report = recognize_files(find_images([str(images)]), out, pipeline, 0.5)
    assert [failed[0] for failed in report.failed] == [str(images / name) for name in ("broken.jpg", "loop.png")]
    assert {result["drawn"] for result in report.results} == {"笑脸.png", "笑脸-2.png", "empty.jpg"}
    assert all(read_image(out / result["drawn"]).shape == (40, 60, 3) for result in report.results)
    written = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert written["images"] == report.results and written["failed"][0]["file"] == str(images / "broken.jpg")
    with (out / "results.csv").open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 and rows[0]["label"] == "sad" and float(rows[0]["sad"]) == 1
    assert list(rows[0])[-7:] == list(EXPRESSIONS)
    assert not [path for path in out.iterdir() if path.name.endswith(".tmp")]


def test_landmarks_are_drawn_and_stand_in_both_tables(tmp_path):
    drawn = draw_face("happy", 128, 0)
    write_image(tmp_path / "a.png", drawn.image)
    plain = Face(drawn.box_xyxy, 0.8, np.eye(7, dtype=np.float32)[3], "happy", rotation_deg=90)
    found = {"with": dataclasses.replace(plain, points=drawn.points, image_hw=(128, 128)), "without": plain}
    for name, face in found.items():

        def find(image, min_score, min_face, face=face):
            return [face]

        recognize_files([tmp_path / "a.png"], tmp_path / name, find, 0.5)
    with (tmp_path / "with" / "results.csv").open(encoding="utf-8-sig") as file:
        (row,) = csv.DictReader(file)
    (record,) = json.loads((tmp_path / "with" / "results.json").read_text())["images"][0]["faces"]
    assert float(row["x67"]) == record["points_xy"][67][0] and float(row["yaw_deg"]) == record["pose"]["yaw_deg"]
    assert float(row["smile"]) == record["measures"]["smile"]
    assert [float(row[side]) for side in ("left", "top", "right", "bottom")] == record["box_xyxy"]
    assert {name: float(row[name]) for name in EXPRESSIONS} == record["probs"] and row["sure"] == str(record["sure"])
    assert int(row["rotation_deg"]) == record["rotation_deg"] == 90
    assert (float(row["score"]), row["label"]) == (record["score"], record["label"])
    with_points, without = (read_image(tmp_path / name / "a.png").astype(int) for name in found)
    chin = drawn.points[8].astype(int)
    patch = np.s_[chin[1] - 2 : chin[1] + 3, chin[0] - 2 : chin[0] + 3]
    assert np.abs(with_points - without)[patch].max() > 50


def test_a_spreadsheet_computes_no_name(tmp_path, monkeypatch):
    """A cell that begins with = + - @ or a tab is a formula to Excel: names of files and classes are anybody's."""
    monkeypatch.chdir(tmp_path)
    names = ["=cmd|' -C calc'!A0.png", "+1.png", "-2.png", "@sum.png", "\tx.png", "a.png"]
    for name in names:
        write_image(name, np.full((40, 60, 3), 255, np.uint8))
    classes = ("=1+1", *EXPRESSIONS[1:])
    face = Face(np.array([2, 2, 20, 20]), 0.8, np.eye(7, dtype=np.float32)[0], classes[0], classes)

    def find(image, min_score, min_face):
        return [face]

    find.classes = classes
    recognize_files([Path(name) for name in names], tmp_path / "out", find, 0.5)
    with (tmp_path / "out" / "results.csv").open(newline="", encoding="utf-8-sig") as file:
        header, *rows = csv.reader(file)
    assert not [cell for row in [header, *rows] for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert header[9] == rows[0][6] == "'=1+1" and all(Path(row[0]).is_file() for row in rows)


def recognize(patterns, out):
    """As the command does it: (number of images, names of the copies)."""
    paths = find_images(patterns, out, read_ours(out / RESULTS_JSON))
    return len(paths), [result["drawn"] for result in recognize_files(paths, out, pipeline, 0.5).results]


@pytest.fixture
def album(tmp_path, monkeypatch):
    """1.png and 妈妈/1.png, of different grays; the working folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "妈妈").mkdir()
    for place, gray in (("1.png", 200), ("妈妈/1.png", 100)):
        write_image(tmp_path / place, np.full((40, 60, 3), gray, np.uint8))
    return tmp_path


@pytest.mark.parametrize(
    ("patterns", "out", "names"),
    [
        (["."], "out", ["1.png", "1-2.png"]),
        (["妈妈/1.png"], ".", ["1-2.png"]),
        (["."], ".", ["1-2.png", "1-3.png"]),
        (["."], "妈妈", ["1-2.png"]),
    ],
)
def test_the_same_command_again_gives_the_same(patterns, out, names, album):
    before = {path: path.read_bytes() for path in album.rglob("*.png")}
    for _ in range(3):
        assert recognize(patterns, album / out) == (len(names), names)
    assert {path: path.read_bytes() for path in before} == before


def test_an_interrupted_run_leaves_its_results(album, monkeypatch):
    def stop_at_the_second(paths, unit):
        yield paths[0]
        raise KeyboardInterrupt

    paths, out = find_images(["."]), album / "out"
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("fer_paddle.image_files.track", stop_at_the_second)
        recognize_files(paths, out, pipeline, 0.5)
    assert read_ours(out / RESULTS_JSON) == {"1.png"}
    assert recognize(["."], out)[1] == ["1.png", "1-2.png"]
