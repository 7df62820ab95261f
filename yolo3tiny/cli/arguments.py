"""What the commands share: what --data takes."""

from __future__ import annotations

DATA_HELP = (
    "a name in the data folders or a path: a folder or .tar with annotations.json (COCO), a COCO .json, a "
    "WIDER FACE list (.txt) or folder, or a folder of YOLO .txt or VOC .xml"
)
