"""Tables of boxes in every format, by hand-written files: what is read and said of it, what is refused, and splits."""

import json
import re
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.yolo3tiny.samples import HEIGHT, WIDTH, Files, lay_out, pack, save_image, save_text, voc, voc_object
from yolo3tiny.annotations import read_categories, read_photos
from yolo3tiny.splits import choose_split

LIST = "wider_face_train_bbx_gt.txt"


def coco(*annotations: dict | list, categories: object = (), images: object = None, **image: object) -> Files:
    """A table of a.png and b.png; an annotation is one, or the bbox of one; `image` changes the second image."""
    rows = [{"id": 7, "file_name": "images/a.png"}, {"id": 9, "file_name": "images/b.png", **image}]
    boxes = [{"image_id": 9, **({"bbox": one} if isinstance(one, list) else one)} for one in annotations]
    table = {"images": rows if images is None else images, "annotations": boxes, "categories": categories}
    return {"images/a.png": None, "images/b.png": None, "annotations.json": json.dumps(table, ensure_ascii=False)}


def category(number: int, name: object) -> dict:
    return {"id": number, "name": name}


def yolo(text: str | bytes, **more: str | bytes | None) -> Files:
    """A table beside a.png; `more` files have "__" for a dot."""
    return {"a.png": None, "a.txt": text, **{name.replace("__", "."): one for name, one in more.items()}}


def wider(text: str) -> Files:
    """A list of a.png and b.png, and an image beside it, where none is looked for."""
    images = ("WIDER_train/images/a.png", "WIDER_train/images/b.png", "wider_face_split/c.png")
    return dict.fromkeys(images) | {f"wider_face_split/{LIST}": text}


