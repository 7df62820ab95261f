"""Cases of notebook 15."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from fer_paddle.course.checks import Case

ELSEWHERE = "https://example.org"


def exercise_1(may_fetch: Callable[..., Any]) -> Iterator[Case]:
    """Policies with connect-src, with default-src alone, and with neither."""
    for policy, place, expected in (
        ("default-src 'none'; connect-src 'self'", "'self'", True),
        ("default-src 'none'; connect-src 'self'", ELSEWHERE, False),
        (f"default-src 'none'; img-src {ELSEWHERE}", ELSEWHERE, False),
        (f"default-src 'self' {ELSEWHERE}", ELSEWHERE, True),
        ("connect-src *", ELSEWHERE, True),
        ("script-src 'self'", ELSEWHERE, True),
    ):
        yield Case(f'may_fetch("{policy}", "{place}")', partial(may_fetch, policy, place), expected)


def exercise_2(count_labels: Callable[..., Any]) -> Iterator[Case]:
    """Rows as the page's JSON has them, at several least probabilities."""
    rows = [
        {"label": label, "probs": {"happy": happy, "neutral": neutral, "sad": 1 - happy - neutral}}
        for label, happy, neutral in (("happy", 0.9, 0.0625), ("sad", 0.25, 0.25), ("happy", 0.5, 0.375))
    ]
    for least, expected in (
        (0.0, {"happy": 2, "sad": 1}),
        (0.5, {"happy": 2, "sad": 1}),
        (0.75, {"happy": 1, "?": 2}),
        (0.95, {"?": 3}),
    ):
        yield Case(f"count_labels(faces, {least})", partial(count_labels, rows, least), expected)
    yield Case("count_labels([], 0.5)", partial(count_labels, [], 0.5), {})


def exercise_3(changed: Callable[..., Any]) -> Iterator[Case]:
    """A file with other bytes, one that is new, one that is gone, none."""
    before = {"index.html": b"<html>", "expression.onnx": b"abc", "old.js": b"1"}
    after = {"index.html": b"<html>", "expression.onnx": b"abd", "new.js": b"1"}
    for name, new, expected in (
        ("a network of the same size, new.js for old.js", after, {"expression.onnx", "new.js"}),
        ("old.js gone", {name: before[name] for name in ("index.html", "expression.onnx")}, set()),
        ("the same files", dict(before), set()),
    ):
        yield Case(f"changed(old, new): {name}", partial(changed, dict(before), new), expected)
