"""Videos as frames: all of them, at a rate, at each change of scene, or the sharpest of each stretch of time."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # FFmpeg tells each damaged block; read at the first video

import cv2
import numpy as np

from fer_paddle.files import check_integer, check_number
from fer_paddle.images import to_gray
from fer_paddle.messages import reason_of

VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".gif"),
    *(".mpg", ".mpeg", ".ts", ".flv", ".wmv", ".ogv"),
)
MODES = ("rate", "scenes", "sharpest")
MAX_SIDE = 16_384
SHARPNESS_SIDE = 256  # longest side in pixels at which images are compared
# OpenCV 4.6.0 turns videos the wrong way round: https://github.com/opencv/opencv/issues/22088
_CLOCKWISE = -1 if cv2.__version__ == "4.6.0" else 1
_ROTATIONS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
# First bytes of the containers. A playlist, which FFmpeg would follow to other files, is none.
_CONTAINER = re.compile(
    rb".{4}(ftyp|moov|mdat|free|skip|wide|pnot)|\x1aE\xdf\xa3|RIFF.{4}AVI |GIF8[79]a|\x00\x00\x01[\xba\xb3]"
    rb"|\x47.{187}\x47|FLV\x01|\x30\x26\xb2\x75|OggS",
    re.DOTALL,
)


def is_video(path: str | os.PathLike[str]) -> bool:
    """Tell by its name whether a file is a video; a GIF counts as an image here."""
    suffix = Path(path).suffix.lower()
    return suffix in VIDEO_SUFFIXES and suffix != ".gif"


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame of a video."""

    index: int  # its number, from 0
    seconds: float  # its time in the video
    image: np.ndarray  # uint8 [H, W, 3] BGR, upright


@dataclass(frozen=True)
class FrameRule:
    """Which frames are taken."""

    # `rate`: one every 1 / per_second seconds; `sharpest`: the sharpest of each such stretch; `scenes`: the first of
    # each scene
    mode: str = "sharpest"
    per_second: float = 1.0  # frames a second of the first two modes
    scene_change: float = 0.4  # least change of the colors from one frame to the next that begins a scene, 0 to 1
    max_frames: int = 1000  # most frames of one video

    def __post_init__(self) -> None:
        if self.mode not in MODES or not 0 < self.per_second <= 1000:
            got = f"{self.mode!r} and {self.per_second}"
            raise ValueError(f"expected a mode of {', '.join(MODES)} and above 0 to 1000 frames a second, got {got}")
        check_number("scene_change", self.scene_change, 0, 1)
        check_integer("max_frames", self.max_frames, 1)


