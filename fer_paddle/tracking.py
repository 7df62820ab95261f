"""Faces over the frames of a video: each keeps an id, its probabilities are smoothed, box and points are filtered."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fer_paddle.files import check_number
from fer_paddle.pipeline import Face
from yolo3tiny.boxes import iou, pair_greedily


class OneEuro:
    """Filter a signal in time: what is still is smoothed, what moves is followed with little delay.

    Source: Casiez et al. 2012, "1 euro filter: a simple speed-based low-pass filter for noisy input", CHI.

    Args:
        cutoff_hz: Cutoff of what is still; lower means smoother.
        beta: How much the cutoff rises with the speed; higher means less delay.
        speed_cutoff_hz: Cutoff of the speed itself.
    """

    def __init__(self, cutoff_hz: float = 1.0, beta: float = 0.0, speed_cutoff_hz: float = 1.0):
        self.cutoff_hz, self.beta, self.speed_cutoff_hz = cutoff_hz, beta, speed_cutoff_hz
        self._seconds = -math.inf

    def __call__(self, value: np.ndarray, seconds: float) -> np.ndarray:
        """Take the value at a time later than the last and return the filtered one."""
        value, step = np.asarray(value, np.float64), seconds - self._seconds
        if not step > 0:
            raise ValueError(f"expected a time after {self._seconds} s, got {seconds} s")
        if math.isinf(step):
            self.value, self.speed = value, np.zeros_like(value)
        else:
            self.speed = self.speed + _weight(self.speed_cutoff_hz, step) * ((value - self.value) / step - self.speed)
            weight = _weight(self.cutoff_hz + self.beta * np.abs(self.speed), step)
            self.value = self.value + weight * (value - self.value)
        self._seconds = seconds
        return self.value


def _weight(cutoff_hz: np.ndarray | float, step: float) -> np.ndarray | float:
    """Return how much a new value counts in a first-order low-pass filter."""
    turn = 2 * math.pi * cutoff_hz * step
    return turn / (turn + 1)


class Tracker:
    """Give the faces of one frame after another ids that last.

    A face of a new frame belongs to the known one that it overlaps most, once that has moved on at its speed (Bewley
    et al. 2016, "Simple online and realtime tracking", with greedy assignment). A weak face only continues a known one
    (Zhang et al. 2022, "ByteTrack"); one unseen for `max_gap_seconds` is forgotten. `smoothing_seconds` is the time
    constant of the mean over the probabilities.
    """

    def __init__(
        self,
        start_score: float = 0.0,
        min_iou: float = 0.2,
        max_gap_seconds: float = 1.0,
        smoothing_seconds: float = 0.25,
    ):
        check_number("start_score", start_score, 0, 1)
        check_number("min_iou", min_iou, 0, 1)
        check_number("max_gap_seconds", max_gap_seconds)
        check_number("smoothing_seconds", smoothing_seconds)
        self.start_score, self.min_iou, self.max_gap_seconds = start_score, min_iou, max_gap_seconds
        self.smoothing_seconds = smoothing_seconds
        self._tracks: list[_Track] = []
        self._ids = itertools.count(1)

    def __call__(self, faces: Sequence[Face], seconds: float) -> list[tuple[int, Face]]:
        """Return the faces of a frame, filtered, each after its id, by id; `seconds` rises from frame to frame."""
        self._tracks = [track for track in self._tracks if seconds - track.seconds <= self.max_gap_seconds]
        expected = np.array([track.expect(seconds) for track in self._tracks]).reshape(-1, 4)
        found = np.array([face.box_xyxy for face in faces]).reshape(-1, 4)
        matched = pair_greedily(iou(expected, found), self.min_iou)  # the largest IoU first
        pairs = {column: row for row, column in matched.tolist()}
        for index, face in enumerate(faces):
            if index in pairs:
                self._tracks[pairs[index]].update(face, seconds, self.smoothing_seconds)
            elif face.score >= self.start_score:
                self._tracks.append(_Track(next(self._ids), face, seconds))
        return [(track.id, track.face) for track in self._tracks if track.seconds == seconds]


class _Track:
    """One face over time."""

    def __init__(self, number: int, face: Face, seconds: float):
        self.id, self.face, self.seconds = number, face, seconds
        # In sides of the face, so that near and far faces are filtered alike.
        self._side = float((face.box_xyxy[2:] - face.box_xyxy[:2]).max())
        self._box = OneEuro(cutoff_hz=1.5, beta=4.0)
        self._box(face.box_xyxy / self._side, seconds)
        self._points = OneEuro(cutoff_hz=1.5, beta=4.0)
        self._filter_points(face, seconds)

    def expect(self, seconds: float) -> np.ndarray:
        """Return the box at a later time, at the speed of its center."""
        shift = (self._box.speed[:2] + self._box.speed[2:]) / 2 * (seconds - self.seconds)
        return (self._box.value + np.tile(shift, 2)) * self._side

    def update(self, face: Face, seconds: float, smoothing_seconds: float) -> None:
        """Take the face as it was found at a time."""
        box = (self._box(face.box_xyxy / self._side, seconds) * self._side).astype(np.float32)
        kept = math.exp((self.seconds - seconds) / smoothing_seconds) if smoothing_seconds else 0.0
        probs = kept * self.face.probs + (1 - kept) * face.probs
        label = face.classes[int(probs.argmax())]
        points = self._filter_points(face, seconds)
        self.face, self.seconds = replace(face, box_xyxy=box, probs=probs, label=label, points=points), seconds

    def _filter_points(self, face: Face, seconds: float) -> np.ndarray | None:
        if face.points is None:
            return None
        return (self._points(face.points / self._side, seconds) * self._side).astype(np.float32)
