"""Class folders: names in three ways, splits, damaged images, large images."""

import logging
import os
import sys

import numpy as np
import pytest

from fer_paddle.expression.data.faces import UNLABELLED
from fer_paddle.expression.data.folders import MAX_SIDE, printable, read_class_folders
from fer_paddle.images import read_image, write_image
from fer_paddle.labels import EXPRESSIONS

MIXED = ("1_Anger", "厌恶", "FEAR", "happy", "5_Sad", "惊讶", "0_Neutral")


def warnings_of(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_class_order_is_expressions_whatever_the_names(tmp_path, write_classes, caplog):
    folder = write_classes(tmp_path / "我的 脸", {name: index + 1 for index, name in enumerate(MIXED)})
    faces = read_class_folders(str(folder))
    assert list(faces.counts().values()) == [1, 2, 3, 4, 5, 6, 7]
    assert faces.labels.tolist() == sorted(faces.labels.tolist())
    for label, name in enumerate(MIXED):
        here = [image for image, one in zip(faces.images, faces.labels) if one == label]
        for index, image in enumerate(here):
            np.testing.assert_array_equal(image, read_image(folder / name / f"{index}.png")[..., 0])
    assert faces.labels.dtype == np.int64 and all(image.dtype == np.uint8 for image in faces.images)
    assert faces.votes is None and faces.split is None and faces.skipped == ()
    assert warnings_of(caplog) == []


def test_hidden_folders_and_other_files_are_passed_over(tmp_path, write_classes, noise, caplog):
    folder = write_classes(tmp_path / "a", dict.fromkeys(EXPRESSIONS, 1))
    for name in (".ipynb_checkpoints", "__MACOSX", ".git", "happy/.ipynb_checkpoints", "happy/更多"):
        (folder / name).mkdir()
        write_image(folder / name / "x.png", noise(1)[0])
    for name in ("README.txt", "happy/Thumbs.db", "happy/._0.png"):
        (folder / name).write_text("no image")
    faces = read_class_folders(folder)
    # A visible folder below a class counts.
    assert faces.counts() == {**dict.fromkeys(EXPRESSIONS, 1), "happy": 2}
    assert faces.skipped == () and warnings_of(caplog) == []


def test_classes_of_ones_own(tmp_path, write_classes, caplog):
    """One of one's own: all are, and two names are one; which names mean what, see test_labels."""
    names, classes = ["happy", "高兴", "bored"], ("bored", "happy")
    faces = read_class_folders(write_classes(tmp_path / "a", dict.fromkeys(names, 2)))
    assert faces.classes == classes and faces.counts() == {"bored": 2, "happy": 4} and not warnings_of(caplog)
    for number, part in enumerate(("train", "val")):
        write_classes(tmp_path / "split" / part, dict.fromkeys(names, 1), seed=number)
    assert read_class_folders(tmp_path / "split").classes == classes


@pytest.mark.parametrize(
    ("folders", "text", "wanted", "classes", "first"),
    [
        ("1 2 3", "laugh\npout\nsmile\n", None, ("laugh", "pout", "smile"), "laugh"),
        ("01 02", "\ufeffwink\nfrown", None, ("frown", "wink"), "wink"),
        ("1 2", "2 happy\n1: wink", None, ("happy", "wink"), "wink"),
        # RAF-DB: the seven in an order of its own
        ("1 2 3 4 5 6 7", "Surprise\nFear\nDisgust\nHappiness\nSadness\nAnger\nNeutral", None, EXPRESSIONS, "surprise"),
    ],
)
def test_numbered_folders_with_names(tmp_path, write_classes, folders, text, wanted, classes, first):
    folder = write_classes(tmp_path / "a", dict.fromkeys(folders.split(), 1))
    if text is not None:
        (folder / "classes.txt").write_text(text, encoding="utf-8")
    faces = read_class_folders(folder, classes=wanted)
    named = {name.split("/")[0]: classes[label] for name, label in zip(faces.names, faces.labels)}
    assert faces.classes == classes and named[folders.split()[0]] == first and len(set(named.values())) == len(named)


ONE_TWO = {"1/": 1, "2/": 1}
REFUSED = [
    # what lies in the folder: images of a class, or the content of a file
    ({"smile/": 3}, "expected 2 to 50 classes in .*, got 1: smile"),
    ({f"c{index}/": 1 for index in range(51)}, "expected 2 to 50 classes in .*, got 51: c0, c1, .* and 41 more"),
    ({"smile/": 3, "pout/": 0}, "images of each class in .*, got none of pout"),
    ({"train/smile/": 1, "train/pout/": 1, "val/smile/": 1}, "in the split validation of .*, as in the other"),
    ({**ONE_TWO, "classes.txt": b"a\nb\nc"}, "folders 1 to 3 .*names in .*classes.txt, got 1, 2"),
    ({"2/": 1, "3/": 1, "classes.txt": b"a\nb"}, "folders 1 to 2 .*, got 2, 3"),
    ({**ONE_TWO, "classes.txt": "高\n低".encode("gbk")}, "text in UTF-8 in .*classes.txt"),
    ({}, "class folders .*found none"),
    ({"face.png": b""}, "class folders .*found none"),  # images, but in no class
    ({"happy/": 0, "sad/note.txt": b""}, "expected images .*found none"),
    ({"train/happy/": 0, "test/happy/": 0}, "expected images .*found none"),
    ({"train/happy/": 0, "extra/": 0}, "only folders of splits, .*'extra'"),
    ({"happy/": 1, "happy/test/": 2}, "a split, such as train, for each image of .*, got 1 images without one"),
]


@pytest.mark.parametrize(("content", "expected"), REFUSED)
def test_what_cannot_be_trained_on_is_refused(tmp_path, write_classes, content, expected):
    folder = tmp_path / "数据"
    with pytest.raises(FileNotFoundError, match="数据"):
        read_class_folders(folder)
    folder.mkdir()
    write_classes(folder, {name[:-1]: count for name, count in content.items() if name.endswith("/")})
    for name in content:
        if not name.endswith("/"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content[name])
    with pytest.raises(ValueError, match=expected) as caught:
        read_class_folders(folder)
    assert str(folder) in str(caught.value) and "\n" not in str(caught.value)
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="file"):
        read_class_folders(tmp_path / "file")


