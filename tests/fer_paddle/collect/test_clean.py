"""Tidying a folder: the plan, the deed, the copies, and back."""

from __future__ import annotations

import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from fer_paddle.collect.clean import CleanRule, apply_clean, plan_clean
from fer_paddle.collect.copies import fingerprint, group_copies, write_contact_sheets
from fer_paddle.collect.undo import undo_last
from fer_paddle.images import list_images, read_image, write_image


def scene(seed, side=96):
    """A picture with large shapes, as photos have."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    return cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)


def content(folder):
    files = (path for path in folder.rglob("*") if path.is_file() and ".collect" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture
def mess(tmp_path):
    folder = tmp_path / "杂图"
    (folder / "sub").mkdir(parents=True)
    write_image(folder / "z.jpg", scene(1))
    write_image(folder / "IMG 1.JPEG", scene(2))
    write_image(folder / "b.png", scene(3))
    write_image(folder / "copy of z.jpg", read_image(folder / "z.jpg"))  # other bytes, near pixels
    (folder / "exact.jpg").write_bytes((folder / "z.jpg").read_bytes())
    (folder / "half.jpg").write_bytes((folder / "z.jpg").read_bytes()[:300])
    (folder / "empty.png").touch()
    (folder / "really_png.jpg").write_bytes(cv2.imencode(".png", scene(4))[1].tobytes())
    (folder / "notes.txt").write_text("stays")
    turned = Image.fromarray(np.ascontiguousarray(scene(5)[:48, :, ::-1]))
    turned.save(folder / "sub" / "turned.jpg", exif=_orientation(turned, 6))
    Image.fromarray(scene(6)[..., 0]).save(folder / "sub" / "gray.png")
    return folder


def _orientation(picture, value):
    exif = picture.getexif()
    exif[0x112] = value
    return exif


def test_a_plan_changes_nothing(mess):
    before = content(mess)
    plan = plan_clean(mess, CleanRule())
    assert content(mess) == before and not (mess / ".collect").exists()
    assert plan.counts() == {"keep": 0, "rename": 2, "convert": 4, "set aside": 4}
    fates = {fate.path.name: fate for fate in plan.fates}
    assert fates["half.jpg"].reason.startswith("cannot be read") and fates["empty.png"].action == "set aside"
    assert "copy of" in fates["exact.jpg"].reason


def test_clean_and_undo(mess):
    before = content(mess)
    rule = CleanRule("{folder}-{number:03}", ".jpg")
    apply_clean(plan_clean(mess, rule), rule)
    after = content(mess)
    assert sorted(after) == [
        "notes.txt",
        "sub/sub-001.jpg",
        "sub/sub-002.jpg",
        *(f"杂图-{number:03}.jpg" for number in range(1, 5)),
    ]
    for path in list_images(mess):
        with Image.open(path) as picture:
            assert picture.format == "JPEG"
    assert read_image(mess / "sub" / "sub-002.jpg").shape == (96, 48, 3)  # upright now
    assert not any(fate.action != "keep" for fate in plan_clean(mess, rule).fates)  # clean is clean
    report = undo_last(mess)
    assert content(mess) == before and not report.missing and not report.kept


def test_names_that_are_taken_by_each_other(tmp_path):
    """1 -> 2 and 2 -> 1: neither may be overwritten on the way."""
    for name, seed in (("x_2.png", 1), ("x_3.png", 2), ("a.png", 3)):
        write_image(tmp_path / name, scene(seed))
    rule = CleanRule("x_{number}", ".png")
    apply_clean(plan_clean(tmp_path, rule), rule)
    order = [3, 1, 2]  # a, x_2, x_3
    for number, seed in enumerate(order, 1):
        assert (read_image(tmp_path / f"x_{number}.png") == scene(seed)).all()
    undo_last(tmp_path)
    assert (read_image(tmp_path / "x_2.png") == scene(1)).all()


@pytest.mark.parametrize(("color", "mode"), [("gray", "L"), ("color", "RGB"), ("keep", "L")])
def test_one_colour_mode(tmp_path, color, mode):
    Image.fromarray(scene(1)[..., 0]).save(tmp_path / "gray.gif")
    rule = CleanRule(suffix=".png", color=color)
    apply_clean(plan_clean(tmp_path, rule), rule)
    (path,) = list_images(tmp_path)
    with Image.open(path) as picture:
        assert picture.mode == mode


def test_copies_in_two_classes_are_left_and_named(tmp_path):
    for name in ("happy", "sad"):
        (tmp_path / name).mkdir()
        write_image(tmp_path / name / "a.png", scene(1))
    write_image(tmp_path / "sad" / "b.png", scene(1))
    plan = plan_clean(tmp_path, CleanRule(suffix=".png"))
    assert plan.counts()["set aside"] == 1  # within sad
    (conflict,) = plan.conflicts
    assert {path.parent.name for path in conflict} == {"happy", "sad"}


def test_a_linked_folder_is_left_alone(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "near").mkdir()
    write_image(tmp_path / "far" / "a.png", scene(1))
    (tmp_path / "near" / "link").symlink_to(tmp_path / "far")
    rule = CleanRule()
    plan = plan_clean(tmp_path / "near", rule)
    apply_clean(plan, rule)
    assert (tmp_path / "far" / "a.png").exists() and "linked" in plan.fates[0].reason


def test_a_crash_in_the_middle_can_be_undone(mess, monkeypatch):
    before = content(mess)
    rule, written = CleanRule(), []

    def fill_disk(path, image):
        written.append(path)
        if len(written) == 2:
            raise OSError("disk full")
        write_image(path, image)

    monkeypatch.setattr("fer_paddle.collect.clean.write_image", fill_disk)
    with pytest.raises(OSError, match="disk full"):
        apply_clean(plan_clean(mess, rule), rule)
    undo_last(mess)
    assert content(mess) == before


def test_ctrl_c_says_how_to_go_on_and_a_plan_waits(mess):
    before, rule = content(mess), CleanRule()

    def stop(fates):
        yield next(iter(fates))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="collect undo"):
        apply_clean(plan_clean(mess, rule), rule, stop)
    with pytest.raises(ValueError, match="0001-clean half done"):
        plan_clean(mess, rule)
    undo_last(mess)
    assert content(mess) == before and plan_clean(mess, rule)


def test_links_to_pictures(tmp_path):
    """Relative ones, to a picture elsewhere and to one that is renamed or set aside itself."""
    (tmp_path / "pool").mkdir()
    folder = tmp_path / "happy"
    folder.mkdir()
    write_image(tmp_path / "pool" / "far.png", scene(1))
    write_image(tmp_path / "pool" / "far.jpg", scene(2))
    write_image(folder / "z.jpg", scene(3))
    for name, target in (("1.png", "../pool/far.png"), ("2.jpg", "../pool/far.jpg"), ("3.jpg", "z.jpg")):
        (folder / name).symlink_to(target)
    before, rule = content(folder), CleanRule()
    plan = plan_clean(folder, rule)
    assert [(fate.action, fate.target and fate.target.name) for fate in plan.fates] == [
        ("convert", "happy_00001.jpg"),
        ("rename", "happy_00002.jpg"),
        ("convert", "happy_00003.jpg"),
        ("set aside", None),  # a copy of 3.jpg, its link
    ]
    apply_clean(plan, rule)
    for seed, path in enumerate(list_images(folder), 1):
        assert np.abs(read_image(path).astype(int) - scene(seed)).mean() < 3
    assert plan_clean(folder, rule).counts()["keep"] == 3
    undo_last(folder)
    assert content(folder) == before and (folder / "3.jpg").is_symlink()


def test_a_link_to_a_picture_that_was_renamed_before(tmp_path):
    write_image(tmp_path / "a.jpg", scene(1))
    (tmp_path / "b.jpg").symlink_to("a.jpg")
    rule = CleanRule("x_{number}", near_bits=None)
    apply_clean(plan_clean(tmp_path, rule), rule)
    first, second = map(read_image, list_images(tmp_path))
    assert np.abs(first.astype(int) - second).mean() < 3 and not (tmp_path / "x_2.jpg").is_symlink()


def test_long_names_keep_their_number(tmp_path):
    folder = tmp_path / ("很长的" * 15)
    folder.mkdir()
    for number in (1, 2):
        write_image(folder / f"{'x' * 100}{number}.jpg", scene(number))
    for pattern in ("{folder}_{number:05}", "{stem}_{number:05}", "{folder} {stem}{stem}_{number:05}"):
        names = [fate.target.name for fate in plan_clean(folder, CleanRule(pattern)).fates]
        assert [name[-9:] for name in names] == ["00001.jpg", "00002.jpg"]
        assert all(80 < len(name.encode()) <= 104 for name in names)


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_damaged_exif_does_no_harm(tmp_path, suffix):
    picture = Image.fromarray(scene(1))
    exif = picture.getexif()
    exif[0x10F] = "camera"
    picture.save(tmp_path / f"x_1{suffix}", exif=exif, lossless=True)
    data = (tmp_path / f"x_1{suffix}").read_bytes()
    start = data.index(b"MM\0*")
    damaged = bytearray(data)
    damaged[start : start + 4] = b"MM\0\xda"  # no TIFF
    length = 4 + int.from_bytes(data[start - 8 : start - 4], "big")
    if suffix == ".png":
        damaged[start - 4 + length : start + length] = zlib.crc32(damaged[start - 4 : start - 4 + length]).to_bytes(
            4, "big"
        )
    (tmp_path / f"x_1{suffix}").write_bytes(damaged)
    assert plan_clean(tmp_path, CleanRule("x_{number}", suffix)).counts()["keep"] == 1


@pytest.mark.parametrize("color", ["keep", "color", "gray"])
def test_a_clean_folder_of_gifs_stays(tmp_path, color):
    write_image(tmp_path / "a.png", scene(1))
    write_image(tmp_path / "b.png", scene(2)[..., 0])
    write_image(tmp_path / "c.png", scene(3)[..., 0] // 90 * 90)
    rule = CleanRule("x_{number}", ".gif", color)
    apply_clean(plan_clean(tmp_path, rule), rule)
    assert plan_clean(tmp_path, rule).counts()["keep"] == 3


@pytest.mark.parametrize(
    "change",
    [
        {"pattern": "same"},
        {"pattern": "很" * 20 + "{number}"},
        {"pattern": "{number.__class__}"},
        {"pattern": "{number!r}"},
        {"pattern": "{0}{number}"},
        {"pattern": "{stem:05}{number}"},
        {"pattern": "{number:99999999}"},
        {"pattern": "{number"},
        {"suffix": ".tga"},
        {"suffix": "jpg"},
        {"color": "blue"},
        {"near_bits": 65},
        {"near_bits": -2},
    ],
)
def test_rules_out_of_range(change):
    with pytest.raises(ValueError, match="expected"):
        CleanRule(**change)


def test_a_pattern_cannot_leave_the_folder(tmp_path):
    write_image(tmp_path / "a.png", scene(1))
    rule = CleanRule("../../{stem}_{number}", ".png")
    apply_clean(plan_clean(tmp_path, rule), rule)
    assert [path.name for path in list_images(tmp_path)] == ["a_1.png"]


def test_near_copies_and_what_is_none():
    photo = scene(1, 200)
    near = {
        "smaller": cv2.resize(photo, (100, 100), interpolation=cv2.INTER_AREA),
        "jpeg": cv2.imdecode(cv2.imencode(".jpg", photo, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], 1),
        "brighter": cv2.convertScaleAbs(photo, alpha=0.9, beta=20),
        "gray": cv2.cvtColor(photo, cv2.COLOR_BGR2GRAY),
    }
    others = {
        "another": scene(2, 200),
        "mirror": np.ascontiguousarray(photo[:, ::-1]),
        "black": np.zeros((200, 200, 3), np.uint8),
        "white": np.full((200, 200, 3), 255, np.uint8),
    }
    names = [*near, "photo", *others]
    prints = [fingerprint(image) for image in [*near.values(), photo, *others.values()]]
    (group,) = group_copies(prints, near_bits=6)
    assert {names[index] for index in group} == {"photo", *near}
    assert names[group[0]] in ("photo", "jpeg", "brighter")  # the largest in colour stays
    assert group_copies(prints, near_bits=-1) == []


def test_a_slow_change_is_not_one_group():
    """Each frame is near to the next, the first is not near to the last."""
    first, last = scene(1), scene(2)
    frames = [cv2.addWeighted(first, 1 - share, last, share, 0) for share in np.linspace(0, 1, 25)]
    groups = group_copies([fingerprint(frame) for frame in frames], near_bits=10)
    assert 1 <= len(groups) and max(map(len, groups)) < 20


def test_contact_sheets(tmp_path):
    paths = []
    for number in range(12):
        paths.append(tmp_path / f"图{number}.png")
        write_image(paths[-1], scene(number, 40 + number))
    sheets = write_contact_sheets(tmp_path / "sheet.jpg", [paths[:8], *([paths[8:10]] * 9)])
    assert [sheet.name for sheet in sheets] == ["sheet.jpg", "sheet-2.jpg"]
    assert read_image(sheets[0]).shape[0] > read_image(sheets[1]).shape[0]
    assert write_contact_sheets(tmp_path / "none.jpg", []) == []
    before = sheets[0].read_bytes()
    more = write_contact_sheets(tmp_path / "sheet.jpg", [paths[:2]] * 9, replace=False)
    assert [sheet.name for sheet in more] == ["sheet-3.jpg", "sheet-4.jpg"] and sheets[0].read_bytes() == before
