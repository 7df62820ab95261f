"""The whole report on a set of pictures: figures for machines, and findings, each a list of pictures to look at."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from fer_paddle.labels import EXPRESSIONS
from fer_paddle.quality import copies, faceless, measures, suspects, votes
from fer_paddle.quality.samples import UNLABELLED, Samples

BATCH = 64
_QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)

Classify = Callable[[Sequence[np.ndarray]], np.ndarray]
Progress = Callable[[Iterable[Any]], Iterable[Any]]


@dataclasses.dataclass(frozen=True)
class Finding:
    """Pictures with one fault.

    Attributes:
        title: What is wrong with them.
        advice: How it was found, and what to do.
        groups: Places among the samples; those of one group belong together. The worst come first.
        notes: One line for each group.
    """

    title: str
    advice: str
    groups: list[list[int]]
    notes: list[str]

    def pictures(self) -> int:
        """How many pictures are concerned."""
        return sum(map(len, self.groups))


@dataclasses.dataclass(frozen=True)
class Report:
    """What `build_report` found: JSON values by section, findings by name, and the measures of each picture."""

    figures: dict[str, Any]
    findings: dict[str, Finding]
    measured: dict[str, np.ndarray]

    def to_json(self, samples: Samples) -> dict[str, Any]:
        """Figures, findings with the names of their pictures, and the unreadable files."""
        found = {
            name: {
                "title": finding.title,
                "pictures": finding.pictures(),
                "groups": [
                    {"names": [samples.names[index] for index in group], "note": note}
                    for group, note in zip(finding.groups, finding.notes)
                ],
            }
            for name, finding in self.findings.items()
        }
        unreadable = [{"name": name, "reason": reason} for name, reason in samples.unreadable]
        return {**self.figures, "findings": found, "unreadable": unreadable}


def build_report(
    samples: Samples,
    classify: Classify | None = None,
    find_face: faceless.FindFace | None = None,
    progress: Progress = iter,
    seed: int = 0,
) -> Report:
    """Judges a set of pictures.

    Args:
        samples: The pictures, one or more.
        classify: Face crops -> probabilities [N, C] of any expression network; its answers are the features by
            which likely wrong labels are found. None leaves these out.
        find_face: See `faceless.face_scores`; None looks for pictures of one gray level and votes of "no face" alone.
        progress: Wraps the longer loops for a progress bar.
        seed: Seed of the folds in `suspects`.
    """
    exact = copies.exact_groups(samples.images)
    near = copies.near_groups(samples.images, exact)
    measured = measures.measure_images(samples.images)
    figures: dict[str, Any] = {
        "pictures": len(samples),
        "unreadable_files": len(samples.unreadable),
        "classes": _count_classes(samples),
        "sizes": _count_sizes(samples.shapes),
        "measures": {name: _summarise(values) for name, values in measured.items()},
        "copies": {"exact": _count_copies(exact, samples), "near": _count_copies(near, samples)},
    }
    findings = {**_copy_findings(exact, near, samples), **_measure_findings(measured)}
    is_expressions = samples.classes == EXPRESSIONS
    labelled = samples.labels != UNLABELLED
    if samples.votes is not None and is_expressions and labelled.all():
        figures["ferplus"] = votes.compare_votes(samples.labels, samples.votes)
        findings["contradicted"] = _contradicted(samples)
    scores = None if find_face is None else faceless.face_scores(samples.images, find_face, progress)
    findings["constant"], findings["faceless"] = _faceless(samples, scores)
    figures["no_face"] = _count_faceless(samples, findings)
    if classify is not None and labelled.any():
        figures["wrong_labels"], findings["suspects"] = _suspects(samples, classify, exact, progress, seed)
    return Report(figures, findings, measured)


def _count_classes(samples: Samples) -> dict[str, Any]:
    """Pictures by split and class, and the largest class over the smallest that has any."""
    by_split = {}
    for split in np.unique(samples.splits):
        labels = samples.labels[samples.splits == split]
        counts = np.bincount(labels[labels >= 0], minlength=len(samples.classes)).tolist()
        by_split[str(split)] = {**dict(zip(samples.classes, counts)), "no class": int((labels < 0).sum())}
    counts = np.bincount(samples.labels[samples.labels >= 0], minlength=len(samples.classes))
    present = counts[counts > 0]
    return {
        "names": list(samples.classes),
        "by_split": by_split,
        "imbalance": float(present.max() / present.min()) if len(present) else None,
        "missing": [name for name, count in zip(samples.classes, counts) if count == 0],
    }


def _count_sizes(shapes: np.ndarray) -> dict[str, Any]:
    """Sides in pixels, and the sizes that occur most."""
    kinds, counts = np.unique(shapes, axis=0, return_counts=True)
    most = np.argsort(-counts, kind="stable")[:10]
    return {
        "shorter_side": _summarise(shapes.min(axis=1)),
        "longer_side": _summarise(shapes.max(axis=1)),
        "different": len(kinds),
        "most": [{"width": int(kinds[i][1]), "height": int(kinds[i][0]), "pictures": int(counts[i])} for i in most],
    }


def _summarise(values: np.ndarray) -> dict[str, Any]:
    quantiles = dict(zip(map(str, _QUANTILES), np.quantile(values, _QUANTILES).round(5).tolist()))
    return {"least": float(values.min()), "mean": float(values.mean()), "most": float(values.max()), **quantiles}


def _count_copies(groups: copies.Groups, samples: Samples) -> dict[str, Any]:
    """Figures of one kind of copies; near groups hold the exact ones too."""
    return {
        "groups": len(groups),
        "superfluous": sum(len(group) - 1 for group in groups),
        "superfluous_in_split": copies.count_within_splits(groups, samples.splits),
        "across_splits": copies.count_across_splits(groups, samples.splits),
        "groups_of_two_labels": len(copies.disagreeing(groups, samples.labels)),
    }


def _copy_findings(exact: copies.Groups, near: copies.Groups, samples: Samples) -> dict[str, Finding]:
    kept = "keep the test split, and leave the picture out of training"
    groups = {
        "exact_across": (copies.across_splits(exact, samples.splits), "Exact copies in two splits", kept),
        "near_across": (
            copies.across_splits(near, samples.splits),
            "Copies of one photo in two splits, exact and near",
            f"perceptual hash and correlation; {kept}",
        ),
        "exact_disagreeing": (
            copies.disagreeing(exact, samples.labels),
            "Exact copies with different labels",
            "at most one label can be right: decide, or leave all out",
        ),
        "near_disagreeing": (
            copies.disagreeing(near, samples.labels),
            "Copies of one photo with different labels, exact and near",
            "decide by eye: a face may change between two shots of a series",
        ),
        "near": (sorted(near, key=len, reverse=True), "Copies of one photo, exact and near", "keep one of each group"),
    }
    return {
        name: Finding(
            title, advice, [group.tolist() for group in found], [_labels_of(group, samples) for group in found]
        )
        for name, (found, title, advice) in groups.items()
    }


def _labels_of(group: np.ndarray, samples: Samples) -> str:
    return ", ".join(_say(samples, index) for index in group[:6]) + (f" and {len(group) - 6} more" * (len(group) > 6))


def _say(samples: Samples, index: int) -> str:
    """Label and split of a picture in words."""
    label, split = samples.labels[index], samples.splits[index]
    name = "no class" if label == UNLABELLED else samples.classes[label]
    return f"{name} ({split})" if split else name


def _measure_findings(measured: dict[str, np.ndarray]) -> dict[str, Finding]:
    told = {
        "dark": ("Dark pictures", f"mean brightness below {measures.DARK}", "brightness"),
        "bright": ("Bright pictures", f"mean brightness above {measures.BRIGHT}", "brightness"),
        "flat": ("Pictures with hardly any contrast", f"contrast below {measures.FLAT}", "contrast"),
        "blurred": ("Blurred pictures", f"sharpness below {measures.BLURRED}", "sharpness"),
    }
    found = measures.find_extremes(measured)
    return {
        name: Finding(
            title,
            f"{advice}; keep them if such pictures come in use, too",
            [[int(index)] for index in found[name]],
            [f"{column} {measured[column][index]:.3f}" for index in found[name]],
        )
        for name, (title, advice, column) in told.items()
    }


def _contradicted(samples: Samples) -> Finding:
    found = votes.find_contradicted(samples.labels, samples.votes)
    majority = votes.majority_labels(samples.votes)
    notes = [f"{_say(samples, index)}, the crowd: {EXPRESSIONS[majority[index]]}" for index in found]
    advice = "no voter of FER+ chose the label, and more than half chose another expression: train on the votes instead"
    return Finding("Labels that the crowd contradicts", advice, [[int(index)] for index in found], notes)


def _faceless(samples: Samples, scores: np.ndarray | None) -> tuple[Finding, Finding]:
    """Gives the finding of pictures of one gray level, and that of other pictures without a face."""
    constant = faceless.find_constant(samples.images)
    found: dict[int, str] = {}
    if samples.votes is not None:
        no_face = np.flatnonzero(2 * samples.votes[:, votes.NO_FACE] > samples.votes.sum(axis=1))
        found = {int(i): f"{samples.votes[i, votes.NO_FACE]} of {samples.votes[i].sum()} voters" for i in no_face}
    if scores is not None:
        for index in faceless.find_faceless(scores):
            found.setdefault(int(index), f"detector's score {scores[index]:.3f}")
    for index in constant:
        found.pop(int(index), None)
    levels = [f"{_say(samples, index)}, gray level {samples.images[index].flat[0]}" for index in constant]
    advice = (
        "by the votes of FER+ where there are any, and by a face detector, which overlooks small and odd faces: look"
    )
    return (
        Finding("Pictures of one gray level", "leave them out", [[int(index)] for index in constant], levels),
        Finding("Pictures that may be no face", advice, [[index] for index in found], list(found.values())),
    )


def _count_faceless(samples: Samples, findings: dict[str, Finding]) -> dict[str, int | None]:
    crowd = None
    if samples.votes is not None:
        crowd = int((2 * samples.votes[:, votes.NO_FACE] > samples.votes.sum(axis=1)).sum())
    by_detector = sum(note.startswith("detector") for note in findings["faceless"].notes)
    return {"constant": len(findings["constant"].groups), "by_the_crowd": crowd, "by_the_detector": by_detector}


def _suspects(
    samples: Samples, classify: Classify, exact: copies.Groups, progress: Progress, seed: int
) -> tuple[dict[str, Any], Finding]:
    """Figures and finding of likely wrong labels; where FER+ votes are known, they say how good the list is."""
    starts = range(0, len(samples), BATCH)
    probs = np.concatenate([classify(list(samples.images[start : start + BATCH])) for start in progress(starts)])
    copy_of = np.arange(len(samples))
    for group in exact:
        copy_of[group] = group[0]
    found = suspects.find_suspects(suspects.log_features(probs), samples.labels, copy_of, seed)
    advice = (
        "confident learning over a logistic regression in five folds on the log probabilities of the classifier; "
        "the list is a place to look first, not a verdict: change a label only after a look"
    )
    title = "Labels that are likely wrong"
    if found is None:
        reason = f"expected two classes of {suspects.FOLDS} pictures or more to judge labels by"
        return {"judged": 0, "reason": reason}, Finding(title, f"not looked for: {reason}", [], [])
    figures = {"judged": found.judged, "suspected": len(found.indices), "accuracy_of_the_judge": found.accuracy}
    if samples.votes is not None and samples.classes == EXPRESSIONS:
        figures |= _check_by_crowd(samples, found)
    notes = [
        f"{_say(samples, index)}, rather {samples.classes[suggested]} ({confidence:.0%} for its label)"
        for index, suggested, confidence in zip(found.indices, found.suggested, found.self_confidence)
    ]
    return figures, Finding(title, advice, [[int(index)] for index in found.indices], notes)


def _check_by_crowd(samples: Samples, found: suspects.Suspects) -> dict[str, Any]:
    """How often the FER+ majority contradicts the label: of all pictures, of the suspects, of the first 500."""
    contradicts = votes.majority_labels(samples.votes) != samples.labels
    return {
        "crowd_contradicts_all": float(contradicts.mean()),
        "crowd_contradicts_suspects": float(contradicts[found.indices].mean()) if len(found.indices) else None,
        "crowd_contradicts_first_500": float(contradicts[found.indices[:500]].mean()) if len(found.indices) else None,
    }
