"""Which images a command line means, and names for their copies that overwrite nothing."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from fer_paddle import files, images
from fer_paddle.apps.video import recognize_videos
from fer_paddle.image_files import annotate_files, find_images, name_copies, read_ours


@pytest.fixture
def folder(tmp_path):
    """a.png, b.JPG, note.txt, deep/c.webp and [x].png, all of them empty: only their names count."""
    (tmp_path / "deep").mkdir()
    for name in ("a.png", "b.JPG", "note.txt", "deep/c.webp", "[x].png"):
        (tmp_path / name).touch()
    return tmp_path


CASES = [
    (["a.png"], ["a.png"]),
    (["note.txt"], ["note.txt"]),  # a file that was named is meant, whatever it is
    (["a.png", "a.png", "*.png"], ["a.png", "[x].png"]),
    (["*"], ["[x].png", "a.png", "b.JPG", "note.txt"]),
    (["[x].png"], ["[x].png"]),  # an existing name is no pattern
    (["[ab].*"], ["a.png", "b.JPG"]),
    (["."], ["[x].png", "a.png", "b.JPG", "deep/c.webp"]),
]


@pytest.mark.parametrize(("patterns", "names"), CASES)
@pytest.mark.parametrize("absolute", [False, True])
def test_files_folders_and_globs(patterns, names, absolute, folder, monkeypatch):
    monkeypatch.chdir(folder)
    if absolute:
        found = find_images([str(folder / pattern) for pattern in patterns])
        assert found == [folder / name for name in names]
    else:
        assert find_images(patterns) == [Path(name) for name in names]


@pytest.mark.parametrize("pattern", ["nosuch.png", "*.gif", "empty"])
def test_each_pattern_means_something(pattern, folder):
    (folder / "empty").mkdir()
    with pytest.raises(ValueError, match="expected images, a folder of images or a glob, found none for"):
        find_images([str(folder / "a.png"), str(folder / pattern)])


OUT_CASES = [
    # patterns, the output folder, names drawn there before, what is meant
    (["."], "deep", [], ["[x].png", "a.png", "b.JPG"]),
    (["*/*.webp", "a.png"], "deep", [], ["a.png"]),
    (["deep"], "deep", [], ["deep/c.webp"]),  # the folder itself was named
    (["deep/c.webp"], "deep", [], ["deep/c.webp"]),
    (["a.png", "deep"], "deep", ["c.webp"], ["a.png"]),  # as a shell makes it of *
    (["a.png", "[x].png"], ".", ["a.png"], ["[x].png"]),  # as a shell makes it of *.png
    (["."], ".", ["a.png", "c.webp"], ["[x].png", "b.JPG", "deep/c.webp"]),
]


@pytest.mark.parametrize(("patterns", "out", "drawn", "names"), OUT_CASES)
@pytest.mark.parametrize("absolute", [False, True])
def test_the_output_folder_is_no_input(patterns, out, drawn, names, absolute, folder, monkeypatch):
    monkeypatch.chdir(folder)
    found = find_images(patterns, folder / out if absolute else Path(out), drawn)
    assert found == [Path(name) for name in names]


def test_a_link_to_the_output_folder_is_seen_through(folder):
    (folder / "deep").rename(folder.with_name("elsewhere"))
    (folder / "away").symlink_to(folder.with_name("elsewhere"))
    (folder.with_name("elsewhere") / "of_ours.mp4").touch()
    others = []
    found = find_images([str(folder)], folder.with_name("elsewhere"), others=others)
    assert [path.name for path in others] == ["note.txt"]
    assert [path.name for path in found] == ["[x].png", "a.png", "b.JPG"]


def names_for(folder, *paths, drawn=()):
    return [copy.name for copy in name_copies(paths, folder, drawn).values()]


def test_every_image_has_a_copy_of_its_own(tmp_path):
    paths = [tmp_path / "x" / "a.png", tmp_path / "y" / "a.png", tmp_path / "z" / "A.PNG", tmp_path / "b.gif"]
    assert names_for(tmp_path / "out", *paths) == ["a.png", "a-2.png", "A-3.png", "b.jpg"]
    long = "长" * 83 + "a"
    paths = [tmp_path / place / f"{long}.png" for place in "xyz"] + [tmp_path / ("a" * 255)]
    names = names_for(tmp_path / "out", *paths)
    assert names == [f"{long}.png", f"{long[:-1]}-2.png", f"{long[:-1]}-3.png", f"{'a' * 251}.jpg"]


@pytest.mark.parametrize(
    ("path", "drawn", "name"),
    [
        ("deep/a.png", [], "a-2.png"),  # a.png was not read in this call, and is somebody's all the same
        ("deep/a.png", ["a.png"], "a.png"),  # an earlier drawing
        ("a.png", ["a.png"], "a-2.png"),  # what is read stays, whatever it is
    ],
)
def test_only_earlier_drawings_are_replaced(path, drawn, name, folder):
    assert names_for(folder, folder / path, drawn=drawn) == [name]


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (None, set()),
        ({"images": [], "failed": []}, set()),
        ({"images": [{"drawn": "a.png"}, {"drawn": "gone.png"}]}, {"a.png"}),
        ({"images": [{"drawn": "a.png"}], "drawn_before": ["b.JPG", "gone.jpg"]}, {"a.png", "b.JPG"}),
        ({"images": [{"drawn": "elsewhere/a.png"}, {"file": "b.png"}]}, {"a.png"}),  # as detect wrote paths
    ],
)
def test_what_earlier_runs_drew(content, names, folder):
    if content is not None:
        (folder / "results.json").write_text(json.dumps(content))
    assert read_ours(folder / "results.json") == names


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "null", '{"images": 3}', '{"images": [3]}', '{"images": [], "drawn_before": [1]}']
)
def test_the_results_of_something_else_are_not_replaced(text, folder):
    (folder / "results.json").write_text(text)
    with pytest.raises(ValueError, match="got another file: choose another folder"):
        read_ours(folder / "results.json")


def test_links_do_not_deceive(folder):
    out = folder / "out"
    out.mkdir()
    (out / "real.png").touch()
    (out / "link.png").symlink_to(folder / "a.png")
    (folder / "away.png").symlink_to(out / "real.png")
    paths = [out / "link.png", folder / "away.png", folder / "elsewhere" / "real.png"]
    assert names_for(out, *paths) == ["link-2.png", "away.png", "real-2.png"]


@pytest.mark.parametrize(("enough", "seen", "drawn"), [(1200, (30, 40), (30, 40)), (300, (15, 20), (15, 20))])
def test_a_large_image_is_annotated_reduced_and_reported_in_its_own_pixels(enough, seen, drawn, tmp_path, monkeypatch):
    monkeypatch.setattr(images, "ENOUGH_PIXELS", enough)
    images.write_image(tmp_path / "a.png", np.zeros((30, 40, 3), np.uint8))

    def annotate(image, scale):
        assert image.shape[:2] == seen and scale == 40 / seen[1]
        height, width = seen
        face = {"box_xyxy": [width / 2, 0, width, height], "score": 1.0, "points_xy": [[0, height / 2]]}
        return {"faces": [face]}, image

    records, failed = annotate_files([tmp_path / "a.png"], tmp_path / "out" / "results.json", annotate)
    assert not failed and images.read_size(tmp_path / "out" / "a.png") == drawn
    assert {name: records[0][name] for name in ("width", "height")} == {"width": 40, "height": 30}
    assert records[0]["faces"] == [{"box_xyxy": [20, 0, 40, 30], "score": 1.0, "points_xy": [[0, 15]]}]


def test_reasons_that_files_keep_agree_in_number(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise ValueError("expected 2 faces, got 1 faces")

    images.write_image(tmp_path / "a.png", np.zeros((30, 40, 3), np.uint8))
    results = tmp_path / "out" / "results.json"
    annotate_files([tmp_path / "a.png"], results, fail)
    monkeypatch.setattr("fer_paddle.apps.video.Video", fail)
    _, videos = recognize_videos([tmp_path / "a.mp4"], tmp_path / "out", fail, 0.5)
    kept = json.loads(results.read_text())["failed"]
    assert [kept[0]["reason"], videos[0][1]] == ["expected 2 faces, got 1 face"] * 2


def test_two_runs_in_one_folder_are_refused_and_what_a_killed_one_left_goes(tmp_path):
    out, clip = tmp_path / "out", tmp_path / "clip.mp4"
    images.write_image(tmp_path / "a.png", np.zeros((8, 8), np.uint8))
    clip.touch()
    out.mkdir()
    (out / ".a.png.99999999999999999999-0.tmp").touch()  # no such process
    with files.hold(out):
        with pytest.raises(ValueError, match="expected no other run in"):
            annotate_files([tmp_path / "a.png"], out / "results.json", lambda image, scale: ({}, image))
        (_, reason), *_ = recognize_videos([clip], out, None, 0.5)[1]
        assert "no other run" in reason
    annotate_files([tmp_path / "a.png"], out / "results.json", lambda image, scale: ({}, image))
    assert sorted(path.name for path in out.iterdir()) == ["a.png", "results.json"]


def test_a_locked_folder_is_named_and_stops_no_walk(folder, monkeypatch, caplog):
    def scandir(path):
        if Path(path).name == "deep":
            raise PermissionError(13, "Permission denied", path)
        return opened(path)

    opened = os.scandir
    monkeypatch.setattr(os, "scandir", scandir)
    assert [path.name for path in images.list_images(folder)] == ["[x].png", "a.png", "b.JPG"]
    assert str(folder / "deep") in caplog.text
    assert find_images([str(folder)])[-1] == folder / "deep"  # to be named as unreadable
    with pytest.raises(OSError, match="expected a folder that can be read, got .*deep"):
        images.list_images(folder / "deep")
