"""Labeling of folders: what is planned, written and refused, and that kills lose and double nothing."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from fer_paddle.drawn import draw_scene
from fer_paddle.files import hold
from fer_paddle.images import read_image, write_image
from fer_paddle.pipeline import Pipeline

ROOT = Path(__file__).parents[3]
SETTINGS = {"weights": None, "detector": None, "min_score": 0.5, "min_face": 0.0}


def scenes(count):
    """Draw scenes of one person each."""
    return [draw_scene((9, number), 160, 120, 1, 40, 70).image for number in range(count)]


@pytest.mark.parametrize("name", ["pyarrow", "ray"])
def test_a_missing_package_is_one_line(name, run, tmp_path, monkeypatch):
    if name == "ray":
        pytest.importorskip("pyarrow")
    monkeypatch.delitem(sys.modules, "fer_paddle.apps.batch", raising=False)
    monkeypatch.setitem(sys.modules, name, None)
    code, _, err = run("batch", "--data", tmp_path / "data", "--out", tmp_path / "out")
    assert (code, err) == (1, "error: expected the package ray[data]; install it with: pip install ray[data]\n")
    assert not (tmp_path / "out").exists()


@pytest.fixture
def batch(monkeypatch):
    """The module, with a run in this process instead of Ray's."""
    pytest.importorskip("ray", reason="Ray is an extra: pip install '.[batch]'")
    from fer_paddle.apps import batch

    def run_here(rows, data, settings, workers):
        label = batch.Labeler(data.resolve(), settings)
        return map(label, rows)

    monkeypatch.setattr(batch, "_run", run_here)
    return batch


@pytest.fixture
def images(tmp_path):
    """A folder of six scenes, one file that is no image, and a name that is not UTF-8."""
    folder = tmp_path / "images"
    (folder / "more").mkdir(parents=True)
    for number, image in enumerate(scenes(6)):
        write_image(folder / ("more" if number % 2 else ".") / f"{number}.png", image)
    (folder / "broken.jpg").write_bytes(b"no image")
    (folder / os.fsdecode(b"\xff.png")).write_bytes((folder / "0.png").read_bytes())
    return folder


def rows_of(out):
    """Return the rows of all parts by file; none is there twice."""
    import pyarrow.parquet as pq

    rows = [row for path in sorted(out.glob("part-*.parquet")) for row in pq.read_table(path).to_pylist()]
    assert len({row["file"] for row in rows}) == len(rows)
    return {row["file"]: row for row in rows}


def test_every_image_is_a_row_and_resume_does_what_is_missing(batch, images, tmp_path):
    import pyarrow.parquet as pq

    out = tmp_path / "out"
    assert batch.label_folder(images, out, SETTINGS, 2, 3) == {"images": 8, "failed": 1, "parts": 3, "done_now": 3}
    first = rows_of(out)
    assert set(first) == {"0.png", "2.png", "4.png", "broken.jpg", "\\udcff.png", *(f"more/{n}.png" for n in (1, 3, 5))}
    faces = Pipeline()(read_image(images / "0.png"), min_score=SETTINGS["min_score"])
    assert first["0.png"]["faces"] == first["\\udcff.png"]["faces"] == [face.to_json() for face in faces]  # as JSON's
    assert sum(len(row["faces"]) for row in first.values()) >= 6 and first["0.png"]["width"] == 160
    assert first["0.png"]["error"] is None
    assert "expected a JPEG" in first["broken.jpg"]["error"] and first["broken.jpg"]["faces"] == []
    assert [pq.read_metadata(path).num_row_groups for path in out.glob("part-*")] == [1, 1, 1]

    (out / "part-000000.parquet").unlink()
    (out / "part-000001.parquet").write_bytes(b"")  # as after a loss of power
    kept = (out / "part-000002.parquet").stat().st_mtime_ns
    (images / "new.png").write_bytes((images / "2.png").read_bytes())
    done = batch.label_folder(images, out, SETTINGS, 2, 3, resume=True)
    assert done == {"images": 9, "failed": 1, "parts": 4, "done_now": 3}
    assert rows_of(out) == first | {"new.png": {**first["2.png"], "file": "new.png"}}
    assert (out / "part-000002.parquet").stat().st_mtime_ns == kept
    assert batch.label_folder(images, out, SETTINGS, 2, 3, resume=True)["done_now"] == 0
    assert not [path.name for path in out.iterdir() if path.name.startswith(".")]


def test_a_part_whose_images_have_changed_is_labeled_again(batch, images, tmp_path):
    out = tmp_path / "out"
    batch.label_folder(images, out, SETTINGS, 1, 3)
    write_image(images / "0.png", draw_scene((9, 1), 200, 160, 1, 40, 70).image)
    (images / "broken.jpg").unlink()
    (images / "broken.jpg").symlink_to("broken.jpg")  # a link to itself
    done = batch.label_folder(images, out, SETTINGS, 1, 3, resume=True)
    rows = rows_of(out)
    assert (done["done_now"], rows["0.png"]["width"]) == (2, 200)
    assert "Too many levels of symbolic links" in rows["broken.jpg"]["error"]
    assert batch.label_folder(images, out, SETTINGS, 1, 3, resume=True)["done_now"] == 0


