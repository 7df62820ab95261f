"""Which tables are there, which boxes count, and which splits the layouts of other tools have."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.yolo3tiny.samples import HEIGHT, WIDTH, pack, save_image, save_text
from yolo3tiny.annotations import read_categories, read_photos
from yolo3tiny.splits import choose_split
from yolo3tiny.voc_yolo import yolo_table

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
    [("facedet.tar", "train", 2443, 4701), ("facedet.tar", "val", 306, 645), ("facedet_pseudo.tar", "all", 681, 3818)],
)
def test_real_packs_have_their_counts(data_pack: Callable[[str], Path], name, split, photos, faces):
    found = choose_split(read_photos(data_pack(name)), split)
    assert (len(found), sum(int((~photo.ignore).sum()) for photo in found)) == (photos, faces)
    for photo in found[::100]:
        photo.read()


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
    save_text(folder / "data.yaml", settings)


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


# What tables of other machines call an image that is there as images/a.png; {} is the image's name, once another's.
FOREIGN_NAMES = ["{}", "faces/{}", "C:\\Users\\li\\faces\\{}", "/home/li/images/{}", "../images/{}", ".\\images\\{}"]


def name_in_coco(folder: Path, name: str) -> None:
    table = {"images": [{"id": 1, "file_name": name}], "annotations": [{"image_id": 1, "bbox": [1, 1, 4, 4]}]}
    save_text(folder / "annotations.json", json.dumps(table))


def name_in_voc(folder: Path, name: str) -> None:
    save_text(folder / "a.xml", f"<annotation><filename>{name}</filename></annotation>")


def name_in_wider(folder: Path, name: str) -> None:
    save_text(folder / "wider_face_train_bbx_gt.txt", f"{name}\n1\n1 1 4 4 0 0 0 0 0 0\n")


@pytest.mark.parametrize(
    ("write", "place"), [(name_in_coco, "images"), (name_in_voc, "images"), (name_in_wider, "WIDER_train/images")]
)
@pytest.mark.parametrize("name", FOREIGN_NAMES)
def test_an_image_is_found_by_the_path_of_another_machine(write, place, name, tmp_path, caplog):
    save_image(tmp_path / place / "a.png")
    write(tmp_path, name.format("a.png"))
    (photo,) = read_photos(tmp_path)
    assert photo.read().shape == (HEIGHT, WIDTH, 3) and not caplog.messages
    write(tmp_path, name.format("b.png"))  # renamed since: an XML's own name tells its image, else none does
    if write is name_in_voc:
        assert read_photos(tmp_path)[0].name == "images/a.png"
        assert caplog.messages == [f"{tmp_path}: 1 {NAMED_BY_XML}, such as that of a.xml"]
    else:
        with pytest.raises(ValueError, match=r"no image .*b\.png"):
            read_photos(tmp_path)


NAMED_BY_XML = "images have the name of their XML, for the one in <filename> is not there"


def test_a_list_that_is_not_there_is_named(tmp_path):
    lay_out_yolo(tmp_path, "train: elsewhere.txt\nval: val.txt\nnames: [face]\n")
    with pytest.raises(ValueError, match="expected the list 'elsewhere.txt' that its settings name"):
        read_photos(tmp_path)
