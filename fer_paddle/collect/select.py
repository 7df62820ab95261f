"""Keep the images with faces, and cut faces or mouths out of them."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle.collect.names import check_outside, safe_name, save_recorded
from fer_paddle.files import file_digest, hold, read_json_lines
from fer_paddle.images import crop_square, read_image, write_image
from fer_paddle.messages import reason_of, track
from fer_paddle.study import check_rule
from fer_paddle.video import sharpness
from yolo3tiny.predict import Detections, Detector

SELECTED = "selected.jsonl"
FACE_MARGIN = 0.05  # as the pipeline cuts them later: fer_paddle.pipeline.MARGIN
SHARPNESS_SIDE = 64  # at which faces are compared; most small ones have no more
# Where the lips lie in a box of the shipped detector, and how wide they are, as shares of the box: medians over the 131
# of 150 faces of landmarks68_160 (validation part) that it found. Half of all mouths lie within 0.05 of it.
MOUTH_CENTER = (0.50, 0.83)
MOUTH_WIDTH = 0.41
MOUTH_MARGIN = 0.45  # on each side, as a share of the mouth's width: as the crops of mouth_smile

# (image, face box) -> 68 points [68, 2] in pixels of the image, in iBUG's order; None where they are not found
Landmarks = Callable[[np.ndarray, np.ndarray], "np.ndarray | None"]


@dataclass(frozen=True)
class FaceRule:
    """Which images are kept; smaller, blurred and doubtful faces do not count."""

    min_faces: int = 1  # least faces of an image
    max_faces: int | None = None  # most faces; None for any number
    min_score: float = 0.5  # least score of a face, 0 to 1
    min_px: float = 40.0  # least shorter side of a face in pixels
    min_sharpness: float = 0.0  # least sharpness of a face, brought to 64 pixels; see video.sharpness

    def __post_init__(self) -> None:
        if self.min_faces < 1 or (self.max_faces is not None and self.max_faces < self.min_faces):
            raise ValueError(f"expected 1 <= min_faces <= max_faces, got {self.min_faces} and {self.max_faces}")


@dataclass
class SelectReport:
    """What became of the images."""

    kept: dict[str, int] = field(default_factory=dict)  # paths of the images with faces, and how many each has
    refused: dict[str, str] = field(default_factory=dict)  # paths of the others, and why
    failed: dict[str, str] = field(default_factory=dict)  # paths of those that cannot be read, and why
    files: list[str] = field(default_factory=list)  # names of the files written
    done_before: int = 0  # images that an earlier run had done for the same kind


def find_faces(image: np.ndarray, rule: FaceRule, detector: Callable[..., Detections]) -> tuple[list[Any], str | None]:
    """Find the faces of an image that count: image uint8 [H, W, 3] -> float32 [4]."""
    found = detector(image, min_score=rule.min_score)
    faces = []
    for box, score in zip(found.boxes_xyxy, found.scores):
        px = float((box[2:] - box[:2]).min())
        sharp = sharpness(crop_square(image, box), SHARPNESS_SIDE)
        if px >= rule.min_px and sharp >= rule.min_sharpness:
            faces.append((box, {"score": round(float(score), 4), "px": round(px, 1), "sharpness": round(sharp, 1)}))
    if len(faces) < rule.min_faces:
        left_out = f" and {len(found) - len(faces)} too small or blurred" if len(found) > len(faces) else ""
        return faces, reason_of(f"{len(faces)} faces{left_out}, expected at least {rule.min_faces}")
    if rule.max_faces is not None and len(faces) > rule.max_faces:
        return faces, reason_of(f"{len(faces)} faces, expected at most {rule.max_faces}")
    return faces, None


def mouth_box(box_xyxy: np.ndarray, points: np.ndarray | None = None) -> np.ndarray:
    """Return the square around a mouth, float32 [4], by the face's box and, where known, its points [68, 2]."""
    box = np.asarray(box_xyxy, np.float64)
    if points is None:
        size = box[2:] - box[:2]
        center, width = box[:2] + size * MOUTH_CENTER, size[0] * MOUTH_WIDTH
    else:
        points = np.asarray(points, np.float64)
        low, high = points[48:].min(axis=0), points[48:].max(axis=0)  # the lips
        center, width = (low + high) / 2, (high - low).max()
    half = width * (0.5 + MOUTH_MARGIN)
    return np.concatenate([center - half, center + half]).astype(np.float32)