class Video:
    """A video to go through once, frame by frame; rotation is applied.

    Args:
        path: Any file FFmpeg reads, an animated GIF too.

    Attributes:
        rate: Frames a second as its header says, often a guess; 0 where it says nothing.
        frames_promised: Frames its header promises, as unsure.
        frames_read: Frames read so far.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no video, holds none, or one larger than MAX_SIDE.
    """

    def __init__(self, path: str | os.PathLike[str]):
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"{str(path)!r}: expected a video, found no such file")
        with path.open("rb") as file:
            start = file.read(192)
        if not _CONTAINER.match(start):
            got = f"a file that starts {start[:12]!r}" if start else "an empty file"
            raise ValueError(f"{str(path)!r}: expected a video, got {got}")
        self.path, self.frames_read = path, 0
        # An absolute path is never taken for a URL or a pattern of image files.
        self._capture = cv2.VideoCapture(str(path.resolve()), cv2.CAP_FFMPEG)
        size = [self._capture.get(number) for number in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)]
        if not self._capture.isOpened() or not 1 <= max(size) <= MAX_SIDE:
            got = f"one of {size[0]:.0f} x {size[1]:.0f} pixels" if self._capture.isOpened() else "a damaged one"
            self._capture.release()
            raise ValueError(f"{str(path)!r}: expected a readable video of at most {MAX_SIDE} pixels a side, got {got}")
        self.rate = self._capture.get(cv2.CAP_PROP_FPS)
        self._capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)
        degrees = int(self._capture.get(cv2.CAP_PROP_ORIENTATION_META)) * _CLOCKWISE % 360
        self._rotation = _ROTATIONS.get(degrees)
        self.frames_promised = max(int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)), 0)

    def _time(self, former: float) -> float:
        """Return the time of the frame that was read; some containers keep none."""
        now = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        return now if now > former or not self.frames_read else former + (1 / self.rate if self.rate > 0 else 0.04)

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames; times never go back."""
        seconds = 0.0
        try:
            while True:
                is_read, image = self._capture.read()
                if not is_read:
                    return
                seconds = self._time(seconds)
                upright = image if self._rotation is None else cv2.rotate(image, self._rotation)
                yield Frame(self.frames_read, seconds, upright)
                self.frames_read += 1
        finally:
            self._capture.release()

    def find_fault(self) -> str | None:
        """Return, after the last frame, how many frames are missing; None where about all came."""
        if self.frames_read >= 0.95 * self.frames_promised - 2:
            return None
        return reason_of(f"damaged or cut off: {self.frames_read} of about {self.frames_promised} frames could be read")


class Camera(Video):
    """A camera of this machine, by number, frame by frame until the loop is left; OSError: it is missing or busy."""

    def __init__(self, number: int = 0):
        log_level = cv2.getLogLevel()
        cv2.setLogLevel(0)  # OpenCV would tell what the error says
        self._capture, self._rotation = cv2.VideoCapture(number), None
        cv2.setLogLevel(log_level)
        if not self._capture.isOpened():
            raise OSError(f"expected a camera of number {number}, found none that can be opened")
        self.rate, self.frames_read, self._start = self._capture.get(cv2.CAP_PROP_FPS), 0, 0.0

    def _time(self, former: float) -> float:
        if not self.frames_read:
            self._start = time.monotonic()
        return time.monotonic() - self._start

    def find_fault(self) -> str | None:
        """Return what is wrong after the last frame, which a camera should not have."""
        return f"the camera gave no more frames after {self.frames_read}"


def choose_frames(frames: Iterable[Frame], rule: FrameRule) -> Iterator[Frame]:
    """Yield the frames that a rule takes, at most `rule.max_frames`."""
    chosen = {"rate": _at_rate, "scenes": _at_scenes, "sharpest": _sharpest}[rule.mode](frames, rule)
    for count, frame in enumerate(chosen, 1):
        yield frame
        if count == rule.max_frames:
            return


def _at_rate(frames: Iterable[Frame], rule: FrameRule) -> Iterator[Frame]:
    due = 0.0
    for frame in frames:
        if frame.seconds >= due - 1e-6:
            yield frame
            due = (int((frame.seconds + 1e-6) * rule.per_second) + 1) / rule.per_second


def _sharpest(frames: Iterable[Frame], rule: FrameRule) -> Iterator[Frame]:
    best: tuple[int, float, Frame] | None = None
    for frame in frames:
        stretch, value = int((frame.seconds + 1e-6) * rule.per_second), sharpness(frame.image)
        if best is not None and stretch != best[0]:
            yield best[2]
            best = None
        if best is None or value > best[1]:
            best = (stretch, value, frame)
    if best is not None:
        yield best[2]


def _at_scenes(frames: Iterable[Frame], rule: FrameRule) -> Iterator[Frame]:
    former: np.ndarray | None = None
    for frame in frames:
        colors = _color_histogram(frame.image)
        changed = 1.0 if former is None else cv2.compareHist(former, colors, cv2.HISTCMP_BHATTACHARYYA)
        if former is None or changed >= rule.scene_change:
            yield frame
        former = colors


def _color_histogram(image: np.ndarray) -> np.ndarray:
    """Return the share of each of 8 x 8 x 8 colors, float32 [8, 8, 8]: movement changes it little, a cut much."""
    small = cv2.resize(image, (64, 64), interpolation=cv2.INTER_AREA)
    return cv2.calcHist([small], [0, 1, 2], None, [8, 8, 8], [0, 256] * 3) / small[..., 0].size


def sharpness(image: np.ndarray, side: int = SHARPNESS_SIDE) -> float:
    """Return the variance of the Laplacian of an image that is brought to one size.

    Source: Pech-Pacheco et al. 2000, "Diatom autofocusing in brightfield microscopy".

    Args:
        image: uint8 [H, W, 3] or [H, W].
        side: Longest side in pixels at which it is measured; a smaller image is enlarged, and so less sharp.

    Returns:
        0 for a flat image; a few hundred for a sharp photo, a few tens for a blurred one.
    """
    gray = to_gray(image)
    scale = side / max(gray.shape)
    size = (max(round(gray.shape[1] * scale), 3), max(round(gray.shape[0] * scale), 3))
    gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    return float(cv2.Laplacian(gray, cv2.CV_64F).var())