FACE = voc_object(1, 1, 10, 20)
PART = "<part><name>nose</name><bndbox><xmin>3</xmin><ymin>3</ymin><xmax>5</xmax><ymax>5</ymax></bndbox></part>"
SIDE = voc_object(11, 5.5, 21, 99, name="", more="<difficult>1</difficult>")
EXCHANGED = "xmin above xmax or ymin above ymax: taken for corners, not for width and height, such as that of a.xml"
ALONE = {"images/a.png": None, "images/b.png": None, "labels/a.txt": "0 .5 .5 .25 .5"}
ALONE |= {"labels/gone.txt": "", "data.yaml": "val: x"}
BOX, MIDDLE = [4, 4, 8, 8], [[15, 7.5, 25, 22.5]]
NAMES = ("['nose', \"face\"]", "\n- nose\n- face", "\n  1: face\n  0: nose", "{0: nose, 1: face}  # of two")
TOLD = ("1 images without a .txt", "no image for 1 .txt in labels, such as gone.txt", "found nothing at 1 places")
READ = [
    # files, boxes of the last image with those to be ignored last, how many are not, what the log says
    (coco([1, 2, 10, 12.5], {"bbox": [20, 2, 10, 12], "ignore": 1}), [[1, 2, 11, 14.5], [20, 2, 30, 14]], 1, ""),
    (coco({"bbox": [0, 0, 5, 5], "iscrowd": 1, "ignore": "0", "score": 0.9}), [[0, 0, 5, 5]], 0, ""),
    (coco(*({"bbox": [1, 1, 5, 5 + n], "score": s} for n, s in enumerate([0.36, 0.35, 0.12]))),
     [[1, 1, 6, 6], [1, 1, 6, 7]], 1, ""),  # of a machine: a face, neither, nothing
    (coco([1, 2, 10, 12], [1, 2, 10, 12]), [[1, 2, 11, 14]], 1, ""),  # stands twice
    (coco([20, 20, -5, -6], ["1", 2, 3, 4.5]), [[15, 14, 20, 20], [1, 2, 4, 6.5]], 2, ""),
    (coco([35, 1, 20, 5], [1, 1, 2, 2]), [[35, 1, 40, 6], [1, 1, 3, 3]], 2, "1 of 2 boxes reach far out"),
    (coco({"bbox": [1, 1, 4, 4], "category_id": 90}, {"bbox": [9, 9, 4, 4], "category_id": 3},
          categories=[category(3, "口罩"), category(90, "人脸 ")]),
     [[1, 1, 5, 5]], 1, "took the category 人脸 (1 boxes), not 口罩"),
    (coco({"bbox": [1, 1, 4, 4], "category_id": 1}, categories=None), [[1, 1, 5, 5]], 1, ""),  # the only one there
    (coco([1, 1, 4, 4], file_name="images\\b.png", width="80", height=60), [[0.5, 0.5, 2.5, 2.5]], 1, ""),
    ({name: text and "\ufeff" + text for name, text in coco([1, 1, 4, 4]).items()}, [[1, 1, 5, 5]], 1, ""),
    # The first pixel is 1 and the last belongs to the box: 1..10 is 0 to 10.
    (voc(FACE, SIDE), [[0, 0, 10, 20], [10, 4.5, 21, 30]], 1, ""),
    (voc(FACE, size="<size><width>0</width><height>0</height></size>"), [[0, 0, 10, 20]], 1, ""),
    (voc(voc_object(1, 1, 9, 9, more=PART)), [[0, 0, 9, 9]], 1, ""),
    (voc(voc_object(10, 20, 1, 1), FACE), [[0, 0, 10, 20]], 1, f"1 boxes have {EXCHANGED}"),
    (voc(FACE, name="old.jpg"), [[0, 0, 10, 20]], 1, "1 images have the name of their XML"),
    (voc(FACE) | dict.fromkeys(("._a.xml", "._val.txt", "._a.png"), b"\0\5\x16"), [[0, 0, 10, 20]], 1, ""),  # of a Mac
    *(
        (voc(voc_object(1, 1, 10, 20, name="人脸"), head=f'<?xml version="1.0" encoding="{code}"?>\n', encoding=code),
         [[0, 0, 10, 20]], 1, "")
        for code in ("GBK", "gb18030", "UTF-8", "utf-16")
    ),
    (yolo("0 .5 .5 .25 .5\n\n0\t.1 .1 .2 .2\r\n"), [[15, 7.5, 25, 22.5], [0, 0, 8, 6]], 2, ""),
    (yolo("\ufeff0 .5 .5 .25 .5\n3 .1 .1 .2 .2", data__yaml="names: [face]"), MIDDLE, 1, "not 3"),
    (yolo("0 .05 .5 .2 .2"), [[0, 12, 6, 18]], 1, "1 of 1 boxes reach far out of their images, such as one of a.png"),
    *((yolo("0 .2 .2 .2 .2\n1 .5 .5 .25 .5", data__yaml=f"names: {names}"), MIDDLE, 1, "not nose") for names in NAMES),
    *((ALONE, MIDDLE, 1, told) for told in TOLD),
    (yolo("1 .5 .5 .25 .5", b__yaml="lr: 1", c__yaml="names: [nose, face]"), MIDDLE, 1, ""),
    (yolo("1 .5 .5 .25 .5", classes__txt="nose\n") | {"b/classes.txt": "nose\nface"}, MIDDLE, 1, ""),
    (wider("a.png\n2\n1 2 10 12 0 0 0 0 0 0\n20 5 8 9 2 0 0 1 1 0\n"), [[1, 2, 11, 14], [20, 5, 28, 14]], 1, ""),
    (wider("a.png\n0\n0 0 0 0 0 0 0 0 0 0\nb.png\n2\n3 4 5 6\n9 9 0 0\n"), [[3, 4, 8, 10]], 1, ""),  # no size: artifact
    (wider("a.png\r\n0\r\nb.png\r\n1\r\n3 4 5 6\r\n"), [[3, 4, 8, 10]], 1, ""),  # no row of zeros
]  # fmt: skip


@pytest.mark.parametrize(("files", "boxes", "faces", "said"), READ)
def test_boxes_are_read_and_what_is_done_to_them_is_said(files, boxes, faces, said, tmp_path, caplog):
    photo = read_photos(lay_out(tmp_path / "数据", files))[-1]
    np.testing.assert_allclose(photo.boxes_xyxy, boxes, atol=1e-5)
    assert photo.boxes_xyxy.dtype == np.float32
    assert photo.ignore.tolist() == [False] * faces + [True] * (len(boxes) - faces)
    assert photo.read().shape == (HEIGHT, WIDTH, 3)
    assert said in caplog.text and bool(said) == bool(caplog.messages)


