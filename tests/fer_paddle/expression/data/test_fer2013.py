"""FER2013 from csv and packs: drawn ones first, the real ones at the end."""

import re

import numpy as np
import pytest

from fer_paddle.expression.data import fer2013
from fer_paddle.expression.data.faces import take_split, without_copies
from fer_paddle.expression.data.fer2013 import PACKS, read_csv, read_fer2013, read_pack, write_packs
from fer_paddle.labels import EXPRESSIONS, EXPRESSIONS_ZH
from fer_paddle.packs import load_pack

USAGES = ["Training"] * 5 + ["PublicTest"] * 3 + ["PrivateTest"] * 2
SPLITS = ["train"] * 5 + ["validation"] * 3 + ["test"] * 2
PIXELS = "7 " * 2303 + "7"
VOTES_HEADER = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"


@pytest.fixture
def images(noise):
    """Ten images; row 1 also stands in PublicTest (row 6), row 3 in PrivateTest (row 9)."""
    images = noise(10)
    images[6], images[9] = images[1], images[3]
    return images


@pytest.fixture
def csv_file(tmp_path, images, write_csv):
    return write_csv(tmp_path / "表情 数据" / "fer2013.csv", images, np.arange(10) % 7, USAGES)


def write_votes(csv_file, usages=USAGES, change=None):
    """Write the votes beside a csv: image i has one vote, for class i; `change` replaces cells (row, column)."""
    path = csv_file.with_name("fer2013new.csv")
    rows = [[usage, f"fer{i:07}.png", *("1" if i == j else "0" for j in range(10))] for i, usage in enumerate(usages)]
    for (row, column), value in (change or {}).items():
        rows[row][column] = value
    path.write_text("\n".join([VOTES_HEADER, *(",".join(row) for row in rows)]) + "\n")
    return path


@pytest.mark.parametrize(
    "edit",
    [
        str,
        lambda text: text.replace("emotion,pixels,Usage", "emotion, pixels, Usage"),  # icml_face_data.csv
        lambda text: "\ufeff" + text,  # saved by a spreadsheet
        lambda text: text.replace("\n", "\r\n"),
        lambda text: re.sub(r",([\d ]+),", r',"\1",', text),  # quoted cells
        lambda text: text.replace("Training", " Training "),
    ],
)
def test_csv_in_the_ways_it_is_written(csv_file, images, edit):
    csv_file.write_bytes(edit(csv_file.read_text()).encode("utf-8"))
    faces = read_csv(str(csv_file))
    assert faces.images.dtype == np.uint8 and faces.labels.dtype == np.int64
    np.testing.assert_array_equal(faces.images, images)
    assert faces.labels.tolist() == [row % 7 for row in range(10)] and faces.split.tolist() == SPLITS
    assert faces.votes is None and faces.names[3] == "fer2013 row 3"
    assert take_split(faces, "Training").labels.tolist() == [0, 2, 4]  # without the copies of test images


GOOD = f"3,{PIXELS},Training"
BAD_ROWS = [
    (f"7,{PIXELS},Training", "emotion 7"),
    (f"3.0,{PIXELS},Training", "integers"),
    (f"happy,{PIXELS},Training", "happy"),
    (f"3,{PIXELS[2:]},Training", "2303 pixels"),
    (f"3,256{PIXELS[1:]},Training", "range"),  # would be 0 in uint8
    (f"3,7.5{PIXELS[1:]},Training", "'7.5'"),
    (f"3,{PIXELS},Other", "Usage 'Other'"),
    (f"3,{PIXELS}", "3 columns .*got 2 in line 4"),
    ("3,\x00,Training", "NUL|integers"),  # Python 3.10 and 3.11 say it differently
    ('3,"' + "7 " * 70000 + '",Training', "field larger"),  # over csv's limit: not this kind of file
]
BAD_CSV = [
    (b"emotion,pixels,Emotion\n", "emotion, pixels, emotion: no emotion"),
    (b"emotion;pixels\n", "got emotion;pixels: no emotion"),
    (b"", "expected the columns emotion, pixels in .*got none"),
    (b"emotion,pixels,Usage\n", "expected rows"),
    ("emotion,pixels,Usage\n3,高兴,Training\n".encode("gbk"), "csv in UTF-8"),
    (b"\x89PNG\r\n\x1a\n\x00\x00", "csv in UTF-8"),
    *((f"emotion,pixels,Usage\n{GOOD}\n{GOOD}\n{row}\n".encode(), f"(?=.*line 4).*({says})") for row, says in BAD_ROWS),
]


