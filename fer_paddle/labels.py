"""The seven expressions: their order, names and colours, defined once.

The order is FER2013's official one. A class index never depends on the order of a file system.

Source: Goodfellow et al. 2013, "Challenges in Representation Learning" (FER2013), arXiv:1307.0414.
"""

from __future__ import annotations

import re

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

SPLITS = ("train", "validation", "test")
_SPLIT_NAMES = {
    "train": ("training", "训练集"),
    "validation": ("valid", "val", "dev", "publictest", "验证集"),
    "test": ("testing", "privatetest", "测试集"),
}
_SPLIT_OF = {name: split for split, more in _SPLIT_NAMES.items() for name in (split, *more)}

_ALIASES = {
    "angry": ("anger", "生气", "愤怒"),
    "disgust": ("disgusted", "厌恶"),
    "fear": ("fearful", "afraid", "scared", "害怕", "恐惧"),
    "happy": ("happiness", "joy", "高兴", "开心", "快乐"),
    "sad": ("sadness", "悲伤", "难过", "伤心"),
    "surprise": ("surprised", "惊讶", "吃惊"),
    "neutral": ("中性", "平静", "自然", "中立"),
}
_INDEX = {name: EXPRESSIONS.index(word) for word, more in _ALIASES.items() for name in (word, *more)}
_TUTORIAL_PREFIX = re.compile(r"^\d+[_\-. ]+")


def parse_expression(name: str) -> int:
    """Gives the class index of an expression's name.

    English and Chinese names are known, in any case, with or without the tutorial's number before them: the
    number of `5_Sad` is the tutorial's own order and is not the index here.

    Args:
        name: A folder name or a word, such as `happy`, `Happiness`, `高兴` or `4_Happy`.

    Returns:
        The index into EXPRESSIONS, 0 to 6.

    Raises:
        ValueError: The name means none of the seven expressions.
    """
    word = _TUTORIAL_PREFIX.sub("", name.strip()).strip().lower()
    if word not in _INDEX:
        raise ValueError(f"expected the name of an expression ({', '.join(EXPRESSIONS)}, or in Chinese), got {name!r}")
    return _INDEX[word]


def parse_split(name: str) -> str | None:
    """Return which of SPLITS a name such as `val`, `PublicTest` or `验证集` means; None for any other name."""
    return _SPLIT_OF.get(name.strip().lower())
