"""Model cards: what a shipped network is, how it was trained, what it reaches, where it fails, what it is not for.

Every figure comes from two JSON files: the card that the training left beside the weights, and what the command `card`
measured. Source: Mitchell et al. 2019, "Model Cards for Model Reporting", arXiv:1810.03993.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

USE = """\
For teaching and research: to learn how such a network is built, trained, measured and explained; to sort pictures of
consenting people by the expression they show, with a person who looks at the result."""
MISUSE = """\
- **An expression is not a feeling.** People scowl when they think and smile when they are sad, and cultures differ
  (Barrett et al. 2019, doi:10.1177/1529100619832930). This network names what a face shows in one picture, no more.
- Not to judge, hire, grade, admit, police, insure, advertise to or diagnose anybody. The European Union forbids emotion
  recognition at work and in education (AI Act, article 5.1 f).
- Not on people who have not agreed to it, and not on children.
- A probability is a share of right answers on the pictures it was measured on, not on yours."""
USE_OF_MOUTHS = """\
For teaching: to sort mouth crops that `collect select` cut into neutral and smiling ones, with a person who looks at
the result. It sees the mouth alone."""
USE_OF_CLASSES = """\
For teaching: to sort crops into the classes that it was trained on, with a person who looks at the result."""
USE_OF_DETECTOR = """\
For teaching and research: to find the faces of a photo for the expression network, to count them, to blur them."""
MISUSE_OF_DETECTOR = """\
- Not to watch people who have not agreed, and not as a part of face recognition.
- Not where a missed face does harm: it misses some, and those that differ from its training photos first."""
UNMEASURED = """\
The data name no age, sex, origin, skin colour or disability, so nothing of these was measured, and nobody may claim
that the network is fair in them. What can be measured is how evenly it works over the classes and over the quality of
the pictures; both stand below for each data set."""
UNMEASURED_IN_PHOTOS = """\
The photos name no age, sex, origin or skin colour of the people in them: nothing of these was measured. The sources
below differ in what they show: in mask853 most people wear masks."""
LEANING = """\
The interval of a calibration error leans upwards: drawing with replacement adds noise to every bin."""
# Fields of the JSON card that a reader wants first, and what they are called.
FACTS = {
    "task": "task",
    "model": "network",
    "parameters": "parameters",
    "input_size": "side of the input, px",
    "longest": "longest side of the input, px",
    "classes": "classes",
    "normalize": "normalisation",
    "channels": "channels",
    "scale": "scale of the pixels",
    "temperature": "temperature",
}
HISTORY = ("training", "hours", "machine", "status")


def write_card(name: str, card: Mapping[str, Any], measured: Mapping[str, Any]) -> str:
    """Writes the text of a model card.

    Args:
        name: Of the weights, without suffix.
        card: The JSON beside the weights.
        measured: The JSON of the command `card`: `kind` (`expression`, `ferplus`, `mouth` or `detector`), `weights`,
            `bytes`, `sha256`, `command`, `date`, `versions`, and `sets`, one for each data set: `data` and what
            `measure` or `detector` gave.

    Returns:
        Markdown, ends with a line feed.

    Raises:
        ValueError: The kind is unknown.
    """
    kinds = {
        "expression": (_expression_sections, USE, MISUSE, UNMEASURED),
        "ferplus": (_expression_sections, USE, MISUSE, UNMEASURED),
        "classes": (_expression_sections, USE_OF_CLASSES, MISUSE, UNMEASURED),
        "mouth": (_expression_sections, USE_OF_MOUTHS, MISUSE, UNMEASURED),
        "detector": (_detector_sections, USE_OF_DETECTOR, MISUSE_OF_DETECTOR, UNMEASURED_IN_PHOTOS),
    }
    if measured.get("kind") not in kinds:
        raise ValueError(f"expected measured figures of the kind {' or '.join(kinds)}, got {measured.get('kind')!r}")
    sections, use, misuse, fairness = kinds[measured["kind"]]
    blocks = [
        f"# Model card: {name}",
        f"Written by `{measured['command']}`; do not edit. Figures stand with their 95 % confidence intervals, from "
        "faces or photos drawn with replacement.",
        _facts(card, measured),
        "## Intended use\n\n" + use,
        "## Not for\n\n" + misuse,
        "## Fairness, as far as the data let one see\n\n" + fairness,
        "## Data\n\n" + _sentence(card.get("data", card.get("trained_on"))),
        "## Recipe\n\n" + _recipe(card),
    ]
    if {"pruning", "distill", "quantization"} & card.keys():
        blocks.append("## How it was made smaller\n\n" + _compression(card))
    for one in measured["sets"]:
        blocks += sections(one, card)
    blocks.append("## How it was measured\n\n" + _origin(measured))
    return "\n\n".join(blocks) + "\n"


def _expression_sections(one: Mapping[str, Any], card: Mapping[str, Any]) -> Iterable[str]:
    """The blocks of an expression network on one data set."""
    fitted = card.get("calibration", {})
    yield f"## On {one['data']}\n\n{_whole_figures(one, fitted if fitted.get('data') == one['data'] else None)}"
    rows = [
        [name, one["counts"][name], *(_figure(one[kind][name]) for kind in ("recall", "precision", "f1"))]
        for name in one["counts"]
    ]
    yield "### By class\n\n" + table(["class", "faces", "recall", "precision", "F1"], rows)
    yield "### Known failures\n\n" + _failures(one)
    spread = _spread_of_recalls(one)
    rows = [[name, part, cell["faces"], _figure(cell["accuracy"])] for name, part, cell in _cells(one["by_quality"])]
    quality = table(["picture", "part", "faces", "accuracy"], rows)
    yield f"### How even it is\n\n{spread}\n\n{quality}"


def _whole_figures(one: Mapping[str, Any], fitted: Mapping[str, Any] | None) -> str:
    """One table; `fitted` is the calibration of the card where its temperature was fitted on these very faces."""
    rows = [["faces", one["faces"]], ["accuracy", _figure(one["accuracy"])]]
    rows.append(["mean recall over the classes present", _figure(one["mean_recall"])])
    if "accuracy_of_enough_faces" in one:
        names = ", ".join(one["classes_of_enough_faces"])
        rows.append(
            [f"accuracy over {names} (at least {one['enough_faces']} faces)", _figure(one["accuracy_of_enough_faces"])]
        )
        rows.append(["mean recall over these", _figure(one["mean_recall_of_enough_faces"])])
    rows.append(["expected calibration error without temperature", _figure(one["ece_before"])])
    if fitted is not None:
        rows.append(["the same, each face with a temperature fitted on others", _figure(fitted["ece_after"])])
    elif one["temperature"] != 1:
        rows.append([f"the same with temperature {one['temperature']:.3g}", _figure(one["ece_after"])])
    for name, cell in one.get("by_crowd", {}).items():
        rows.append([f"accuracy where the FER+ {name} ({cell['faces']} faces)", _figure(cell["accuracy"])])
    return table(["figure", "value"], rows) + "\n\n" + LEANING


def _failures(one: Mapping[str, Any]) -> str:
    """Sentences from the confusion matrix and the surest mistakes."""
    lines = [
        f"- {found['share']:.0%} of the `{found['label']}` faces are named `{found['predicted']}`."
        for found in one["confusions"]
    ]
    if one["mistakes"]:
        lines.append(
            "- The surest wrong answers (many of them are wrong labels; no picture is shown, the data forbid it):"
        )
        rows = [
            [wrong["index"], wrong["label"], wrong["predicted"], f"{wrong['prob']:.2f}"] for wrong in one["mistakes"]
        ]
        lines.append("\n" + table(["face", "label", "named", "probability"], rows))
    return "\n".join(lines) or "No face was named wrongly."


def _spread_of_recalls(one: Mapping[str, Any]) -> str:
    enough = one["classes_of_enough_faces"] or [name for name, number in one["counts"].items() if number]
    known = {name: one["recall"][name]["value"] for name in enough}
    least, best = min(known, key=known.get), max(known, key=known.get)
    return (
        f"Recall goes from {known[least]:.3f} (`{least}`, {one['counts'][least]} faces) to {known[best]:.3f} "
        f"(`{best}`, {one['counts'][best]} faces)."
    )


def _cells(groups: Mapping[str, Mapping[str, Any]]) -> Iterable[tuple[str, str, Any]]:
    return ((name, part, cell) for name, parts in groups.items() for part, cell in parts.items())


def _detector_sections(one: Mapping[str, Any], card: Mapping[str, Any]) -> Iterable[str]:
    """The blocks of a face detector on one set of photos."""
    rows = [["photos", one["photos"]], ["faces", one["faces"]], ["AP at IoU 0.5", _figure(one["ap"])]]
    rows += [[f"AP of the source {source}", _figure(ap)] for source, ap in one["ap_by_source"].items()]
    rows.append(["wrong boxes a photo at score 0.5", _figure(one["false_alarms"])])
    yield f"## On {one['data']}\n\n" + table(["figure", "value"], rows)
    rows = [[side, cell["faces"], _figure(cell["found"])] for side, cell in one["found_by_side"].items()]
    words = "Share of the faces found at score 0.5, by their side in the photo:"
    yield f"### Known failures\n\n{words}\n\n" + table(["side", "faces", "found"], rows)


def _facts(card: Mapping[str, Any], measured: Mapping[str, Any]) -> str:
    rows = [["file", f"`{measured['weights']}`, SHA-256 `{measured['sha256'][:16]}...`, {measured['bytes']:,} bytes"]]
    rows += [[words, _plain(card[name])] for name, words in FACTS.items() if name in card]
    return table(["", ""], rows)


def _recipe(card: Mapping[str, Any]) -> str:
    lines = [_sentence(card[name], name) for name in HISTORY if name in card]
    rows = [[f"`{name}`", _plain(value)] for name, value in _flatten(card.get("recipe", {}))]
    return "\n\n".join([*lines, *([table(["field", "value"], rows)] if rows else [])])


def _compression(card: Mapping[str, Any]) -> str:
    """What pruning, teaching and quantisation did to the network, as their records in the card say."""
    lines = []
    if "pruning" in card:
        cut = card["pruning"]
        lines.append(
            f"Pruned from `{card.get('pruned_from', 'another network')}` by the criterion {cut['criterion']}, then "
            f"trained on by the recipe above: {cut['flops_share']:.1%} of the multiply-adds, "
            f"{cut['parameters']:,} parameters."
        )
    if "distill" in card:
        taught = card["distill"]
        lines.append(
            f"Taught by the answers of {' and '.join(f'`{name}`' for name in taught['teachers'])} at a temperature of "
            f"{taught['temperature']:g}, which have {taught['soft_weight']:.0%} of the loss."
        )
    if "quantization" in card:
        whole = card["quantization"]
        lines.append(
            f"Quantised from `{whole['weights']}` to int8 by the method `{whole['method']}`, calibrated on "
            f"{whole['calibration_pictures']} pictures of {whole['calibration']}: {whole['share']:.1%} of its bytes."
        )
    return "\n\n".join(lines)


def _origin(measured: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in measured["versions"].items())
    return f"`{measured['command']}` on {measured['date']}; {versions}."


def table(header: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; a bar inside a cell is escaped."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def _figure(cell: Mapping[str, float | None]) -> str:
    if cell["value"] is None:
        return "-"
    return f"{cell['value']:.3f} ({cell['low']:.3f} to {cell['high']:.3f})"


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_plain, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_plain(one)}" for name, one in value.items())
    return str(value)


def _sentence(value: Any, name: str = "") -> str:
    text = "Not said in the JSON card." if value is None else _plain(value)
    return f"**{name}:** {text}" if name else text


def _flatten(content: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in content.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
