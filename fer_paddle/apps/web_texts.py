"""The words of the page, in English and Chinese, its style, and the HTML of its results."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path

from fer_paddle.labels import class_colors, class_names_zh
from fer_paddle.pipeline import Face

LANGUAGES = {"English": "en", "中文": "zh"}
# Key of a component -> English, Chinese.
TEXTS: dict[str, list[str]] = json.loads(Path(__file__).with_name("web_texts.json").read_text(encoding="utf-8"))
STYLE = f"<style>\n{Path(__file__).with_name('web.css').read_text(encoding='utf-8')}</style>"


def text(key: str, language: str) -> str:
    """Return the words of a key."""
    return TEXTS[key][language == "zh"]


def heading(language: str) -> str:
    """Return the head of the page."""
    return f"<h1>{escape(text('title', language))}</h1><p>{escape(text('subtitle', language))}</p>"


def paragraph(key: str, language: str) -> str:
    """Return one paragraph."""
    return f"<p>{escape(text(key, language))}</p>"


def bars(faces: Sequence[Face], language: str) -> str:
    """Return the probabilities of each face as bars, the faces in their order in the image."""
    if not faces:
        return paragraph("no_face", language)
    parts = []
    for number, face in enumerate(faces, 1):
        names = class_names_zh(face.classes) if language == "zh" else face.classes
        title = f"{number} · {names[face.classes.index(face.label)]}"
        rows = "".join(
            f"<div class='bar'><span>{escape(name)}</span>"
            f"<i style='width:{100 * prob:.1f}%;background:rgb({color[2]},{color[1]},{color[0]})'></i>"
            f"<span>{prob:.0%}</span></div>"
            for name, prob, color in zip(names, face.probs.tolist(), class_colors(face.classes))
        )
        pose = f"<p>{text('pose', language).format(**face.pose.to_json())}</p>" if face.pose else ""
        parts.append(f"<div class='face'><h3>{escape(title)}</h3>{rows}{pose}</div>")
    return "".join(parts)


def comparison(rows: Sequence[Sequence[str]], language: str) -> str:
    """Return the table of the course corner."""
    head = "".join(f"<th>{escape(name)}</th>" for name in text("columns", language).split("|"))
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table class='networks'><tr>{head}</tr>{body}</table>"
