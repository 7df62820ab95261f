"""Frames of videos as images in a folder, with a record of where each came from."""

from __future__ import annotations

import logging
import os
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from fer_paddle.collect.names import safe_name, save_recorded
from fer_paddle.files import append_json_line, file_digest, hold, read_json_lines
from fer_paddle.images import write_image
from fer_paddle.messages import track
from fer_paddle.video import FrameRule, Video, choose_frames

logger = logging.getLogger(__name__)

FRAMES = "frames.jsonl"


@dataclass
class VideoReport:
    """What one video gave."""

    video: str  # its path
    frames_read: int = 0  # frames that could be read
    files: list[str] = field(default_factory=list)  # names of the images written
    warning: str | None = None  # what is wrong with the video; None where nothing was found
    done_before: bool = False  # an earlier run took these frames already


def save_frames(path: str | os.PathLike[str], folder: Path, rule: FrameRule) -> VideoReport:
    """Write frames of a video as images, named by the video and their time: `clip_00012345ms.jpg`.

    `frames.jsonl` in the folder keeps video, time and number of each; what it names already is not written again. A
    damaged video gives what can be read.
    """
    video, report = Video(path), VideoReport(str(path))
    records, stem = folder / FRAMES, safe_name(video.path.stem, "video")
    provenance = {"video": video.path.name, "video_sha256": file_digest(video.path), "rule": asdict(rule)}
    done = [record for record in read_json_lines(records, missing_ok=True) if provenance.items() <= record.items()]
    if any("frames_read" in record for record in done):
        report.done_before = True
        return report
    written = {record["index"] for record in done}
    with hold(folder):
        for frame in choose_frames(track(video, "frames"), rule):
            if frame.index not in written:
                name, write = f"{stem}_{round(frame.seconds * 1000):08}ms", partial(write_image, image=frame.image)
                told = {"index": frame.index, "seconds": round(frame.seconds, 3), **provenance}
                report.files.append(save_recorded(records, folder, name, ".jpg", write, **told))
    report.frames_read = video.frames_read
    if not video.frames_read:
        raise ValueError(f"{str(path)!r}: expected a readable video, got one without a single readable frame")
    is_whole = len(report.files) + len(written) < rule.max_frames  # else it was left before its end
    report.warning = video.find_fault() if is_whole else None
    if report.warning:
        logger.warning("%s: %s", path, report.warning)
    append_json_line(records, {**provenance, "frames_read": report.frames_read, "warning": report.warning})
    return report
