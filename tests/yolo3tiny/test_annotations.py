"""Readers of box tables on hand-written files: values, splits, categories, malformed input. No file is left unnamed."""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from yolo3tiny.annotations import read_categories, read_photos
from yolo3tiny.voc_yolo import yolo_table

WIDTH, HEIGHT = 40, 30


def save_image(path: Path, width: int = WIDTH, height: int = HEIGHT) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, np.full((height, width, 3), 90, np.uint8))[1].tobytes())


def save_text(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


# ---- COCO


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
        rows = dict.fromkeys(("bbox", "image_id", "score"), table["annotations"][1])
        rows |= dict.fromkeys(("file_name", "split", "source", "width"), table["images"][1])
        rows.get(name, table)[name] = value
    return table


def save_coco(folder: Path, table: dict | str) -> Path:
    for name in ("甲", "b"):
        save_image(folder / "images" / f"{name}.png")
    save_text(folder / "annotations.json", table if isinstance(table, str) else json.dumps(table))
    return folder


def pack(folder: Path, tar_path: Path, prefix: str = "pack") -> Path:
    with tarfile.open(tar_path, "w") as tar:
        tar.add(folder, prefix)
    return tar_path


@pytest.mark.parametrize("form", ["folder", "json", "tar", "tar with ./"])
def test_coco_values(tmp_path, form):
    folder = save_coco(tmp_path / "数据", coco())
    if form.startswith("tar"):
        path = pack(folder, tmp_path / "包.tar", "./" if "./" in form else "pack")
        (second,) = read_photos(path, "val")
        first, _ = read_photos(path)
        path.unlink()  # nothing is unpacked, the files are in memory
        assert isinstance(second.image, bytes)
    else:
        first, second = read_photos(folder if form == "folder" else folder / "annotations.json")
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
        (coco(bbox=[1, 2, float("nan"), 4]), r"b\.png: expected finite boxes"),
        (coco(images=[{"id": 7}, {"id": 9}], annotations=[]), r"2 that cannot be read: .*images\[0\].*images\[1\]"),
        (coco(images=[{"id": 7}, {"id": 7}]), "2 images with 1 ids"),
        (coco(split=3), r"images\[1\]: expected split and source as text, got ValueError: split 3"),
        (coco(source=["web"]), r"images\[1\]: expected split and source as text"),
        (coco(file_name="images/none.png"), r"images\[1\].*none\.png"),
        *((coco(file_name=name), r"images\[1\].*outside of the folder") for name in ("../b.png", "images/../../b.png")),
        *((coco(file_name=name), r"images\[1\].*outside of the folder") for name in ("/dev/zero", "C:\\b.png", "\\b")),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_malformed_coco(tmp_path, table, message, packed):
    save_image(tmp_path / "b.png")  # what a name that leads outside would find
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


# ---- WIDER FACE

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


def test_wider(tmp_path):
    save_wider(tmp_path)
    first, none, last = read_photos(tmp_path, "training")
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


# ---- YOLO


@pytest.mark.parametrize("layout", ["{name}", "{kind}/val/{name}", "valid/{kind}/{name}"])
def test_yolo(tmp_path, layout, caplog):
    for name in ("脸.png", "empty.png", "unlabelled.png"):
        save_image(tmp_path / layout.format(kind="images", name=name))
    for name, text in {"脸.txt": "0 0.5 0.5 0.25 0.5\n\n0 0.1 0.1 0.2 0.2\n", "empty.txt": ""}.items():
        save_text(tmp_path / layout.format(kind="labels", name=name), text)
    empty, face = read_photos(tmp_path)
    assert face.name == layout.format(kind="images", name="脸.png")
    np.testing.assert_allclose(face.boxes_xyxy, [[15, 7.5, 25, 22.5], [0, 0, 8, 6]], atol=1e-5)
    assert not face.ignore.any() and len(empty.boxes_xyxy) == 0
    assert face.split == ("validation" if "val" in layout else "")
    assert "left out 1 images" in caplog.text


@pytest.mark.parametrize("row", ["0 0.5 0.5 0.25", "0 0.5 0.5 0.2 x", "0 15 7 25 22", "0 0.5 nan 0.1 0.1"])
def test_malformed_yolo(tmp_path, row):
    for name in "ab":
        save_image(tmp_path / f"{name}.png")
        (tmp_path / f"{name}.txt").write_text(f"0 0.5 0.5 0.25 0.5\n{row}\n")
    with pytest.raises(ValueError, match=r"2 that cannot be read: .*a\.txt:2: expected.*b\.txt:2: expected"):
        read_photos(tmp_path)


DATA_YAML = "train: ../one/images\nval: two/images\nnc: 2\nnames: {names}\n"


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ("data.yaml", DATA_YAML.format(names="['nose', \"face\"]")),
        ("data.yaml", DATA_YAML.format(names="\n- nose\n- face")),
        ("data.yaml", DATA_YAML.format(names="\n  1: face\n  0: nose")),
        ("one/labels/classes.txt", "nose\nface\n"),
    ],
)
def test_yolo_obeys_its_settings(tmp_path, table, text, caplog):
    for folder in ("one", "two"):
        save_image(tmp_path / folder / "images" / "a.png")
        save_text(tmp_path / folder / "labels" / "a.txt", "0 0.2 0.2 0.2 0.2\n1 0.5 0.5 0.25 0.5\n")
    save_text(tmp_path / table, text)
    photos = read_photos(tmp_path)
    assert [photo.split for photo in photos] == (["train", "validation"] if table == "data.yaml" else ["", ""])
    assert [len(photo.boxes_xyxy) for photo in photos] == [1, 1]
    assert "took the category face (2 boxes), not nose" in caplog.text


