"""Photos, and what becomes of boxes that cannot be right."""

import numpy as np
import pytest
from PIL import Image

from yolo3tiny.photos import Photo, collect, cut_tiles
from yolo3tiny.rows import Marked, Row

NO_BOXES, NO_IGNORE = np.zeros((0, 4), np.float32), np.zeros(0, bool)


def test_photo_refuses_an_image_of_another_size():
    photo = Photo("images/b.png", lambda: np.zeros((40, 30, 3), np.uint8), NO_BOXES, NO_IGNORE, (30, 40))
    with pytest.raises(ValueError, match=r"images/b.png: expected 40 x 30 pixels .* got an image of 30 x 40"):
        photo.read()


# The stored image is 200 x 100 pixels with its face at x 10 to 60, y 20 to 80, white on gray.
FACE = (10, 20, 60, 80)
LEFT_OUT = None
CASES = [
    # EXIF orientation, size in the table, box, the ratio of the box that is face
    (1, None, FACE, 1.0),
    (1, (400, 200), (20, 40, 120, 160), 1.0),  # resized after labelling
    (1, (67, 33), (10 / 3, 20 / 3, 20, 80 / 3), 0.95),  # rounded sides
    (1, (100, 200), (20, 10, 80, 60), LEFT_OUT),  # turned, but nothing says so
    (1, (200, 150), FACE, LEFT_OUT),
    (6, (100, 200), (20, 10, 80, 60), 1.0),  # labeled upright
    *((orientation, (200, 100), FACE, 1.0) for orientation in (5, 6, 7, 8)),  # labeled as it is stored
    (6, (200, 150), FACE, LEFT_OUT),
    (1, (200, 100), (60, 80, 10, 20), 1.0),  # corners exchanged
    (1, (1, 1), (0.05, 0.2, 0.3, 0.8), 1.0),  # in parts of the image
]


@pytest.mark.parametrize(("orientation", "size_wh", "box", "ratio"), CASES)
def test_a_box_lands_on_its_face_or_the_image_is_left_out(tmp_path, orientation, size_wh, box, ratio, caplog):
    pixels = np.full((100, 200, 3), 128, np.uint8)
    pixels[20:80, 10:60] = 255
    upright = pixels
    if orientation == 6:
        upright = np.rot90(pixels, -1)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    other = Row("b.png", tmp_path / "a.png", [])
    row = Row("a.png", tmp_path / "a.png", [Marked(box)], size_wh)
    photos = collect("table", [other, row])
    if ratio is LEFT_OUT:
        assert [photo.name for photo in photos] == ["b.png"] and "left out 1" in caplog.text and "a.png" in caplog.text
        return
    image, ((x1, y1, x2, y2),) = photos[1].read(), photos[1].boxes_xyxy.round().astype(int)
    assert orientation != 6 or np.array_equal(image, upright)
    assert (image[y1:y2, x1:x2] == 255).mean() >= ratio
    assert (y2 - y1) * (x2 - x1) >= 0.95 * 50 * 60


@pytest.mark.parametrize(
    ("marked", "boxes"),
    [
        ([Marked((-5, -5, 20, 20)), Marked((30, 20, 99, 99), ignore=True)], [[0, 0, 20, 20], [30, 20, 40, 30]]),
        ([Marked((1, 1, 5, 5)), Marked((50, 2, 60, 9), ignore=True)], [[1, 1, 5, 5]]),  # nothing to ignore inside
        ([], []),
        ([Marked((1, 1, 5, 5)), Marked((50, 2, 60, 9))], LEFT_OUT),  # a face outside
        ([Marked((5, 5, 5, 9))], LEFT_OUT),  # without width
        ([Marked((-9, -9, -1, -1))], LEFT_OUT),
    ],
)
def test_an_image_with_a_face_that_is_nowhere_is_no_background(tmp_path, marked, boxes, caplog):
    Image.new("RGB", (40, 30)).save(tmp_path / "a.png")
    rows = [Row("a.png", tmp_path / "a.png", marked), Row("b.png", tmp_path / "a.png", [])]
    first, *rest = collect("table", rows)
    if boxes is LEFT_OUT:
        assert first.name == "b.png" and not rest and "a.png (a box without area in its 40 x 30 pixels" in caplog.text
    else:
        np.testing.assert_array_equal(first.boxes_xyxy, np.reshape(boxes, (-1, 4)))
        assert first.ignore.tolist() == [box.ignore for box in marked][: len(boxes)] and len(rest) == 1


def test_all_bad_rows_are_named(tmp_path):
    Image.new("RGB", (40, 30)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"nothing")
    nan = Row("c.png", tmp_path / "a.png", [Marked((0, 0, float("nan"), 1))])
    rows = [Row("a.png", tmp_path / "a.png", []), Row("b.png", tmp_path / "b.png", []), "x.xml: no", nan]
    with pytest.raises(ValueError, match=r"table: .*3 that cannot be read: x\.xml: no; .*b\.png.*; c\.png: "):
        collect("table", rows)
    with pytest.raises(ValueError, match="20 that cannot be read.* and 10 more"):
        collect("table", ["x"] * 20)
    with pytest.raises(ValueError, match="table: expected annotated photos, found none"):
        collect("table", [])


# Tiles


@pytest.mark.parametrize(
    ("size_hw", "starts"),
    [
        ((90, 60), [(0, 0)]),  # no larger than a tile
        ((72, 64), [(0, 0)]),  # an eighth more is not worth a second one
        ((64, 128), [(0, 0), (0, 64)]),
        ((100, 150), [(0, 0), (0, 43), (0, 86), (36, 0), (36, 43), (36, 86)]),
    ],
)
def test_tiles_cover_a_photo_at_its_own_scale(size_hw, starts):
    pixels = np.random.default_rng(0).integers(0, 256, (*size_hw, 3), np.uint8)
    side = 96 if starts == [(0, 0)] and size_hw[0] == 90 else 64
    photo = Photo("a.png", lambda: pixels, np.float32([[2, 3, 22, 33]]), np.array([False]), size_hw, "crowd", "val")
    tiles = cut_tiles(photo, side)
    seen = np.zeros(size_hw, bool)
    for tile, (top, left) in zip(tiles, starts, strict=True):
        height, width = tile.size_hw
        np.testing.assert_array_equal(tile.read(), pixels[top : top + height, left : left + width])
        seen[top : top + height, left : left + width] = True
        assert (tile.source, tile.split) == ("crowd", "val") and max(tile.size_hw) <= side
        np.testing.assert_array_equal(tile.boxes_xyxy + [left, top, left, top], photo.boxes_xyxy[: len(tile.ignore)])
    assert seen[: size_hw[0] * 8 // 9].all() and tiles[0].ignore.tolist() == [False]
    assert len({tile.name for tile in tiles}) == len(tiles)
