"""Drawing: lines where the boxes are, texts never outside the image, Chinese where a font has it."""

import numpy as np
import pytest
from matplotlib import get_data_path

from fer_paddle import drawing
from fer_paddle.drawing import GREEN, draw_boxes, draw_faces, draw_points, drawn_names, has_glyphs
from fer_paddle.labels import EXPRESSIONS, EXPRESSIONS_ZH
from fer_paddle.pipeline import Face

RED = (0, 0, 255)


def gray(height, width):
    return np.full((height, width, 3), 100, np.uint8)


def changed(image, drawn):
    return (image != drawn).any(axis=2)


def face(box, label="happy"):
    probs = np.full(7, 0.05, np.float32)
    probs[EXPRESSIONS.index(label)] = 0.7
    return Face(np.array(box, np.float32), 0.9, probs, label)


def test_the_line_is_inside_the_box_and_the_image_left_alone():
    image = gray(60, 80)
    drawn = draw_boxes(image, [[10, 20, 31, 41]], color_bgr=RED)
    expected = np.zeros((60, 80), bool)
    expected[20:41, 10:31] = True
    expected[21:40, 11:30] = False
    np.testing.assert_array_equal(changed(image, drawn), expected)
    assert (drawn[expected] == RED).all()
    draw_boxes(image, [[10, 20, 31, 41]], [0.5])
    draw_faces(image, [face([10, 30, 60, 50])])
    np.testing.assert_array_equal(image, gray(60, 80))


@pytest.fixture
def texts(monkeypatch):
    """The rectangles (x1, y1, x2, y2) of all plates and texts that are drawn."""
    drawn, draw_class = [], drawing.ImageDraw.ImageDraw
    rectangle, text = draw_class.rectangle, draw_class.text

    def note_rectangle(self, corners, fill):
        drawn.append(corners)
        rectangle(self, corners, fill)

    def note_text(self, place, words, font, fill, anchor):
        left, top, right, bottom = font.getbbox(words, anchor=anchor)
        drawn.append((place[0] + left, place[1] + top, place[0] + right, place[1] + bottom))
        text(self, place, words, font=font, fill=fill, anchor=anchor)

    monkeypatch.setattr(draw_class, "rectangle", note_rectangle)
    monkeypatch.setattr(draw_class, "text", note_text)
    return drawn


@pytest.mark.parametrize("kind", ["score", "name"])
@pytest.mark.parametrize(
    "box",
    [
        [0, 0, 100, 100],  # at the top left corner: no room above
        [220, 100, 300, 180],  # at the right edge: the plate is wider than the box
        [100, 5, 140, 60],  # close to the top
        [0, 0, 300, 200],  # the whole image
        [-60, 100, 40, 190],
        [100, -80, 200, 20],
        [260, 190, 340, 260],
    ],
)
def test_text_stands_whole_inside_the_image(box, kind, texts):
    image = gray(200, 300)
    draw_boxes(image, [box], [0.98]) if kind == "score" else draw_faces(image, [face(box, "surprise")])
    assert len(texts) == 2
    for left, top, right, bottom in texts:
        assert 0 <= left < right <= 300 and 0 <= top < bottom <= 200


@pytest.mark.parametrize(
    ("image", "boxes", "scores"),
    [
        (gray(5, 5) / 255, [[0, 0, 1, 1]], None),
        (gray(5, 5), [[0, 0, 1]], None),
        (gray(5, 5), [[0, 0, 1, np.nan]], None),
        (gray(5, 5), [[0, 0, 1, 1]], [0.5, 0.5]),
        (gray(5, 5), [[0, 0, 1, 1]], ["half"]),
    ],
)
def test_wrong_input_is_refused(image, boxes, scores):
    with pytest.raises(ValueError, match=r"^expected .*got"):
        draw_boxes(image, boxes, scores)


@pytest.mark.parametrize(
    ("points", "color"),
    [
        ([[np.nan, 1]], GREEN),
        (np.zeros((3, 3)), GREEN),
        ("points", GREEN),
        ([[1, 1]], (1, 2)),
        ([[1, 1]], (np.nan, 2, 3)),
        ([[1, 1]], (256, 2, 3)),
    ],
)
def test_wrong_points_and_colors_are_refused(points, color):
    with pytest.raises(ValueError, match=r"^expected (finite points|a color of three)"):
        draw_points(gray(5, 5), points, color)


def test_no_points_and_far_ones_draw_nothing():
    assert all(not changed(gray(5, 5), draw_points(gray(5, 5), points)).any() for points in ([], [[1e12, 1e12]]))


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("named", ["nosuch.ttf", f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf"])
def test_a_font_named_by_the_user_must_have_the_characters(named, language, monkeypatch):
    monkeypatch.setenv("FER_FONT", named)
    with pytest.raises(ValueError, match=f"^FER_FONT: expected .* got '{named}'"):
        draw_faces(np.zeros((200, 200, 3), np.uint8), [face([40, 80, 160, 190])], language)


def test_chinese_names_are_drawn_with_the_bundled_font():
    image, faces = np.zeros((200, 200, 3), np.uint8), [face([40, 80, 160, 190])]
    assert (draw_faces(image, faces, "zh") != draw_faces(image, faces, "en")).any()
    assert has_glyphs(drawing.find_chinese_font(), "".join(EXPRESSIONS_ZH) + "嘟嘴大笑囧")
    names = ["very happy", "开心 的", "\U0010fffd", "a_b $100% <|>"]  # a space has no glyph, and needs none
    names += ["fröhlich", "Déçu", "señal", "vui vẻ", "gāo xìng", "ДОБРО"]
    assert drawn_names(names) == [*names[:2], "class 2", *names[3:]]
