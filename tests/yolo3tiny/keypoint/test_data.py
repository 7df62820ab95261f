"""Annotated strips: LabelImg folders there and back, cuts of them, and what a user may get wrong."""

from functools import partial

import numpy as np
import pytest

from tests.yolo3tiny.samples import save_image, save_text, voc, voc_object
from yolo3tiny.keypoint.data import StripData, augment, draw_from_files, find_marks, read_strip, write_strips
from yolo3tiny.keypoint.decode import IGNORED, STRIDE, match
from yolo3tiny.keypoint.strips import Strip, draw_strip


def save(folder, name, *objects, width=320):
    """An image with its XML; objects are (class, xmin, ymin, xmax, ymax)."""
    save_image(folder / f"{name}.png", width, 96)
    xml = voc(*(voc_object(*sides, name=kind) for kind, *sides in objects), name=f"{name}.png")["a.xml"]
    save_text(folder / f"{name}.xml", xml)
    return str(folder)


def test_a_labelimg_folder_there_and_back(tmp_path):
    write_strips(tmp_path / "strips", "road", 4, seed=5)
    photos, classes = find_marks(str(tmp_path / "strips"))
    assert classes == ("diamond", "tee") and len(photos) == 4
    for index, photo in enumerate(photos):
        read, drawn = read_strip(photo, classes), draw_strip("road", (5, index))
        assert (read.image == drawn.image).all()
        np.testing.assert_allclose(read.boxes_xyxy, drawn.boxes_xyxy, atol=2e-3)
        assert (read.labels == drawn.labels).all() and (read.ignore == drawn.ignore).all()
    with pytest.raises(ValueError, match="expected a new folder"):
        write_strips(tmp_path / "strips", "road", 1)
    assert [path.name for path in tmp_path.iterdir()] == ["strips"]


MARK, OTHER = ("a", 11, 11, 40, 40), ("b", 101, 21, 130, 50)


@pytest.mark.parametrize(
    ("objects", "width", "marks"),
    [
        ([], 320, 2),  # an XML without objects: a strip without marks
        ([MARK], 640, 3),  # another width
        ([("a", 291, 11, 330, 40)], 320, 3),  # reaches out: cut at the border
    ],
)
def test_strips_as_people_save_them(tmp_path, objects, width, marks):
    save(tmp_path, "first", MARK, OTHER)
    photos, classes = find_marks(save(tmp_path, "second", *objects, width=width))
    assert classes == ("a", "b") and sum(len(photo.categories) for photo in photos) == marks
    for photo, wide in zip(photos, (320, width), strict=True):
        assert len(photo.categories) == len(photo.boxes_xyxy)
        assert read_strip(photo, classes).image.shape == (96, wide, 3)


BAD = [
    ([("c", 11, 11, 40, 40)], ("a", "b"), "second.png: expected marks of the class a, b, got 'c'"),
    ([MARK, ("b", 21, 31, 50, 60)], None, "second.png: expected marks 32 px apart in x or y, got [25.0, 25.0]"),
    ([("", 11, 11, 40, 40)], None, "expected marks that name their class, got some without a name"),
]


@pytest.mark.parametrize(("objects", "classes", "says"), BAD)
def test_bad_marks_are_named_in_one_line(tmp_path, objects, classes, says):
    save(tmp_path, "first", MARK, OTHER)
    with pytest.raises(ValueError) as caught:
        find_marks(save(tmp_path, "second", *objects), classes)
    assert says in str(caught.value) and "\n" not in str(caught.value)


def dotted(*centers):
    """A strip with a white dot of 3 px at each whole center, and a box of 30 px around it."""
    image = np.zeros((128, 640, 3), np.uint8)
    for x, y in centers:
        image[y - 1 : y + 2, x - 1 : x + 2] = 255
    rows = np.array(centers, np.float32) + 0.5
    return Strip(image, np.hstack([rows - 15, rows + 15]), np.arange(len(centers)) % 2, np.zeros(len(centers), bool))


@pytest.mark.parametrize("seed", range(20))
def test_boxes_follow_the_pixels(seed):
    strip = dotted((60, 40), (300, 90), (420, 64), (600, 30))
    piece = augment(strip, (128, 256), np.random.default_rng(seed))
    assert piece.image.shape == (128, 256, 3) and piece.boxes_xyxy.dtype == np.float32
    bright = piece.image.astype(int).max(axis=2)
    for (x, y), box in zip(piece.centers, piece.boxes_xyxy):
        if np.isclose(*(box[2:] - box[:2])):  # not cut: the center is that of the dot
            near = bright[int(y) - 3 : int(y) + 4, int(x) - 3 : int(x) + 4]
            weights = np.maximum(near - 50, 0)
            middle = [(places * weights).sum() / weights.sum() for places in np.mgrid[:7, :7]]
            assert np.abs(np.subtract(middle, (3 + y % 1 - 0.5, 3 + x % 1 - 0.5))).max() < 0.15


def test_marks_that_come_to_share_a_cell_are_ignored():
    strip, shared = dotted(*((x, 60) for x in range(40, 640, STRIDE))), 0
    for seed in range(100):
        piece = augment(strip, (96, 256), np.random.default_rng(seed))
        match(piece.centers, piece.labels, piece.ignore, (3, 8))
        visible = (piece.boxes_xyxy[:, 2:] - piece.boxes_xyxy[:, :2]).min(axis=1) > 27
        shared += int(piece.ignore[visible].sum())
    assert shared > 0


def test_samples_depend_on_seed_epoch_and_index_alone(tmp_path):
    write_strips(tmp_path / "strips", "belt", 3)
    photos, classes = find_marks(str(tmp_path / "strips"))
    sizes = ((0, 96), (1, 160))

    def sample(seed, epoch, index):
        data = StripData(partial(draw_from_files, photos, classes), len(photos), sizes, seed)
        data.set_epoch(epoch)
        return data[index]

    image, (offsets, labels) = sample(0, 0, 1)
    assert image.dtype == np.uint8 and image.shape == (3, 96, 96)
    assert offsets.shape == (2, 3, 3) and offsets.dtype == np.float32 and labels.min() >= IGNORED
    assert (sample(0, 0, 1)[0] == image).all() and (sample(1, 0, 1)[0] != image).any()
    assert sample(0, 1, 1)[0].shape == (3, 160, 160) and 160 % STRIDE == 0
