"""Drawing: boxes in the colour of the class, names never outside the picture, Chinese where a font has it."""

import cv2
import numpy as np
import pytest

from fer_paddle import drawing
from fer_paddle.drawing import draw_faces, has_glyphs
from fer_paddle.labels import COLORS_BGR, EXPRESSIONS
from fer_paddle.pipeline import Face


def face(box, label="happy"):
    probs = np.full(7, 0.05, np.float32)
    probs[EXPRESSIONS.index(label)] = 0.7
    return Face(np.array(box, np.float32), 0.9, probs, label)


@pytest.mark.parametrize("label", EXPRESSIONS)
def test_box_has_the_colour_of_its_class(label):
    drawn = draw_faces(np.zeros((200, 200, 3), np.uint8), [face([40, 80, 160, 190], label)])
    assert drawn[130, 40].tolist() == list(COLORS_BGR[EXPRESSIONS.index(label)])


def test_the_picture_given_is_not_changed():
    image = np.zeros((100, 100, 3), np.uint8)
    drawn = draw_faces(image, [face([10, 30, 60, 90])])
    assert not image.any() and drawn.any() and drawn.shape == image.shape and drawn.dtype == np.uint8


def test_no_faces_change_nothing():
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    np.testing.assert_array_equal(draw_faces(image, []), image)


@pytest.mark.parametrize(
    "box",
    [
        [0, 0, 80, 80],  # at the top left corner: no room above
        [220, 100, 300, 180],  # at the right edge: the plate is wider than the box
        [100, 5, 140, 60],  # close to the top
        [0, 0, 300, 200],  # the whole picture
        [290, 190, 300, 200],  # a tiny face in the last corner
    ],
)
def test_name_stands_whole_inside_the_picture(box, monkeypatch):
    plates = []

    class Draw:
        def __init__(self, canvas):
            self.canvas = canvas

        def rectangle(self, corners, fill):
            plates.append((corners, self.canvas.size))

        def text(self, place, text, font, fill, anchor):
            left, top, right, bottom = font.getbbox(text, anchor=anchor)
            plates.append(((place[0] + left, place[1] + top, place[0] + right, place[1] + bottom), self.canvas.size))

    monkeypatch.setattr(drawing.ImageDraw, "Draw", Draw)
    draw_faces(np.zeros((200, 300, 3), np.uint8), [face(box, "surprise")])
    assert len(plates) == 2
    for (left, top, right, bottom), (width, height) in plates:
        assert 0 <= left < right <= width and 0 <= top < bottom <= height


@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (12, 400), (400, 12)])
def test_pictures_too_small_for_a_name_get_none(shape):
    drawn = draw_faces(np.zeros((*shape, 3), np.uint8), [face([0, 0, shape[1], shape[0]])])
    assert drawn.shape == (*shape, 3)


def test_chinese_falls_back_to_english_without_a_font(monkeypatch):
    image, faces = np.zeros((200, 200, 3), np.uint8), [face([40, 80, 160, 190])]
    monkeypatch.setattr(drawing, "find_chinese_font", lambda: None)
    np.testing.assert_array_equal(draw_faces(image, faces, "zh"), draw_faces(image, faces, "en"))


@pytest.fixture
def fonts(tmp_path, monkeypatch):
    """An empty font folder, the only one; every file named simhei.ttf has the characters, others have not."""
    monkeypatch.setattr(drawing, "_FONT_FOLDERS", (str(tmp_path),))
    monkeypatch.setattr(drawing, "has_glyphs", lambda path, text: path.name == "simhei.ttf" and path.is_file())
    monkeypatch.delenv("FER_FONT", raising=False)
    drawing.find_chinese_font.cache_clear()
    yield tmp_path
    drawing.find_chinese_font.cache_clear()


@pytest.mark.parametrize(
    ("installed", "named", "says"),
    [
        (None, None, ["fonts-noto-cjk", "FER_FONT", "in English"]),
        (None, "nosuch.ttf", ["got 'nosuch.ttf'", "fonts-noto-cjk", "FER_FONT", "in English"]),
        ("simhei.ttf", "nosuch.ttf", ["got 'nosuch.ttf'", "FER_FONT", "written in"]),
        ("simhei.ttf", None, None),
        ("mine/simhei.ttf", "{fonts}/mine/simhei.ttf", None),
    ],
)
def test_a_font_that_is_missing_is_told(installed, named, says, fonts, monkeypatch):
    if installed:
        (fonts / installed).parent.mkdir(exist_ok=True)
        (fonts / installed).touch()
    if named:
        monkeypatch.setenv("FER_FONT", named.format(fonts=fonts))
    fault = drawing.find_font_fault()
    assert fault is None if says is None else all(part in fault for part in says)


def test_chinese_names_where_a_font_is_found():
    drawing.find_chinese_font.cache_clear()
    if drawing.find_chinese_font() is None:
        pytest.skip("no font with Chinese glyphs on this system")
    image, faces = np.zeros((200, 200, 3), np.uint8), [face([40, 80, 160, 190])]
    assert (draw_faces(image, faces, "zh") != draw_faces(image, faces, "en")).any()


def test_a_font_without_the_glyphs_is_told_from_one_with_them():
    from matplotlib import get_data_path

    font = f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf"
    assert has_glyphs(font, "happy") and not has_glyphs(font, "高兴")


def test_unknown_language_is_an_error():
    with pytest.raises(ValueError, match="expected a language of en, zh, got 'fr'"):
        draw_faces(np.zeros((9, 9, 3), np.uint8), [], "fr")


def test_large_pictures_get_thicker_lines():
    small = draw_faces(np.zeros((200, 200, 3), np.uint8), [face([50, 100, 150, 190])])
    large = draw_faces(np.zeros((4000, 4000, 3), np.uint8), [face([1000, 2000, 3000, 3800])])
    row_small, row_large = small[150, 40:60].any(axis=1).sum(), large[3000, 980:1020].any(axis=1).sum()
    assert row_large > 2 * row_small
    assert cv2.countNonZero(large[..., 0]) < large[..., 0].size / 2
