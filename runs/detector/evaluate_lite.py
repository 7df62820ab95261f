"""Measures detectors on the held-out photos, on pictures without people, and their time.

    python evaluate_lite.py lite_face.onnx --sizes 320 416 512 640 --out measured.json
    python evaluate_lite.py --tiny --sizes 544              # the shipped tiny YOLOv3, for comparison
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from lite_detector import LiteDetector
from negatives import draw_negatives
from photo_sets import cut_tiles, read_photos

from yolo3tiny.detector import Detections, Detector
from yolo3tiny.metrics import average_precision
from yolo3tiny.photos import Photo

FACEDET = ("mask853", "afw", "helen_train", "udacity")
MIN_SCORE = 0.01  # low enough that the curve's tail is there
Detect = Callable[..., Detections]


def held_out_sets(data: Path, shared: Path) -> dict[str, list[Photo]]:
    """The held-out photos by set; crowds as tiles at their own scale."""
    _, valid = read_photos(data, shared)
    sets = {"facedet_val": [photo for photo in valid if photo.source in FACEDET]}
    for name in ("mask853", "pseudo", "masks", "groups"):
        sets[name] = [photo for photo in valid if photo.source == name]
    crowds = [tile for photo in valid if photo.source == "crowds" for tile in cut_tiles(photo)]
    sets["crowd_tiles"] = [tile for tile in crowds if len(tile.ignore)]
    return sets


def measure(detect: Detect, sets: dict[str, list[Photo]], negatives: Sequence[np.ndarray], score: float) -> dict[str, float]:
    """AP at IoU 0.5, recall and precision at the default score for each set, and false faces on the negatives."""
    figures = {}
    for name, photos in sets.items():
        found = [detect(photo.read(), min_score=MIN_SCORE) for photo in photos]
        rows = [(faces.boxes_xyxy, faces.scores) for faces in found]
        curve = average_precision(rows, [(photo.boxes_xyxy, photo.ignore) for photo in photos])
        accepted = int((curve.scores >= score).sum()) - 1
        figures[f"ap_{name}"] = round(curve.ap, 4)
        figures[f"recall_{name}"] = round(float(curve.recall[accepted]) if accepted >= 0 else 0.0, 4)
        figures[f"precision_{name}"] = round(float(curve.precision[accepted]) if accepted >= 0 else 1.0, 4)
    false = np.sort(np.concatenate([[], *(detect(image, min_score=0.2).scores for image in negatives)]))[::-1]
    figures |= {"false_faces": int((false >= score).sum()), "pictures_without_people": len(negatives)}
    return figures | {"sixth_false_score": round(float(false[5]), 3) if len(false) > 5 else 0.2}


def milliseconds(detect: Detect, runs: int = 50) -> dict[str, float]:
    """Time of a noise picture of 640x480, everything included: median and least."""
    image = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        detect(image)
        times.append((time.perf_counter() - start) * 1e3)
    return {"ms_median": round(float(np.median(times)), 2), "ms_least": round(min(times), 2)}


def main() -> None:
    """Read the command line, measure, print one line of JSON for each size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("onnx", type=Path, nargs="?")
    parser.add_argument("--tiny", action="store_true", help="the shipped tiny YOLOv3 instead")
    parser.add_argument("--sizes", type=int, nargs="+", default=[320, 416, 512, 640])
    parser.add_argument("--score", type=float, default=0.5)
    parser.add_argument("--sets", nargs="*", help="only these sets")
    parser.add_argument("--negatives", type=int, default=500, help="pictures without people")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    sets = held_out_sets(options.data, options.shared)
    sets = {name: photos for name, photos in sets.items() if not options.sets or name in options.sets}
    negatives = [image for _, image in draw_negatives(options.negatives, "val")]
    rows = []
    for size in options.sizes:
        detect: Detect
        if options.tiny:
            detect = Detector(longest=size, threads=options.threads)
        else:
            detect = LiteDetector(options.onnx, size, options.threads)
        times = milliseconds(detect) | {"threads": options.threads}
        rows.append({"longest": size, **measure(detect, sets, negatives, options.score), **times})
        print(json.dumps(rows[-1]), flush=True)
    if options.out:
        options.out.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
