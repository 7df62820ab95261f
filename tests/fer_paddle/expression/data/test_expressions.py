"""Reading faces from wherever they lie, and parting them for a training."""

import logging
import shutil

import numpy as np
import pytest

from fer_paddle.expression.data.expressions import load_faces, load_measured, load_sources, load_train_valid
from fer_paddle.images import write_image
from fer_paddle.labels import EXPRESSIONS, FERPLUS_EXPRESSIONS

TRAIN, PUBLIC, PRIVATE = (f"fer2013_{name}.npz" for name in ("train", "publictest", "privatetest"))


def bytes_of(faces):
    return {image.tobytes() for image in faces.images}


@pytest.fixture(scope="module")
def sources(tmp_path_factory, noise, write_pack, write_csv, write_classes):
    """Data sets of every kind, by name; each has its own images. Read only."""
    root = tmp_path_factory.mktemp("我的 数据")
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
    write_classes(root / "single", dict.fromkeys(EXPRESSIONS, 1), seed=8)
    write_classes(root / "mouths", {"smile": 2, "嘟嘴": 2}, seed=9)
    write_pack(root / "unlabelled.npz", noise(3))
    write_pack(root / "empty.npz", noise(0))
    return root


@pytest.mark.parametrize(
    ("name", "error", "expected"),
    [
        *((name, FileNotFoundError, name) for name in ("nothing", "nothing.npz", "nothing.csv")),
        ("classes/happy/0.png", ValueError, r"expected a pack .* got .*0\.png"),
        ("classes/happy", ValueError, "expected class folders"),
        ("unlabelled.npz", ValueError, "expected a pack with 'labels' at .*, got images without"),
        ("empty.npz", ValueError, "expected images in .*, found none"),
    ],
)
def test_load_faces_refuses(sources, name, error, expected):
    with pytest.raises(error, match=expected) as caught:
        load_faces(sources / name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "valid", "expected"),
    [
        ("packs", None, (20, 20)),
        (f"packs/{TRAIN}", None, (20, 20)),  # the PublicTest pack beside it
        (f"lone/{TRAIN}", None, (13, 7)),  # nothing beside it: one of three of each class
        ("csv/fer2013.csv", None, (20, 20)),
        ("plain.npz", None, (33, 7)),
        ("classes", None, (63, 7)),
        ("kaggle", None, (28, 14)),
        ("classes", "packs", (70, 20)),  # of other data the validation split alone
        ("classes", f"packs/{PUBLIC}", (70, 20)),
        ("classes", f"packs/{TRAIN}", (70, 20)),  # one split: taken whole, as asked
        ("kaggle/train", "kaggle/test", (28, 14)),
    ],
)
def test_train_and_valid_of_every_kind(sources, data, valid, expected):
    train, measured = load_train_valid(str(sources / data), valid and str(sources / valid))
    assert (len(train), len(measured)) == expected
    assert not bytes_of(train) & bytes_of(measured)
    assert set(train.found_splits()) <= {"train"}


def test_private_test_images_are_neither_learned_nor_measured(sources, tmp_path, noise, write_pack):
    packs = shutil.copytree(sources / "packs", tmp_path / "packs")
    private = noise(3, seed=9)
    private[0] = load_faces(packs / TRAIN).images[5]
    write_pack(packs / PRIVATE, private, labels=np.zeros(3, int), usage=np.full(3, 2))
    train, valid = load_train_valid(packs)
    assert (len(train), len(valid)) == (19, 20)
    train, valid = load_train_valid(packs, sources / "plain.npz")
    assert (len(train), len(valid)) == (19, 40)
    assert not bytes_of(train) & {image.tobytes() for image in private}


def test_own_classes_of_folders_and_a_pack_are_united(tmp_path, noise, write_pack, write_classes, caplog):
    """As `collect train-mouths` reads them: the pack's split, a tenth of each folder, no copy on both sides."""
    images = noise(8, shape=(40, 40))
    columns = {"labels": np.arange(8) % 2, "usage": np.arange(8) // 6, "classes": np.array(["neutral", "smile"])}
    pack = write_pack(tmp_path / "pack.npz", images, **columns)
    mine = write_classes(tmp_path / "mine", {"嘟嘴": 20, "微笑": 20}, seed=1)
    write_image(mine / "微笑" / "copy.png", images[7])
    caplog.set_level(logging.INFO)
    train, valid = load_train_valid([str(pack), str(mine)])
    for twice in (load_train_valid, load_sources):
        with pytest.raises(ValueError, match="each data set once"):
            twice([str(mine), f"{mine}/"])
    assert train.classes == valid.classes == ("neutral", "smile", "嘟嘴")
    assert train.counts() == {"neutral": 3, "smile": 3 + 18, "嘟嘴": 18}
    assert valid.counts() == {"neutral": 1, "smile": 1 + 2, "嘟嘴": 2}
    assert "left 1 faces out" in caplog.text and not bytes_of(train) & bytes_of(valid)


@pytest.mark.parametrize(
    ("data", "valid", "expected"),
    [
        (f"packs/{PUBLIC}", None, "expected faces of the split train in .*found validation"),
        ("classes", "classes", "only copies of those to measure on"),
        ("single", None, "class of two faces or more"),
        ({"smile": 9, "pout": 1}, None, "two different images or more of each .* none to measure on of pout"),
        ({"smile": 4, "pout": 4}, {"smile": 2, "laugh": 2}, "the classes of .*: pout, smile; got also laugh"),
        ({"smile": 4, "happy": 4}, {"happy": 2}, "got none to measure on of smile"),
    ],
)
def test_data_that_cannot_be_parted_are_refused(sources, tmp_path, write_classes, data, valid, expected):
    places = [
        write_classes(tmp_path / str(seed), one, seed) if isinstance(one, dict) else one and sources / one
        for seed, one in enumerate((data, valid))
    ]
    with pytest.raises(ValueError, match=expected) as caught:
        load_train_valid(*places)
    assert "\n" not in str(caught.value)


def test_the_eight_are_measured_on_the_seven(tmp_path, write_classes):
    data = write_classes(tmp_path / "eight", dict.fromkeys(FERPLUS_EXPRESSIONS, 3))
    seven = write_classes(tmp_path / "seven", dict.fromkeys(EXPRESSIONS, 1), seed=1)
    train, valid = load_train_valid(data, seven)
    assert train.classes == valid.classes == FERPLUS_EXPRESSIONS and valid.labels.tolist() == list(range(7))
    train, valid = load_train_valid(seven, data)
    assert train.classes == FERPLUS_EXPRESSIONS and len(valid) == 24


@pytest.mark.parametrize(
    ("name", "classes", "split", "count", "found"),
    [
        ("packs", EXPRESSIONS, None, 20, EXPRESSIONS),
        ("kaggle", EXPRESSIONS, "test", 14, EXPRESSIONS),
        ("classes", FERPLUS_EXPRESSIONS, None, 70, EXPRESSIONS),  # contempt is left out where nothing is labeled so
        ("mouths", ("laugh", "pout", "smile"), None, 4, ("laugh", "pout", "smile")),
    ],
)
def test_faces_to_measure_a_network_on(sources, name, classes, split, count, found):
    faces = load_measured(sources / name, classes, split)
    assert len(faces) == count and faces.classes == found
    for classes in (EXPRESSIONS, ("neutral", "smile")):  # of other classes
        with pytest.raises(ValueError, match="expected faces of the classes .*, got also .*嘟嘴"):
            load_measured(sources / "mouths", classes)
