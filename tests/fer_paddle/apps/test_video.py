"""Videos from start to end with a pipeline that finds one drawn square: what is written, and what may go wrong."""

import csv
import json

import cv2
import numpy as np
import pytest
from matplotlib.figure import Figure

from fer_paddle.apps import video as app
from fer_paddle.apps.video import VideoWriter, recognize_video, recognize_videos
from fer_paddle.labels import EXPRESSIONS
from fer_paddle.pipeline import Face
from fer_paddle.video import Frame, Video

FILES = {"annotated.mp4", "frames.csv", "expressions.png", "summary.json"}


class SquareFinder:
    """A pipeline that finds the one bright square; happy, or sad where it is in the right half."""

    classes = EXPRESSIONS

    def __call__(self, image, min_score):
        rows, columns = np.nonzero(image[..., 1] > 150)
        if not len(rows):
            return []
        box = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], np.float32)
        label = "happy" if box[0] < image.shape[1] / 2 else "sad"
        return [Face(box, 0.9, np.eye(7, dtype=np.float32)[EXPRESSIONS.index(label)], label)]


class Frames:
    """Frames with a square that goes from left to right, at the times given; Ctrl-C at one of them."""

    def __init__(self, times, size_wh=(160, 120), stop_at=None, rate=30.0):
        self.times, self.size_wh, self.stop_at, self.rate = times, size_wh, stop_at, rate

    def __iter__(self):
        width, height = self.size_wh
        for index, seconds in enumerate(self.times):
            if index == self.stop_at:
                raise KeyboardInterrupt
            image = np.full((height, width, 3), 60, np.uint8)
            left = int((width - 30) * index / len(self.times))
            image[40:70, left : left + 30] = 200
            yield Frame(index, seconds, image)

    def find_fault(self):
        return None


@pytest.fixture
def no_plot(monkeypatch):
    """A tiny figure for the plot, whose drawing takes longer than all the rest."""
    monkeypatch.setattr(app, "plot_people", lambda *_: Figure((1, 1)))


def read_back(path):
    """Rate, frames and size of a video."""
    frames = list(Video(path))
    return Video(path).rate, len(frames), frames[0].image.shape[1::-1]


def test_a_video_becomes_four_files(tmp_path):
    folder = tmp_path / "结果" / "clip"
    report = recognize_video(Frames(np.arange(60) / 30), "clip.mp4", folder, SquareFinder(), 0.5, "zh")
    assert {path.name for path in folder.iterdir()} == FILES and list(folder.parent.iterdir()) == [folder]
    assert read_back(folder / "annotated.mp4") == (30, 60, (160, 130))
    with (folder / "frames.csv").open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 60 and {row["id"] for row in rows} == {"1"} and float(rows[59]["seconds"]) == 1.967
    assert float(rows[0]["happy"]) == 1 and float(rows[-1]["sad"]) > 0.9 and list(rows[0])[-7:] == list(EXPRESSIONS)
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    (person,) = summary["people"]
    assert person["frames"] == summary["frames"] == report.frames == 60 and person["last_seconds"] == 1.967
    assert set(person["frames_named"]) == {"happy", "sad"} and sum(person["frames_named"].values()) == 60
    assert sum(person["mean_probs"].values()) == pytest.approx(1, abs=1e-3)


RATES = [
    # times, size, rate of the header -> rate, frames and size of the annotated video
    ("a rate that varies", [0, 0.1, 0.5, 0.55, 1.0], (160, 120), 20.0, (20, 21, (160, 130))),
    ("no rate at all", np.arange(26) / 25, (160, 120), 0.0, (25, 26, (160, 130))),
    ("a clock that jumps by an hour", [0, 0.04, 3600, 3600.04], (160, 120), 25.0, (25, 3, (160, 130))),
    ("odd sides", np.arange(5) / 25, (161, 123), 25.0, (25, 5, (160, 132))),
]


@pytest.mark.parametrize(
    ("times", "size_wh", "rate", "expected"), [row[1:] for row in RATES], ids=[row[0] for row in RATES]
)
def test_the_copy_keeps_the_time(times, size_wh, rate, expected, no_plot, tmp_path):
    recognize_video(Frames(times, size_wh, rate=rate), "x", tmp_path / "x", SquareFinder(), 0.5)
    assert read_back(tmp_path / "x" / "annotated.mp4") == expected


