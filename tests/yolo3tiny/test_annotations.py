"""Readers of box tables on hand-written files: values, round trips, policy for boxes, malformed input."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from yolo3tiny.annotations import read_coco, read_photos, read_voc, read_wider, read_yolo_txt, write_coco
from yolo3tiny.photos import Photo

WIDTH, HEIGHT = 40, 30


def save_picture(path: Path, width: int = WIDTH, height: int = HEIGHT) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.full((height, width, 3), 90, np.uint8)
    path.write_bytes(cv2.imencode(path.suffix, image)[1].tobytes())


def coco_table() -> dict:
    return {
        "images": [
            {
                "id": 7,
                "file_name": "images/甲.png",
                "width": 40,
                "height": 30,
                "split": "train",
                "source": "web",
            },
            {"id": 9, "file_name": "images/b.png", "width": 40, "height": 30, "split": "val"},
        ],
        "annotations": [
            {"image_id": 7, "bbox": [1, 2, 10, 12.5]},
            {"image_id": 9, "bbox": [4, 4, 8, 8]},
            {"image_id": 7, "bbox": [20, 2, 10, 12], "ignore": 1},
            {"image_id": 7, "bbox": [0, 0, 5, 5], "iscrowd": 1, "ignore": 0},
        ],
    }


def save_coco(folder: Path, table: dict | str) -> Path:
    for name in ("甲", "b"):
        save_picture(folder / "images" / f"{name}.png")
    text = table if isinstance(table, str) else json.dumps(table)
    (folder / "annotations.json").write_text(text, encoding="utf-8")
    return folder


def save_tar(folder: Path, tar_path: Path, prefix: str) -> Path:
    with tarfile.open(tar_path, "w") as tar:
        tar.add(folder, prefix)
    return tar_path


def assert_same_photos(photos: list[Photo], expected: list[Photo], atol: float = 1e-3) -> None:
    assert [(p.name, p.size_hw, p.split, p.source) for p in photos] == [
        (p.name, p.size_hw, p.split, p.source) for p in expected
    ]
    for photo, other in zip(photos, expected):
        np.testing.assert_allclose(photo.boxes_xyxy, other.boxes_xyxy, atol=atol)
        np.testing.assert_array_equal(photo.ignore, other.ignore)


@pytest.mark.parametrize("form", ["folder", "json", "tar", "tar with ./"])
def test_coco_values(tmp_path: Path, form: str) -> None:
    folder = save_coco(tmp_path / "数据", coco_table())
    path = {
        "folder": lambda: folder,
        "json": lambda: folder / "annotations.json",
        "tar": lambda: save_tar(folder, tmp_path / "包.tar", "pack"),
        "tar with ./": lambda: save_tar(folder, tmp_path / "包.tar", "./"),
    }[form]()
    first, second = read_coco(path)
    assert (first.name, first.split, first.source) == ("images/甲.png", "train", "web")
    assert (second.split, second.source) == ("val", "")
    np.testing.assert_allclose(first.boxes_xyxy, [[1, 2, 11, 14.5], [20, 2, 30, 14], [0, 0, 5, 5]])
    assert first.boxes_xyxy.dtype == np.float32
    assert first.ignore.tolist() == [False, True, True]
    assert first.read().shape == (30, 40, 3)
    assert [photo.name for photo in read_photos(path, "val")] == ["images/b.png"]


def test_coco_tar_is_read_without_being_unpacked(tmp_path: Path) -> None:
    source = save_coco(tmp_path / "source", coco_table())
    path = save_tar(source, tmp_path / "only.tar", "pack")
    photos = read_coco(path)
    path.unlink()
    assert all(isinstance(photo.image, bytes) for photo in photos)
    assert photos[1].read().shape == (30, 40, 3)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["source"]


def test_coco_round_trip(tmp_path: Path) -> None:
    photos = read_coco(save_coco(tmp_path, coco_table()))
    write_coco(tmp_path / "again.json", photos)
    assert_same_photos(read_coco(tmp_path / "again.json"), photos)
    assert not list(tmp_path.glob("*.tmp"))


def test_boxes_are_clipped_and_empty_ones_dropped_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table = coco_table()
    table["annotations"] = [
        {"image_id": 7, "bbox": [-5, -5, 20, 20]},  # reaches out: cut off
        {"image_id": 7, "bbox": [50, 2, 10, 10]},  # outside: dropped
        {"image_id": 7, "bbox": [5, 5, 0, 9]},  # no width: dropped
        {"image_id": 7, "bbox": [9, 9, -3, -3]},  # inside out: dropped
        {"image_id": 7, "bbox": [30, 20, 99, 99], "ignore": 1},
    ]
    photos = read_coco(save_coco(tmp_path, table))
    np.testing.assert_allclose(photos[0].boxes_xyxy, [[0, 0, 15, 15], [30, 20, 40, 30]])
    assert photos[0].ignore.tolist() == [False, True]
    assert photos[1].boxes_xyxy.shape == (0, 4)
    assert "dropped 3 boxes" in caplog.text


def changed(table: dict, **changes: object) -> dict:
    row = table["annotations"][1]
    row.update({name: value for name, value in changes.items() if name in ("bbox", "image_id")})
    return table | {name: value for name, value in changes.items() if name not in ("bbox", "image_id")}


def changed_image(**changes: object) -> dict:
    table = coco_table()
    table["images"][1].update(changes)
    return table


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('{"images": [],\n "annotations": [}', r"annotations\.json:2: expected COCO JSON"),
        ("[1, 2]", "expected COCO JSON"),
        ({"images": []}, "annotations"),
        ({"images": [], "annotations": []}, "expected annotated photos, found none"),
        (changed(coco_table(), bbox=[1, 2, 3]), r"annotations\[1\]: expected .* bbox of four numbers"),
        (changed(coco_table(), bbox=None), r"annotations\[1\]"),
        (changed(coco_table(), bbox=[1, 2, float("nan"), 4]), "expected finite boxes"),
        (changed(coco_table(), image_id=8), r"annotations\[1\]"),
        (changed(coco_table(), images=[{"id": 7}, {"id": 9}]), r"images\[0\]: expected file_name"),
        (changed(coco_table(), images=[{"id": 7}, {"id": 7}]), "2 images with 1 ids"),
        (changed(coco_table(), annotations=None), "expected COCO JSON"),
        (changed_image(split=3), r"images\[1\]: expected split and source as text, got ValueError: split 3"),
        (changed_image(split=["val"]), r"images\[1\]: expected split and source as text"),
        (changed_image(source=["web"]), r"images\[1\]: expected split and source as text"),
    ],
)
def test_malformed_coco(tmp_path: Path, table: dict | str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        read_coco(save_coco(tmp_path, table))
    assert str(tmp_path) in str(caught.value)


def test_null_in_coco_is_what_is_not_told(tmp_path: Path) -> None:
    photos = read_coco(save_coco(tmp_path, changed_image(split=None, source=None)))
    assert [(photo.split, photo.source) for photo in photos] == [("train", "web"), ("", "")]


@pytest.mark.parametrize("packed", [False, True])
def test_coco_with_a_missing_picture(tmp_path: Path, packed: bool) -> None:
    folder = save_coco(tmp_path / "pack", coco_table())
    (folder / "images" / "b.png").unlink()
    path = save_tar(folder, tmp_path / "pack.tar", "pack") if packed else folder
    with pytest.raises(ValueError, match=r"images\[1\].*b\.png"):
        read_coco(path)


@pytest.mark.parametrize("ending", [".tar", ".tar.gz", ".tar.bz2", ".tar.xz", ".TGZ"])
@pytest.mark.parametrize("damage", ["cut in the middle", "cut at the start", "empty", "noise"])
def test_a_tar_that_is_not_whole(tmp_path: Path, ending: str, damage: str) -> None:
    folder, path = save_coco(tmp_path / "pack", coco_table()), tmp_path / f"pack{ending}"
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


def test_tar_without_table(tmp_path: Path) -> None:
    save_picture(tmp_path / "some" / "a.png")
    with pytest.raises(ValueError, match="expected one annotations.json"):
        read_photos(save_tar(tmp_path / "some", tmp_path / "some.tar", "some"))


WIDER = """0--Parade/一.png
2
1 2 10 12 0 0 0 0 0 0
20 5 8 9 2 0 0 1 1 0
0--Parade/none.png
0
0 0 0 0 0 0 0 0 0 0
1--Riot/b.png
1
3 4 5 6 0 0 0 0 0 0
"""


def save_wider(folder: Path, text: str = WIDER) -> Path:
    for name in ("0--Parade/一.png", "0--Parade/none.png", "1--Riot/b.png"):
        save_picture(folder / "WIDER_train" / "images" / name)
    path = folder / "wider_face_split" / "wider_face_train_bbx_gt.txt"
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    return path


def test_wider(tmp_path: Path) -> None:
    first, none, last = read_wider(save_wider(tmp_path), tmp_path / "WIDER_train" / "images")
    np.testing.assert_allclose(first.boxes_xyxy, [[1, 2, 11, 14], [20, 5, 28, 14]])
    assert first.ignore.tolist() == [False, True]  # the second is marked invalid
    assert none.boxes_xyxy.shape == (0, 4)
    np.testing.assert_allclose(last.boxes_xyxy, [[3, 4, 8, 10]])
    assert {photo.split for photo in (first, none, last)} == {"train"}
    assert last.read().shape == (30, 40, 3)
    assert_same_photos(read_photos(tmp_path, "train"), [first, none, last])


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("2\n1 2", "two\n1 2", 2),
        *(("2\n1 2", f"{count}\n1 2", 2) for count in ("1e999", "nan", "-3", "1.7", "")),
        ("\n1 2 10 12 0 0 0 0 0 0", "\n1 2 10 0 0 0 0 0 0", 3),
        ("20 5 8 9", "20 5 eight 9", 4),
        ("2\n1 2", "3\n1 2", 5),  # one row more than there is: the next name is no row
        ("1\n3 4", "9\n3 4", 11),  # ends too early
        ("1--Riot/b", "1--Riot/missing", 8),
    ],
)
def test_malformed_wider(tmp_path: Path, old: str, new: str, line: int) -> None:
    assert WIDER.count(old) == 1
    with pytest.raises(ValueError, match=rf"wider_face_train_bbx_gt\.txt:{line}: expected"):
        read_wider(save_wider(tmp_path, WIDER.replace(old, new)), tmp_path / "WIDER_train" / "images")


@pytest.mark.parametrize("layout", ["{name}", "{kind}/val/{name}", "val/{kind}/{name}"])
def test_yolo(tmp_path: Path, layout: str, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("脸.png", "empty.png", "unlabelled.png"):
        save_picture(tmp_path / layout.format(kind="images", name=name))
    tables = {"脸.txt": "0 0.5 0.5 0.25 0.5\n\n1 0.1 0.1 0.2 0.2\n", "empty.txt": ""}
    for name, text in tables.items():
        path = tmp_path / layout.format(kind="labels", name=name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    empty, face = read_photos(tmp_path)
    assert face.name == layout.format(kind="images", name="脸.png")
    np.testing.assert_allclose(face.boxes_xyxy, [[15, 7.5, 25, 22.5], [0, 0, 8, 6]], atol=1e-5)
    assert not face.ignore.any() and len(empty.boxes_xyxy) == 0
    assert face.split == ("val" if "val" in layout else "")
    assert "left out 1 pictures" in caplog.text


@pytest.mark.parametrize("row", ["0 0.5 0.5 0.25", "0 0.5 0.5 0.2 x", "0 15 7 25 22", "0 0.5 nan 0.1 0.1"])
def test_malformed_yolo(tmp_path: Path, row: str) -> None:
    save_picture(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text(f"0 0.5 0.5 0.25 0.5\n{row}\n")
    with pytest.raises(ValueError, match=r"a\.txt:2: expected"):
        read_yolo_txt(tmp_path)


VOC = """<annotation><filename>{name}</filename><size><width>0</width><height>0</height></size>
<object><name>face</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>10</xmax><ymax>20</ymax></bndbox></object>
<object><difficult>1</difficult><bndbox><ymin>5.5</ymin><xmin>11</xmin><ymax>99</ymax><xmax>21</xmax></bndbox>
</object></annotation>"""


@pytest.mark.parametrize(
    ("xml", "picture"),
    [
        ("Annotations/图.xml", "JPEGImages/图.png"),
        ("annotations/图.xml", "images/图.png"),
        ("图.xml", "图.png"),
    ],
)
def test_voc(tmp_path: Path, xml: str, picture: str) -> None:
    save_picture(tmp_path / picture)
    (tmp_path / xml).parent.mkdir(exist_ok=True)
    (tmp_path / xml).write_text(VOC.format(name=r"C:\photos\图.png"), encoding="utf-8")
    lists = tmp_path / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "val.txt").write_text("图\n", encoding="utf-8")
    (photo,) = read_photos(tmp_path, "val")
    # The first pixel is 1 and the last belongs to the box: 1..10 is 0 to 10.
    np.testing.assert_allclose(photo.boxes_xyxy, [[0, 0, 10, 20], [10, 4.5, 21, 30]])
    assert photo.ignore.tolist() == [False, True]
    assert photo.name == picture


STEMS = ("a", "photo", "photo 1", "photo 2")


@pytest.mark.parametrize(
    ("train", "val", "splits", "warning"),
    [
        (None, None, ["", "", "", ""], ""),
        ("a\nphoto 1\n", "\n photo 2 \nphoto\n", ["train", "val", "train", "val"], ""),
        ("a 1\nphoto\t-1\nphoto 1  0\nphoto 2 -1\n", None, ["train"] * 4, ""),
        (None, "photo 2\nphoto 1", ["", "", "val", "val"], "2 XMLs in no list of ImageSets/Main, such as 'a'"),
        (
            "a\nphoto\nphoto 1\nb\n",
            "photo 2\nphoto 3 1\n",
            ["train", "train", "train", "val"],
            "2 names in ImageSets/Main without an XML, such as 'b'",
        ),
    ],
)
def test_voc_lists(
    tmp_path: Path,
    train: str | None,
    val: str | None,
    splits: list[str],
    warning: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for stem in STEMS:
        save_picture(tmp_path / "JPEGImages" / f"{stem}.png")
        (tmp_path / f"{stem}.xml").write_text(VOC.format(name=f"{stem}.png"))
    main = tmp_path / "ImageSets" / "Main"
    main.mkdir(parents=True)
    for name, text in (("train.txt", train), ("val.txt", val)):
        if text is not None:
            (main / name).write_text(text)
    found = {Path(photo.name).stem: photo.split for photo in read_voc(tmp_path)}
    assert [found[stem] for stem in STEMS] == splits
    told = [record.getMessage() for record in caplog.records if "ImageSets" in record.getMessage()]
    assert told == ([f"{tmp_path}: {warning}"] if warning else [])


BOMB = '<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;&b;&b;">]>\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (VOC[:-5], r"a\.xml:4: expected XML"),
        (BOMB + VOC, "document type"),
        ((BOMB + VOC).encode("utf-16"), "document type"),  # the bytes of <!DOCTYPE are not in the file
        (VOC.replace("<xmin>1</xmin>", ""), r"a\.xml: expected .*bndbox"),
        (VOC.replace("<xmax>10</xmax>", "<xmax>ten</xmax>"), r"a\.xml: expected .*bndbox"),
        (VOC.replace("<filename>{name}</filename>", ""), r"a\.xml: expected <filename>"),
        (VOC.replace("{name}", "other.png"), "no picture .*other.png"),
    ],
)
def test_malformed_voc(tmp_path: Path, text: str | bytes, message: str) -> None:
    save_picture(tmp_path / "a.png")
    data = text if isinstance(text, bytes) else text.encode()
    (tmp_path / "a.xml").write_bytes(data.replace(b"{name}", b"a.png"))
    with pytest.raises(ValueError, match=message):
        read_voc(tmp_path)


def test_yolo_and_voc_survive_the_way_through_coco(tmp_path: Path) -> None:
    save_picture(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text("0 0.5 0.5 0.25 0.5\n")
    photos = read_yolo_txt(tmp_path)
    write_coco(tmp_path / "annotations.json", photos)
    assert_same_photos(read_photos(tmp_path), photos)


def test_nothing_to_read_names_what_was_looked_for(tmp_path: Path) -> None:
    save_picture(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"annotations\.json.*wider_face.*\.xml.*\.txt"):
        read_photos(tmp_path)
    with pytest.raises(FileNotFoundError, match="missing"):
        read_photos(tmp_path / "missing")


@pytest.mark.parametrize("kind", ["coco", "wider"])
def test_unknown_split_names_those_there_are(tmp_path: Path, kind: str) -> None:
    save_coco(tmp_path, coco_table()) if kind == "coco" else save_wider(tmp_path)
    with pytest.raises(ValueError, match=r"expected a split among \['train'.*got 'dev'"):
        read_photos(tmp_path, "dev")


@pytest.mark.parametrize(
    ("name", "split", "photos", "faces"),
    [
        ("facedet.tar", "train", 2443, 4701),
        ("facedet.tar", "val", 306, 645),
        ("facedet_pseudo.tar", None, 681, 3818),
    ],
)
def test_real_packs_have_their_counts(
    data_pack: Callable[[str], Path], name: str, split: str | None, photos: int, faces: int
) -> None:
    found = read_photos(data_pack(name), split)
    assert (len(found), sum(int((~photo.ignore).sum()) for photo in found)) == (photos, faces)
    for photo in found[::100]:
        photo.read()
