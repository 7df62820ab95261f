"""Measures networks of both label sets and their combination on the sets that issue 20 names.

python photo_measure.py --ferplus distresnet_ferplus.onnx --fer2013 vgg8_fer2013.onnx   # two networks
python photo_measure.py --weights photos.safetensors                                    # one with two heads
"""

from __future__ import annotations

import argparse
import functools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from fer_paddle.data.expressions import load_faces
from fer_paddle.data.faces import LabelledFaces
from fer_paddle.data.ferplus import COLUMNS, count_votes, keep_majority
from fer_paddle.deployment.runtimes import Runner, load_runner
from fer_paddle.environment import find_data
from fer_paddle.images import faces_to_batch
from fer_paddle.labels import EXPRESSIONS, FERPLUS_EXPRESSIONS

from photo_labels import Combination, class_shares, load_training_faces, log_softmax

LEAST_FACES = 20  # a class with fewer has no recall worth telling
_BATCH = 64

# Gray crops -> logits of FER+ [N, 8] and of FER2013 [N, 7].
TwoAnswers = Callable[[Sequence[np.ndarray]], tuple[np.ndarray, np.ndarray]]


@functools.cache
def load_sets() -> tuple[LabelledFaces, LabelledFaces]:
    """Press photos and PublicTest."""
    return load_faces(find_data("lfw_expr_dev.npz")), load_faces(find_data("fer2013_publictest.npz"))


def score(log_probs: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    """Accuracy, mean recall over the classes with LEAST_FACES faces or more, recall of each, and calibration error."""
    answers = log_probs.argmax(1)
    right, sure = answers == labels, np.exp(log_probs.max(1))
    counts = np.bincount(labels, minlength=len(classes))
    recall = {name: float(right[labels == i].mean()) for i, name in enumerate(classes) if counts[i]}
    enough = [recall[name] for i, name in enumerate(classes) if counts[i] >= LEAST_FACES]
    bins = np.minimum((sure * 15).astype(int), 14)
    gaps = [abs(right[bins == i].sum() - sure[bins == i].sum()) for i in np.unique(bins)]
    found = {
        "accuracy": float(right.mean()),
        "mean_recall": float(np.mean(enough)),
        "ece": float(sum(gaps) / len(labels)),
    }
    found |= {"nll": float(-log_probs[np.arange(len(labels)), labels].mean()), "faces": len(labels), "recall": recall}
    return found


def measure(answers: TwoAnswers, combination: Combination) -> dict[str, dict[str, Any]]:
    """Gives the figures of each set: the combination's, and each head's own where its labels are."""
    press, public = load_sets()
    on_press, (ferplus, fer2013) = answers(press.images), answers(public.images)
    combined = combination(ferplus, fer2013)
    votes = public.votes[:, list(COLUMNS[: len(EXPRESSIONS)])]
    strict = votes.max(1) > 0.5  # of all ten votes, those for "unknown" and those of one person counted
    eight = keep_majority(count_votes(public.votes))[:, list(COLUMNS)]
    named = eight.any(1)
    crowd = log_softmax(ferplus)
    return {
        "lfw_expr_dev": score(combination(*on_press), press.labels, EXPRESSIONS),
        "publictest_strict": score(combined[strict], votes[strict].argmax(1), EXPRESSIONS),
        "publictest_fer2013": score(combined, public.labels, EXPRESSIONS),
        "publictest_fer2013, FER2013 head": score(log_softmax(fer2013), public.labels, EXPRESSIONS),
        "publictest_ferplus8, FER+ head": score(crowd[named], eight[named].argmax(1), FERPLUS_EXPRESSIONS),
    }


def pair_answers(ferplus: Runner, fer2013: Runner) -> TwoAnswers:
    """Answers of two networks, one of each label set."""
    return lambda crops: (run(ferplus, crops)[0], run(fer2013, crops)[0])


def run(runner: Runner, crops: Sequence[np.ndarray]) -> list[np.ndarray]:
    """All outputs of a network for gray crops of one size."""
    size = int(runner.metadata["input_size"])
    starts = range(0, len(crops), _BATCH)
    parts = [runner(faces_to_batch(list(crops[start : start + _BATCH]), size)) for start in starts]
    return [np.concatenate(output) for output in zip(*parts)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ferplus", type=Path, help="ONNX file of FER+'s eight classes")
    parser.add_argument("--fer2013", type=Path, help="ONNX file of FER2013's seven")
    parser.add_argument("--weights", type=Path, help="ONNX file with two heads, FER2013 first")
    for name, value in (("share", 0.5), ("a", 0.5), ("b", 0.0), ("temperature", 1.0)):
        parser.add_argument(f"--{name}", type=float, default=value)
    parser.add_argument("--json", type=Path, help="where the figures go")
    told = parser.parse_args()
    combination = Combination(*class_shares(*load_training_faces()), told.share, told.a, told.b, told.temperature)
    if told.weights is None:
        answers = pair_answers(load_runner(told.ferplus, threads=1), load_runner(told.fer2013, threads=1))
    else:
        runner = load_runner(told.weights, threads=1)
        answers = lambda crops: tuple(run(runner, crops)[::-1])  # noqa: E731
    found = measure(answers, combination)
    for name, figures in found.items():
        row = ", ".join(f"{kind} {value:.4f}" for kind, value in figures.items() if isinstance(value, float))
        print(f"{name} ({figures['faces']} faces): {row}")
        print("   ", ", ".join(f"{name} {value:.3f}" for name, value in figures["recall"].items()))
    if told.json:
        told.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
