"""`check("04.2", answer)`: whether the answer to an exercise is right, which case is wrong, hints; `quiz("04")`.

The cases of exercise 04.2 are a generator `exercise_04_2` in a module of `exercises/`; they compute what they expect
by the library, so that an answer is compared with what the course itself uses. Those that are but values stand in
`exercises/04.json`.
"""

from __future__ import annotations

import copy
import datetime
import importlib
import math
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from fer_paddle.course.chapters import (
    Between,
    Chapter,
    choose_language,
    digest_text,
    exercise_numbers,
    load_chapter,
    load_texts,
    split_number,
)
from fer_paddle.course.folder import read_progress, record

# The first notebook of each module of exercises/.
_MODULES = {"00": "data", "04": "training", "07": "compression", "11": "further"}
RECORD = "application/vnd.fer-paddle.check+json"  # kept in a notebook's outputs, read by marking.py


@dataclass(frozen=True)
class Case:
    """One thing that an answer must get right."""

    arguments: tuple[Any, ...] | None  # what the answer is called with; None: it is a value
    expected: Any  # bool, number, Between, text, array, or a list, set or dict of them
    tolerance: float = 0.0  # largest difference of a number
    name: str = ""  # shown when it is wrong; without one the call, such as count(7)
    of: Callable[[Any], Any] = lambda value: value  # from what the answer returns to what is compared


Cases = Iterator[Case]


@dataclass(frozen=True)
class Result:
    """What `check` found: true where the answer is right. A notebook shows its text."""

    exercise: str
    state: str  # right, wrong, unanswered, hint
    text: str

    def __bool__(self) -> bool:
        return self.state == "right"

    def __str__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        told = {"exercise": self.exercise, "state": self.state, "cell": _digest_cell()}
        return {"text/plain": self.text, **({} if self.state == "hint" else {RECORD: told})}


def check(number: str, answer: Any = None, hint: int | None = None, record: bool = True) -> Result:
    """Check the answer to an exercise.

    Args:
        number: Chapter and exercise, such as "04.2".
        answer: The function or value that the exercise asks for; None, `...` and a function that returns one of them
            are no answer yet.
        hint: 1 or 2 gives a hint instead.
        record: Whether a right answer is written into my_course/progress.json.

    Returns:
        True where the answer is right; its text says which case is wrong, in the language of the notebook.

    Raises:
        ValueError: There is no such exercise or hint.
    """
    chapter, exercise = split_number(number)
    content, texts = load_chapter(chapter), load_texts("check")
    if hint is not None:
        hints = content.exercises[exercise - 1]["hints"][choose_language()]
        if hint not in range(1, len(hints) + 1):
            raise ValueError(f"expected a hint from 1 to {len(hints)}, got {hint!r}")
        return _result(number, "hint", texts["hint"].format(hint, hints[hint - 1]))
    with _keeping_randomness():
        state, text = _judge_answer(content, chapter, exercise, answer, texts)
    if state == "right" and record:
        text += _record_solved(number, texts)
    return _result(number, state, text)


@contextmanager
def _keeping_randomness() -> Iterator[None]:
    """Give the random generators back as they were, so that the cells after a check compute what they did without."""
    paddle = sys.modules.get("paddle")
    states = random.getstate(), np.random.get_state(), paddle.get_rng_state() if paddle else None
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        if paddle:
            paddle.set_rng_state(states[2])


def _result(number: str, state: str, text: str) -> Result:
    return Result(number, state, f"{number}{load_texts('check')['colon']}{text}")


def _record_solved(number: str, texts: Mapping[str, str]) -> str:
    """Keep that an exercise is solved, and say how many are."""
    if number not in read_progress()["solved"]:
        record("solved", number, datetime.date.today().isoformat())
    known = exercise_numbers()
    return texts["solved"].format(len(read_progress()["solved"].keys() & {*known}), len(known))


