"""Draws recognised faces: a box in the colour of the expression and its name, in English or Chinese."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fer_paddle.labels import EXPRESSIONS_ZH, class_colors, class_names_zh
from fer_paddle.pipeline import Face

LANGUAGES = ("en", "zh")
_MIN_TEXT_PX = 9
_FONT_FOLDERS = (
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "/System/Library/Fonts",
    "/Library/Fonts",
    "C:/Windows/Fonts",
    "~/.fonts",
    "~/.local/share/fonts",
    "~/Library/Fonts",
)
_CHINESE_FONTS = (
    "NotoSansCJK",
    "NotoSansSC",
    "SourceHanSans",
    "wqy-",
    "msyh",
    "simhei",
    "simsun",
    "PingFang",
    "STHeiti",
    "DroidSansFallback",
    "uming",
)


def draw_faces(image: np.ndarray, faces: Sequence[Face], language: str = "en") -> np.ndarray:
    """Draws boxes and names.

    Args:
        image: uint8 [H, W, 3] in BGR; it is not changed.
        faces: What Pipeline found in it.
        language: `en`, or `zh` for Chinese names where `find_chinese_font` finds a font, else English ones.

    Returns:
        A new uint8 [H, W, 3] in BGR. A name stands inside the picture, or is left out where there is no room.

    Raises:
        ValueError: The language is unknown.
    """
    if language not in LANGUAGES:
        raise ValueError(f"expected a language of {', '.join(LANGUAGES)}, got {language!r}")
    own_chinese = any(not face.label.isascii() for face in faces)
    font_path = find_chinese_font() if language == "zh" or own_chinese else None
    drawn = image.copy()
    thickness = max(1, round(max(image.shape[:2]) / 300))
    for face in faces:
        left, top, right, bottom = (round(float(side)) for side in face.box_xyxy)
        color = class_colors(face.classes)[face.classes.index(face.label)]
        cv2.rectangle(drawn, (left, top), (right - 1, bottom - 1), color, thickness)
    canvas = Image.fromarray(np.ascontiguousarray(drawn[..., ::-1]))
    for face in faces:
        index = face.classes.index(face.label)
        name = class_names_zh(face.classes)[index] if language == "zh" and font_path else face.label
        if font_path is None and not name.isascii():
            name = f"class {index}"
        text = f"{name} {face.probs[index]:.0%}"
        _draw_name(canvas, face, text, class_colors(face.classes)[index][::-1], font_path)
    return np.ascontiguousarray(np.asarray(canvas)[..., ::-1])


def _draw_name(canvas: Image.Image, face: Face, text: str, color_rgb: tuple[int, ...], font_path: Path | None) -> None:
    """Writes one name on a plate above the box, or inside it where there is no room above."""
    left, top, right, _ = (float(side) for side in face.box_xyxy)
    wanted = min(max(_MIN_TEXT_PX, (right - left) / 6), max(canvas.size) / 20 + _MIN_TEXT_PX)
    plate = _fit_text(text, wanted, canvas.size, font_path)
    if plate is None:
        return
    font, width, height = plate
    x = min(max(0, round(left)), canvas.width - width)
    y = round(top) - height if top >= height else min(max(0, round(top)), canvas.height - height)
    draw = ImageDraw.Draw(canvas)
    draw.rectangle((x, y, x + width - 1, y + height - 1), fill=color_rgb)
    dark = sum(color_rgb) > 3 * 140
    draw.text(
        (x + width / 2, y + height / 2), text, font=font, fill=(0, 0, 0) if dark else (255, 255, 255), anchor="mm"
    )


def _fit_text(
    text: str, wanted_px: float, picture_wh: tuple[int, int], font_path: Path | None
) -> tuple[ImageFont.FreeTypeFont, int, int] | None:
    """Finds the largest font up to `wanted_px` whose plate fits the picture: (font, width, height), or None."""
    size = wanted_px
    while size >= _MIN_TEXT_PX:
        font = _load_font(round(size), font_path)
        left, _, right, _ = font.getbbox(text, anchor="mm")
        width, height = int(right - left + size * 0.4), int(size * 1.35)
        if width <= picture_wh[0] and height <= picture_wh[1]:
            return font, width, height
        size *= 0.8
    return None


@functools.lru_cache(maxsize=64)
def _load_font(size: int, path: Path | None) -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(size) if path is None else ImageFont.truetype(str(path), size)


@functools.cache
def find_chinese_font() -> Path | None:
    """Finds a font with the glyphs of EXPRESSIONS_ZH among the system's fonts; FER_FONT names one to try first."""
    candidates = [Path(os.environ["FER_FONT"])] if os.environ.get("FER_FONT") else []
    for folder in _FONT_FOLDERS:
        files = sorted(Path(folder).expanduser().rglob("*.[to]t[fc]"))
        candidates += [path for path in files if any(name.lower() in path.name.lower() for name in _CHINESE_FONTS)]
    return next((path for path in candidates if has_glyphs(path, "".join(EXPRESSIONS_ZH))), None)


def find_font_fault() -> str | None:
    """Says why Chinese names stay English, or are not in the font that FER_FONT names; None where all is well."""
    named, font = os.environ.get("FER_FONT"), find_chinese_font()
    is_wrong = bool(named) and font != Path(named)
    wrong = f"FER_FONT: expected the file of a font with Chinese characters, got {named!r}; " if is_wrong else ""
    if font is None:
        return (
            f"{wrong}no font with Chinese characters was found, so the names are in English: install the package "
            "fonts-noto-cjk, or set FER_FONT to the file of such a font"
        )
    return f"{wrong}the names are written in {font}" if wrong else None


def has_glyphs(path: Path, text: str) -> bool:
    """Whether a font file draws every character of a text, and not the box that stands for a missing one."""
    try:
        font = ImageFont.truetype(str(path), 24)
    except OSError:
        return False
    missing = bytes(font.getmask("\U0010ffff"))
    return all(bytes(font.getmask(character)) != missing for character in text)
