"""Published layouts, written here with drawn faces, come back with their points in the pixels of the image."""

from pathlib import Path

import numpy as np
import pytest

from fer_paddle.images import write_image
from fer_paddle.landmarks.data.faces import face_boxes
from fer_paddle.landmarks.data.readers import WFLW_TO_68, read_300w, read_groups, read_pts, read_wflw


def write_pts(path: Path, points: np.ndarray) -> None:
    lines = [f"{x + 0.5} {y + 0.5}" for x, y in points]
    path.write_text("\n".join(["version: 1", f"n_points: {len(points)}", "{", *lines, "}", ""]))


def test_300w_gives_points_source_and_split(drawn, tmp_path, caplog):
    for row, place in enumerate(("helen/trainset", "helen/testset", "ibug", "01_Indoor")):
        (tmp_path / place).mkdir(parents=True)
        write_image(tmp_path / place / f"{row}.png", drawn.images[row])
        write_pts(tmp_path / place / f"{row}.{'pts' if row else 'PTS'}", drawn.points[row])
    write_image(tmp_path / "ibug" / "without points.png", drawn.images[3])
    write_pts(tmp_path / "ibug" / "without photo.pts", drawn.points[3])
    found = list(read_300w(tmp_path))
    assert [photo.source for photo in found] == ["01_Indoor", "helen", "helen", "ibug"]
    assert [photo.split for photo in found] == ["test", "test", "train", "test"]
    np.testing.assert_allclose(found[2].points[0], drawn.points[0], atol=1e-4)
    np.testing.assert_array_equal(found[2].image, drawn.images[0])
    assert "left out 1 photos without a .pts, 1 .pts without a photo" in caplog.text
    write_image(tmp_path / "ibug" / "2.jpg", drawn.images[0])
    with pytest.raises(ValueError, match=r"2\.pts: expected points of one photo, got 2\.jpg and 2\.png"):
        next(read_300w(tmp_path))


def test_wflw_gives_the_points_of_ibug(drawn, tmp_path):
    all_points = np.random.default_rng(0).uniform(0, 100, (98, 2))
    all_points[WFLW_TO_68] = drawn.points[0] - 0.5
    write_image(tmp_path / "a.png", drawn.images[0])
    row = " ".join([*map(str, all_points.ravel()), *["0", "0", "90", "90"], *"000000", "a.png"])
    (tmp_path / "list_98pt_rect_attr_test.txt").write_text(row + "\n")
    (photo,) = read_wflw(tmp_path / "list_98pt_rect_attr_test.txt", tmp_path)
    np.testing.assert_allclose(photo.points[0], drawn.points[0], atol=1e-4)
    assert (photo.source, photo.split, len(set(WFLW_TO_68))) == ("wflw", "test", 68)


def test_groups_stand_relative_to_their_boxes(drawn, tmp_path):
    boxes = face_boxes(drawn.points[:2])
    relative = (drawn.points[:2] - boxes[:, None, :2]) / (boxes[:, 2:] - boxes[:, :2])[:, None]
    names = np.array(["dataset/1.png", "dataset/2.png"])
    np.savez(tmp_path / "landmarks_groups.npz", photo=names, box=boxes, pts=relative)
    for row in range(2):
        write_image(tmp_path / f"dataset_{row + 1}.png", drawn.images[row])
    found = list(read_groups(tmp_path, tmp_path))
    assert [photo.split for photo in found] == ["test", "train"]
    np.testing.assert_allclose(found[1].points[0], drawn.points[1], atol=1e-3)


BAD_PTS = {
    "five points": ("version: 1\nn_points: 5\n{\n" + "1 2\n" * 5 + "}\n", "68 points, got 5 of 5 in"),
    "a word": ("version: 1\n{\n" + "1 two\n" * 68 + "}\n", "bad.pts:3: expected 2 numbers, got '1 two'"),
    "three columns": ("version: 1\n{\n" + "1 2 3\n" * 68 + "}\n", "bad.pts:3: expected 2 numbers, got '1 2 3'"),
    "no number": ("version: 1\n{\n" + "1 nan\n" * 68 + "}\n", "bad.pts:3: expected 2 numbers, got '1 nan'"),
    "empty": ("", "68 points"),
    "another count": ("version: 1\nn_points: 49\n{\n" + "1 2\n" * 68 + "}\n", "68 points, got 68 of 49 in"),
    "a ragged line": ("version: 1\n{\n" + "1 2\n" * 67 + "1\n}\n", "bad.pts:70: expected 2 numbers, got '1'"),
}


@pytest.mark.parametrize("name", BAD_PTS)
def test_a_bad_pts_file_is_named(name, tmp_path):
    text, says = BAD_PTS[name]
    (tmp_path / "bad.pts").write_text(text)
    with pytest.raises(ValueError, match=says) as caught:
        read_pts(tmp_path / "bad.pts")
    assert "bad.pts" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", r"a line a face in .*list\.txt"),
        ("1 2 3", r"list\.txt:3: expected 207 fields, got 3"),
        ("1," * 206 + "a.png", r"list\.txt:3: expected 207 fields, got 1"),
        ("x " * 206 + "a.png", r"list\.txt:3: expected 196 numbers, got 'x x"),
    ],
)
def test_a_bad_list_is_named_with_its_line(line, says, tmp_path):
    (tmp_path / "list.txt").write_text(f"\n\n{line}")
    with pytest.raises(ValueError, match=says):
        list(read_wflw(tmp_path / "list.txt", tmp_path))


@pytest.mark.parametrize("layout", ["300w", "wflw", "groups"])
def test_all_that_cannot_be_read_is_named_before_the_first_photo(layout, drawn, tmp_path):
    for name in ("dataset_a", "dataset_b", "dataset_c"):
        write_image(tmp_path / f"{name}.png", drawn.images[0])
        write_pts(tmp_path / f"{name}.pts", drawn.points[0])
        if name != "dataset_a":
            (tmp_path / f"{name}.png").write_bytes((tmp_path / f"{name}.png").read_bytes()[:500])
    row = " ".join([*map(str, np.arange(206) % 97), ""])
    (tmp_path / "list.txt").write_text("".join(f"{row}dataset_{name}.png\n" for name in "abc"), encoding="utf-8-sig")
    names = np.array([f"dataset/{name}.png" for name in "abc"])
    np.savez(
        tmp_path / "landmarks_groups.npz",
        photo=names,
        box=np.tile([9, 9, 99, 99], (3, 1)),
        pts=np.tile(drawn.points[0] / 128, (3, 1, 1)),
    )
    read = {
        "300w": lambda: read_300w(tmp_path),
        "wflw": lambda: read_wflw(tmp_path / "list.txt", tmp_path),
        "groups": lambda: read_groups(tmp_path, tmp_path),
    }
    with pytest.raises(ValueError, match=r"got 2 others: .*dataset_b\.png.*; .*dataset_c\.png"):
        next(read[layout]())


@pytest.mark.parametrize("scale_and_shift", [(0, 50), (1, 1000), (1 / 128, 0), ([[1, 1]] * 67 + [[1e4, 1]], 0)])
def test_a_photo_whose_face_lies_elsewhere_is_named(drawn, tmp_path, scale_and_shift):
    write_image(tmp_path / "far.png", drawn.images[0])
    write_pts(tmp_path / "far.pts", drawn.points[0] * scale_and_shift[0] + scale_and_shift[1])
    with pytest.raises(ValueError, match="points of faces in the 128 x 128 px of .*far.png"):
        list(read_300w(tmp_path))
