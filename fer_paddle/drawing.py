"""Boxes with texts on images: scores of faces, or names of classes in English or Chinese."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fer_paddle.images import to_bgr, to_floats
from fer_paddle.labels import EXPRESSIONS_ZH, class_colors, class_names_zh

LANGUAGES = ("en", "zh")
GREEN = (60, 200, 0)
_MIN_TEXT_PX = 9
_WIDEST_SCORE = 2.0  # times the width of its box: more would bury the neighbors in a crowd
_CHINESE_FONT = Path(__file__).with_name("fonts") / "NotoSansCJKsc-GB2312.otf"

Color = tuple[int, int, int]


def draw_boxes(
    image: np.ndarray,
    boxes_xyxy: np.ndarray | Sequence[Sequence[float]],
    scores: Sequence[float] | np.ndarray | None = None,
    color_bgr: Sequence[int] = GREEN,
    name: str = "",
) -> np.ndarray:
    """Draw boxes, and scores where they are given, in a copy of the image.

    Lines grow with the image, and stay thin on small boxes. A score is written above its box, or inside where the image
    has no room above; it is left out where it fits nowhere, or is far wider than its box.

    Args:
        image: uint8 [H, W, 3] in BGR, or gray [H, W].
        boxes_xyxy: Float or integer [N, 4] in pixels; they may reach out of the image.
        scores: [N] in 0..1; None writes none.
        color_bgr: Color of the lines, 0..255.
        name: Of the class, written before each score.
    """
    boxes = _check_rows(boxes_xyxy, "boxes", 4)
    if scores is not None and np.shape(scores) != boxes.shape[:1]:
        raise ValueError(f"expected a score for each of {len(boxes)} boxes, got shape {np.shape(scores)}")
    title = f"{drawn_names([name])[0]} " if name else ""
    texts = [""] * len(boxes) if scores is None else [f"{title}{score:.2f}" for score in to_floats(scores, "scores")]
    return _draw(image, boxes, texts, [_check_color(color_bgr)] * len(boxes), _CHINESE_FONT, _WIDEST_SCORE)


def draw_points(image: np.ndarray, points: np.ndarray, color_bgr: Sequence[int] = GREEN) -> np.ndarray:
    """Draw the points of a face, [N, 2] in pixels, in a copy of the image, in BGR; dots grow with the face."""
    drawn, places, color = to_bgr(image).copy(), _check_rows(points, "points", 2), _check_color(color_bgr)
    side = max(image.shape[:2])
    reach = float(np.ptp(places, axis=0).max()) if len(places) else 0.0
    radius = max(1, min(round(reach / 80), side))
    for x, y in np.clip(places, -radius, side + radius) * 16 - 8:  # in sixteenths, from centers
        cv2.circle(drawn, (round(x), round(y)), radius * 16, color, -1, cv2.LINE_AA, 4)
    return drawn


def _check_rows(numbers: Any, what: str, columns: int) -> np.ndarray:
    """Return finite boxes or points as float64 [N, columns]; ValueError for others."""
    expected = f"finite {what} [N, {columns}]"
    rows = to_floats(numbers, expected)
    rows = rows.reshape(0, columns) if rows.size == 0 else rows
    if rows.ndim != 2 or rows.shape[1] != columns or not np.isfinite(rows).all():
        raise ValueError(f"expected {expected}, got shape {rows.shape}")
    return rows


def _check_color(color_bgr: Sequence[int]) -> Color:
    if len(color_bgr) != 3 or not all(0 <= value <= 255 for value in color_bgr):
        raise ValueError(f"expected a color of three numbers 0 to 255, got {color_bgr}")
    blue, green, red = (int(value) for value in color_bgr)
    return blue, green, red


def draw_faces(
    image: np.ndarray, faces: Sequence[Any], language: str = "en", ids: Sequence[int] | None = None
) -> np.ndarray:
    """Draw boxes in the colors of the classes, with their names where there is room, in a copy of the image.

    The name of a face that is not `sure` has a question mark.

    Args:
        image: uint8 [H, W, 3] in BGR, or gray [H, W].
        faces: What Pipeline found in it, see pipeline.Face.
        language: `en`, or `zh` for Chinese names.
        ids: Written before the names, see tracking.Tracker; None writes none.
    """
    if language not in LANGUAGES:
        raise ValueError(f"expected a language of {', '.join(LANGUAGES)}, got {language!r}")
    font_path = find_chinese_font()
    texts, colors = [], []
    for place, face in enumerate(faces):
        index = face.classes.index(face.label)
        name = drawn_names(face.classes, language)[index]
        texts.append(f"{f'{ids[place]} ' if ids else ''}{name}{'' if face.sure else '?'} {face.probs[index]:.0%}")
        colors.append(class_colors(face.classes)[index])
    boxes = np.array([face.box_xyxy for face in faces], np.float64).reshape(-1, 4)
    return _draw(image, boxes, texts, colors, font_path, np.inf)


def drawn_names(classes: Sequence[str], language: str = "en", other_fonts: Sequence[str] = ()) -> list[str]:
    """Return the names of classes as images and plots show them: `class 3` where no font has one of its characters."""
    names, fonts = class_names_zh(classes) if language == "zh" else classes, (find_chinese_font(), *other_fonts)
    drawn = [all(any(has_glyphs(font, character) for font in fonts) for character in name) for name in names]
    return [name if is_drawn else f"class {index}" for index, (name, is_drawn) in enumerate(zip(names, drawn))]


def _draw(
    image: np.ndarray,
    boxes: np.ndarray,
    texts: Sequence[str],
    colors: Sequence[Color],
    font_path: Path,
    widest: float,
) -> np.ndarray:
    """Draw boxes [N, 4], then their texts, so that no line crosses one; a plate is at most `widest` boxes wide."""
    drawn, side = np.ascontiguousarray(to_bgr(image)).copy(), max(image.shape[:2])
    # What lies far outside is not seen, and might not fit OpenCV's integers.
    corners = np.clip(boxes, -side, 2 * side).round().astype(int).tolist()
    for (left, top, right, bottom), color in zip(corners, colors):
        thickness = max(1, min(round(side / 350), round(max(right - left, bottom - top) / 16)))
        cv2.rectangle(drawn, (left, top), (right - 1, bottom - 1), color, thickness)
    if not any(texts):
        return drawn
    canvas = Image.fromarray(drawn)  # BGR all along: Pillow does not care, and two copies are saved
    for (left, top, right, _), text, color in zip(corners, texts, colors):
        width = min(canvas.width, widest * (right - left))
        wanted = min(max(_MIN_TEXT_PX, (right - left) / 6), side / 25 + _MIN_TEXT_PX)
        _write(ImageDraw.Draw(canvas), text, (left, top), (int(width), canvas.height), wanted, color, font_path)
    return np.array(canvas)


def _write(
    draw: ImageDraw.ImageDraw,
    text: str,
    corner: tuple[int, int],
    room_wh: tuple[int, int],
    wanted_px: float,
    color_bgr: Color,
    font_path: Path,
) -> None:
    """Write a text on a plate above a box, or inside it; smaller where it finds no room, and not at all in the end."""
    size = wanted_px
    while True:
        font = _load_font(round(size), font_path)
        left, _, right, _ = font.getbbox(text, anchor="mm")
        width, height = int(right - left + size * 0.4), int(size * 1.35)
        if width <= room_wh[0] and height <= room_wh[1]:
            break
        size *= 0.8
        if size < _MIN_TEXT_PX:
            return
    image_w, image_h = draw.im.size
    x = min(max(0, corner[0]), image_w - width)
    y = min(corner[1] - height if corner[1] >= height else max(0, corner[1]), image_h - height)
    draw.rectangle((x, y, x + width - 1, y + height - 1), fill=color_bgr)
    ink = (0, 0, 0) if np.dot(color_bgr, (0.114, 0.587, 0.299)) > 128 else (255, 255, 255)
    draw.text((x + width / 2, y + height / 2), text, font=font, fill=ink, anchor="mm")


@functools.lru_cache(maxsize=64)
def _load_font(size: int, path: Path) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(path), size)


def find_chinese_font() -> Path:
    """Return the font of names: that of FER_FONT (ValueError: one without Chinese characters), or the bundled one."""
    named = os.environ.get("FER_FONT")
    if named and not has_glyphs(named, "".join(EXPRESSIONS_ZH)):
        raise ValueError(f"FER_FONT: expected the file of a font with Chinese characters, got {named!r}")
    return Path(named) if named else _CHINESE_FONT


@functools.cache
def has_glyphs(path: str | os.PathLike[str], text: str) -> bool:
    """Return whether a font file draws every character of a text but spaces, and none as a missing one."""
    try:
        font = ImageFont.truetype(str(path), 24)
    except OSError:
        return False
    missing = bytes(font.getmask("\U0010ffff"))
    return all(bytes(font.getmask(character)) != missing for character in text if character != " ")