def test_ctrl_c_keeps_what_was_done(no_plot, tmp_path):
    report = recognize_video(Frames(np.arange(60) / 30, stop_at=20), "x", tmp_path / "x", SquareFinder(), 0.5)
    assert report.stopped and report.frames == 20
    assert read_back(tmp_path / "x" / "annotated.mp4")[1] == 20
    assert json.loads((tmp_path / "x" / "summary.json").read_text())["stopped"] is True
    again = recognize_video(Frames(np.arange(9) / 30), "x", tmp_path / "x", SquareFinder(), 0.5, max_seconds=0.1)
    assert not again.stopped and again.frames == 4  # an earlier run's files are replaced


def test_bad_videos_are_named_and_the_others_go_on(no_plot, tmp_path):
    good, cut = tmp_path / "good.avi", tmp_path / "cut.avi"
    writer = VideoWriter(tmp_path / "made.mp4", 25)
    images = np.random.default_rng(0).integers(0, 140, (40, 48, 64, 3), np.uint8)
    avi = cv2.VideoWriter(str(good), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*"MJPG"), 25, (64, 48))
    for index, image in enumerate(images):
        writer.write(image, index / 25)
        avi.write(image)
    writer.close()
    avi.release()
    cut.write_bytes(good.read_bytes()[:60_000])
    (tmp_path / "text.mp4").write_text("no video")
    sources = [tmp_path / "text.mp4", cut, tmp_path / "missing.mkv", good, tmp_path / "made.mp4", 93]
    reports, failed = recognize_videos(sources, tmp_path / "out", SquareFinder(), 0.5)
    assert [report.frames for report in reports][1:] == [40, 40] and 0 < reports[0].frames < 40
    assert [file for file, _ in failed] == [str(sources[0]), str(cut), str(sources[2]), "camera 93"]
    assert all("expected" in reason or "damaged" in reason for _, reason in failed)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"cut", "good", "made"}


def test_two_of_one_name_and_a_folder_of_something_else(no_plot, tmp_path):
    (tmp_path / "a").mkdir()
    for path in (tmp_path / "clip.mp4", tmp_path / "a" / "clip.mp4", tmp_path / "mine.mp4"):
        writer = VideoWriter(path, 25)
        writer.write(np.zeros((48, 64, 3), np.uint8), 0)
        writer.close()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").write_text("mine")
    sources = [tmp_path / "clip.mp4", tmp_path / "a" / "clip.mp4", tmp_path / "mine.mp4"]
    reports, failed = recognize_videos(sources, tmp_path, SquareFinder(), 0.5)
    assert [report.folder for report in reports] == [str(tmp_path / "clip"), str(tmp_path / "clip-2")]
    assert reports[0].people == [] and [file for file, _ in failed] == [str(tmp_path / "mine.mp4")]
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["diary.txt"]


def test_a_camera_ends_with_its_window(no_plot, tmp_path, monkeypatch):
    class FakeCapture:
        """A camera of one gray frame after another."""

        isOpened = lambda self: True  # noqa: E731
        read = lambda self: (True, np.full((48, 64, 3), 90, np.uint8))  # noqa: E731
        get = lambda self, _: 30.0  # noqa: E731
        release = lambda self: None  # noqa: E731

    monkeypatch.setattr(cv2, "VideoCapture", lambda number: FakeCapture())
    shown = []
    show = lambda image: shown.append(image) or len(shown) < 5  # noqa: E731
    (report,), failed = recognize_videos([0], tmp_path, SquareFinder(), 0.5, "en", None, show)
    assert report.frames == 5 and report.file == "camera 0" and not failed and shown[0].shape == (56, 64, 3)
    assert {path.name for path in (tmp_path / "camera0").iterdir()} == FILES


def test_what_is_kept_of_a_person_has_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(app, "_MOST_BINS", 30)
    people, frames = {}, Frames(np.arange(200) / 20, (64, 80))
    with (tmp_path / "rows.csv").open("w") as file:
        for image, _ in app._annotate(frames, SquareFinder(), 0.5, "en", csv.writer(file), people):
            assert image.shape == (88, 64, 3)
    assert people[1].frames == 200 and len(people[1].bins) == 25 and people[1].bin_seconds == 0.4
    assert sum(sums[-1] for sums in people[1].bins.values()) == 200
