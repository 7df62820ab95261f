"""Cuts the faces of the group photos to gray squares, with room around them to shift and scale.

python photo_faces.py data/groups data/photos/groups.npz
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from fer_paddle.images import crop_square, read_image, resize, to_gray
from fer_paddle.pipeline import MARGIN

ROOM = 0.2  # margin of what is kept, as a share of the longer side of the box; the Pipeline shows MARGIN of it
SIDE = 80
LEAST_SIDE = 56  # of the longer side of the box, in pixels
INNER = (1 + 2 * MARGIN) / (1 + 2 * ROOM)  # share of a kept side that the Pipeline would have cut


def cut_faces(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Gives the faces uint8 [N, SIDE, SIDE] of a COCO folder, and whether each is of the part kept out, bool [N]."""
    coco = json.loads((folder / "annotations.json").read_text())
    boxes: dict[int, list[list[float]]] = {}
    for annotation in coco["annotations"]:
        if not annotation["ignore"] and max(annotation["bbox"][2:]) >= LEAST_SIDE:
            boxes.setdefault(annotation["image_id"], []).append(annotation["bbox"])
    faces, kept_out = [], []
    for photo in coco["images"]:
        if photo["id"] not in boxes:
            continue
        gray = to_gray(read_image(folder / photo["file_name"]))
        for left, top, width, height in boxes[photo["id"]]:
            faces.append(resize(crop_square(gray, (left, top, left + width, top + height), ROOM), SIDE))
            kept_out.append(photo["split"] == "val")
    return np.stack(faces), np.array(kept_out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    images, kept_out = cut_faces(arguments.folder)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    np.savez(arguments.out, images=images, kept_out=kept_out)
    print(f"{len(images)} faces, {kept_out.sum()} of them kept out")


if __name__ == "__main__":
    main()
