"""Splits: a table's own, or every tenth photo by position."""

import dataclasses
import shutil
from collections import Counter

import numpy as np
import pytest

from fer_paddle.images import write_image
from tests.yolo3tiny.samples import make_photo, save_image, save_text, write_coco
from yolo3tiny.splits import choose_split, find_photos, find_train_valid, load_split


@pytest.fixture
def table():
    """`table("train", "val", ...)`: photos 0, 1 ... with these splits."""
    return lambda *splits: [make_photo(str(index), [], split=split) for index, split in enumerate(splits)]


def names(photos):
    return [int(photo.name) for photo in photos]


CASES = [
    # splits of the table, split asked for, positions
    (["train", "validation", "train", "test"], "val", [1]),
    (["train", "validation", "train", "test"], "test", [3]),
    (["train", "validation", "train", "test"], "all", [0, 1, 2, 3]),
    ([""] * 21, "val", [0, 10, 20]),
    (["pseudo"] * 21, "held_out", [0, 10, 20]),
    (["pseudo"] * 12, "train", [1, 2, 3, 4, 5, 6, 7, 8, 9, 11]),
    # A split train without a val: else "train" and "val" would share photos.
    (["train"] * 12, "train", [1, 2, 3, 4, 5, 6, 7, 8, 9, 11]),
    (["train"] * 12, "val", [0, 10]),
    (["test", *["train"] * 11], "val", [1, 11]),
]


@pytest.mark.parametrize(("splits", "asked", "positions"), CASES)
def test_choose_split(splits, asked, positions, table):
    assert names(choose_split(table(*splits), asked)) == positions


OWN = [
    # categories of the data, class of the network, those whose boxes are taken
    (["hand", "face"], "face", ["face"]),
    (["hand", "face"], "hand", ["hand"]),
    (["手", "mask", "face"], "手 or mask", ["手", "mask"]),
    (["face"], "hand", ["face"]),
    (["0"], "hand", ["0"]),  # a table without names
    (["hand"], "face", None),
    (["mask"], "hand", None),
]


@pytest.mark.parametrize(("categories", "own", "taken"), OWN)
def test_a_network_takes_the_boxes_of_its_own_class(categories, own, taken, tmp_path):
    save_image(tmp_path / "a.png")
    save_text(tmp_path / "a.txt", "".join(f"{kind} .5 .5 .{kind + 2} .2\n" for kind in range(len(categories))))
    if categories != ["0"]:
        save_text(tmp_path / "classes.txt", "\n".join(categories))
    if taken is None:
        with pytest.raises(ValueError, match="choose with --classes"):
            find_photos(tmp_path, own=[own])
    else:
        (photo,) = find_photos(tmp_path, own=[own])
        assert sorted(photo.categories) == sorted(taken)


def test_tables_are_joined(photo_folder, tmp_path):
    shutil.copytree(photo_folder, tmp_path / "images")
    photos = [
        dataclasses.replace(photo, name=f"images/{photo.name}", split="val" if index >= 20 else "train")
        for index, photo in enumerate(find_photos(photo_folder))
    ]
    write_coco(tmp_path / "mine.json", photos)
    train, valid, words = find_train_valid([photo_folder, str(tmp_path / "mine.json")])
    assert (len(train), len(valid)) == (21 + 20, 3 + 4)
    assert f"{photo_folder.name}: 21 photos, validated on 3 others (every tenth)" in words
    assert "mine.json: 20 photos, validated on 4 others (its own split)" in words


def test_a_source_is_cut_into_tiles(photo_folder, tmp_path):
    shutil.copytree(photo_folder, tmp_path / "mine")
    photos = [dataclasses.replace(photo, source="", split="") for photo in find_photos(photo_folder)]
    write_coco(tmp_path / "mine" / "annotations.json", photos)
    train, valid, _ = find_train_valid([photo_folder, tmp_path / "mine"], tiles={"mine": 64})
    for chosen, wholes in ((train, 21), (valid, 3)):
        counts = Counter((photo.source, photo.size_hw) for photo in chosen)
        assert counts == {("drawn", (96, 96)): wholes, ("mine", (64, 64)): 4 * wholes}  # named by its folder
    with pytest.raises(ValueError, match="expected sources among drawn, got crowds"):
        find_train_valid([photo_folder], tiles={"crowds": 64})


def test_data_that_are_not_there_or_there_twice(photo_folder):
    with pytest.raises(ValueError, match="each data set once"):
        find_train_valid([photo_folder, str(photo_folder)])
    with pytest.raises(FileNotFoundError, match=r"nosuch\.tar"):
        find_photos("nosuch.tar")


def test_damaged_photos_of_a_split_are_named_before_work_begins(tmp_path):
    for name in "abc":
        write_image(tmp_path / f"{name}.png", np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8))
        (tmp_path / f"{name}.txt").write_text("0 0.5 0.5 0.5 0.5")
    assert len(load_split(tmp_path, "all")) == 3
    for name in "ac":
        path = tmp_path / f"{name}.png"
        path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(ValueError, match=r"expected readable photos, got 2 damaged: .*a\.png.*c\.png"):
        load_split(tmp_path, "all")