BOMB = '<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;&b;&b;">]>\n'
NOT_READ = "LabelMe, VIA, Label Studio and CVAT .* is not read: export COCO, VOC or YOLO"
CORNERS = "expected {} of each box, got two corners: 1 of . boxes reach far out of their images, such as one of .*png"
ONE_OF_TWO = "2\n3 4 5 6\n9 9 1 1\n"
REFUSED = [
    ({"annotations.json": '{"images": [],\n "annotations": [}'}, r"annotations\.json:2: expected COCO JSON"),
    ({"annotations.json": "[" * 200_000}, "expected COCO JSON"),
    ({"annotations.json": '{"shapes": []}'}, f"expected COCO JSON .* got other JSON; .*{NOT_READ}"),
    ({"annotations.json": '[{"annotations": []}]'}, f"got other JSON; .*{NOT_READ}"),
    (coco(images=[]), "expected annotated photos, found none"),
    *((coco([1, 1, 2, 2], bbox), r"annotations\[1\]: expected .* bbox of four numbers, got ")
      for bbox in ([1, 2, 3], {"bbox": None}, {"bbox": "1234"}, {"segmentation": []}, {"bbox": BOX, "image_id": 8})),
    (coco({"bbox": BOX, "score": float("nan")}), r"annotations\[0\]: .* a score of nan, expected 0..1"),
    (coco({"bbox": BOX, "ignore": "no"}), r"annotations\[0\]: .*'no'"),
    (coco([0.1, 0.2, 0.3, 0.4]), "boxes in pixels, got shares of the image"),
    (coco([1, 2, float("nan"), 4]), r"b\.png: expected finite boxes"),
    (coco([2, 2, 10, 10], [25, 15, 38, 28]), CORNERS.format("x y w h")),
    (coco(images=[{"id": 7}, {"id": 9}]), r"2 that cannot be read: .*images\[0\].*images\[1\].* got no 'file_name'"),
    (coco(images=[{"id": 7}, {"id": 7}]), "2 images with 1 ids"),
    (coco(categories=[category(1, "face"), category(1, "nose")]), "2 categories with 1 ids"),
    (coco(categories=[category(1, None)]), "expected COCO JSON"),
    (coco(BOX, categories=[category(1, "face")]), r"annotations\[0\]: .*'category_id'"),  # which of them is it?
    (coco(*({"bbox": BOX, "category_id": kind} for kind in (1, 2))), "a category called face, got 1, 2"),
    (coco(file_name="images/a.png"), r"a\.png: expected once in the table, got 2 times"),
    (coco(split=3), r"images\[1\]: expected .* split and source as text, got split 3"),
    (coco(source=["web"]), r"images\[1\]: expected .* split and source as text"),
    *((coco(file_name=name), r"images\[1\].*")  # never the one outside
      for name in ("none.png", "../c.png", "images/../../c.png", "/dev/zero", "C:\\c.png", "..", "", "b" * 5000, None)),
    (voc(FACE[:-5]), r"a\.xml:2: expected XML"),
    (voc(FACE, head=BOMB), "document type"),
    (voc(FACE, head=BOMB, encoding="utf-16"), "document type"),  # the bytes of <!DOCTYPE are not in the file
    *((voc(FACE, voc_object(*sides)), r"a\.xml: expected .*bndbox.* got " + got)
      for sides, got in (((1, 1, 10), "none"), (("1,5", 1, 9, 9), ".*'1,5'"), ((1, 1, "nan", 9), "nan"))),
    (voc("<object><name>face</name></object>"), r"a\.xml: expected .*bndbox"),
    ({"b.png": None, "b.xml": ""}, r"b\.xml:1: expected XML"),
    ({"b.png": None, "a.xml": voc(FACE, name="")["a.xml"]}, r"a\.xml: expected <filename> .* got no <filename>"),
    (voc(FACE, name="a.bmp") | {"a.jpg": None}, r"a\.xml: expected .* got a\.jpg and a\.png"),
    (voc(voc_object(0.1, 0.1, 0.5, 0.5)), "boxes in pixels, got shares of the image"),
    (voc(FACE, head='<?xml version="1.0" encoding="nosuch"?>'), r"a\.xml: expected XML in nosuch"),
    ({"a.xml": b'<?xml version="1.0" encoding="GBK"?><a>\xff\xff</a>'}, r"a\.xml: expected XML in GBK"),
    ({"a.png": None, "annotations.xml": "<annotations></annotations>"}, f"got <annotations>; .*{NOT_READ}"),
    *((yolo(f"0 .5 .5 .25 .5\n{row}\n"), r"1 that cannot be read: .*a\.txt:2: expected ")
      for row in ("0 .5 .5 .2", "0 .5 .5 .2 .2 .9", "0 .1 .1 .5 .1 .5 .5", "0 .5 .5 .2 x", "0,.5,.5,.2,.2",
                  "0 15 7 25 22", "0 .5 nan .1 .1", "0 .5 .5 -.1 .1", "-1 .5 .5 .1 .1", "1.5 .5 .5 .1 .1")),
    (yolo("0 .1 .1 .9 .9"), CORNERS.format("cx cy w h")),
    (yolo("0 .5 .5 .2 .2", a__jpg=None), r"a\.txt: expected boxes of one image, got a\.jpg and a\.png"),
    (yolo("0 .5 .5 .2 .2".encode("utf-16")), r"expected text in UTF-8 in .*a\.txt"),
    (yolo("0 .5 .5 .2 .2", classes__txt="人脸".encode("gbk")), r"expected text in UTF-8 in .*classes\.txt"),
    (yolo("", classes__txt="face") | {"b/classes.txt": "nose"}, r"classes\.txt: expected the first classes of the oth"),
    (yolo("", data__yaml="train: elsewhere.txt"), "expected the list 'elsewhere.txt' that its settings name"),
    *((yolo("", data__yaml=text), r"data\.yaml: expected YAML with settings by name, got \S")
      for text in ("train: [a\nval: b", "- train", "[" * 1500, "train: \t@")),
    *((wider(f"a.png\n{text}"), rf"{LIST}:{line}: expected ")
      for text, line in (*((f"{count}\n1 2 3 4\n", 2) for count in ("1e999", "nan", "-3", "1.7", "")),
                         ("1\n1 2 10 0 0 0 0 0 0", 3),
                         ("1\n1 2 10 12\nb.png\n3\n1 2 3 4\nb.png\n0\n", 7),  # one row too few: a name is no row
                         ("9\n3 4 5 6\n", 4),  # ends too early
                         (f"{ONE_OF_TWO}missing.png\n0\n", 5),
                         (f"{ONE_OF_TWO}../../wider_face_split/c.png\n0\n", 5))),
    (wider("a.png\n1\n20 20 38 28\n"), CORNERS.format("x y w h")),
    ({"a.png": None, "a.csv": "", "a.json": "{}"}, rf"wider_face.*annotations\.json.*\.xml.*\.txt.*{NOT_READ}"),
]  # fmt: skip