# ---- Pascal VOC

VOC = """<annotation><filename>{name}</filename><size><width>0</width><height>0</height></size>
<object><name>face</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>10</xmax><ymax>20</ymax></bndbox></object>
<object><difficult>1</difficult><bndbox><ymin>5.5</ymin><xmin>11</xmin><ymax>99</ymax><xmax>21</xmax></bndbox>
</object></annotation>"""


@pytest.mark.parametrize(
    ("xml", "image"),
    [
        ("Annotations/图.xml", "JPEGImages/图.png"),
        ("annotations/图.xml", "images/图.png"),
        ("图.xml", "图.png"),
        ("valid/图.xml", "valid/图.png"),  # Roboflow
    ],
)
def test_voc(tmp_path, xml, image):
    save_image(tmp_path / image)
    save_text(tmp_path / xml, VOC.format(name=r"C:\photos\图.png"))
    if "valid" not in xml:
        save_text(tmp_path / "ImageSets" / "Main" / "val.txt", "图\n")
    (photo,) = read_photos(tmp_path, "val")
    # The first pixel is 1 and the last belongs to the box: 1..10 is 0 to 10.
    np.testing.assert_allclose(photo.boxes_xyxy, [[0, 0, 10, 20], [10, 4.5, 21, 30]])
    assert photo.ignore.tolist() == [False, True] and photo.name == image


STEMS = ("a", "photo", "photo 1", "photo 2")
STRANGERS = "2 names in ImageSets/Main without an XML, such as 'b'"


@pytest.mark.parametrize(
    ("train", "val", "splits", "warning"),
    [
        (None, None, ["", "", "", ""], ""),
        ("a\nphoto 1\n", "\n photo 2 \nphoto\n", ["train", "validation", "train", "validation"], ""),
        ("a 1\nphoto\t-1\nphoto 1  0\nphoto 2 -1\n", None, ["train"] * 4, ""),
        (None, "photo 2\nphoto 1", ["", "", *["validation"] * 2], "2 XMLs in no list of ImageSets/Main, such as 'a'"),
        ("a\nphoto\nphoto 1\nb\n", "photo 2\nphoto 3 1\n", [*["train"] * 3, "validation"], STRANGERS),
    ],
)
def test_voc_lists(tmp_path, train, val, splits, warning, caplog):
    for stem in STEMS:
        save_image(tmp_path / "JPEGImages" / f"{stem}.png")
        save_text(tmp_path / f"{stem}.xml", VOC.format(name=f"{stem}.png"))
    for name, text in (("train.txt", train), ("val.txt", val)):
        if text is not None:
            save_text(tmp_path / "ImageSets" / "Main" / name, text)
    found = {Path(photo.name).stem: photo.split for photo in read_photos(tmp_path)}
    assert [found[stem] for stem in STEMS] == splits
    said = [record.getMessage() for record in caplog.records if "ImageSets" in record.getMessage()]
    assert said == ([f"{tmp_path}: {warning}"] if warning else [])


@pytest.mark.parametrize("encoding", ["GBK", "gb18030", "UTF-8", "utf-16", "iso-8859-1"])
def test_voc_in_any_encoding_that_it_declares(tmp_path, encoding):
    name = "a.png" if encoding == "iso-8859-1" else "图.png"
    save_image(tmp_path / name)
    xml = f'<?xml version="1.0" encoding="{encoding}"?>\n' + VOC.format(name=name)
    save_text(tmp_path / "a.xml", xml.encode(encoding))
    assert [photo.name for photo in read_photos(tmp_path)] == [name]