@pytest.mark.parametrize(("content", "expected"), BAD_CSV)
def test_a_malformed_csv_is_named_with_its_line(tmp_path, content, expected):
    path = tmp_path / "数据.csv"
    with pytest.raises(FileNotFoundError, match=r"数据\.csv"):
        read_csv(path)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=expected) as caught:
        read_csv(path)
    message = str(caught.value)
    assert str(path) in message and "\n" not in message and len(message) < 400


def test_votes_beside_the_csv_are_picked_up_as_probs(csv_file):
    write_votes(csv_file, change={(2, 2): "3", (0, 2): "0"})
    votes = take_split(read_csv(csv_file), "train").votes  # rows 0, 2 and 4
    expected = np.zeros((3, 10))
    expected[1, [0, 2]] = 0.75, 0.25
    expected[2, 4] = 1
    assert votes.dtype == np.float32
    np.testing.assert_array_equal(votes, expected)  # a row without votes stays zero, never NaN


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({(3, 2): ""}, "votes 0 to 255 in line 5"),
        ({(3, 2): "1,1"}, "12 columns .*got 13 in line 5"),  # eleven
        ({(3, 0): "PublicTest"}, "split train in line 5.*'PublicTest'"),  # rows of another order
    ],
)
def test_votes_that_are_malformed(csv_file, change, expected):
    path = write_votes(csv_file, change=change)
    with pytest.raises(ValueError, match=expected) as caught:
        read_csv(csv_file)
    assert str(path) in str(caught.value)


def columns(count, usage=0, flag=0, **more):
    """The columns of a FER2013 pack; a number stands for one value in all rows."""
    return {
        "labels": (np.arange(count) % 7).astype(np.uint8),
        "usage": np.broadcast_to(np.array(usage, np.uint8), count),
        "flag": np.broadcast_to(np.array(flag, np.uint8), count),
        **more,
    }


def test_pack_leaves_out_training_rows_that_are_no_face(tmp_path, noise, write_pack):
    flags, usages = [0, 1, 2, 3, 2, 0], [0, 0, 0, 0, 1, 2]  # bit 1: labels that disagree, kept
    votes = np.eye(6, 10, dtype=np.uint8) * 10
    path = write_pack(tmp_path / "面孔.npz", noise(6), **columns(6, usages, flags, ferplus=votes))
    faces = read_pack(path)
    np.testing.assert_array_equal(faces.images, noise(6)[[0, 1, 4, 5]])
    assert faces.labels.tolist() == [0, 1, 4, 5] and faces.labels.dtype == np.int64
    assert faces.split.tolist() == ["train", "train", "validation", "test"]
    np.testing.assert_array_equal(faces.votes, np.eye(6, 10)[[0, 1, 4, 5]])
    assert read_pack(path, keep_faults=True).labels.tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"labels": np.zeros(2, np.uint8)}, r"integers \[3\] as 'labels'"),
        ({"labels": np.array([0, 1, 7])}, "labels 0 to 6, .*got 0 to 7"),
        ({"usage": np.array([0, 1, 3])}, "usage 0 to 2"),
        ({"classes": np.array([b"a", b"b"])}, "'classes' as different names"),
        ({"classes": np.array(["a", "a", "b"])}, "'classes' as different names"),
        ({"classes": np.array(["happy", "高兴"])}, "'classes' as different names"),
        ({"flag": np.zeros((3, 1), int)}, "'flag'"),
        ({"name": np.array("a")}, "as many labels as names, got 3 and 1"),
        ({"ferplus": np.zeros((3, 8), np.uint8)}, r"\[3, 10\] as 'ferplus'"),
    ],
)
def test_pack_with_other_columns_is_refused(tmp_path, noise, write_pack, change, expected):
    path = write_pack(tmp_path / "a.npz", noise(3), **(columns(3) | change))
    with pytest.raises(ValueError, match=f"{expected}.* in .*a.npz"):
        read_pack(path)


