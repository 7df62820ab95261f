"""Memory of `recognize` over a long generated video: `nice python tests/hour.py 90000 [FOLDER]`.

A scene of 20 s is drawn once and repeated (by ffmpeg, without encoding it again): one face stays, another walks through
and is gone for 5 s, so that new ids come all the time. The networks take most of the time: they run in one pass of
NETWORKS_EVERY over the scene, the others repeat their answers. All else runs in every frame: reading, tracking,
drawing, writing. A line for each minute of the video, and at the end the summary's figures.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
RATE, LOOP, SIDE = 25, 500, 150
NETWORKS_EVERY = 10


def draw_frames() -> list[np.ndarray]:
    """Draw the frames of the scene, each 640x480."""
    from fer_paddle.drawn import draw_face
    from fer_paddle.labels import EXPRESSIONS

    stays, walks = ([draw_face(name, SIDE, seed, clean=True).image for name in EXPRESSIONS] for seed in (5, 11))
    frames = []
    for index in range(LOOP):
        frame = np.full((480, 640 + 2 * SIDE, 3), (130, 140, 120), np.uint8)  # wider: the walker comes from outside
        mood = index // 50 % len(EXPRESSIONS)
        sway = round(20 * np.sin(2 * np.pi * index / 100))
        frame[250 : 250 + SIDE, SIDE + 240 + sway : 2 * SIDE + 240 + sway] = stays[mood]
        left = min(2 * index, 640 + SIDE)
        frame[60 : 60 + SIDE, left : left + SIDE] = walks[-mood]
        frames.append(np.ascontiguousarray(frame[:, SIDE:-SIDE]))
    return frames


def write_clip(path: Path, frames: int) -> None:
    """Write the scene so often that the video has so many frames."""
    from fer_paddle.apps.video import VideoWriter

    loop = path.with_stem("scene")
    writer = VideoWriter(loop, RATE)
    for index, frame in enumerate(draw_frames()):
        writer.write(frame, index / RATE)
    writer.close()
    command = ["ffmpeg", "-v", "error", "-y", "-stream_loop", str(frames // LOOP - 1), "-i", str(loop), "-c", "copy"]
    subprocess.run([*command, str(path)], check=True)


class Repeated:
    """A pipeline whose networks run in one pass of NETWORKS_EVERY over the scene."""

    def __init__(self) -> None:
        from fer_paddle.pipeline import Pipeline

        self._pipeline, self._answers, self._calls = Pipeline(), [[]] * LOOP, 0
        self.classes = self._pipeline.classes

    def __call__(self, image: np.ndarray, min_score: float) -> list:
        number, place = divmod(self._calls, LOOP)
        self._calls += 1
        if number % NETWORKS_EVERY == 0:
            self._answers[place] = self._pipeline(image, min_score=min_score)
        return self._answers[place]


def watch(frames: Iterable, unit: str) -> Iterator:
    """Print the resident memory after each minute of the video."""
    start = time.monotonic()
    for frame in frames:
        yield frame
        if (frame.index + 1) % (60 * RATE) == 0:
            lines = Path("/proc/self/status").read_text().splitlines()
            resident = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
            seconds = time.monotonic() - start
            print(f"{frame.index + 1} frames, {seconds:.0f} s, {resident * 1024 / 1e6:.1f} MB", flush=True)


def main(frames: int, folder: Path) -> None:
    """Make the video, recognize it and print what memory that takes."""
    from fer_paddle.apps import video
    from fer_paddle.video import Video

    folder.mkdir(parents=True, exist_ok=True)
    clip = folder / "clip.mp4"
    write_clip(clip, frames)
    vars(video)["track"] = watch
    report = video.recognize_video(Video(clip), clip.name, folder / "out", Repeated(), 0.5)
    print(f"{report.frames} frames, {len(report.people)} ids, warning: {report.warning}")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory() as place:
        main(int(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) > 2 else place))
