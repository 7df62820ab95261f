"""Recognizes a video or a camera: annotated video, a CSV row a face and frame, a plot and a summary a person."""

from __future__ import annotations

import csv
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fer_paddle.apps.recognize import draw_found, face_header, face_row
from fer_paddle.files import hold, read_json, temporary_folder, write_json
from fer_paddle.image_files import Failed
from fer_paddle.labels import class_colors
from fer_paddle.messages import reason_of, track
from fer_paddle.pipeline import Face, Pipeline
from fer_paddle.tracking import Tracker
from fer_paddle.video import Camera, Frame, Video

ANNOTATED, FRAMES_CSV, PLOT, SUMMARY = "annotated", "frames.csv", "expressions.png", "summary.json"
CODECS = {".mp4": "mp4v", ".webm": "VP80"}  # browsers play the second, which takes ten times as long to write
STRIP_SECONDS = 10.0
CONTINUE_RATIO = 0.6  # of the least score: a face that is known may be found as weakly as this
_BIN_SECONDS, _MOST_BINS = 0.2, 1500  # of the plot; wider ones in long videos keep memory flat
_LONGEST_GAP_SECONDS = 10.0  # a larger step of a damaged video's clock is left out
_MOST_PLOTTED = 6


@dataclass
class _Person:
    """What is known of one id over the whole video."""

    first_seconds: float
    last_seconds: float = 0.0
    frames: int = 0
    named: dict[str, int] = field(default_factory=dict)  # frames of each label
    bins: dict[int, np.ndarray] = field(default_factory=dict)  # number of the time bin -> [C + 1] sums, frames last
    bin_seconds: float = _BIN_SECONDS

    def add(self, face: Face, seconds: float) -> None:
        self.last_seconds, self.frames = seconds, self.frames + 1
        self.named[face.label] = self.named.get(face.label, 0) + 1
        sums = self.bins.setdefault(int(seconds / self.bin_seconds), np.zeros(len(face.probs) + 1))
        sums += np.append(face.probs, 1)
        if len(self.bins) > _MOST_BINS:
            former, self.bins, self.bin_seconds = self.bins, {}, 2 * self.bin_seconds
            for number, part in former.items():
                self.bins[number // 2] = self.bins.get(number // 2, 0) + part

    def to_json(self, number: int, classes: Sequence[str]) -> dict[str, Any]:
        *sums, frames = np.sum(list(self.bins.values()), axis=0)
        return {
            "id": number,
            "first_seconds": round(self.first_seconds, 3),
            "last_seconds": round(self.last_seconds, 3),
            "frames": self.frames,
            "mean_probs": {name: round(float(value / frames), 4) for name, value in zip(classes, sums)},
            "frames_named": {name: self.named[name] for name in classes if name in self.named},
        }


class VideoWriter:
    """Writes images at their times into a video of a constant rate, 25 where it is no usual one; gaps are filled."""

    def __init__(self, path: Path, rate: float):
        self.path, self.rate = path, rate if 1 <= rate <= 120 else 25.0
        self._writer: cv2.VideoWriter | None = None
        self._written, self._former, self._skipped, self._last = 0, np.zeros(0), 0.0, 0.0

    def write(self, image: np.ndarray, seconds: float) -> None:
        """Add an image of the first one's size, or resized to it."""
        if self._writer is None:
            self._size = image.shape[1] // 2 * 2, image.shape[0] // 2 * 2  # codecs want even sides
            code = cv2.VideoWriter_fourcc(*CODECS[self.path.suffix])
            self._writer = cv2.VideoWriter(str(self.path), cv2.CAP_FFMPEG, code, self.rate, self._size)
            if not self._writer.isOpened():
                raise OSError(f"expected a video to be written at {self.path}, got none from OpenCV")
            self._skipped = self._last = seconds
        if seconds - self._last > _LONGEST_GAP_SECONDS:
            self._skipped += seconds - self._last
        self._last = seconds
        due = round((seconds - self._skipped) * self.rate) + 1
        while self._written < due - 1:
            self._write(self._former)
        if self._written < due:
            self._write(image)
        self._former = image

    def _write(self, image: np.ndarray) -> None:
        assert self._writer is not None
        whole = (image.shape[1] // 2 * 2, image.shape[0] // 2 * 2) == self._size
        self._writer.write(image[: self._size[1], : self._size[0]] if whole else cv2.resize(image, self._size))
        self._written += 1

    def close(self) -> None:
        """Finish the file, if any image came."""
        if self._writer is not None:
            self._writer.release()


class Strip:
    """The last seconds as colors, newest to the right: a part a face, as high as its label is likely."""

    def __init__(self, width: int, height: int, classes: Sequence[str]):
        self._image = np.full((height, width, 3), 32, np.uint8)
        self._colors, self._end = dict(zip(classes, class_colors(classes))), 0.0

    def draw(self, faces: Sequence[Face], seconds: float) -> np.ndarray:
        """Move on to a time and return the strip uint8 [height, width, 3]."""
        height, width = self._image.shape[:2]
        columns = min(int((seconds - self._end) * width / STRIP_SECONDS), width)
        if columns > 0:
            self._end = seconds if columns == width else self._end + columns * STRIP_SECONDS / width
            self._image[:, : width - columns] = self._image[:, columns:].copy()
            self._image[:, width - columns :] = 32
            for number, face in enumerate(faces):
                top, bottom = (height * part // len(faces) for part in (number, number + 1))
                high = round((bottom - top - 1) * float(face.probs.max()))
                self._image[bottom - high : bottom, width - columns :] = self._colors[face.label]
        return self._image


@dataclass
class VideoReport:
    """What one video gave."""

    file: str  # the video, or the camera
    folder: str  # where the files are
    frames: int = 0  # frames recognized
    seconds: float = 0.0  # time of the last
    frames_per_second: float = 0.0  # how many were recognized and written in a second of this machine
    # a record an id: when it was seen, mean probabilities, frames of each label
    people: list[dict[str, Any]] = field(default_factory=list)
    warning: str | None = None  # what is wrong with the video; None where nothing was found
    stopped: bool = False  # Ctrl-C ended it


def recognize_video(
    source: Video,
    name: str,
    folder: Path,
    pipeline: Pipeline,
    min_score: float,
    language: str = "en",
    max_seconds: float | None = None,
    show: Callable[[np.ndarray], bool] | None = None,
    suffix: str = ".mp4",
) -> VideoReport:
    """Recognize every frame of a video; write `annotated` (without sound), CSV, plot and summary to a new folder.

    `name` is what the summary calls the video; `max_seconds` ends it early, and so does `show`, called with each image,
    by False. After Ctrl-C the files hold what was done. ValueError: no frame is readable, the folder has other files.
    """
    from fer_paddle.analysis.plots import save_figure  # before the work: matplotlib may be missing

    _check_folder(folder)
    report, start = VideoReport(name, str(folder)), time.perf_counter()
    people: dict[int, _Person] = {}
    with temporary_folder(folder) as aside:
        writer = VideoWriter(aside / f"{ANNOTATED}{suffix}", source.rate)
        try:
            with (aside / FRAMES_CSV).open("w", newline="", encoding="utf-8-sig") as file:
                annotated = _annotate(track(source, "frames"), pipeline, min_score, language, csv.writer(file), people)
                for image, seconds in annotated:
                    writer.write(image, seconds)
                    report.frames, report.seconds = report.frames + 1, seconds
                    if (max_seconds is not None and seconds >= max_seconds) or (show and not show(image)):
                        break
                else:
                    report.warning = source.find_fault()
        except KeyboardInterrupt:
            report.stopped = True
        finally:
            writer.close()
        if not report.frames:
            raise ValueError(f"{name!r}: expected a readable video, got one without a single readable frame")
        report.frames_per_second = round(report.frames / (time.perf_counter() - start), 1)
        report.people = [person.to_json(number, pipeline.classes) for number, person in people.items()]
        save_figure(plot_people(people, pipeline.classes, language), aside / PLOT)
        write_json(aside / SUMMARY, vars(report))
        folder.mkdir(exist_ok=True)
        for path in aside.iterdir():
            os.replace(path, folder / path.name)
    return report


def recognize_videos(
    sources: Iterable[Path | int], out: Path, pipeline: Pipeline, *arguments: Any
) -> tuple[list[VideoReport], list[Failed]]:
    """Recognize videos and cameras, each into its own folder: reports up to Ctrl-C, and (video, reason) of faults."""
    reports: list[VideoReport] = []
    failed: list[Failed] = []
    stems: list[str] = []
    for source in sources:
        name, stem = (f"camera {source}", f"camera{source}") if isinstance(source, int) else (str(source), source.stem)
        stems.append(stem.lower())
        number = stems.count(stem.lower())
        folder = out / (stem if number == 1 else f"{stem}-{number}")
        try:
            with hold(out):
                frames = Camera(source) if isinstance(source, int) else Video(source)
                report = recognize_video(frames, name, folder, pipeline, *arguments)
        except (ValueError, OSError) as error:
            failed.append((name, reason_of(error)))
            continue
        reports.append(report)
        failed += [(name, report.warning)] if report.warning else []
        if report.stopped:
            break
    return reports, failed


def _annotate(
    frames: Iterable[Frame],
    pipeline: Pipeline,
    min_score: float,
    language: str,
    writer: Any,
    people: dict[int, _Person],
) -> Iterable[tuple[np.ndarray, float]]:
    """Yield each frame with its faces and the strip drawn, and its time; write rows, and note who was seen."""
    header = face_header(pipeline.classes, bool(getattr(pipeline, "landmarker", None)))
    writer.writerow(["frame", "seconds", "id", *header])
    tracker, strip = Tracker(start_score=min_score), None
    for frame in frames:
        tracked = tracker(pipeline(frame.image, min_score=CONTINUE_RATIO * min_score), frame.seconds)
        for number, face in tracked:
            people.setdefault(number, _Person(frame.seconds)).add(face, frame.seconds)
            writer.writerow([frame.index, f"{frame.seconds:.3f}", number, *face_row(face.to_json())])
        height, width = frame.image.shape[:2]
        strip = strip or Strip(width, max(height // 12, 8), pipeline.classes)
        faces = [face for _, face in tracked]
        drawn = draw_found(frame.image, faces, language, [number for number, _ in tracked])
        yield np.vstack([drawn, strip.draw(faces, frame.seconds)]), frame.seconds


def _check_folder(folder: Path) -> None:
    """Refuse a folder with files that are not an earlier run's."""
    if folder.is_dir() and any(folder.iterdir()) and "people" not in read_json(folder / SUMMARY, "an earlier summary"):
        raise ValueError(f"expected the results of an earlier run in {folder}, got another file: choose another folder")
    folder.parent.mkdir(parents=True, exist_ok=True)


def plot_people(people: dict[int, _Person], classes: Sequence[str], language: str) -> Any:
    """Draw the probabilities of the people who were seen longest, stacked over time, as a matplotlib Figure."""
    from matplotlib.figure import Figure

    from fer_paddle.analysis.plots import class_texts

    shown = sorted(sorted(people, key=lambda number: -people[number].frames)[:_MOST_PLOTTED])
    figure = Figure((9.0, 1.2 + 1.5 * max(len(shown), 1)), dpi=110, layout="constrained")
    axes = figure.subplots(max(len(shown), 1), sharex=True, squeeze=False)[:, 0]
    chinese = language == "zh"
    names, font = class_texts(classes, 9, language)
    person = "人物" if chinese else "person"
    colors = [tuple(value / 255 for value in color[::-1]) for color in class_colors(classes)]
    for axis, number in zip(axes, shown):
        bins = people[number].bins
        places = np.arange(min(bins), max(bins) + 2)
        probs = np.zeros((len(classes), len(places)))
        for place, sums in bins.items():
            probs[:, place - places[0]] = sums[:-1] / sums[-1]
        handles = axis.stackplot(places * people[number].bin_seconds, probs, colors=colors, step="post")
        axis.set_ylim(0, 1)
        axis.set_ylabel(f"{person} {number}", font=font)
    axes[-1].set_xlabel("秒" if chinese else "seconds", font=font)
    if shown:
        figure.legend(handles, names, loc="outside upper center", ncols=min(len(classes), 8), prop=font)
    return figure
