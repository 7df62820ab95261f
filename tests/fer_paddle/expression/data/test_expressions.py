"""Reading faces from wherever they lie, and parting them for a training."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from fer_paddle.expression.data.expressions import load_faces, load_train_valid
from fer_paddle.images import write_image
from fer_paddle.labels import EXPRESSIONS

TRAIN, PUBLIC, PRIVATE = (f"fer2013_{name}.npz" for name in ("train", "publictest", "privatetest"))


def bytes_of(faces):
    return {image.tobytes() for image in faces.images}


@pytest.fixture
def sources(tmp_path, noise, write_pack, write_csv, write_classes):
    """Data sets of every kind, by name; each has its own pictures."""
    root = tmp_path / "我的 数据"
    labels, usage = np.arange(40) % 7, np.repeat([0, 1], 20)
    images = noise(80, seed=1)
    named = ["Training"] * 20 + ["PublicTest"] * 20
    packs = root / "packs"
    write_pack(packs / TRAIN, images[:20], labels=labels[:20], usage=usage[:20])
    write_pack(packs / PUBLIC, images[20:40], labels=labels[20:], usage=usage[20:])
    write_csv(root / "csv" / "fer2013.csv", images[40:], labels, named)
    write_csv(root / "training only" / "fer2013.csv", noise(20, seed=2), labels[:20], named[:20])
    write_pack(root / "plain.npz", noise(40, seed=3), labels=labels)
    write_pack(root / "lone" / TRAIN, noise(20, seed=4), labels=labels[:20], usage=usage[:20])
    write_classes(root / "classes", dict.fromkeys(EXPRESSIONS, 10), seed=5)
    write_classes(root / "kaggle" / "train", dict.fromkeys(EXPRESSIONS, 4), seed=6)
    write_classes(root / "kaggle" / "test", dict.fromkeys(EXPRESSIONS, 2), seed=7)
    return root


# ---- load_faces


@pytest.mark.parametrize(
    ("name", "usage", "count"),
    [
        ("packs", None, 40),
        ("packs", "Training", 20),
        ("packs", "PublicTest", 20),
        (f"packs/{PUBLIC}", None, 20),
        (f"packs/{PUBLIC}", "PublicTest", 20),
        ("csv", "PublicTest", 20),
        ("csv/fer2013.csv", None, 40),
        ("csv/fer2013.csv", "Training", 20),
        ("plain.npz", None, 40),
        ("classes", None, 70),
        ("kaggle", None, 42),
        ("kaggle", "PublicTest", 14),
        ("kaggle/train", None, 28),
    ],
)
def test_load_faces_reads_every_kind(sources, name, usage, count):
    assert len(load_faces(str(sources / name), usage)) == count


@pytest.mark.parametrize("kind", ["NPZ", "CSV"])
def test_load_faces_knows_the_extension_in_capitals(sources, kind):
    source = {"NPZ": sources / "plain.npz", "CSV": sources / "csv" / "fer2013.csv"}[kind]
    assert len(load_faces(source.rename(source.with_suffix(f".{kind}")))) == 40


@pytest.mark.parametrize("name", ["nothing", "nothing.npz", "nothing.csv"])
def test_load_faces_of_what_is_not_there(sources, name):
    with pytest.raises(FileNotFoundError, match=name):
        load_faces(sources / name)


@pytest.mark.parametrize(
    ("name", "usage", "expected"),
    [
        ("classes/happy/0.png", None, r"expected a pack .* got .*0\.png"),
        ("classes/happy", None, "expected class folders"),
        ("classes", "PublicTest", "undivided"),
        ("plain.npz", "Training", "undivided"),
        ("packs", "PrivateTest", "PrivateTest in .*found"),
        ("packs", "test", "usage of Training"),
        ("kaggle", "test", "usage of Training"),
        ("classes", "test", "usage of Training"),
        ("csv", "test", "usage of Training"),
    ],
)
def test_load_faces_refuses(sources, name, usage, expected):
    with pytest.raises(ValueError, match=expected) as caught:
        load_faces(sources / name, usage)
    assert "\n" not in str(caught.value)


# ---- load_train_valid


@pytest.mark.parametrize(
    ("data", "valid", "expected"),
    [
        ("packs", None, (20, 20)),
        (f"packs/{TRAIN}", None, (20, 20)),  # the PublicTest pack beside it
        (f"lone/{TRAIN}", None, (13, 7)),  # nothing beside it: one of three of each class
        ("csv", None, (20, 20)),
        ("csv/fer2013.csv", None, (20, 20)),
        ("training only", None, (13, 7)),
        ("plain.npz", None, (33, 7)),
        ("classes", None, (63, 7)),
        ("kaggle", None, (28, 14)),
        ("packs", "plain.npz", (20, 40)),
        ("classes", "packs", (70, 20)),  # of other data the PublicTest part alone
        ("classes", "csv/fer2013.csv", (70, 20)),
        ("classes", "kaggle", (70, 14)),
        ("classes", f"packs/{PUBLIC}", (70, 20)),
        ("classes", f"packs/{TRAIN}", (70, 20)),  # one split: taken whole, as asked
        ("kaggle/train", "kaggle/test", (28, 14)),
        ("kaggle", "classes", (28, 70)),
        ("plain.npz", "classes", (40, 70)),
    ],
)
def test_train_and_valid_of_every_kind(sources, data, valid, expected):
    train, measured = load_train_valid(str(sources / data), valid and str(sources / valid))
    assert (len(train), len(measured)) == expected
    assert not bytes_of(train) & bytes_of(measured)
    assert set(train.found_usages()) <= {"Training"}


def test_a_class_folder_is_split_by_class_and_seed(sources):
    first, again, other = (load_train_valid(sources / "classes", seed=seed)[1] for seed in (0, 0, 1))
    assert first.counts() == other.counts() == dict.fromkeys(EXPRESSIONS, 1)
    assert bytes_of(first) == bytes_of(again) != bytes_of(other)
    assert load_train_valid(sources / "classes", share=0.3)[1].counts() == dict.fromkeys(EXPRESSIONS, 3)


def test_valid_pictures_are_never_learned(sources, caplog):
    """Pictures to measure on that also lie among those to learn from, there under other labels."""
    caplog.set_level(logging.INFO)
    (sources / "mine" / "sad").mkdir(parents=True)
    measured = load_faces(sources / "classes")
    for index in range(3):
        write_image(sources / "mine" / "sad" / f"{index}.png", measured.images[index])
    train, valid = load_train_valid(sources / "classes", sources / "mine")
    assert len(train) == 67 and len(valid) == 3
    assert "left 3 faces out" in caplog.text


def test_copies_across_the_split_are_dropped_from_training(tmp_path, noise):
    """Each picture lies there twice; whichever copy is split off, the other is not learned."""
    for label, name in enumerate(EXPRESSIONS):
        (tmp_path / name).mkdir()
        for index, image in enumerate(noise(4, seed=label)):
            write_image(tmp_path / name / f"{index}.png", image)
            write_image(tmp_path / name / f"{index} (1).png", image)
    train, valid = load_train_valid(tmp_path)
    assert len(valid) == 7 and len(train) == 56 - 14
    assert not bytes_of(train) & bytes_of(valid)


def test_private_test_pictures_are_neither_learned_nor_measured(sources, noise, write_pack):
    private = noise(3, seed=9)
    private[0] = load_faces(sources / "packs" / TRAIN).images[5]
    write_pack(sources / "packs" / PRIVATE, private, labels=np.zeros(3, int), usage=np.full(3, 2))
    train, valid = load_train_valid(sources / "packs")
    assert (len(train), len(valid)) == (19, 20)
    train, valid = load_train_valid(sources / "packs", sources / "plain.npz")
    assert (len(train), len(valid)) == (19, 40)
    assert not bytes_of(train) & {image.tobytes() for image in private}


def test_test_pictures_stay_out_of_training_with_another_valid_too(sources, write_csv, noise):
    images = noise(4, seed=9)
    images[3] = images[0]
    usages = ["Training"] * 3 + ["PublicTest"]
    write_csv(sources / "csv" / "fer2013.csv", images, [0, 1, 2, 3], usages)
    train, _ = load_train_valid(sources / "csv", sources / "plain.npz")
    assert train.labels.tolist() == [1, 2]


def test_votes_are_kept(sources):
    header = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
    rows = [f"{'Training' if i < 20 else 'PublicTest'},x,0,10,0,0,0,0,0,0,0,0" for i in range(40)]
    (sources / "csv" / "fer2013new.csv").write_text("\n".join([header, *rows]))
    for part in load_train_valid(sources / "csv"):
        assert part.votes.shape == (20, 10) and (part.votes[:, 1] == 1).all()


def test_data_are_found_by_name(sources, monkeypatch):
    monkeypatch.setenv("FER_DATA", str(sources))
    assert [len(part) for part in load_train_valid("plain.npz", "classes")] == [40, 70]
    with pytest.raises(FileNotFoundError, match="nothing"):
        load_train_valid("nothing")
    with pytest.raises(FileNotFoundError, match="nothing"):
        load_train_valid("plain.npz", "nothing")


@pytest.mark.parametrize(
    ("data", "valid", "expected"),
    [
        (f"packs/{PUBLIC}", None, "expected faces of usage Training in .*found PublicTest"),
        ("kaggle/test", "kaggle/test", "only copies of those to measure on"),
        ("classes", "classes", "only copies of those to measure on"),
        ("single", None, "class of two faces or more"),
        ("classes/happy", None, "expected class folders"),
    ],
)
def test_data_that_cannot_be_parted_are_refused(sources, write_classes, data, valid, expected):
    write_classes(sources / "single", dict.fromkeys(EXPRESSIONS, 1), seed=8)
    with pytest.raises(ValueError, match=expected):
        load_train_valid(sources / data, valid and sources / valid)


def test_progress_sees_the_pictures_of_both(sources):
    seen = []

    def progress(items):
        seen.append(len(items))
        return items

    load_train_valid(sources / "classes", sources / "kaggle", progress=progress)
    assert seen == [70, 42]


def test_real_training_pack_by_its_name(data_pack):
    train, valid = load_train_valid(data_pack(TRAIN))
    assert (len(train), len(valid)) == (28218, 3589)
    assert not bytes_of(train) & bytes_of(valid)
    assert train.votes.shape == (28218, 10) and valid.votes.shape == (3589, 10)
