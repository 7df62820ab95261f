"""Readers of one table for many images, on hand-written files: values, splits, malformed input, damaged tars."""

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from tests.yolo3tiny.samples import HEIGHT, WIDTH, pack, save_image, save_text
from yolo3tiny.annotations import read_photos


def coco(**changes: object) -> dict:
    """A table of two images; `bbox` and so on change the second annotation, `file_name` and so on the second image."""
    size = {"width": WIDTH, "height": HEIGHT}
    table = {
        "images": [
            {"id": 7, "file_name": "images/甲.png", **size, "split": "train", "source": "web"},
            {"id": 9, "file_name": "images/b.png", **size, "split": "val"},
        ],
        "annotations": [
            {"image_id": 7, "bbox": [1, 2, 10, 12.5]},
            {"image_id": 9, "bbox": [4, 4, 8, 8]},
            {"image_id": 7, "bbox": [20, 2, 10, 12], "ignore": 1},
            {"image_id": 7, "bbox": [0, 0, 5, 5], "iscrowd": 1, "ignore": 0, "score": 0.9},
            {"image_id": 7, "bbox": [4, 0, 5, 5], "score": 0.36},  # of a machine: a face, neither, nothing
            {"image_id": 7, "bbox": [8, 0, 5, 5], "score": 0.35},
            {"image_id": 7, "bbox": [9, 0, 5, 5], "score": 0.12},
        ],
    }
    for name, value in changes.items():
        rows = dict.fromkeys(("bbox", "image_id", "score", "category_id", "ignore"), table["annotations"][1])
        rows |= dict.fromkeys(("file_name", "split", "source", "width"), table["images"][1])
        rows.get(name, table)[name] = value
    return table


def save_coco(folder: Path, table: dict | str) -> Path:
    for name in ("甲", "b"):
        save_image(folder / "images" / f"{name}.png")
    save_text(folder / "annotations.json", table if isinstance(table, str) else json.dumps(table))
    return folder


@pytest.mark.parametrize("form", ["folder", "json", "tar", "tar with ./", "folder from Windows"])
def test_coco_values(tmp_path, form):
    table = coco(annotations=[*coco()["annotations"], coco()["annotations"][0]])  # a box that stands twice
    if "Windows" in form:
        table = json.loads(json.dumps(table).replace("images/", "images\\\\").replace('"ignore": 0', '"ignore": "0"'))
    folder = save_coco(tmp_path / "数据", table)
    if form.startswith("tar"):
        path = pack(folder, tmp_path / "包.tar", "./" if "./" in form else "pack")
        first, second = read_photos(path)
        path.unlink()  # nothing is unpacked, the files are in memory
    else:
        first, second = read_photos(folder / "annotations.json" if form == "json" else folder)
    assert (first.name, first.split, first.source) == ("images/甲.png", "train", "web")
    assert (second.name, second.split, second.source) == ("images/b.png", "validation", "")
    np.testing.assert_allclose(
        first.boxes_xyxy, [[1, 2, 11, 14.5], [20, 2, 30, 14], [0, 0, 5, 5], [4, 0, 9, 5], [8, 0, 13, 5]]
    )
    assert first.boxes_xyxy.dtype == np.float32 and first.ignore.tolist() == [False, True, True, False, True]
    assert first.read().shape == second.read().shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('{"images": [],\n "annotations": [}', r"annotations\.json:2: expected COCO JSON"),
        ("[" * 200_000, "expected COCO JSON"),
        ({"images": [], "annotations": []}, "expected annotated photos, found none"),
        (coco(bbox=[1, 2, 3]), r"annotations\[1\]: expected .* bbox of four numbers"),
        (coco(score=float("nan")), r"annotations\[1\]: .* a score of nan, expected 0..1"),
        (coco(annotations=[{"image_id": 9, "bbox": [0.1, 0.2, 0.3, 0.4]}]), "boxes in pixels, got shares of the image"),
        (coco(bbox=[1, 2, float("nan"), 4]), r"b\.png: expected finite boxes"),
        (coco(images=[{"id": 7}, {"id": 9}], annotations=[]), r"2 that cannot be read: .*images\[0\].*images\[1\]"),
        (coco(images=[{"id": 7}, {"id": 7}]), "2 images with 1 ids"),
        (coco(categories=[{"id": 1, "name": "face"}, {"id": 1, "name": "nose"}]), "2 categories with 1 ids"),
        (coco(categories=[{"id": 1, "name": None}]), "expected COCO JSON"),
        (coco(categories=[{"id": 1, "name": "face"}]), r"annotations\[0\]: .*'category_id'"),  # which of them is it?
        (coco(ignore="no"), r"annotations\[1\]: .*'no'"),
        (coco(file_name="images/甲.png"), r"甲\.png: expected once in the table, got 2 times"),
        (coco(split=3), r"images\[1\]: expected split and source as text, got split 3"),
        (coco(source=["web"]), r"images\[1\]: expected split and source as text"),
        (coco(file_name="images/none.png"), r"images\[1\].*none\.png"),
        *(
            (coco(file_name=name), r"images\[1\].*")  # never the one outside
            for name in ("../c.png", "images/../../c.png", "/dev/zero", "C:\\c.png", "\\c", "..", "")
        ),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_malformed_coco(tmp_path, table, message, packed):
    save_image(tmp_path / "c.png")  # what a name that leads outside would find
    folder = save_coco(tmp_path / "data", table)
    message = message.replace("none\\.png", "none") if packed else message
    with pytest.raises(ValueError, match=message) as caught:
        read_photos(pack(folder, tmp_path / "pack.tar") if packed else folder)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("ending", [".tar", ".tar.gz", ".tar.bz2", ".tar.xz", ".TGZ"])