@pytest.mark.parametrize(
    ("change", "resume", "said"),
    [
        ({}, False, "expected a folder without a run"),
        ({"min_score": 0.4}, True, "got others: min_score"),
        ({"weights": "distresnet.fer2013"}, True, "got others: network .*, weights "),
        ({"detector": "yolo3tiny.face"}, True, "got others: detector .*, faces "),
    ],
)
def test_another_run_is_refused(change, resume, said, batch, images, tmp_path):
    batch.label_folder(images, tmp_path / "out", SETTINGS, 1)
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    with pytest.raises(ValueError, match=said):
        batch.label_folder(images, tmp_path / "out", SETTINGS | change, 1, resume=resume)
    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_what_cannot_be_labeled_is_refused(batch, images, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="expected images in .*empty, found none"):
        batch.label_folder(tmp_path / "empty", tmp_path / "out", SETTINGS, 1)
    with hold(tmp_path / "held"), pytest.raises(ValueError, match="expected no other run"):
        batch.label_folder(images, tmp_path / "held", SETTINGS, 1)


class Killed(BaseException):
    """What no part of the program catches, as a kill."""


def test_an_image_that_ends_every_worker_is_given_up_and_no_other(batch, images, tmp_path, monkeypatch):
    out, label, fatal = tmp_path / "out", batch.Labeler._label, draw_scene((9, 2), 160, 120, 1, 40, 70).image

    def run(**patches):
        with monkeypatch.context() as patched:
            for name, value in patches.items():
                patched.setattr(batch if name == "replacing" else batch.Labeler, name, value)
            return batch.label_folder(images, out, SETTINGS, 1, 8, resume=True)

    def die(self, image, scale):
        if (image == fatal).all():
            raise Killed
        return label(self, image, scale)

    def full(path):
        raise OSError("expected space on the disk, found none")

    with pytest.raises(Killed):
        run(_label=die)
    for _ in range(batch.MOST_DEATHS):  # of the last image, were it one
        with pytest.raises(OSError, match="expected space"):
            run(replacing=full)
    for _ in range(batch.MOST_DEATHS):
        with pytest.raises(Killed):
            run(_label=die)
    assert run(_label=die) == {"images": 8, "failed": 2, "parts": 1, "done_now": 1}
    rows = rows_of(out)
    assert rows["2.png"]["error"].startswith("expected to label the image, but it ended 3 workers")
    assert {name for name, row in rows.items() if row["error"]} == {"2.png", "broken.jpg"}
    assert sorted(path.name for path in out.iterdir()) == [batch.PLAN, "part-000000.parquet"]


class Run:
    """The command in a process of its own; its workers are found by a word in their environment."""

    def __init__(self, data: Path, out: Path):
        self.out, self.word = out, uuid.uuid4().hex
        command = [sys.executable, "-m", "fer_paddle", "batch", "--data", str(data), "--out", str(out)]
        self.driver = subprocess.Popen(
            [*command, "--workers", "2", "--part", "50", "--resume", "--json"],
            cwd=ROOT,
            env={**os.environ, "FER_TEST_WORD": self.word, "RAY_worker_niceness": "0"},
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def processes(self, name: str = "") -> list[int]:
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if self.word in (folder / "environ").read_text() and name in (folder / "cmdline").read_text():
                    found.append(int(folder.name))
            except (OSError, UnicodeDecodeError):  # it has ended, or is another's
                continue
        return found

    def wait_for_parts(self, count: int) -> None:
        end = time.monotonic() + 300
        while len(list(self.out.glob("part-*"))) < count:
            assert self.driver.poll() is None, self.driver.communicate()
            assert time.monotonic() < end, f"expected {count} parts within five minutes"
            time.sleep(0.2)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")
def test_killed_workers_and_drivers_lose_and_double_nothing(tmp_path):
    """2,000 drawn images on a local Ray of two workers."""
    pytest.importorskip("ray", reason="Ray is an extra: pip install '.[batch]'")

    data, out = tmp_path / "data", tmp_path / "out"
    images = scenes(2000)
    data.mkdir()
    for number, image in enumerate(images):
        write_image(data / f"{number}.png", image)
    first = Run(data, out)
    first.wait_for_parts(4)
    worker = first.processes("MapWorker")[0]
    os.kill(worker, signal.SIGKILL)
    first.wait_for_parts(16)
    assert not Path(f"/proc/{worker}").exists()
    first.driver.kill()
    first.driver.communicate()
    kept = {path: path.stat().st_mtime_ns for path in out.glob("part-*")}
    assert 16 <= len(kept) < 40

    second = Run(data, out)  # at once: workers of the first may still write
    printed, said = second.driver.communicate(timeout=600)
    assert second.driver.returncode == 0, said
    counts = json.loads(printed)
    assert 0 < counts.pop("done_now") <= 40 - len(kept)
    assert counts == {"images": 2000, "failed": 0, "parts": 40}
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    rows = rows_of(out)
    assert set(rows) == {f"{number}.png" for number in range(2000)}
    assert [path.name for path in out.iterdir() if path.name.startswith(".")] == []
    assert sum(len(row["faces"]) for row in rows.values()) >= 1500
    pipeline = Pipeline()
    for number in range(0, 2000, 100):
        faces = [face.label for face in pipeline(images[number])]
        assert [face["label"] for face in rows[f"{number}.png"]["faces"]] == faces
