"""Tidying a folder: the plan, the deed, the copies, and back."""

import cv2
import numpy as np
import pytest
from PIL import Image

from fer_paddle.collect.clean import CLEANED, CleanRule, apply_clean, plan_clean
from fer_paddle.collect.copies import fingerprint, group_copies
from fer_paddle.collect.pipeline import find_sources
from fer_paddle.images import list_images, read_image, to_bgr, to_gray, write_image


def scene(seed, side=96):
    """An image with large shapes, as photos have."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    return cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)


def content(folder):
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != CLEANED)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def clean(folder, out, rule):
    return apply_clean(plan_clean(folder, rule, out), out, rule)


def write_scenes(folder, **seeds):
    """Write an image a name, `a=1` as a.png, into a new folder."""
    folder.mkdir(parents=True)
    for name, seed in seeds.items():
        write_image(folder / f"{name}.png", scene(seed))
    return folder


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


def _orientation(image, value):
    exif = image.getexif()
    exif[0x112] = value
    return exif


def test_a_plan_changes_nothing(mess):
    before = content(mess)
    plan = plan_clean(mess, CleanRule())
    assert content(mess) == before
    assert plan.counts() == {"copy": 2, "convert": 4, "leave out": 4, "done": 0}
    actions = {action.path.name: action for action in plan.actions}
    assert actions["half.jpg"].reason.startswith("cannot be read") and actions["empty.png"].kind == "leave out"
    assert "copy of" in actions["exact.jpg"].reason


def test_a_clean_folder_is_a_new_one(mess, tmp_path):
    before, out = content(mess), tmp_path / "图"
    rule = CleanRule("{folder}-{number:03}", ".jpg")
    assert clean(mess, out, rule) == {}
    assert content(mess) == before
    assert sorted(content(out)) == ["sub/sub-001.jpg", "sub/sub-002.jpg", *(f"图-{n:03}.jpg" for n in range(1, 5))]
    for path in list_images(out):
        with Image.open(path) as image:
            assert image.format == "JPEG"
        assert find_sources(path)[0]["source"].startswith(str(mess))
    assert read_image(out / "sub" / "sub-002.jpg").shape == (96, 48, 3)  # upright now
    assert plan_clean(out, rule).counts() == {"copy": 6, "convert": 0, "leave out": 0, "done": 0}  # clean is clean


def test_a_second_run_adds_what_is_new_and_brings_nothing_back(mess, tmp_path):
    out, rule = tmp_path / "out", CleanRule()
    clean(mess, out, rule)
    first = content(out)
    gone = list_images(out)[0]
    gone.unlink()  # by hand: it was no face
    write_image(mess / "new.jpg", scene(9))
    write_image(mess / "z larger.png", cv2.resize(read_image(mess / "z.jpg"), (192, 192)))  # a copy of one that is done
    plan = plan_clean(mess, rule, out)
    assert plan.counts() == {"copy": 1, "convert": 0, "leave out": 5, "done": 6}
    with pytest.raises(ValueError, match=r"cleaned.jsonl, got another: color \('gray', was 'keep'\)"):
        plan_clean(mess, CleanRule(color="gray"), out)
    apply_clean(plan, out, rule)
    after = content(out)
    assert len(after) == len(first) and gone.relative_to(out).as_posix() not in after
    assert {name: after[name] for name in first if name in after} == {n: c for n, c in first.items() if n in after}


def test_an_image_that_does_not_fit_its_new_format_is_named(tmp_path):
    folder = write_scenes(tmp_path / "in", b=2)
    write_image(folder / "a.png", np.zeros((1, 20_000), np.uint8))
    failed = clean(folder, tmp_path / "out", CleanRule(suffix=".webp"))
    assert list(failed) == [str(folder / "a.png")] and len(list_images(tmp_path / "out")) == 1
    assert (
        f"'{tmp_path / 'out' / 'out_00001.webp'}': expected an image that fits into WEBP"
        in failed[str(folder / "a.png")]
    )


def test_the_new_folder_lies_apart(tmp_path):
    for out in ("in", "in/new", "."):
        with pytest.raises(ValueError, match="neither in"):
            plan_clean(tmp_path / "in", CleanRule(), tmp_path / out)


def test_copies_in_two_classes_are_left_and_named(tmp_path):
    write_scenes(tmp_path / "happy", a=1)
    write_scenes(tmp_path / "sad", a=1, b=1)
    plan = plan_clean(tmp_path, CleanRule(suffix=".png"))
    assert plan.counts()["leave out"] == 1  # within sad
    (conflict,) = plan.conflicts
    assert {path.parent.name for path in conflict} == {"happy", "sad"}


def test_links_to_images_become_images_and_a_linked_folder_is_left_alone(tmp_path):
    folder, pool = write_scenes(tmp_path / "happy", z=3), write_scenes(tmp_path / "pool", far=1)
    (folder / "1.png").symlink_to("../pool/far.png")
    (folder / "3.png").symlink_to("z.png")
    (folder / "loop.jpg").symlink_to("loop.jpg")
    (folder / "link").symlink_to(pool)
    assert [action.reason for action in plan_clean(folder, CleanRule()).actions if action.path.parent != folder] == [
        "lies in a linked folder elsewhere"
    ]
    clean(folder, tmp_path / "out", CleanRule())
    for seed, path in zip((1, 3), list_images(tmp_path / "out"), strict=True):
        assert not path.is_symlink() and np.abs(read_image(path).astype(int) - scene(seed)).mean() < 3


def test_near_copies_and_what_is_none():
    photo = scene(1, 200)
    near = {
        "smaller": cv2.resize(photo, (100, 100), interpolation=cv2.INTER_AREA),
        "jpeg": cv2.imdecode(cv2.imencode(".jpg", photo, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], 1),
        "brighter": cv2.convertScaleAbs(photo, alpha=0.9, beta=20),
        "gray": to_bgr(to_gray(photo)),
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
    assert names[group[0]] in ("photo", "jpeg", "brighter")  # the largest in color stays
    assert group_copies(prints, near_bits=-1) == []
