"""Messages in Chinese: the catalogue of gettext, and errors translated by their frames.

Raise sites speak English, "expected X, got Y". An error is translated where it is shown: its text is matched with the
frames of the catalogue (msgctxt `frame`), such as "expected {}, got {}" or "a recipe of {}", and so are the parts that
stand in the places; what no frame knows stays English. `locale/zh_CN/LC_MESSAGES/fer_paddle.po` is the source.
"""

from __future__ import annotations

import gettext
import locale
import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

LANGUAGES = ("en", "zh")
CATALOGUE = Path(__file__).parent / "locale" / "zh_CN" / "LC_MESSAGES" / "fer_paddle.mo"
# Where a part of another script was put in: Chinese stands apart from Latin by a space, but not from a colon.
_SEAM = re.compile("(?<=[\u4e00-\u9fff])\1+(?=[!-9;-~])|(?<=[!-~])\1+(?=[\u4e00-\u9fff])")
# A count of one before a noun in the plural; a name or a path that has these words stays.
_ONE = re.compile(
    r"(?<![\w.,/\\-])1 (images|faces|photos|classes|files|frames|rows|epochs|steps|boxes|networks|views|parts|groups|"
    r"notebooks|figures|slides|samples|points|marks|numbers|columns|names|processes|workers|threads|teachers|strips|"
    r"scores|pixels|bytes|inputs|outputs|channels|anchors|voters|attempts|unreadable ones|others)(?![\w/\\-]|\.\w)"
)
_LANGUAGE = ContextVar("language", default="en")
_Item = TypeVar("_Item")


def choose_language(argv: Sequence[str], streams: Sequence[Any]) -> str:
    """Return the language of a command: `--language`, FER_LANG or the locale; English where a stream has no Chinese."""
    own = argv[: argv.index("--")] if "--" in argv else argv
    pairs = [*zip(own, own[1:]), *(one.split("=", 1) for one in own if "=" in one)]
    asked = [value for option, value in pairs if option == "--language" and value in LANGUAGES]
    language = asked[-1] if asked else language_of_environment()
    return language if all(map(_holds_chinese, streams)) else "en"


def language_of_environment() -> str:
    """Return the language of FER_LANG, such as zh or zh_CN.UTF-8 (ValueError: another), else that of the locale."""
    if name := os.environ.get("FER_LANG"):
        if (language := re.split("[_.-]", name)[0].lower()) not in LANGUAGES:
            raise ValueError(f"expected a language of {', '.join(LANGUAGES)} in FER_LANG, got {name!r}")
        return language
    named = (os.environ.get(name) for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"))
    found = next(filter(None, named), None) or locale.getlocale()[0] or ""
    return "zh" if found.lower().startswith(("zh", "chinese")) else "en"


def _holds_chinese(stream: Any) -> bool:
    try:
        "应为，实际为".encode(getattr(stream, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Let `say` translate into a language meanwhile."""
    token = _LANGUAGE.set(language)
    try:
        yield
    finally:
        _LANGUAGE.reset(token)


def current_language() -> str:
    """Return `en` or `zh`."""
    return _LANGUAGE.get()


class _Catalogue(gettext.GNUTranslations):
    _catalog: dict[str, str]

    def frames(self) -> list[tuple[re.Pattern[str], str]]:
        """Return patterns with their translations, those of the longest own text first."""
        texts = {key.partition("\4")[2]: text for key, text in self._catalog.items() if key.startswith("frame\4")}
        ordered = sorted(texts, key=lambda frame: -len(frame.replace("{}", "")))
        return [(re.compile(_pattern(frame), re.DOTALL), texts[frame]) for frame in ordered]


def _pattern(frame: str) -> str:
    """Return the regular expression of a frame; a place that it begins with holds no error, as behind a file's name."""
    pattern = re.escape(frame).replace(r"\{\}", "(.+?)")
    return re.sub(r"^\(\.", "((?:(?!expected ).)", pattern)


@cache
def _read() -> tuple[_Catalogue, list[tuple[re.Pattern[str], str]]]:
    with CATALOGUE.open("rb") as file:
        catalogue = _Catalogue(file)
    return catalogue, catalogue.frames()


def say(text: str, language: str | None = None) -> str:
    """Return a text in a language, by default the current one: as the catalogue has it, or as far as frames know it."""
    if not text or (language or current_language()) == "en":
        return text
    whole = _read()[0].gettext(text)
    return whole if whole != text else _fill_frames(text)


def _fill_frames(text: str) -> str:
    for frame, translation in _read()[1]:
        if match := frame.fullmatch(text):
            filled = translation.format(*(f"\1{_fill_frames(part)}\1" for part in match.groups()))
            return _SEAM.sub(" ", filled).replace("\1", "")
    return text


def agree(text: str) -> str:
    """Return an English text with the singular behind a count of one: `1 image`, `1 class`."""
    return _ONE.sub(lambda found: re.sub("(?<=ss|ox)es$|s$", "", found[0]), text)


def reason_of(error: object) -> str:
    """Return why something failed, as a file or an answer keeps it."""
    return agree(str(error))


def name_reason(name: object, reason: object) -> str:
    """Return the reason of an error with the name of its file, once."""
    return str(reason) if str(name) in str(reason) else f"{name}: {reason}"


def name_some(reasons: Sequence[str], what: str, most: int = 10) -> str:
    """Return how many of `what` there are, and the first of their reasons."""
    more = f" and {len(reasons) - most} more" if len(reasons) > most else ""
    return f"{len(reasons)} {what}: {'; '.join(reasons[:most])}{more}"


def width(text: str) -> int:
    """Return the columns that a text takes in a terminal: two for each wide character."""
    return sum(1 + (unicodedata.east_asian_width(one) in "WF") - bool(unicodedata.combining(one)) for one in text)


def track(items: Iterable[_Item], unit: str, total: int | None = None) -> Iterable[_Item]:
    """Go through items with a bar on stderr, where that is a terminal."""
    if sys.stderr is None or not sys.stderr.isatty():
        return items
    from tqdm import tqdm

    return tqdm(items, total=total, unit=say(unit), leave=False)