def _judge_answer(
    content: Chapter, chapter: str, exercise: int, answer: Any, texts: Mapping[str, str]
) -> tuple[str, str]:
    """Return state and text of an answer: the first case that is wrong decides."""
    signature = content.exercises[exercise - 1]["answer"]
    function, is_function, _ = signature.partition("(")
    if is_missing(answer):
        return "unanswered", texts["unanswered"]
    if is_function and not callable(answer):
        return "wrong", texts["wrong"].format(function, texts["function"].format(signature), _describe(answer))
    for number, case in enumerate(_cases(chapter, exercise)):
        name = case.name or function
        if case.arguments is not None and not case.name:
            name += f"({', '.join(map(_describe, case.arguments))})"
        try:
            found = answer if case.arguments is None else answer(*case.arguments)
            found = found if is_missing(found) else case.of(found)
        except Exception as error:  # whatever a learner's function raises
            return "wrong", texts["raised"].format(name, type(error).__name__, error)
        if number == 0 and is_missing(found):
            return "unanswered", texts["unanswered"]
        if not agrees(found, case.expected, case.tolerance):
            wanted = _describe_expected(case.expected, texts)
            return "wrong", texts["wrong"].format(name, wanted, _explain(found, case.expected, texts))
    return "right", texts["right"]


def _cases(chapter: str, exercise: int) -> Cases:
    if (rows := load_chapter(chapter).exercises[exercise - 1].get("cases")) is not None:
        return (Case(**copy.deepcopy(row)) for row in rows)
    name = [module for first, module in _MODULES.items() if first <= chapter][-1]
    module = importlib.import_module(f"fer_paddle.course.exercises.{name}")
    cases: Cases = getattr(module, f"exercise_{chapter}_{exercise}")()
    return cases


def is_missing(answer: Any) -> bool:
    """Return whether an answer, or a part of a list or dict of answers, was not filled in."""
    parts = answer.values() if isinstance(answer, dict) else answer if isinstance(answer, (list, tuple)) else [answer]
    return any(part is None or part is ... for part in parts)


def mean_difference(found: Any, wanted: np.ndarray) -> float:
    """Return the mean absolute difference of two images, in gray levels."""
    return float(np.abs(np.asarray(found).astype(np.float64) - wanted).mean())


def agrees(found: Any, expected: Any, tolerance: float = 0.0) -> bool:
    """Return whether a value is the expected one: numbers to a tolerance, sets in any order, no NaN ever."""
    if isinstance(expected, Between):
        return _is_number(found) and expected.low <= float(found) <= expected.high
    if isinstance(expected, str):
        return isinstance(found, str) and found == expected
    if isinstance(expected, set):
        if not isinstance(found, (set, frozenset, list, tuple)) or len(found) != len(expected):
            return False
        return all(any(agrees(part, value, tolerance) for part in found) for value in expected)
    if isinstance(expected, dict):
        return (
            isinstance(found, Mapping)
            and found.keys() == expected.keys()
            and all(agrees(found[name], value, tolerance) for name, value in expected.items())
        )
    if isinstance(expected, (list, tuple)):
        return (
            isinstance(found, (list, tuple, np.ndarray))
            and len(found) == len(expected)
            and all(agrees(part, value, tolerance) for part, value in zip(found, expected))
        )
    if isinstance(expected, (bool, np.bool_)):
        return isinstance(found, (bool, np.bool_)) and bool(found) == bool(expected)
    if isinstance(found, (bool, np.bool_)):
        return False
    found, expected = _array(found), np.asarray(expected)
    if found is None or found.shape != expected.shape or not np.isfinite(found).all():
        return False
    return bool((np.abs(found.astype(np.float64) - expected.astype(np.float64)) <= tolerance).all())


def _array(value: Any) -> np.ndarray | None:
    """Return numbers, an array or a tensor as an array; None for anything else."""
    value = value.numpy() if hasattr(value, "numpy") else value
    if not isinstance(value, (int, float, np.number, np.ndarray, list, tuple)):
        return None
    try:
        array = np.asarray(value)
    except ValueError:  # a ragged list
        return None
    return array if array.dtype.kind in "biuf" else None