@pytest.mark.parametrize(("files", "message"), REFUSED)
def test_what_cannot_be_right_is_named_in_one_line(files, message, tmp_path):
    save_image(tmp_path / "c.png")  # what a name that leads outside would find
    folder = lay_out(tmp_path / "data", files)
    for path in (folder, *([pack(folder, tmp_path / "pack.tar")] if "annotations.json" in files else [])):
        with pytest.raises(ValueError, match=message) as caught:
            read_photos(path)
        assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value) and len(str(caught.value)) < 1000


def test_paths_that_hold_no_table(tmp_path):
    lay_out(tmp_path / "data", {"a.png": None, "a.target.csv": "x,y"})
    with pytest.raises(ValueError, match=rf"a\.target\.csv: expected .*found none of them; .*{NOT_READ}"):
        read_photos(tmp_path / "data" / "a.target.csv")
    with pytest.raises(ValueError, match=r"expected one annotations\.json"):
        read_photos(pack(tmp_path / "data", tmp_path / "data.tar"))
    with pytest.raises(FileNotFoundError, match="missing"):
        read_photos(tmp_path / "missing")


@pytest.mark.parametrize("prefix", ["./", "pack"])
def test_a_tar_is_read_without_being_unpacked(prefix, tmp_path):
    path = pack(
        lay_out(tmp_path / "data", coco([1, 2, 10, 12], split="val", source="web")), tmp_path / "包.tar", prefix
    )
    first, second = read_photos(path)
    path.unlink()
    assert (first.name, first.split, first.source) == ("images/a.png", "", "")
    assert (second.name, second.split, second.source) == ("images/b.png", "validation", "web")
    assert first.read().shape == second.read().shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize("ending", [".tar", ".tar.gz", ".tar.bz2", ".tar.xz", ".TGZ"])
@pytest.mark.parametrize("damage", ["cut in the middle", "cut at the start", "empty", "noise"])
def test_a_tar_that_is_not_whole(tmp_path, ending, damage):
    folder, path = lay_out(tmp_path / "pack", coco()), tmp_path / f"pack{ending}"
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