def test_unreadable_images_are_counted_named_and_skipped(tmp_path, write_classes, caplog):
    folder = write_classes(tmp_path / "a", dict.fromkeys(EXPRESSIONS, 1))
    names = ["angry/empty.png", "fear/截断.jpg", "happy/text.gif"]
    for name, content in zip(names, (b"", (folder / "happy" / "0.png").read_bytes()[:-60], b"not an image")):
        (folder / name).write_bytes(content)
    (folder / "sad" / "nowhere.png").symlink_to(folder / "gone.png")
    faces = read_class_folders(folder)
    assert faces.counts() == dict.fromkeys(EXPRESSIONS, 1)
    assert [name for name, _ in faces.skipped] == [*names, "sad/nowhere.png"]
    assert all(reason and "\n" not in reason for _, reason in faces.skipped)
    (message,) = warnings_of(caplog)
    assert "4 of 11 images" in message and all(name in message for name in names)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((256, 256), (256, 256)),
        ((257, 257), (256, 256)),
        ((300, 1200), (64, 256)),
        ((1, 2000), (1, 256)),  # never zero pixels high
    ],
)
def test_large_images_are_shrunk(tmp_path, shape, expected):
    (tmp_path / "sad").mkdir()
    ramp = np.linspace(0, 255, shape[1])[None].repeat(shape[0], 0).astype(np.uint8)
    write_image(tmp_path / "sad" / "a.png", ramp)
    faces = read_class_folders(tmp_path)
    (image,) = faces.images
    assert faces.shapes.tolist() == [list(shape)]
    assert image.shape == expected and max(image.shape) <= MAX_SIDE
    assert image.dtype == np.uint8 and image.mean() == pytest.approx(ramp.mean(), abs=1)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"Train": 3, "Val": 2, "TEST": 1}, {"train": 21, "validation": 14, "test": 7}),
        ({"训练集": 3, "测试集": 1}, {"train": 21, "test": 7}),  # as Kaggle's FER2013
        ({"train": 3}, {"train": 21}),
    ],
)
def test_splits_by_their_folders(tmp_path, write_classes, caplog, names, expected):
    for seed, (name, count) in enumerate(names.items()):
        write_classes(tmp_path / "a" / name, dict.fromkeys(EXPRESSIONS, count), seed)
    faces = read_class_folders(tmp_path / "a")
    assert {split: int((faces.split == split).sum()) for split in faces.found_splits()} == expected
    assert warnings_of(caplog) == []


def test_splits_within_the_classes_and_a_class_within_another(tmp_path, write_classes, caplog):
    for seed, (split, count) in enumerate({"train": 2, "更多/test": 1}.items()):
        write_classes(tmp_path, {f"{name}/{split}": count for name in ("高兴", "sad")}, seed)
    faces = read_class_folders(tmp_path)
    assert faces.split.tolist() == ["train"] * 4 + ["test"] * 2 and faces.counts()["happy"] == 3
    caplog.clear()
    write_classes(tmp_path / "sad", {"train/happy": 1, "train/sad": 1}, 3)
    assert read_class_folders(tmp_path).counts()["sad"] == 5
    assert "images of one class within another's folder: 1, sad/train/happy/0.png" in warnings_of(caplog)[0]


def test_a_report_reads_what_training_refuses(tmp_path, write_classes, noise):
    """Loose images have no class, one class and an empty one are no fault; a fault is what it looks for."""
    folder = write_classes(tmp_path / "a", {"嘟嘴": 1, "happy": 0})
    write_image(folder / "loose.png", noise(1, seed=1)[0])
    write_classes(folder / "测试集", {"嘟嘴": 1}, seed=2)
    faces = read_class_folders(folder, strict=False)
    assert faces.classes == ("happy", "嘟嘴")
    found = dict(zip(faces.names, zip(faces.labels.tolist(), faces.split.tolist())))
    assert found == {"loose.png": (UNLABELLED, ""), "嘟嘴/0.png": (1, ""), "测试集/嘟嘴/0.png": (1, "test")}
    (tmp_path / "b").mkdir()
    write_image(tmp_path / "b" / "x.png", noise(1)[0])
    alone = read_class_folders(tmp_path / "b", strict=False)
    assert alone.classes == () and alone.labels.tolist() == [UNLABELLED] and alone.split is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has file names that are no text")
def test_names_that_are_no_text_can_be_written(tmp_path, write_classes):
    folder = write_classes(tmp_path / "a", {"happy": 1})
    (folder / "happy" / "0.png").rename(os.fsdecode(os.fsencode(folder / "happy") + b"/\xff.png"))
    assert read_class_folders(folder).names == ["happy/\\xff.png"]
    names = ["脸 1.png", "a\nb.png", "a\x1b[31m.png"]
    assert [printable(name) for name in names] == ["脸 1.png", "a\\nb.png", "a\\x1b[31m.png"]
