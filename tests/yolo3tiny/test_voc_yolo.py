"""Readers of a table for each image, on hand-written files: values, splits, categories, encodings, malformed input."""

from pathlib import Path

import numpy as np
import pytest

from tests.yolo3tiny.samples import save_image, save_text
from yolo3tiny.annotations import read_photos


@pytest.mark.parametrize("layout", ["{name}", "{kind}/val/{name}", "valid/{kind}/{name}"])
def test_yolo(tmp_path, layout, caplog):
    for name in ("脸.png", "empty.png", "unlabelled.png"):
        save_image(tmp_path / layout.format(kind="images", name=name))
    texts = {"脸.txt": "0 0.5 0.5 0.25 0.5\n\n0 0.1 0.1 0.2 0.2\n", "empty.TXT": "", "gone.txt": ""}
    for name, text in texts.items():
        save_text(tmp_path / layout.format(kind="labels", name=name), text)
    empty, face = read_photos(tmp_path)
    assert face.name == layout.format(kind="images", name="脸.png")
    np.testing.assert_allclose(face.boxes_xyxy, [[15, 7.5, 25, 22.5], [0, 0, 8, 6]], atol=1e-5)
    assert not face.ignore.any() and len(empty.boxes_xyxy) == 0
    assert face.split == ("validation" if "val" in layout else "")
    assert "left out 1 images" in caplog.text
    assert ("no image for 1 .txt in labels, such as gone.txt" in caplog.text) == ("kind" in layout)


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
        ("data.yaml", DATA_YAML.format(names="{0: nose, 1: face}  # of two")),
        ("data.yaml", "path: ../one\n" + DATA_YAML.format(names="[nose, face]").replace("../one/images", "images")),
        ("data.yaml", "test: none/images\n" + DATA_YAML.format(names="[nose, face]").replace("two/", "t*/")),
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
    assert ("found nothing at 1 places of its splits, such as './none/images'" in caplog.text) == ("none/" in text)


@pytest.mark.parametrize("text", ["train: [a\nval: b", "- train", "[" * 1500, "train: \t@"])
def test_malformed_yolo_settings(tmp_path, text):
    save_image(tmp_path / "a.png")
    save_text(tmp_path / "a.txt", "0 0.5 0.5 0.25 0.5\n")
    save_text(tmp_path / "data.yaml", text)
    with pytest.raises(ValueError, match=r"data\.yaml: expected YAML with settings by name, got \S") as caught:
        read_photos(tmp_path)
    assert len(str(caught.value)) < 500 and "\n" not in str(caught.value)


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
        ("valid/图.XML", "valid/图.png"),  # Roboflow
    ],
)
def test_voc(tmp_path, xml, image):
    save_image(tmp_path / image)
    save_text(tmp_path / xml, VOC.format(name=r"C:\photos\图.png"))
    if "valid" not in xml:
        save_text(tmp_path / "ImageSets" / "Main" / "val.txt", "图\n")
    (photo,) = read_photos(tmp_path)
    # The first pixel is 1 and the last belongs to the box: 1..10 is 0 to 10.
    np.testing.assert_allclose(photo.boxes_xyxy, [[0, 0, 10, 20], [10, 4.5, 21, 30]])
    assert photo.ignore.tolist() == [False, True] and photo.name == image and photo.split == "validation"


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
        (VOC.replace("<filename>{name}</filename>", ""), r"a\.xml: expected <filename> .* got no <filename>"),
        ('<?xml version="1.0" encoding="nosuch"?>' + VOC, r"a\.xml: expected XML in nosuch"),
        (b'<?xml version="1.0" encoding="GBK"?>' + VOC.encode() + b"\xff\xff", r"a\.xml: expected XML in GBK"),
    ],
)
def test_malformed_voc(tmp_path, text, message):
    save_image(tmp_path / "b.png")
    save_text(tmp_path / "a.xml", (text if isinstance(text, bytes) else text.encode()).replace(b"{name}", b"b.png"))
    with pytest.raises(ValueError, match=message):
        read_photos(tmp_path)