@pytest.mark.parametrize("damage", ["cut in the middle", "cut at the start", "empty", "noise"])
def test_a_tar_that_is_not_whole(tmp_path, ending, damage):
    folder, path = save_coco(tmp_path / "pack", coco()), tmp_path / f"pack{ending}"
    kind = {"tar": "", "TGZ": "gz"}.get(ending.split(".")[-1], ending.split(".")[-1])
    with tarfile.open(path, f"w:{kind}") as tar:
        tar.add(folder, "pack")
    assert len(read_photos(path)) == 2
    whole, noise = path.read_bytes(), np.random.default_rng(0).bytes(3000)
    middle = whole.index(b"IHDR") if ending == ".tar" else len(whole) // 2  # not between two files of a plain tar
    start = {"cut in the middle": whole[:middle], "cut at the start": whole[:60], "empty": b"", "noise": noise}
    path.write_bytes(start[damage])
    with pytest.raises(ValueError, match=rf"pack\{ending}: expected a whole tar, got \w+") as caught:
        read_photos(path)
    assert "\n" not in str(caught.value)


WIDER = """0--Parade/一.png
2
1 2 10 12 0 0 0 0 0 0
20 5 8 9 2 0 0 1 1 0
0--Parade/none.png
0
0 0 0 0 0 0 0 0 0 0
1--Riot/b.png
2
3 4 5 6 0 0 0 0 0 0
9 9 0 0 0 0 0 0 0 0
"""


def save_wider(folder: Path, text: str = WIDER) -> Path:
    for name in ("0--Parade/一.png", "0--Parade/none.png", "1--Riot/b.png"):
        save_image(folder / "WIDER_train" / "images" / name)
    return save_text(folder / "wider_face_split" / "wider_face_train_bbx_gt.txt", text)


@pytest.mark.parametrize("without", ["", "\n0 0 0 0 0 0 0 0 0 0"])  # some leave out the row of an image without faces
def test_wider(tmp_path, without):
    save_wider(tmp_path, WIDER.replace(without, "", 1))
    first, none, last = read_photos(tmp_path)
    np.testing.assert_allclose(first.boxes_xyxy, [[1, 2, 11, 14], [20, 5, 28, 14]])
    assert first.ignore.tolist() == [False, True]  # the second is marked invalid
    assert none.boxes_xyxy.shape == (0, 4)
    np.testing.assert_allclose(last.boxes_xyxy, [[3, 4, 8, 10]])  # a box without size is an artifact
    assert {(photo.split, photo.source) for photo in (first, none, last)} == {("train", "wider")}
    assert last.read().shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        *(("2\n1 2", f"{count}\n1 2", 2) for count in ("1e999", "nan", "-3", "1.7", "")),
        ("\n1 2 10 12 0 0 0 0 0 0", "\n1 2 10 0 0 0 0 0 0", 3),
        ("2\n1 2", "3\n1 2", 5),  # one row more than there is: the next name is no row
        ("2\n3 4", "9\n3 4", 12),  # ends too early
        ("1--Riot/b", "1--Riot/missing", 8),
        ("1--Riot/b.png", "../../wider_face_split/b.png", 8),
        ("1--Riot/b.png", "/dev/zero", 8),
    ],
)
def test_malformed_wider(tmp_path, old, new, line):
    assert WIDER.count(old) == 1
    save_wider(tmp_path, WIDER.replace(old, new))
    save_image(tmp_path / "wider_face_split" / "b.png")
    with pytest.raises(ValueError, match=rf"wider_face_train_bbx_gt\.txt:{line}: expected"):
        read_photos(tmp_path)
