"""The texts of exercises and questions, `exercises/NN.json`, and the language in which they are shown."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle.messages import language_of_environment

_FOLDER = Path(__file__).with_name("exercises")


@dataclass(frozen=True)
class Chapter:
    """Exercises and questions of one notebook."""

    # each: answer, how it is named, such as count(num_classes), or without a bracket where it is a value;
    # hints: two by language; cases, where these need no code
    exercises: list[dict[str, Any]]
    quiz: list[dict[str, Any]]  # each: right, a letter; by language the question, and choices with a text and a reason


@cache
def load_chapter(number: str) -> Chapter:
    """Return a chapter by its number, such as 04 or 00b; ValueError names those that there are."""
    if number not in numbers():
        raise ValueError(f"expected a chapter of {', '.join(numbers())}, got {number!r}")
    return Chapter(**json.loads((_FOLDER / f"{number}.json").read_text(encoding="utf-8"), object_hook=_decode))


@dataclass(frozen=True)
class Between:
    """A number from `low` to `high`, as an expected answer."""

    low: float
    high: float


def _decode(found: dict[str, Any]) -> Any:
    """Read {"array": [...]}, {"set": [...]}, {"between": [...]} and {"pairs": [...]}, a dict of any keys, of cases."""
    kinds: dict[str, Any] = {"array": np.array, "set": set, "pairs": dict, "between": lambda ends: Between(*ends)}
    kind = next(iter(found), "")
    return kinds[kind](found[kind]) if len(found) == 1 and kind in kinds else found


@cache
def numbers() -> tuple[str, ...]:
    """Return the chapters that have exercises, such as 04, in their order."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.json")))


def exercise_numbers() -> list[str]:
    """Return the exercises of the course, such as 04.2, in their order."""
    return [f"{chapter}.{i + 1}" for chapter in numbers() for i in range(len(load_chapter(chapter).exercises))]


def split_number(number: str) -> tuple[str, int]:
    """Return chapter and exercise of a number such as 04.2; ValueError where the course has no such exercise."""
    if number not in exercise_numbers():
        raise ValueError(
            f"expected an exercise from {exercise_numbers()[0]} to {exercise_numbers()[-1]}, got {number!r}"
        )
    chapter, _, exercise = number.partition(".")
    return chapter, int(exercise)


def load_texts(kind: str) -> dict[str, str]:
    """Return what `check` or `quiz` says, in the language that is chosen."""
    content = json.loads(Path(__file__).with_name("texts.json").read_text(encoding="utf-8"))
    texts: dict[str, str] = content[kind][choose_language()]
    return texts


def choose_language() -> str:
    """Return en or zh: by FER_LANG, by the notebook that Jupyter runs (those of notebooks/zh), or by the locale."""
    if not os.environ.get("FER_LANG") and "zh" in Path(os.environ.get("JPY_SESSION_NAME", "")).parts:
        return "zh"
    return language_of_environment()


def digest_text(text: str) -> str:
    """Return the eight hexadecimal digits that stand for the text of a cell."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]