def _is_number(value: Any) -> bool:
    array = _array(value)
    return array is not None and array.ndim == 0 and math.isfinite(float(array))


def _describe_expected(expected: Any, texts: Mapping[str, str]) -> str:
    """Return the kind of an expected answer, not the answer."""
    if isinstance(expected, (bool, np.bool_)):
        return texts["bool"]
    if isinstance(expected, (str, set)):
        return texts["str" if isinstance(expected, str) else "set"]
    if isinstance(expected, dict):
        return texts["dict"].format(", ".join(map(str, expected)))
    if isinstance(expected, (list, tuple)):
        return texts["list"].format(len(expected))
    if isinstance(expected, np.ndarray) and expected.ndim:
        return texts["array"].format(list(expected.shape))
    return texts["int" if isinstance(expected, (int, np.integer)) else "float"]


def _describe(value: Any) -> str:
    """Return a short text of what came."""
    array = _array(value)
    if array is not None and array.ndim:
        return f"{type(value).__name__} {array.dtype} {list(array.shape)}" if array.size > 8 else f"{array.tolist()}"
    text = f"{float(array):.6g}" if array is not None and array.dtype.kind == "f" else repr(value)
    return text if len(text) <= 60 else f"{type(value).__name__} {text[:50]}..."


def _explain(found: Any, expected: Any, texts: Mapping[str, str]) -> str:
    """Return what came and, for numbers, in which direction it errs."""
    text, array = _describe(found), _array(found)
    if _is_number(found) and isinstance(expected, (int, float, np.number, Between)) and not isinstance(expected, bool):
        least = expected.low if isinstance(expected, Between) else expected
        return texts["small" if float(found) < least else "large"].format(text)
    if isinstance(expected, np.ndarray) and array is not None and array.shape == expected.shape:
        return texts["off"].format(text, float(np.abs(array.astype(np.float64) - expected).max()))
    return text


def _digest_cell() -> str | None:
    """Return the digest of the notebook cell that runs, None outside of a notebook."""
    interactive = sys.modules.get("IPython")
    shell = interactive.get_ipython() if interactive else None
    return digest_text(shell.history_manager.input_hist_raw[-1].strip()) if shell else None


class Text(str):
    """Lines that a notebook shows as they are."""

    __repr__ = str.__str__


def quiz(chapter: str, question: int | None = None, choice: str | None = None) -> Text:
    """Show the questions of a chapter, one of them, or what is right or wrong about a choice.

    Args:
        chapter: Its number, such as "04" or "00b".
        question: 1 to 5; None shows all.
        choice: Its letter; the last choice of each question is kept in my_course/progress.json.

    Raises:
        ValueError: There is no such chapter, question or choice.
    """
    questions, language = load_chapter(chapter).quiz, choose_language()
    texts = load_texts("quiz")
    if question is not None and question not in range(1, len(questions) + 1):
        raise ValueError(f"expected a question from 1 to {len(questions)}, got {question!r}")
    if choice is None:
        shown = range(1, len(questions) + 1) if question is None else (question,)
        parts = []
        for number in shown:
            asked = questions[number - 1][language]
            choices = [f"   {letter}) {text}" for letter, (text, _) in asked["choices"].items()]
            parts.append("\n".join([f"{number}. {asked['question']}", *choices]))
        return Text("\n".join([*parts, texts["how"].format(chapter)]))
    if question is None:
        raise ValueError(f"expected the number of a question with the choice {choice!r}, got none")
    asked = questions[question - 1]
    choices = asked[language]["choices"]
    if choice not in choices:
        raise ValueError(f"expected a choice of {', '.join(choices)}, got {choice!r}")
    record("quiz", f"{chapter}.{question}", choice)
    return Text(texts["right" if choice == asked["right"] else "wrong"].format(choices[choice][1]))
