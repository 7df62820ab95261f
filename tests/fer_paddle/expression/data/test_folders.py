"""Class folders: names in three ways, splits, damaged pictures, large pictures."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from fer_paddle.expression.data.folders import MAX_SIDE, read_class_folders
from fer_paddle.images import read_image, to_gray, write_image
from fer_paddle.labels import EXPRESSIONS, EXPRESSIONS_ZH

TUTORIAL = ("1_Anger", "2_Disgust", "3_Fear", "4_Happy", "5_Sad", "6_Surprise", "0_Neutral")


def gray(path):
    return to_gray(read_image(path))


def warnings_of(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("names", [EXPRESSIONS, EXPRESSIONS_ZH, TUTORIAL, [n.upper() for n in EXPRESSIONS]])
def test_class_order_is_expressions_whatever_the_names(tmp_path, write_classes, caplog, names):
    folder = write_classes(tmp_path / "我的 脸", {name: index + 1 for index, name in enumerate(names)})
    faces = read_class_folders(str(folder))
    assert list(faces.counts().values()) == [1, 2, 3, 4, 5, 6, 7]
    assert faces.labels.tolist() == sorted(faces.labels.tolist())
    for label, name in enumerate(names):
        here = [image for image, one in zip(faces.images, faces.labels) if one == label]
        for index, image in enumerate(here):
            np.testing.assert_array_equal(image, gray(folder / name / f"{index}.png"))
    assert faces.labels.dtype == np.int64 and all(image.dtype == np.uint8 for image in faces.images)
    assert faces.votes is None and faces.usages is None and faces.skipped == ()
    assert warnings_of(caplog) == []


def test_two_folders_of_one_class_are_joined(tmp_path, write_classes):
    folder = write_classes(tmp_path / "a", {"悲伤": 2, "Sad": 1, "5_Sad": 1, "happy": 1})
    assert read_class_folders(folder).counts() == {**dict.fromkeys(EXPRESSIONS, 0), "sad": 4, "happy": 1}


def test_the_order_does_not_depend_on_the_file_system(tmp_path, write_classes, monkeypatch):
    folder = write_classes(tmp_path / "a", {"neutral": 3, "sad": 12, "angry": 2})
    expected = read_class_folders(folder)
    listing = type(tmp_path).iterdir
    monkeypatch.setattr(type(tmp_path), "iterdir", lambda self: sorted(listing(self), reverse=True))
    found = read_class_folders(folder)
    assert found.labels.tolist() == expected.labels.tolist()
    for a, b in zip(found.images, expected.images):
        np.testing.assert_array_equal(a, b)


def test_hidden_folders_and_other_files_are_passed_over(tmp_path, write_classes, noise, caplog):
    folder = write_classes(tmp_path / "a", dict.fromkeys(EXPRESSIONS, 1))
    for name in (".ipynb_checkpoints", "__MACOSX", ".git", "happy/.ipynb_checkpoints", "happy/更多"):
        (folder / name).mkdir()
        write_image(folder / name / "x.png", noise(1)[0])
    for name in ("README.txt", "happy/Thumbs.db", "happy/._0.png"):
        (folder / name).write_text("no picture")
    faces = read_class_folders(folder)
    assert faces.counts() == {
        **dict.fromkeys(EXPRESSIONS, 1),
        "happy": 2,
    }  # and a visible folder below a class
    assert faces.skipped == () and warnings_of(caplog) == []


def test_unknown_folders_are_named(tmp_path, write_classes):
    folder = write_classes(tmp_path / "a", {"happy": 1, "contempt": 1, "大笑": 1})
    with pytest.raises(ValueError) as caught:
        read_class_folders(folder)
    message = str(caught.value)
    assert "'contempt'" in message and "'大笑'" in message and "'happy'" not in message
    assert str(folder) in message and ", ".join(EXPRESSIONS) in message and "\n" not in message


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], "class folders .*found none"),
        (["face.png"], "class folders .*found none"),  # pictures, but in no class
        (["happy/"], "expected pictures .*found none"),
        (["happy/", "sad/note.txt"], "expected pictures .*found none"),
        (["train/", "test/"], "class folders .*found none"),
        (["train/happy/", "test/happy/"], "expected pictures .*found none"),
        (["train/happy/", "extra/"], "only train, valid, test in .*'extra'"),
        (["train/happy/", "happy/"], "only train, valid, test in .*'happy'"),
        (["train/smile/"], r"train named .*'smile'"),
    ],
)
def test_folders_without_pictures_of_classes(tmp_path, noise, names, expected):
    folder = tmp_path / "数据"
    folder.mkdir()
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("/"):
            (folder / name).mkdir(parents=True)
        elif name.endswith(".png"):
            write_image(folder / name, noise(1)[0])
        else:
            (folder / name).write_text("no picture")
    with pytest.raises(ValueError, match=expected) as caught:
        read_class_folders(folder)
    assert str(folder) in str(caught.value)


def test_a_missing_folder_and_a_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="none"):
        read_class_folders(tmp_path / "none")
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="file"):
        read_class_folders(tmp_path / "file")


def test_loose_pictures_are_noted(tmp_path, write_classes, noise, caplog):
    folder = write_classes(tmp_path / "a", dict.fromkeys(EXPRESSIONS, 1))
    write_image(folder / "谁.png", noise(1)[0])
    assert len(read_class_folders(folder)) == 7
    assert len(warnings_of(caplog)) == 1 and "谁.png" in caplog.text


def test_missing_classes_are_noted(tmp_path, write_classes, caplog):
    assert len(read_class_folders(write_classes(tmp_path / "a", {"happy": 2, "sad": 1, "fear": 0}))) == 3
    (message,) = warnings_of(caplog)
    assert message.endswith("no picture of angry, disgust, fear, surprise, neutral")


# ---- unreadable pictures


def damage(folder, names):
    for name in names:
        content = (folder / "happy" / "0.png").read_bytes()
        (folder / name).write_bytes(
            {"empty": b"", "text": b"not a picture"}.get(name.split("/")[1][:-4], content[:-60])
        )


def test_unreadable_pictures_are_counted_named_and_skipped(tmp_path, write_classes, caplog):
    folder = write_classes(tmp_path / "a", dict.fromkeys(EXPRESSIONS, 1))
    names = ["angry/empty.png", "fear/截断.jpg", "happy/text.gif"]
    damage(folder, names)
    (folder / "sad" / "nowhere.png").symlink_to(folder / "gone.png")
    faces = read_class_folders(folder)
    assert faces.counts() == dict.fromkeys(EXPRESSIONS, 1)
    assert faces.skipped == tuple(str(folder / name) for name in [*names, "sad/nowhere.png"])
    (message,) = warnings_of(caplog)
    assert "4 of 11 pictures" in message and all(name in message for name in names)


def test_a_long_list_of_unreadable_pictures_is_cut_in_the_log_alone(tmp_path, write_classes, caplog):
    folder = write_classes(tmp_path / "a", dict.fromkeys(EXPRESSIONS, 1))
    damage(folder, [f"sad/bad{index:02}.png" for index in range(25)])
    assert len(read_class_folders(folder).skipped) == 25
    (message,) = warnings_of(caplog)
    assert "25 of 32 pictures" in message and "bad09.png and 15 more" in message and "bad10" not in message


def test_a_folder_with_none_readable_is_an_error(tmp_path, write_classes):
    folder = write_classes(tmp_path / "a", {"happy": 1})
    damage(folder, ["happy/1.png"])
    damage(folder, ["happy/0.png"])
    with pytest.raises(ValueError, match=r"2 unreadable ones: .*0\.png"):
        read_class_folders(folder)


# ---- kinds and sizes of pictures


def test_pictures_of_other_kinds_become_gray(tmp_path, noise):
    color = noise(1, shape=(20, 30, 3))[0]
    (tmp_path / "happy").mkdir()
    for name in ("a.jpg", "b.bmp", "c.webp", "d.gif", "e.tiff", "f.PNG"):
        write_image(tmp_path / "happy" / name, color)
    faces = read_class_folders(tmp_path)
    assert [image.shape for image in faces.images] == [(20, 30)] * 6
    np.testing.assert_array_equal(faces.images[5], to_gray(color))


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((256, 256), (256, 256)),
        ((256, 100), (256, 100)),
        ((257, 257), (256, 256)),
        ((1024, 512), (256, 128)),
        ((300, 1200), (64, 256)),
        ((1, 2000), (1, 256)),  # never zero pixels high
    ],
)
def test_large_pictures_are_shrunk(tmp_path, shape, expected):
    (tmp_path / "sad").mkdir()
    ramp = np.linspace(0, 255, shape[1])[None].repeat(shape[0], 0).astype(np.uint8)
    write_image(tmp_path / "sad" / "a.png", ramp)
    (image,) = read_class_folders(tmp_path).images
    assert image.shape == expected and max(image.shape) <= MAX_SIDE
    assert image.dtype == np.uint8 and image.mean() == pytest.approx(ramp.mean(), abs=1)


def test_shrinking_averages_instead_of_picking(tmp_path, noise):
    """Noise of 0 and 255 becomes nearly gray; every fourth pixel alone would stay black and white."""
    (tmp_path / "sad").mkdir()
    write_image(tmp_path / "sad" / "a.png", (noise(1, shape=(1024, 1024))[0] > 127).astype(np.uint8) * 255)
    (image,) = read_class_folders(tmp_path).images
    assert image.std() == pytest.approx(127.5 / 4, rel=0.1)


def test_progress_sees_every_picture(tmp_path, write_classes):
    seen = []

    def progress(items):
        seen.append(len(items))  # a bar wants to know how many
        yield from items
        seen.append("end")

    read_class_folders(write_classes(tmp_path / "a", {"happy": 3, "sad": 2}), progress)
    assert seen == [5, "end"]


# ---- splits


def nested(write_classes, folder, **counts):
    for seed, (name, count) in enumerate(counts.items()):
        write_classes(folder / name, dict.fromkeys(EXPRESSIONS, count), seed)
    return folder


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"train": 3, "test": 1}, {"Training": 21, "PublicTest": 7}),  # as Kaggle's FER2013
        ({"train": 3, "validation": 2}, {"Training": 21, "PublicTest": 14}),
        ({"Train": 3, "Val": 2, "TEST": 1}, {"Training": 21, "PublicTest": 14, "PrivateTest": 7}),
        ({"training": 3, "valid": 2, "test": 1}, {"Training": 21, "PublicTest": 14, "PrivateTest": 7}),
        ({"训练集": 3, "验证集": 2, "测试集": 1}, {"Training": 21, "PublicTest": 14, "PrivateTest": 7}),
        ({"train": 3}, {"Training": 21}),
        ({"test": 2}, {"PublicTest": 14}),
    ],
)
def test_splits_have_the_usages_of_fer2013(tmp_path, write_classes, caplog, names, expected):
    folder = nested(write_classes, tmp_path / "a", **names)
    faces = read_class_folders(folder)
    assert {usage: int((faces.usages == usage).sum()) for usage in faces.found_usages()} == expected
    assert warnings_of(caplog) == []
    for usage, count in expected.items():
        part = read_class_folders(folder, usage=usage)
        assert len(part) == count and set(part.usages) == {usage}
    for usage in {"Training", "PublicTest", "PrivateTest"} - expected.keys():
        with pytest.raises(ValueError, match=f"{usage} in .*found {', '.join(expected)}"):
            read_class_folders(folder, usage=usage)


def test_order_is_split_class_path(tmp_path, write_classes):
    folder = nested(write_classes, tmp_path / "a", test=1, train=2)
    faces = read_class_folders(folder)
    assert faces.usages.tolist() == ["Training"] * 14 + ["PublicTest"] * 7
    assert faces.labels.tolist() == [label for label in range(7) for _ in range(2)] + list(range(7))
    np.testing.assert_array_equal(faces.images[3], gray(folder / "train" / "disgust" / "1.png"))


def test_kaggle_names_its_test_pictures_by_usage(tmp_path, noise):
    images = iter(noise(6))
    for name in ("train/Training_1", "test/PublicTest_2", "test/PrivateTest_3", "test/PrivateTest_4"):
        path = tmp_path / name.replace("/", "/happy/")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_image(path.with_suffix(".jpg"), next(images))
    assert read_class_folders(tmp_path).usages.tolist() == ["Training", "PublicTest", *["PrivateTest"] * 2]
    assert len(read_class_folders(tmp_path, usage="PrivateTest")) == 2


def test_training_has_no_picture_of_the_test_folder(tmp_path, write_classes, noise):
    folder = nested(write_classes, tmp_path / "a", train=2, valid=1, test=1)
    write_image(folder / "test" / "sad" / "copy.png", gray(folder / "train" / "happy" / "0.png"))
    write_image(folder / "valid" / "fear" / "copy.bmp", gray(folder / "train" / "fear" / "1.png"))
    counts = read_class_folders(folder, usage="Training").counts()
    assert counts == {**dict.fromkeys(EXPRESSIONS, 2), "happy": 1, "fear": 1}


def test_a_test_split_is_read_alone(tmp_path, write_classes):
    """Damage among the training pictures is no matter when one measures."""
    folder = nested(write_classes, tmp_path / "a", train=1, test=1)
    (folder / "train" / "sad" / "0.png").write_bytes(b"")
    assert read_class_folders(folder, usage="PublicTest").skipped == ()
    assert len(read_class_folders(folder, usage="Training").skipped) == 1


def test_missing_classes_are_noted_for_each_split(tmp_path, write_classes, caplog):
    folder = tmp_path / "a"
    write_classes(folder / "train", dict.fromkeys(EXPRESSIONS[1:], 1))
    write_classes(folder / "test", dict.fromkeys(EXPRESSIONS, 1), seed=1)
    read_class_folders(folder)
    (message,) = warnings_of(caplog)
    assert message == f"Training of {folder}: no picture of angry"


@pytest.mark.parametrize(("usage", "expected"), [("PublicTest", "undivided"), ("train", "usage of Training")])
def test_flat_folders_have_no_usage(tmp_path, write_classes, usage, expected):
    with pytest.raises(ValueError, match=expected):
        read_class_folders(write_classes(tmp_path / "a", {"happy": 1}), usage=usage)