@pytest.mark.parametrize(
    ("names", "classes", "taken", "words"),
    [
        (["face"], None, ["face"], ""),
        (["face", "nose"], None, ["face"], "took the category face (1 boxes), not nose"),
        (["人脸", "Head", "baby"], None, ["人脸", "Head"], "not baby"),
        (["baby", "nose"], None, "expected a category called face, got baby, nose: choose with --classes", ""),
        (["baby", "nose"], ["baby"], ["baby"], "took the category baby (1 boxes), not nose"),
        (["baby", "nose"], ["all"], ["baby", "nose"], ""),
        (["baby", "nose"], ["mouth"], "expected categories among baby, nose, got mouth", ""),
        (["0", "1"], None, "expected a category called face, got 0, 1", ""),
    ],
)
def test_categories_are_chosen_and_not_assumed(tmp_path, names, classes, taken, words, caplog):
    lay_out(tmp_path, voc(*(voc_object(f"{n}1", 1, f"{n}9", 9, name=name) for n, name in enumerate(names))))
    if isinstance(taken, str):
        with pytest.raises(ValueError, match=re.escape(taken)):
            read_photos(tmp_path, classes=classes)
    else:
        (photo,) = read_photos(tmp_path, classes=classes)
        assert photo.boxes_xyxy[:, 0].tolist() == [10 * names.index(name) for name in taken]
    assert words in caplog.text and (bool(words) or "took" not in caplog.text)


@pytest.mark.parametrize(
    ("name", "split", "photos", "faces"),
    [("facedet.tar", "train", 2443, 4701), ("facedet.tar", "val", 306, 645), ("facedet_pseudo.tar", "all", 681, 3818)],
)
def test_real_packs_have_their_counts(data_pack: Callable[[str], Path], name, split, photos, faces):
    found = choose_split(read_photos(data_pack(name)), split)
    assert (len(found), sum(int((~photo.ignore).sum()) for photo in found)) == (photos, faces)
    for photo in found[::100]:
        photo.read()


# Splits: a and b are for training, c for validation; {} stands for the split and {name} for the image.

