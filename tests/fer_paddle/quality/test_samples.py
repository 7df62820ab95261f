"""What a report looks at: every picture of a folder or pack, its class and split by where it lies, nothing lost."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest

from fer_paddle.images import write_image
from fer_paddle.labels import EXPRESSIONS
from fer_paddle.quality.samples import UNLABELLED, Samples, printable, read_samples


@pytest.fixture
def draw():
    rng = np.random.default_rng(0)

    def write(path, shape=(20, 20)):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_image(path, rng.integers(0, 256, shape, np.uint8))

    return write


def labels_by_name(samples):
    classes = [*samples.classes, None]  # UNLABELLED is -1
    return {name: classes[label] for name, label in zip(samples.names, samples.labels)}


def test_chinese_class_folders_with_splits(tmp_path, draw):
    for name in ("训练集/高兴/脸 一.png", "训练集/悲伤/二.jpg", "测试集/高兴/三.png"):
        draw(tmp_path / name)
    samples = read_samples([tmp_path])
    assert samples.classes == EXPRESSIONS
    assert labels_by_name(samples) == {
        "测试集/高兴/三.png": "happy",
        "训练集/悲伤/二.jpg": "sad",
        "训练集/高兴/脸 一.png": "happy",
    }
    assert samples.splits.tolist() == ["test", "train", "train"]


def test_folders_of_other_classes_and_loose_pictures(tmp_path, draw):
    """The reader's own pouting and laughing faces are no expressions of FER2013, and are classes all the same."""
    for name in ("嘟嘴/a.png", "大笑/b.png", "happy/c.png", "loose.png"):
        draw(tmp_path / name)
    samples = read_samples([tmp_path])
    assert set(samples.classes) == {"嘟嘴", "大笑", "happy"}
    assert labels_by_name(samples)["loose.png"] is None
    assert labels_by_name(samples)["嘟嘴/a.png"] == "嘟嘴"
    assert set(samples.splits) == {""}


def test_pictures_without_any_class(tmp_path, draw):
    draw(tmp_path / "a.png")
    samples = read_samples([tmp_path])
    assert samples.classes == () and samples.labels.tolist() == [UNLABELLED]


def test_damaged_files_are_named_with_their_reason_and_the_rest_is_read(tmp_path, draw):
    draw(tmp_path / "happy" / "good.png")
    whole = (tmp_path / "happy" / "good.png").read_bytes()
    (tmp_path / "happy" / "截断.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "happy" / "empty.jpg").write_bytes(b"")
    (tmp_path / "happy" / "text.gif").write_text("no picture")
    (tmp_path / "happy" / "nowhere.png").symlink_to(tmp_path / "gone.png")
    samples = read_samples([tmp_path])
    assert samples.names == ["happy/good.png"]
    reasons = dict(samples.unreadable)
    assert set(reasons) == {f"happy/{name}" for name in ("截断.png", "empty.jpg", "text.gif", "nowhere.png")}
    assert all("\n" not in reason and reason for reason in reasons.values())


def test_a_folder_of_damaged_files_alone_is_refused(tmp_path):
    (tmp_path / "a.png").write_bytes(b"x")
    with pytest.raises(ValueError, match="1 damaged ones"):
        read_samples([tmp_path])


def test_large_pictures_are_kept_small_and_their_size_known(tmp_path, draw):
    draw(tmp_path / "wide.png", (300, 1200, 3))
    samples = read_samples([tmp_path])
    assert samples.shapes.tolist() == [[300, 1200]]
    assert samples.images[0].shape == (64, 256)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has file names that are no text")
def test_names_that_are_no_text_can_be_written(tmp_path, draw):
    draw(tmp_path / "a.png")
    (tmp_path / "a.png").rename(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png"))
    (name,) = read_samples([tmp_path]).names
    assert name == "\\xff.png"


@pytest.mark.parametrize(
    ("name", "shown"), [("脸 1.png", "脸 1.png"), ("a\nb.png", "a\\nb.png"), ("a\x1b[31m.png", "a\\x1b[31m.png")]
)
def test_printable(name, shown):
    assert printable(name) == shown


def test_a_pack_comes_whole(tmp_path, noise, write_pack):
    """Also the rows that training leaves out: finding them is what a report is for."""
    votes = np.zeros((3, 10), np.uint8)
    columns = {"labels": [3, 4, 0], "usage": [0, 0, 1], "flag": [2, 0, 0], "row": [7, 8, 9], "ferplus": votes}
    arrays = {name: np.array(column, np.uint8) for name, column in columns.items()}
    samples = read_samples([write_pack(tmp_path / "fer2013_train.npz", noise(3), **arrays)])
    assert samples.names == [f"fer2013_train row {row}" for row in (7, 8, 9)]
    assert samples.splits.tolist() == ["Training", "Training", "PublicTest"]
    assert samples.votes.shape == (3, 10) and samples.classes == EXPRESSIONS


def test_a_pack_in_colour_with_classes_of_its_own(tmp_path, noise, write_pack):
    classes = np.array(["neutral", "smile"])
    pack = write_pack(tmp_path / "m.npz", noise(2, shape=(8, 8, 3)), labels=np.array([0, 1]), classes=classes)
    samples = read_samples([pack])
    assert samples.classes == ("neutral", "smile") and samples.images[0].shape == (8, 8)


def test_several_sources_are_splits(tmp_path, draw):
    for name in ("mine/happy/a.png", "yours/happy/b.png", "a/mine/happy/c.png"):
        draw(tmp_path / name)
    samples = read_samples([tmp_path / "mine", tmp_path / "yours"])
    assert samples.splits.tolist() == ["mine", "yours"]
    assert len(set(read_samples([tmp_path / "mine", tmp_path / "a" / "mine"]).splits)) == 2


def test_sources_of_other_classes_are_refused(tmp_path, draw):
    for name in ("mine/happy/a.png", "yours/pouting/b.png"):
        draw(tmp_path / name)
    with pytest.raises(ValueError, match="expected sources of the same classes"):
        read_samples([tmp_path / "mine", tmp_path / "yours"])


@pytest.mark.parametrize(
    ("sources", "error"), [([], ValueError), (["gone"], FileNotFoundError), (["a.txt"], ValueError)]
)
def test_what_is_no_source_is_refused(tmp_path, sources, error):
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(error, match="expected"):
        read_samples([tmp_path / name for name in sources])


def test_columns_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="one length"):
        Samples(["a"], [], np.zeros((0, 2)), (), np.zeros(0, int), np.zeros(0, str))
    with pytest.raises(ValueError, match="expected labels 0 to 0"):
        Samples(["a"], [np.zeros((2, 2), np.uint8)], np.zeros((1, 2)), ("x",), np.array([1]), np.array([""]))


def test_the_official_csv_comes_whole(tmp_path, noise, write_csv):
    images = noise(2)
    path = write_csv(tmp_path / "fer2013.csv", images, [3, 4], ["Training", "PublicTest"])
    samples = read_samples([path])
    assert samples.names == ["fer2013 row 0", "fer2013 row 1"] and samples.votes is None
    assert samples.splits.tolist() == ["Training", "PublicTest"]
    np.testing.assert_array_equal(samples.images[1], images[1])
