"""Asks an ensemble for both label sets' probabilities of the training faces and of the group photos' faces.

    python photo_teacher.py data/photos/groups.npz data/photos/targets.npz \\
        --ferplus distresnet_ferplus.onnx --fer2013 vgg8_fer2013.onnx vgg8_fer2013_seed2.onnx --both photos.onnx

Each network sees each face twice, as it is and as its mirror image, of the group photos once a little tighter.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from fer_paddle.deployment.runtimes import Runner, load_runner
from fer_paddle.images import faces_to_batch

from photo_faces import INNER
from photo_labels import load_training_faces, log_softmax

TIGHTER = 0.9
_BATCH = 64


def ask(runner: Runner, images: np.ndarray, inner: float) -> list[np.ndarray]:
    """Mean probabilities of each output over the two views; `inner` is the share of the side that is shown."""
    size = int(runner.metadata["input_size"])
    tighter = inner * TIGHTER if inner < 1 else 1.0
    sums: list[np.ndarray] = []
    for images_seen in (cut_middle(images, inner), cut_middle(images, tighter)[:, :, ::-1]):
        starts = range(0, len(images), _BATCH)
        parts = [runner(faces_to_batch(list(images_seen[start : start + _BATCH]), size)) for start in starts]
        probs = [np.exp(log_softmax(np.concatenate(output))) for output in zip(*parts)]
        sums = [old + new for old, new in zip(sums, probs)] if sums else probs
    return [total / 2 for total in sums]


def cut_middle(images: np.ndarray, share: float) -> np.ndarray:
    """The middle of square pictures [N, S, S], `share` of their side."""
    side = images.shape[1]
    start = round(side * (1 - share) / 2)
    return images[:, start : side - start, start : side - start]


def ask_all(
    ferplus: Sequence[Runner], fer2013: Sequence[Runner], both: Sequence[Runner], images: np.ndarray, inner: float
) -> tuple[np.ndarray, np.ndarray]:
    """Mean probabilities of the ensembles, FER+ float16 [N, 8] and FER2013 float16 [N, 7]."""
    crowd = [ask(runner, images, inner)[0] for runner in ferplus]
    label = [ask(runner, images, inner)[0] for runner in fer2013]
    for runner in both:
        answers = ask(runner, images, inner)
        label.append(answers[0])
        crowd.append(answers[1])
    return np.mean(crowd, 0).astype(np.float16), np.mean(label, 0).astype(np.float16)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("groups", type=Path)
    parser.add_argument("out", type=Path)
    for name in ("ferplus", "fer2013", "both"):
        parser.add_argument(f"--{name}", type=Path, nargs="*", default=[])
    told = parser.parse_args()
    teachers = [
        [load_runner(path, "openvino", 1, "bf16") for path in getattr(told, kind)]
        for kind in ("ferplus", "fer2013", "both")
    ]
    found = {}
    with np.load(told.groups) as groups:
        found["groups_ferplus"], found["groups_fer2013"] = ask_all(*teachers, groups["images"], INNER)
    found["train_ferplus"], found["train_fer2013"] = ask_all(*teachers, load_training_faces()[0].images, 1.0)
    np.savez(told.out, **found)
    for name, probs in found.items():
        print(name, probs.shape, "answers:", np.bincount(probs.argmax(1), minlength=probs.shape[1]).tolist())


if __name__ == "__main__":
    main()
