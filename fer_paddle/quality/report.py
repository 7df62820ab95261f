"""Report on a set of images: figures for machines, and findings, each a list of images to look at."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle import duplicates
from fer_paddle.expression.data.faces import UNLABELLED, LabelledFaces
from fer_paddle.expression.data.fer2013 import FERPLUS_CLASSES
from fer_paddle.expression.data.ferplus import COLUMNS, count_votes, majority_labels
from fer_paddle.images import predict
from fer_paddle.labels import EXPRESSIONS
from fer_paddle.quality import measures, suspects

# Name of a finding -> its title, and how it was found and what to do.
_WORDS: dict[str, list[str]] = json.loads(Path(__file__).with_name("findings.json").read_text(encoding="utf-8"))
_NO_FACE = FERPLUS_CLASSES.index("NF")
_QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)

Classify = Callable[[Sequence[np.ndarray]], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Finding:
    """Images with one fault."""

    title: str  # what is wrong with them
    advice: str  # how it was found, and what to do
    groups: list[list[int]]  # indices of the images; those of one group belong together. The worst come first
    notes: list[str]  # one line for each group

    @property
    def num_images(self) -> int:
        """Images with the fault."""
        return sum(map(len, self.groups))


@dataclasses.dataclass(frozen=True)
class Report:
    """The result of `build_report`: JSON values by section, findings by name, and the measures of each image."""

    figures: dict[str, Any]
    findings: dict[str, Finding]
    measured: dict[str, np.ndarray]

    def to_json(self, faces: LabelledFaces) -> dict[str, Any]:
        """Return figures, findings with the names of their images, and the unreadable files."""
        found = {
            name: {
                "title": finding.title,
                "images": finding.num_images,
                "groups": [
                    {"names": [name_of(faces, index) for index in group], "note": note}
                    for group, note in zip(finding.groups, finding.notes)
                ],
            }
            for name, finding in self.findings.items()
        }
        unreadable = [{"name": name, "reason": reason} for name, reason in faces.skipped]
        return {**self.figures, "findings": found, "unreadable": unreadable}


def build_report(
    faces: LabelledFaces, classify: Classify | None = None, find_face: measures.FindFace | None = None, seed: int = 0
) -> Report:
    """Judge a set of images.

    Args:
        faces: The images, one or more; of `expressions.load_sources` nothing is left out.
        classify: Face crops -> probabilities [N, C] of any expression network; its answers are the features by
            which likely wrong labels are found. None leaves these out.
        find_face: See `measures.face_scores`; None looks for images of one gray level and votes of "no face" alone.
    """
    splits = np.array([""] * len(faces)) if faces.split is None else faces.split
    ballots = None if faces.votes is None else count_votes(faces.votes)
    images = list(faces.images)
    exact = duplicates.exact_groups(images)
    near = duplicates.near_groups(images, exact)
    measured = measures.measure_images(images)
    shapes = faces.shapes if faces.shapes is not None else np.array([image.shape for image in images])
    figures: dict[str, Any] = {
        "images": len(faces),
        "unreadable_files": len(faces.skipped),
        "classes": _count_classes(faces, splits),
        "sizes": _count_sizes(shapes),
        "measures": {name: _summarize(values) for name, values in measured.items()},
        "copies": {
            "exact": _count_copies(exact, splits, duplicates.disagreeing(exact, faces.labels)),
            "near": _count_copies(near, splits, duplicates.disagreeing(near, faces.labels, images)),
        },
    }
    findings = {**dict(_copy_findings(exact, near, faces, splits)), **dict(_measure_findings(measured))}
    is_labelled = faces.labels != UNLABELLED
    if ballots is not None and faces.classes == EXPRESSIONS and is_labelled.all():
        figures["ferplus"] = compare_votes(faces.labels, ballots)
        findings["contradicted"] = _contradicted(faces, ballots)
    scores = None if find_face is None else measures.face_scores(images, find_face)
    findings["constant"], findings["faceless"] = _faceless(faces, ballots, scores)
    figures["no_face"] = {
        "constant": len(findings["constant"].groups),
        "by_the_crowd": None if ballots is None else int(has_no_face(ballots).sum()),
        "by_the_detector": sum(note.startswith("detector") for note in findings["faceless"].notes),
    }
    if classify is not None and is_labelled.any():
        figures["wrong_labels"], findings["suspects"] = _suspects(faces, ballots, classify, exact, seed)
    return Report(figures, findings, measured)


def name_of(faces: LabelledFaces, index: int) -> str:
    """Return what a person finds an image by."""
    return f"image {index}" if faces.names is None else faces.names[index]


def _count_classes(faces: LabelledFaces, splits: np.ndarray) -> dict[str, Any]:
    """Count images by split and class, and compare the largest class with the smallest that has any."""
    by_split = {}
    for split in np.unique(splits):
        part = faces.select(splits == split)
        by_split[str(split)] = {**part.counts(), "no class": int((part.labels == UNLABELLED).sum())}
    counts = faces.counts()
    present = [count for count in counts.values() if count]
    return {
        "names": list(faces.classes),
        "by_split": by_split,
        "imbalance": max(present) / min(present) if present else None,
        "missing": [name for name, count in counts.items() if not count],
    }


def _count_sizes(shapes: np.ndarray) -> dict[str, Any]:
    """Summarize the sides in pixels, and list the sizes that occur most."""
    kinds, counts = np.unique(shapes, axis=0, return_counts=True)
    most = np.argsort(-counts, kind="stable")[:10]
    return {
        "shorter_side": _summarize(shapes.min(axis=1)),
        "longer_side": _summarize(shapes.max(axis=1)),
        "different": len(kinds),
        "most": [{"width": int(kinds[i][1]), "height": int(kinds[i][0]), "images": int(counts[i])} for i in most],
    }


def _summarize(values: np.ndarray) -> dict[str, Any]:
    quantiles = dict(zip(map(str, _QUANTILES), np.quantile(values, _QUANTILES).round(5).tolist()))
    return {"least": float(values.min()), "mean": float(values.mean()), "most": float(values.max()), **quantiles}


def _count_copies(groups: duplicates.Groups, splits: np.ndarray, disagreeing: duplicates.Groups) -> dict[str, Any]:
    """Count one kind of copies; near groups hold the exact ones too."""
    return {
        "groups": len(groups),
        "superfluous": sum(len(group) - 1 for group in groups),
        "superfluous_in_split": duplicates.count_within_splits(groups, splits),
        "across_splits": duplicates.count_across_splits(groups, splits),
        "groups_of_two_labels": len(disagreeing),
    }


def _copy_findings(
    exact: duplicates.Groups, near: duplicates.Groups, faces: LabelledFaces, splits: np.ndarray
) -> Iterator[tuple[str, Finding]]:
    rows = {
        "exact_across": duplicates.across_splits(exact, splits),
        "near_across": duplicates.across_splits(near, splits),
        "exact_disagreeing": duplicates.disagreeing(exact, faces.labels),
        "near_disagreeing": duplicates.disagreeing(near, faces.labels, list(faces.images)),
        "near": sorted(near, key=len, reverse=True),
    }
    for name, found in rows.items():
        more = [f" and {len(group) - 6} more" if len(group) > 6 else "" for group in found]
        notes = [", ".join(_say(faces, index) for index in group[:6]) + rest for group, rest in zip(found, more)]
        yield name, _make(name, [group.tolist() for group in found], notes)


def _say(faces: LabelledFaces, index: int) -> str:
    """Return label and split of an image in words."""
    label = faces.labels[index]
    name = "no class" if label == UNLABELLED else faces.classes[label]
    return name if faces.split is None or not faces.split[index] else f"{name} ({faces.split[index]})"


def _make(name: str, groups: list[list[int]], notes: list[str]) -> Finding:
    title, advice = _WORDS[name]
    return Finding(title, advice.format(**vars(measures)), groups, notes)


def _singles(name: str, indices: Iterable[int], notes: Iterable[str]) -> Finding:
    """Return a finding of images that do not belong together."""
    return _make(name, [[int(index)] for index in indices], list(notes))


def _measure_findings(measured: dict[str, np.ndarray]) -> Iterator[tuple[str, Finding]]:
    columns = {"dark": "brightness", "bright": "brightness", "flat": "contrast", "blurred": "sharpness"}
    for name, indices in measures.find_extremes(measured).items():
        column = columns[name]
        yield name, _singles(name, indices, [f"{column} {measured[column][index]:.3f}" for index in indices])


def has_no_face(votes: np.ndarray) -> np.ndarray:
    """Return for which images more than half of the voters saw no face, bool [N]."""
    return 2 * votes[:, _NO_FACE] > votes.sum(axis=1)


def compare_votes(labels: np.ndarray, votes: np.ndarray) -> dict[str, Any]:
    """Compare labels int [N] of EXPRESSIONS with FER+ votes int [N, 10]; return JSON values."""
    agree = majority_labels(votes) == labels
    table = np.zeros((len(EXPRESSIONS), len(FERPLUS_CLASSES)), np.int64)
    np.add.at(table, (labels, votes.argmax(axis=1)), 1)
    by_class = {
        name: float(agree[labels == index].mean()) if (labels == index).any() else None
        for index, name in enumerate(EXPRESSIONS)
    }
    return {
        "agreement": float(agree.mean()),
        "agreement_by_class": by_class,
        "sure": float((10 * votes.max(axis=1) >= 8 * votes.sum(axis=1)).mean()),
        "columns": list(FERPLUS_CLASSES),
        "most_votes": table.tolist(),
    }


def find_contradicted(labels: np.ndarray, votes: np.ndarray) -> np.ndarray:
    """List the images whose label nobody chose though most agreed on another expression, the surest first; int64."""
    unchosen = votes[np.arange(len(votes)), np.array(COLUMNS)[labels]] == 0
    is_majority = (majority_labels(votes) != UNLABELLED) & (2 * votes.max(axis=1) > votes.sum(axis=1))
    found = np.flatnonzero(unchosen & is_majority)
    return found[np.argsort(-votes.max(axis=1)[found], kind="stable")]


def _contradicted(faces: LabelledFaces, ballots: np.ndarray) -> Finding:
    found, majority = find_contradicted(faces.labels, ballots), majority_labels(ballots)
    notes = [f"{_say(faces, index)}, the crowd: {EXPRESSIONS[majority[index]]}" for index in found]
    return _singles("contradicted", found, notes)


def _faceless(faces: LabelledFaces, ballots: np.ndarray | None, scores: np.ndarray | None) -> tuple[Finding, Finding]:
    """Return the finding of images of one gray level, and that of other images without a face."""
    constant = measures.find_constant(list(faces.images))
    found: dict[int, str] = {}
    if ballots is not None:
        for index in np.flatnonzero(has_no_face(ballots)):
            found[int(index)] = f"{ballots[index, _NO_FACE]} of {ballots[index].sum()} voters"
    if scores is not None:
        for index in measures.find_faceless(scores):
            found.setdefault(int(index), f"detector's score {scores[index]:.3f}")
    for index in constant:
        found.pop(int(index), None)
    levels = [f"{_say(faces, index)}, gray level {faces.images[index].flat[0]}" for index in constant]
    return _singles("constant", constant, levels), _singles("faceless", found, found.values())


def _suspects(
    faces: LabelledFaces, ballots: np.ndarray | None, classify: Classify, exact: duplicates.Groups, seed: int
) -> tuple[dict[str, Any], Finding]:
    """Return figures and finding of likely wrong labels; FER+ votes, where they are known, say how good the list is."""
    probs = predict(classify, faces.images)
    copy_of = np.arange(len(faces))
    for group in exact:
        copy_of[group] = group[0]
    features = np.log(np.maximum(np.asarray(probs, np.float64), 1e-6))  # in which classes lie apart by planes
    found = suspects.find_suspects(features, faces.labels, copy_of, seed)
    if found is None:
        reason = f"expected two classes of {suspects.FOLDS} images or more to judge labels by"
        return {"judged": 0, "reason": reason}, Finding(_WORDS["suspects"][0], f"not looked for: {reason}", [], [])
    figures: dict[str, Any] = {"judged": found.judged}
    figures |= {"suspected": len(found.indices), "accuracy_of_the_judge": found.accuracy}
    if ballots is not None and faces.classes == EXPRESSIONS:
        contradicts = majority_labels(ballots) != faces.labels
        suspected = contradicts[found.indices]
        for name, part in (("all", contradicts), ("suspects", suspected), ("first_500", suspected[:500])):
            figures[f"crowd_contradicts_{name}"] = float(part.mean()) if len(part) else None
    notes = [
        f"{_say(faces, index)}, rather {faces.classes[suggested]} ({confidence:.0%} for its label)"
        for index, suggested, confidence in zip(found.indices, found.suggested, found.self_confidence)
    ]
    return figures, _singles("suspects", found.indices, notes)
