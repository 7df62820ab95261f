"""Names defined once: the classes with their order, words and colors, and the splits of a data set.

The order of the seven expressions is FER2013's official one. A class index never depends on the order of a file system.

Source: Goodfellow et al. 2013, "Challenges in Representation Learning" (FER2013), arXiv:1307.0414.
"""

from __future__ import annotations

import colorsys
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

EXPRESSIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
FERPLUS_EXPRESSIONS = (*EXPRESSIONS, "contempt")  # FER+; the seven first, so that their network can be its start
EXPRESSIONS_ZH = ("生气", "厌恶", "害怕", "高兴", "悲伤", "惊讶", "中性")
COLORS_BGR = (
    (60, 60, 230),
    (60, 160, 60),
    (200, 80, 160),
    (40, 190, 250),
    (220, 140, 40),
    (20, 130, 255),
    (150, 150, 150),
)
MIN_CLASSES, MAX_CLASSES = 2, 50

SPLITS = ("train", "validation", "test")
_SPLIT_NAMES = {
    "train": ("training", "训练集"),
    "validation": ("valid", "val", "dev", "publictest", "验证集"),
    "test": ("testing", "privatetest", "测试集"),
}
_SPLIT_OF = {name: split for split, more in _SPLIT_NAMES.items() for name in (split, *more)}

# The first Chinese word is the one that is shown.
_ALIASES = {
    "angry": ("生气", "愤怒", "anger"),
    "disgust": ("厌恶", "disgusted"),
    "fear": ("害怕", "恐惧", "fearful", "afraid", "scared"),
    "happy": ("高兴", "开心", "快乐", "happiness", "joy"),
    "sad": ("悲伤", "难过", "伤心", "sadness"),
    "surprise": ("惊讶", "吃惊", "surprised"),
    "neutral": ("中性", "平静", "自然", "中立"),
    "contempt": ("轻蔑", "蔑视", "鄙视"),
    "smile": ("微笑",),
    "pout": ("嘟嘴",),
    "laugh": ("大笑",),
}
_WORD_OF = {name: word for word, more in _ALIASES.items() for name in (word, *more)}
_TUTORIAL_PREFIX = re.compile(r"^\d+[_\-. ]+")


_Value = TypeVar("_Value")


def look_up(table: Mapping[str, _Value], name: str, expected: str) -> _Value:
    """Return what a table has under a name; ValueError names all that it has in the place {} of a text."""
    if name not in table:
        raise ValueError(f"expected {expected.format(', '.join(table))}, got {name!r}")
    return table[name]


def parse_expression(name: str) -> int:
    """Return the index into EXPRESSIONS, 0 to 6, of a name such as `happy`, `Happiness`, `高兴` or `4_Happy`.

    English and Chinese names are known, in any case, with or without the tutorial's number before them: the number of
    `5_Sad` is the tutorial's own order and is not the index here. ValueError: the name means none of the seven.
    """
    word = parse_class(name)
    if word not in EXPRESSIONS:
        raise ValueError(f"expected the name of an expression ({', '.join(EXPRESSIONS)}, or in Chinese), got {name!r}")
    return EXPRESSIONS.index(word)


def parse_class(name: str) -> str:
    """Return the English word of a known class name (an expression or a mouth), and any other name as it is."""
    name = _plain(name)
    return _WORD_OF.get(_TUTORIAL_PREFIX.sub("", name).strip().lower(), name)


def _plain(name: str) -> str:
    """Return a name with plain letters for full-width ones, and with one of Unicode's two spellings of an accent."""
    return unicodedata.normalize("NFKC", name).strip()


def find_class(name: str, classes: Sequence[str]) -> int | None:
    """Return the index of the class that is called so or means the same, such as 开心 and `happy`; None without one."""
    words = list(map(parse_class, classes))
    return words.index(word) if (word := parse_class(name)) in words else None


def choose_classes(names: Iterable[str], wanted: Sequence[str] | None = None) -> tuple[tuple[str, ...], dict[str, int]]:
    """Return the classes that names mean, and the index of each name.

    Where all are of the seven or the eight expressions, these are meant; others stay as they are written.
    """
    word_of = {name: parse_class(name) for name in names}
    own: dict[str, str] = {}  # word -> name
    for name in word_of if wanted is None else wanted:
        own.setdefault(parse_class(name), _plain(name))
    if wanted is not None and len(own) < len(wanted):
        raise ValueError(f"expected different classes, got {', '.join(wanted)}")
    if alike := [name for name in sorted(own) if [word.lower() for word in own].count(name.lower()) > 1]:
        raise ValueError(f"expected classes that differ by more than capital letters, got {', '.join(alike)}")
    if foreign := [name for name, word in word_of.items() if word not in own]:
        raise ValueError(f"expected the classes {', '.join(wanted or ())}, got also {', '.join(map(repr, foreign))}")
    words = list(own) if wanted is not None else sorted(own, key=lambda word: natural_key(own[word]))
    for known in (EXPRESSIONS, FERPLUS_EXPRESSIONS):
        if own.keys() == set(known) or (wanted is None and own and own.keys() <= set(known)):
            words, own = list(known), dict(zip(known, known))
            break
    return tuple(own[word] for word in words), {name: words.index(word) for name, word in word_of.items()}


def own_classes(classes: Sequence[str]) -> tuple[str, ...] | None:
    """Return a network's classes in their order, which numbered folders do not tell; None for known expressions."""
    return None if set(classes) <= set(FERPLUS_EXPRESSIONS) else tuple(classes)


def natural_key(name: str) -> tuple[int, str]:
    """Return a sort key that puts numbers first, by value, so that `10` follows `9`."""
    digits = re.match(r"\d*", name)
    return (int(digits[0]) if digits and digits[0].isascii() and digits[0] else -1, name)


def describe_classes(classes: Sequence[str]) -> str:
    """Return classes in a few words, such as `3 classes: laugh, pout, smile`."""
    known = {EXPRESSIONS: "the seven expressions", FERPLUS_EXPRESSIONS: "the eight expressions with contempt"}
    return known.get(tuple(classes)) or f"{len(classes)} classes: {', '.join(classes)}"


def class_names_zh(classes: Sequence[str]) -> tuple[str, ...]:
    """Return the Chinese names of classes; where one is not known, they are of a person's own and all stay."""
    return tuple(_ALIASES[name][0] for name in classes) if _ALIASES.keys() >= set(classes) else tuple(classes)


def class_colors(classes: Sequence[str]) -> tuple[tuple[int, int, int], ...]:
    """Return a BGR color for each class: that of COLORS_BGR for the seven, evenly spaced hues for others."""
    found: list[tuple[int, int, int]] = []
    for index, name in enumerate(classes):
        rgb = colorsys.hsv_to_rgb(0.45 + 0.618034 * index, 0.65, 0.8)  # golden ratio: neighbors differ most
        red, green, blue = (round(255 * part) for part in rgb)
        found.append(COLORS_BGR[EXPRESSIONS.index(name)] if name in EXPRESSIONS else (blue, green, red))
    return tuple(found)


def parse_split(name: str) -> str | None:
    """Return which of SPLITS a name such as `val`, `PublicTest` or `验证集` means; None for any other name."""
    return _SPLIT_OF.get(name.strip().lower())


def find_split(words: Iterable[str]) -> str:
    """Return the split that the first of some words to be a split's name means, "" if none is one."""
    return next(filter(None, map(parse_split, words)), "")
