"""Frames out of videos that the tests write: times, rotation, damage."""

import struct

import cv2
import numpy as np
import pytest

from fer_paddle.collect.frames import FRAMES, save_frames
from fer_paddle.files import read_json_lines
from fer_paddle.images import list_images, read_image
from fer_paddle.video import Frame, FrameRule, Video, choose_frames

RATE = 10


def colored(value, width=64, height=48):
    """An image whose upper half says which frame it is and whose lower half is black: up is known."""
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2] = value
    return image


def write_video(path, values, codec="MJPG", width=64, height=48):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), RATE, (width, height))
    assert writer.isOpened()
    for value in values:
        writer.write(colored(value, width, height))
    writer.release()
    return path


def turn(path):
    """Writes a rotation by 90 degrees into the track header of an MP4, as a phone held upright does."""
    content = bytearray(path.read_bytes())
    start = content.index(b"tkhd") + 4 + 40  # version 0: the matrix follows after 40 bytes
    content[start : start + 36] = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 48 << 16, 0, 1 << 30)
    path.write_bytes(content)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Two seconds: dark red, then light blue."""
    values = [(20, 20, 120)] * 10 + [(230, 200, 60)] * 10
    return write_video(tmp_path_factory.mktemp("视频") / "我的 clip.avi", values)


@pytest.mark.parametrize(
    ("rule", "indices"),
    [
        (FrameRule("rate", 2), [0, 5, 10, 15]),
        (FrameRule("rate", 1000), list(range(20))),
        (FrameRule("rate", 0.1), [0]),
        (FrameRule("scenes"), [0, 10]),
        (FrameRule("scenes", scene_change=1.0), [0]),
        (FrameRule("rate", 10, max_frames=3), [0, 1, 2]),
    ],
)
def test_which_frames(clip, rule, indices):
    assert [frame.index for frame in choose_frames(Video(clip), rule)] == indices


def test_the_sharpest_of_each_stretch():
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    blurred = cv2.GaussianBlur(noise, (9, 9), 4)
    sharp_at = {3, 12, 19}
    frames = [Frame(i, i / RATE, noise if i in sharp_at else blurred) for i in range(20)]
    chosen = choose_frames(frames, FrameRule("sharpest", 1))
    assert [frame.index for frame in chosen] == [3, 12]


def test_a_video_that_was_held_upright(tmp_path):
    path = write_video(tmp_path / "phone.mp4", [(200, 200, 200)] * 5, "mp4v")
    turn(path)
    image = next(iter(Video(path))).image
    assert image.shape == (64, 48, 3)
    assert image[:, 40].mean() > 150 and image[:, 8].mean() < 60  # what was up is right now


def test_names_times_and_records(clip, tmp_path):
    report = save_frames(clip, tmp_path, FrameRule("rate", 2))
    assert report.files == [f"我的_clip_{ms:08}ms.jpg" for ms in (0, 500, 1000, 1500)]
    assert report.frames_read == 20 and report.warning is None
    records = [record for record in read_json_lines(tmp_path / FRAMES) if "file" in record]
    assert [(record["index"], record["seconds"]) for record in records] == [(0, 0.0), (5, 0.5), (10, 1.0), (15, 1.5)]
    assert read_image(tmp_path / report.files[2]).shape == (48, 64, 3)


def test_a_run_that_was_cut_short_goes_on_and_a_second_one_writes_nothing_again(clip, tmp_path, monkeypatch):
    def stop_after_12(frames, unit):
        for frame in frames:
            if frame.index == 12:
                raise KeyboardInterrupt
            yield frame

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("fer_paddle.collect.frames.track", stop_after_12)
        save_frames(clip, tmp_path, FrameRule("rate", 2))
    assert len(list_images(tmp_path)) == 3
    assert len(save_frames(clip, tmp_path, FrameRule("rate", 2)).files) == 1
    assert save_frames(clip, tmp_path, FrameRule("rate", 2)).done_before
    assert len(list_images(tmp_path)) == 4
    other = save_frames(clip, tmp_path, FrameRule("rate", 1))
    assert len(other.files) == 2 and not other.done_before


def test_a_damaged_video_gives_what_can_be_read(tmp_path, caplog):
    half = write_video(tmp_path / "half.mkv", [(20, 20, 120)] * 10 + [(230, 200, 60)] * 10)
    content = half.read_bytes()
    half.write_bytes(content[: len(content) * 6 // 10])
    report = save_frames(half, tmp_path / "out", FrameRule("rate", 10))
    assert 8 <= len(report.files) < 15
    assert "damaged or cut off" in report.warning and "half.mkv" in caplog.text


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("empty.mp4", b"", "empty file"),
        ("text.mp4", b"not a video at all", "expected a video"),
        ("list.mp4", b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n", "expected a video"),  # FFmpeg would follow it
        ("concat.mkv", b"ffconcat version 1.0\nfile /etc/passwd\n", "expected a video"),
        ("head.mp4", b"\0\0\0\x20ftypisom" + bytes(200), "expected a readable video"),
        ("head.mkv", b"\x1aE\xdf\xa3" + bytes(500), "expected a readable video"),
        ("head.avi", b"RIFF\0\0\0\0AVI LIST" + bytes(200), "expected a readable video"),
    ],
)
def test_files_that_are_no_video(tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=says) as caught:
        save_frames(tmp_path / name, tmp_path / "out", FrameRule())
    assert "\n" not in str(caught.value) and len(list(tmp_path.iterdir())) <= 2
    with pytest.raises(FileNotFoundError):
        Video(tmp_path / "none.mp4")