def select_faces(
    paths: Sequence[Path],
    folder: Path,
    rule: FaceRule = FaceRule(),
    kind: str = "faces",
    detector: Callable[..., Detections] | None = None,
    landmarks: Landmarks | None = None,
) -> SelectReport:
    """Copy the images that a rule keeps, or cut their faces or mouths out, into a folder; originals stay.

    `selected.jsonl` in the folder keeps source, box, score, size and sharpness of each file, and its sha256, by which
    `pipeline.find_sources` knows it after a new name. What it names already is not done again for the same kind.

    Args:
        kind: `images`, `faces` or `mouths`.
        detector: (image, min_score) -> Detections; None takes the one that ships.
        landmarks: Finds the 68 points of a face, to cut its mouth; None cuts by the face's box.
    """
    check_outside(paths, folder)
    detector, report = detector or Detector(), SelectReport()
    recorded: dict[tuple[Any, Any], list[dict[str, Any]]] = defaultdict(list)
    with hold(folder):
        for record in read_json_lines(folder / SELECTED, missing_ok=True):
            recorded[record["source_sha256"], record["kind"]].append(record)
        told = asdict(rule)
        check_rule(folder / SELECTED, (one[0] for (_, its), one in recorded.items() if its == kind), told)
        # An earlier run may have been stopped between two crops.
        done = {key for key, records in recorded.items() if len(records) >= records[-1]["crops"]}
        for path in track(paths, "images"):
            try:
                image, digest = read_image(path), file_digest(path)
            except (ValueError, OSError) as error:
                report.failed[str(path)] = reason_of(error)
                continue
            if (digest, kind) in done:
                report.done_before += 1
                continue
            faces, reason = find_faces(image, rule, detector)
            if reason is not None:
                report.refused[str(path)] = reason
                continue
            report.kept[str(path)] = len(faces)
            crops = _cut(path, image, faces, kind, landmarks)
            boxes = [record.get("box_xyxy") for record in recorded[digest, kind]]
            for suffix, write, record in crops:
                if record.get("box_xyxy") not in boxes:
                    origin = {"source": str(path), **record, "source_sha256": digest, "crops": len(crops), "rule": told}
                    name = save_recorded(folder / SELECTED, folder, safe_name(path.stem), suffix, write, **origin)
                    report.files.append(name)
            done.add((digest, kind))
    return report


def _cut(path: Path, image: np.ndarray, faces: Sequence[Any], kind: str, landmarks: Landmarks | None) -> list[Any]:
    """Return (suffix, what writes it, record) for each file of one image: itself, or crops as PNG, without loss."""
    if kind == "images":
        record = {"kind": kind, "faces": [{"box_xyxy": _rounded(box), **figures} for box, figures in faces]}
        return [(path.suffix.lower(), partial(shutil.copyfile, path), record)]
    crops = []
    for box, figures in faces:
        if kind == "faces":
            cut = box
            crop = crop_square(image, box, FACE_MARGIN)
        else:
            points = landmarks(image, box) if landmarks is not None else None
            cut = mouth_box(box, points)
            crop = crop_square(image, cut)
        crops.append((".png", partial(write_image, image=crop), {"kind": kind, "box_xyxy": _rounded(cut), **figures}))
    return crops


def _rounded(box: np.ndarray) -> list[float]:
    return [round(float(side), 1) for side in box]
