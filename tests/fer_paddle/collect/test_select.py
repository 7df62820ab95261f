"""Keeping images with faces, and cutting faces and mouths."""

import json

import numpy as np
import pytest

from fer_paddle import pipeline
from fer_paddle.collect.select import FACE_MARGIN, SELECTED, FaceRule, find_faces, select_faces
from fer_paddle.files import read_json_lines
from fer_paddle.images import list_images, read_image, write_image
from yolo3tiny.predict import Detections

BOX = (40.0, 20.0, 100.0, 100.0)


def detector_of(*boxes, score=0.9):
    """A detector that finds the same boxes everywhere."""

    def detect(image, min_score=0.5):
        kept = [box for box in boxes if score >= min_score]
        return Detections(np.array(kept, np.float32).reshape(-1, 4), np.full(len(kept), score, np.float32))

    return detect


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "照片 1.png"
    write_image(path, np.random.default_rng(0).integers(0, 256, (120, 140, 3), np.uint8))
    return path


def test_faces_are_cut_as_the_pipeline_cuts_them(photo, tmp_path):
    assert FACE_MARGIN == pipeline.MARGIN
    out = tmp_path / "out"
    report = select_faces([photo], out, detector=detector_of(BOX))
    assert report.files == ["照片_1.png"] and report.kept == {str(photo): 1}
    assert read_image(out / "照片_1.png").shape == (88, 88, 3)  # the longer side, 80, and 5 % on each side
    (record,) = (json.loads(line) for line in (out / SELECTED).read_text(encoding="utf-8").splitlines())
    assert record["box_xyxy"] == list(BOX) and record["px"] == 60 and record["score"] == 0.9
    assert record["source"] == str(photo) and record["sharpness"] > 0


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        (FaceRule(), None),
        (FaceRule(min_faces=2), "1 face, expected at least 2"),
        (FaceRule(min_px=60), None),
        (FaceRule(min_px=61), "too small or blurred"),
        (FaceRule(min_sharpness=1e9), "too small or blurred"),
        (FaceRule(min_score=0.95), "0 faces, expected at least 1"),
    ],
)
def test_which_images_are_kept(photo, rule, says):
    _, reason = find_faces(read_image(photo), rule, detector_of(BOX))
    assert reason is None if says is None else says in reason
    _, reason = find_faces(read_image(photo), FaceRule(max_faces=1), detector_of(BOX, BOX))
    assert reason == "2 faces, expected at most 1"


def test_bad_files_are_named_and_the_rest_goes_on(photo, tmp_path):
    bad = tmp_path / "坏.jpg"
    bad.write_bytes(b"no")
    paths = [bad, tmp_path / "none.jpg", photo]
    report = select_faces(paths, tmp_path / "out", detector=detector_of(BOX))
    assert set(report.failed) == {str(bad), str(tmp_path / "none.jpg")} and len(report.files) == 1


def test_crops_go_to_another_folder_than_their_images(photo, tmp_path):
    with pytest.raises(ValueError, match="expected sources outside of"):  # the next run would cut faces out of faces
        select_faces([photo], tmp_path, detector=detector_of(BOX))
    assert list(tmp_path.iterdir()) == [photo]


@pytest.mark.parametrize("stop", range(3))
def test_stopped_between_the_crops_of_a_image(photo, tmp_path, monkeypatch, stop):
    boxes = [BOX, (5.0, 5.0, 60.0, 80.0), (60.0, 10.0, 120.0, 80.0)]

    def stop_at(path, image):
        if len(list_images(tmp_path / "out")) == stop:
            raise KeyboardInterrupt
        write_image(path, image)

    monkeypatch.setattr("fer_paddle.collect.select.write_image", stop_at)
    with pytest.raises(KeyboardInterrupt):
        select_faces([photo], tmp_path / "out", detector=detector_of(*boxes))
    monkeypatch.undo()
    assert len(select_faces([photo], tmp_path / "out", detector=detector_of(*boxes)).files) == 3 - stop
    assert select_faces([photo], tmp_path / "out", detector=detector_of(*boxes)).done_before == 1
    records = read_json_lines(tmp_path / "out" / SELECTED)
    assert [record["box_xyxy"] for record in records] == [list(box) for box in boxes]


def test_killed_between_a_crop_and_its_record(photo, tmp_path):
    out = tmp_path / "out"
    select_faces([photo], out, detector=detector_of(BOX))
    (out / SELECTED).unlink()
    assert select_faces([photo], out, detector=detector_of(BOX)).files == ["照片_1.png"]
    assert len(list_images(out)) == len(read_json_lines(out / SELECTED)) == 1


def test_each_kind_is_done_by_itself_and_once(photo, tmp_path):
    for number, kind in enumerate(("faces", "mouths", "images"), 1):
        first, again = (select_faces([photo], tmp_path / "out", kind=kind, detector=detector_of(BOX)) for _ in range(2))
        assert (first.done_before, len(first.files)) == (0, 1), kind
        assert (again.done_before, len(again.files)) == (1, 0), kind
        with pytest.raises(ValueError, match=r"selected.jsonl, got another: min_px \(90, was 40.0\)"):
            select_faces([photo], tmp_path / "out", FaceRule(min_px=90), kind, detector=detector_of(BOX))
        assert len(list_images(tmp_path / "out")) == number
    assert (tmp_path / "out" / first.files[0]).read_bytes() == photo.read_bytes()  # a whole image, as it was