def test_a_pack_in_color_with_classes_of_its_own(tmp_path, noise, write_pack):
    columns = {"labels": np.array([0, 1, 1]), "usage": np.array([0, 1, 0]), "classes": np.array(["neutral", "smile"])}
    faces = read_pack(write_pack(tmp_path / "m.npz", noise(3, shape=(8, 8, 3)), name=np.array(list("abc")), **columns))
    assert faces.classes == ("neutral", "smile") and faces.images[0].shape == (8, 8)
    assert faces.split.tolist() == ["train", "validation", "train"] and faces.names == ["m a", "m b", "m c"]
    other = read_pack(write_pack(tmp_path / "u.npz", noise(2, shape=(96, 96))))  # undivided and without labels
    assert other.images.shape == (2, 96, 96) and other.labels.tolist() == [-1, -1]
    assert other.split is None and other.votes is None
    for names in (EXPRESSIONS, EXPRESSIONS_ZH):
        turned = np.roll(names, 1)  # the seven in another order, neutral first
        faces = read_pack(write_pack(tmp_path / "o.npz", noise(2), labels=np.array([0, 4]), classes=turned))
        assert faces.classes == EXPRESSIONS and faces.labels.tolist() == [6, 3]


@pytest.mark.parametrize("with_votes", [True, False])
def test_packs_made_of_the_csv_hold_what_it_holds(csv_file, tmp_path, with_votes):
    if with_votes:
        write_votes(csv_file)
    written = write_packs(csv_file, tmp_path / "packs")
    assert {split: path.name for split, path in written.items()} == PACKS
    expected, found = read_csv(csv_file), read_fer2013(tmp_path / "packs")
    for name in ("images", "labels", "split", "votes"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_packs_are_not_made_of_a_csv_that_is_not_divided(csv_file, tmp_path):
    csv_file.write_text("".join(line.rpartition(",")[0] + "\n" for line in csv_file.read_text().splitlines()))
    with pytest.raises(ValueError, match="expected the column Usage in .*, got none"):
        write_packs(csv_file, tmp_path / "packs")
    assert not (tmp_path / "packs").exists()


def test_packs_come_before_the_csv(csv_file, tmp_path, write_csv, noise):
    """The packs that are there, else the csv, under either name."""
    folder = tmp_path / "packs"
    write_packs(csv_file, folder)
    write_csv(folder / "icml_face_data.csv", noise(4, seed=1), [0] * 4, USAGES[:4])
    faces = read_fer2013(folder)
    assert faces.split.tolist() == SPLITS
    np.testing.assert_array_equal(take_split(faces, "train").images, noise(10)[[0, 2, 4]])  # 1 and 3 are copies
    for pack in folder.glob("*.npz"):
        pack.unlink()
    assert read_fer2013(folder).split.tolist() == SPLITS[:4]
    (folder / "icml_face_data.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"fer2013_train\.npz"):
        read_fer2013(folder)


def test_csv_of_fer2013_leaves_out_what_is_no_face(tmp_path, noise, write_csv, monkeypatch):
    """The official csv has a black image in Training; a black image in someone's own csv is kept."""
    images = noise(4)
    images[[1, 3]] = 0
    path = write_csv(tmp_path / "a.csv", images, [0, 1, 2, 3], ["Training"] * 3 + ["PublicTest"])
    assert len(read_csv(path)) == 4
    monkeypatch.setattr(fer2013, "TRAINING_ROWS", 3)
    assert read_csv(path).labels.tolist() == [0, 2, 3]
    assert len(read_csv(path, keep_faults=True)) == 4


def test_real_training_has_no_test_image_none_that_is_no_face_and_votes_as_probs(data_pack):
    train, public = (load_pack(data_pack(f"fer2013_{name}.npz")) for name in ("train", "publictest"))
    found = read_fer2013(data_pack("fer2013_train.npz").parent)
    faces, measured = (take_split(found, split) for split in ("train", "validation"))
    known = {image.tobytes() for image in public["images"]}
    is_copy = np.array([image.tobytes() in known for image in train["images"]])
    kept = ~is_copy & (train["flag"] & 2 == 0)
    np.testing.assert_array_equal(faces.images, train["images"][kept])
    np.testing.assert_array_equal(faces.labels, train["labels"][kept])
    assert len(faces) == 28218 and len(measured) == len(without_copies(measured, faces)) == 3589
    for part in (faces, measured):
        np.testing.assert_allclose(part.votes.sum(1), 1, atol=1e-6)
    np.testing.assert_array_equal(measured.votes.argmax(1), public["ferplus"].argmax(1))