BOMB = '<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;&b;&b;">]>\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (VOC[:-5], r"a\.xml:4: expected XML"),
        (BOMB + VOC, "document type"),
        ((BOMB + VOC).encode("utf-16"), "document type"),  # the bytes of <!DOCTYPE are not in the file
        (VOC.replace("<xmin>1</xmin>", ""), r"a\.xml: expected .*bndbox"),
        (VOC.replace("<filename>{name}</filename>", ""), r"a\.xml: expected an image that is there"),
        ('<?xml version="1.0" encoding="nosuch"?>' + VOC, r"a\.xml: expected XML in nosuch"),
        (b'<?xml version="1.0" encoding="GBK"?>' + VOC.encode() + b"\xff\xff", r"a\.xml: expected XML in GBK"),
    ],
)
def test_malformed_voc(tmp_path, text, message):
    save_image(tmp_path / "a.png")
    save_text(tmp_path / "a.xml", (text if isinstance(text, bytes) else text.encode()).replace(b"{name}", b"a.png"))
    with pytest.raises(ValueError, match=message):
        read_photos(tmp_path)


# ---- all of them


def test_a_roboflow_export_keeps_its_splits(tmp_path):
    for split in ("train", "valid", "test"):
        save_image(tmp_path / split / f"{split}.jpg")
        image = {"id": 0, "file_name": f"{split}.jpg", "width": WIDTH, "height": HEIGHT}
        categories = [{"id": 0, "name": "faces-x1", "supercategory": "none"}]
        rows = {"images": [image], "categories": categories, "annotations": []}
        save_text(tmp_path / split / "_annotations.coco.json", json.dumps(rows))
    found = {photo.name: photo.split for photo in read_photos(tmp_path)}
    assert found == {"train.jpg": "train", "valid.jpg": "validation", "test.jpg": "test"}


FACE, BABY, NOSE = ("face", "baby", "nose")


@pytest.mark.parametrize(
    ("names", "classes", "taken", "words"),
    [
        ([FACE], None, [FACE], ""),
        ([FACE, NOSE], None, [FACE], "took the category face (1 boxes), not nose"),
        (["人脸", "Head", BABY], None, ["人脸", "Head"], "not baby"),
        ([BABY, NOSE], None, "expected a category called face, got baby, nose: choose with --classes", ""),
        ([BABY, NOSE], [BABY], [BABY], "took the category baby (1 boxes), not nose"),
        ([BABY, NOSE], ["all"], [BABY, NOSE], ""),
        ([BABY, NOSE], ["mouth"], "expected categories among baby, nose, got mouth", ""),
        (["0", "1"], None, "expected a category called face, got 0, 1", ""),
    ],
)
def test_categories_are_chosen_and_not_assumed(tmp_path, names, classes, taken, words, caplog):
    box = "<bndbox><xmin>{0}1</xmin><ymin>1</ymin><xmax>{0}9</xmax><ymax>9</ymax></bndbox>"
    objects = "".join(f"<object><name>{name}</name>{box.format(n)}</object>" for n, name in enumerate(names))
    save_image(tmp_path / "a.png")
    save_text(tmp_path / "a.xml", f"<annotation><filename>a.png</filename>{objects}</annotation>")
    if isinstance(taken, str):
        with pytest.raises(ValueError, match=re.escape(taken)):
            read_photos(tmp_path, classes=classes)
    else:
        (photo,) = read_photos(tmp_path, classes=classes)
        assert photo.boxes_xyxy[:, 0].tolist() == [10 * names.index(name) for name in taken]
    assert words in caplog.text and (bool(words) or "took" not in caplog.text)


def test_nothing_to_read_names_what_was_looked_for(tmp_path):
    save_image(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"wider_face.*annotations\.json.*\.xml.*\.txt"):
        read_photos(tmp_path)
    with pytest.raises(ValueError, match=r"expected one annotations\.json"):
        read_photos(pack(tmp_path, tmp_path.with_suffix(".tar")))
    with pytest.raises(FileNotFoundError, match="missing"):
        read_photos(tmp_path / "missing")


@pytest.mark.parametrize(
    ("name", "split", "photos", "faces"),
    [("facedet.tar", "train", 2443, 4701), ("facedet.tar", "val", 306, 645), ("facedet_pseudo.tar", None, 681, 3818)],
)
def test_real_packs_have_their_counts(data_pack: Callable[[str], Path], name, split, photos, faces):
    found = read_photos(data_pack(name), split)
    assert (len(found), sum(int((~photo.ignore).sum()) for photo in found)) == (photos, faces)
    for photo in found[::100]:
        photo.read()