STEMS_OF = {"train": "ab", "val": "c"}
TABLES = {
    "coco": lambda names: coco(
        *({"image_id": n, "bbox": [10, 7.5, 20, 15]} for n in range(len(names))),
        images=[{"id": n, "file_name": f"{name}.png"} for n, name in enumerate(names)],
    )["annotations.json"],
    "voc": lambda name: voc(voc_object(11, 8.5, 30, 22.5), name=f"D:\\faces\\{name}.png")["a.xml"],
    "yolo": lambda _: "0 .5 .5 .5 .5",
}
LAYOUTS = {
    # images, tables, format, more files; {name} in that of the tables: one for each image
    "Roboflow COCO": ("{}", "{}/_annotations.coco.json", "coco", {}),
    "COCO 2017": ("{}2017", "annotations/instances_{}2017.json", "coco", {}),
    "PaddleX COCO": ("images", "annotations/instance_{}.json", "coco", {}),
    "Roboflow VOC": ("{}", "{}/{name}.XML", "voc", {}),
    "VOC": ("JPEGImages", "Annotations/{name}.xml", "voc",
            {"ImageSets/Main/train.txt": "a 1\nb\t-1\n", "ImageSets/Main/val.txt": "\n c \n"}),
    "PaddleX VOC": ("JPEGImages", "Annotations/{name}.xml", "voc",
                    {"train_list.txt": "JPEGImages/a.png Annotations/a.xml\nJPEGImages/b.png Annotations/b.xml",
                     "val_list.txt": "JPEGImages/c.png Annotations/c.xml"}),
    "YOLO folders": ("images/{}", "labels/{}/{name}.txt", "yolo", {}),
    "YOLO folders about": ("{}/images", "{}/labels/{name}.TXT", "yolo", {}),
    "lists": ("images", "labels/{name}.txt", "yolo",
              {"data.yaml": "train: train.txt\nval: ./val.txt\nnames: [face]\n",
               "train.txt": "./images/a.png\nC:\\x\\images\\b.png", "val.txt": "/home/li/images/c.png\n"}),
    "folders in a list": ("{}_set/images", "{}_set/labels/{name}.txt", "yolo",
                          {"data.yaml": "names:\n  0: face\nval:\n  - val_set/images\ntrain:  # the rest\n"
                                        "  - '../x/train_set/images'\n"}),
    "a glob below a path": ("{}_set/images", "{}_set/labels/{name}.txt", "yolo",
                            {"a.yaml": "path: D:\\y\ntrain: tr*/images\nval: val_set\\images\nnames: {0: face}"}),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts_of_other_tools_keep_their_splits(name, tmp_path):
    images, tables, kind, more = LAYOUTS[name]
    for split, names in STEMS_OF.items():
        lay_out(tmp_path, {f"{images.format(split)}/{name}.png": None for name in names})
        for name in names if "{name}" in tables else [names]:
            save_text(tmp_path / tables.format(split, name=name), TABLES[kind](name))
    photos = read_photos(lay_out(tmp_path, more))
    splits = {Path(photo.name).stem: photo.split for photo in photos}
    assert splits == {"a": "train", "b": "train", "c": "validation"}
    for photo in photos:
        assert photo.boxes_xyxy == pytest.approx(np.array([[10, 7.5, 30, 22.5]]))
    assert set(read_categories(tmp_path)) <= {"", "0", "face"}


COCO = coco([1, 1, 4, 4])["annotations.json"]
NAMED = [
    # files beside images/a.png and images/b.png, the path to read
    ({"annotations/instances_train.json": COCO}, "annotations/instances_train.json"),
    ({"annotations/instances_default.json": COCO}, ""),  # CVAT
    ({"result.json": COCO}, ""),  # Label Studio
    ({"annotations/annotations.json": COCO, "annotations/images/a.png": None, "images/a.png": b""}, "annotations"),
    (wider("a.png\n1\n1 1 4 4\nb.png\n0\n"), f"wider_face_split/{LIST}"),
    ({"labels/a.txt": "0 .5 .5 .2 .2", "labels/b.txt": "", "my.yaml": "names: [face]", "data.yaml": "["}, "my.yaml"),
]


@pytest.mark.parametrize(("files", "path"), NAMED)
def test_tables_are_found_by_other_names_and_by_their_own_path(files, path, tmp_path):
    lay_out(tmp_path, {"images/a.png": None, "images/b.png": None, **files})
    assert sorted(len(photo.boxes_xyxy) for photo in read_photos(tmp_path / path)) == [0, 1]


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
        lay_out(tmp_path, {f"JPEGImages/{stem}.png": None, f"{stem}.xml": voc(FACE, name=f"{stem}.png")["a.xml"]})
    for name, text in (("train.txt", train), ("val.txt", val)):
        if text is not None:
            save_text(tmp_path / "ImageSets" / "Main" / name, text)
    found = {Path(photo.name).stem: photo.split for photo in read_photos(tmp_path)}
    assert [found[stem] for stem in STEMS] == splits
    said = [record.getMessage() for record in caplog.records if "ImageSets" in record.getMessage()]
    assert said == ([f"{tmp_path}: {warning}"] if warning else [])


# What tables of other machines call an image that is there as images/a.png; {} is the image's name, once another's.
FOREIGN_NAMES = ["{}", "faces/{}", "C:\\Users\\li\\faces\\{}", "/home/li/images/{}", "../images/{}", ".\\images\\{}"]


@pytest.mark.parametrize("kind", ["coco", "voc", "wider"])
@pytest.mark.parametrize("name", FOREIGN_NAMES)
def test_an_image_is_found_by_the_path_of_another_machine(kind, name, tmp_path, caplog):
    def write(name):
        table = json.dumps({"images": [{"id": 1, "file_name": name}], "annotations": []})
        tables = {"coco": ("annotations.json", table), "voc": ("a.xml", voc(name=name)["a.xml"])}
        save_text(tmp_path / tables.get(kind, (LIST,))[0], tables.get(kind, ("", f"{name}\n1\n1 1 4 4\n"))[1])

    save_image(tmp_path / ("WIDER_train/images" if kind == "wider" else "images") / "a.png")
    write(name.format("a.png"))
    (photo,) = read_photos(tmp_path)
    assert photo.read().shape == (HEIGHT, WIDTH, 3) and not caplog.messages
    write(name.format("b.png"))  # renamed since: an XML's own name tells its image, else none does
    if kind == "voc":
        assert read_photos(tmp_path)[0].name == "images/a.png" and "have the name of their XML" in caplog.text
    else:
        with pytest.raises(ValueError, match=r"no image .*b\.png"):
            read_photos(tmp_path)
