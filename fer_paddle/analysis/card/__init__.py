"""Model cards: NAME.json from training, NAME.measured.json from the command `card`, and NAME.md, their text.

Source: Mitchell et al. 2019, "Model Cards for Model Reporting", arXiv:1810.03993.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fer_paddle.files import file_digest, replacing, write_json
from fer_paddle.labels import EXPRESSIONS, FERPLUS_EXPRESSIONS
from fer_paddle.messages import agree
from fer_paddle.weights import called, load_card, shipped_files

MEASURED, TEXT = ".measured.json", ".md"
KINDS = ("expression", "ferplus", "photos", "classes", "mouth", "detector", "landmarks")


def find_shipped() -> list[Path]:
    """List the networks that ship and are of a kind that can be measured."""
    return [path for path in shipped_files().values() if _kind(load_card(path))]


def kind_of(weights: str | os.PathLike[str]) -> str:
    """Return which of KINDS weights are, by their JSON card; ValueError for another card."""
    card = load_card(weights)
    kind = _kind(card)
    if kind is None:
        raise ValueError(f"expected a network of the kind {', '.join(KINDS)}, got {called(card)}: {weights}")
    return kind


def read_measured(weights: str | os.PathLike[str]) -> dict[str, Any]:
    """Read what was measured of these very weights; ValueError where it was of other ones."""
    weights = Path(weights)
    path = weights.with_suffix(MEASURED)
    if not path.is_file():
        raise FileNotFoundError(f"expected the figures of these weights in {path}, found none: measure them first")
    measured = load_card(path)
    if measured.get("sha256") != file_digest(weights):
        raise ValueError(f"expected figures of {weights.name} in {path}, got those of other weights: measure them anew")
    return measured


def write_files(weights: str | os.PathLike[str], measured: Mapping[str, Any]) -> list[Path]:
    """Write NAME.measured.json, tied to the weights by their SHA-256, and NAME.md; return both."""
    weights = Path(weights)
    size = {"weights": weights.name, "bytes": weights.stat().st_size, "sha256": file_digest(weights)}
    content = {**measured, **size}
    text = render(weights.stem, load_card(weights), content)
    paths = [weights.with_suffix(MEASURED), weights.with_suffix(TEXT)]
    write_json(paths[0], content)
    with replacing(paths[1]) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return paths


def render(name: str, card: Mapping[str, Any], measured: Mapping[str, Any]) -> str:
    """Return the Markdown text of a model card."""
    import jinja2

    if measured.get("kind") not in KINDS:
        raise ValueError(f"expected measured figures of the kind {' or '.join(KINDS)}, got {measured.get('kind')!r}")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"plain": _plain, "cell": _cell, "extremes": _extremes}
    template = environment.get_template("card.md.jinja")
    recipe = list(_flatten(card.get("recipe", {})))
    return agree(template.render(name=name, card=card, measured=measured, recipe=recipe))


def _kind(card: Mapping[str, Any]) -> str | None:
    if "anchors" in card:
        return "detector"
    if card.get("task") == "landmarks":
        return "landmarks"
    if "train_mouths" in card:
        return "mouth"
    if "heads" in card:
        return "photos"
    classes = tuple(card.get("classes", ()))
    kind = {EXPRESSIONS: "expression", FERPLUS_EXPRESSIONS: "ferplus"}.get(classes)
    return kind or ("classes" if len(classes) > 1 and "input_size" in card else None)


def _extremes(one: Mapping[str, Any]) -> tuple[str, str]:
    """Return the classes of least and best recall, of those with enough faces."""
    enough = one["classes_of_enough_faces"] or [name for name, number in one["counts"].items() if number]
    ordered = sorted(enough, key=lambda name: one["recall"][name]["value"])
    best = max(enough, key=lambda name: one["recall"][name]["value"])  # the first of equal ones
    return ordered[0], best


def _cell(text: Any) -> str:
    """Return a text as a cell of a table, where neither a bar nor HTML of a class's name counts."""
    return str(text).replace("|", "\\|").replace("<", "&lt;")


def _plain(value: Any) -> str:
    """Write numbers, lists and mappings as a reader would."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_plain, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_plain(one)}" for name, one in value.items())
    return str(value)


def _flatten(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in content.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