# ---- Layouts of other tools: three images, of which one is for validation


NAMES = {"train": ("a", "b"), "val": ("c",)}


def lay_out_images(folder: Path, place: str) -> dict[str, list[Path]]:
    """Save the images in a folder, where "{}" stands for the split; return their paths."""
    paths = {split: [folder / place.format(split) / f"{name}.png" for name in names] for split, names in NAMES.items()}
    for path in (path for listed in paths.values() for path in listed):
        save_image(path)
    return paths


def lay_out_yolo(folder: Path, settings: str, place: str = "images", list_name: str = "{}.txt") -> None:
    for split, paths in lay_out_images(folder, place).items():
        for path in paths:
            save_text(yolo_table(path), "0 0.5 0.5 0.5 0.5\n")
        lines = [f"./{path.relative_to(folder).as_posix()}" for path in paths]
        save_text(folder / list_name.format(split), "\n".join(lines))
    save_text(folder / ("obj.data" if "=" in settings else "data.yaml"), settings)
    if "=" in settings:
        save_text(folder / "obj.names", "face\n")


def lay_out_coco(folder: Path, table: str, place: str) -> None:
    for split, paths in lay_out_images(folder, place).items():
        images = [{"id": number, "file_name": path.name} for number, path in enumerate(paths)]
        boxes = [{"image_id": number, "bbox": [10, 7.5, 20, 15], "category_id": 1} for number in range(len(paths))]
        content = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "face"}]}
        save_text(folder / table.format(split), json.dumps(content))


def lay_out_voc(folder: Path, place: str, tables: str, list_name: str) -> None:
    box = "<xmin>11</xmin><ymin>8.5</ymin><xmax>30</xmax><ymax>22.5</ymax>"
    for split, paths in lay_out_images(folder, place).items():
        lines = []
        for path in paths:
            table = folder / tables.format(split) / f"{path.stem}.xml"
            inner = f"<filename>{path.name}</filename><object><name>face</name><bndbox>{box}</bndbox></object>"
            save_text(table, f"<annotation>{inner}</annotation>")
            lines.append(f"{path.relative_to(folder).as_posix()} {table.relative_to(folder).as_posix()}")
        if list_name:
            save_text(folder / list_name.format(split), "\n".join(lines))


LAYOUTS: dict[str, Callable[[Path], None]] = {
    "data.yaml with lists": lambda folder: lay_out_yolo(folder, "train: train.txt\nval: ./val.txt\nnames: [face]\n"),
    "data.yaml with folders in a list": lambda folder: lay_out_yolo(
        folder, "names:\n  0: face\nval:\n  - val/images\ntrain:  # the rest\n  - 'train/images'\n", "{}/images"
    ),
    "darknet's obj.data": lambda folder: lay_out_yolo(
        folder, "classes = 1\ntrain = data/train.txt\nvalid = data/val.txt\nnames = data/obj.names\n", "obj"
    ),
    "Roboflow COCO": lambda folder: lay_out_coco(folder, "{}/_annotations.coco.json", "{}"),
    "COCO 2017": lambda folder: lay_out_coco(folder, "annotations/instances_{}2017.json", "{}2017"),
    "PaddleX COCO": lambda folder: lay_out_coco(folder, "annotations/instance_{}.json", "images"),
    "Roboflow VOC": lambda folder: lay_out_voc(folder, "{}", "{}", ""),
    "PaddleX VOC": lambda folder: lay_out_voc(folder, "JPEGImages", "Annotations", "{}_list.txt"),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts_of_other_tools_keep_their_splits(name, tmp_path):
    LAYOUTS[name](tmp_path)
    photos = read_photos(tmp_path)
    assert {Path(photo.name).stem: photo.split for photo in photos} == {
        "a": "train", "b": "train", "c": "validation"
    }  # fmt: skip
    for photo in photos:
        assert photo.boxes_xyxy == pytest.approx(np.array([[10, 7.5, 30, 22.5]]))
    assert read_categories(tmp_path) == ["face"]


def test_a_list_that_is_not_there_is_named(tmp_path):
    lay_out_yolo(tmp_path, "train: elsewhere.txt\nval: val.txt\nnames: [face]\n")
    with pytest.raises(ValueError, match="expected the list 'elsewhere.txt' that its settings name"):
        read_photos(tmp_path)
