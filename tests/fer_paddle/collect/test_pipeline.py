"""The chapter as a person meets it: one command from a site, a video and a folder to class folders that train reads."""

import json
import shlex

import cv2
import pytest

from fer_paddle.collect.names import save_recorded
from fer_paddle.collect.pipeline import CollectRules, collect_class, find_sources, sort_sources
from fer_paddle.collect.select import FACE_MARGIN
from fer_paddle.drawn import draw_face
from fer_paddle.expression.data.expressions import load_faces
from fer_paddle.images import crop_square, list_images, read_image, resize, write_image


@pytest.fixture
def collect(run):
    """`collect(*args)`: exit code, stdout and stderr of `python -m fer_paddle collect ARGS`."""
    return lambda *args: run("collect", *args)


@pytest.fixture(scope="module")
def portraits():
    seeds = {4: 4, 5: 11, 6: 15}  # faces that the shipped detector is sure of
    return {
        name: draw_face("happy", 200, seed=seed, pose_deg=(0, 0, 0), clean=True).image for name, seed in seeds.items()
    }


def put_portraits(site, portraits):
    for seed in (4, 5):
        site.put(f"/{seed}.png", cv2.imencode(".png", portraits[seed])[1].tobytes(), "image/png")


def test_from_a_site_a_video_and_a_folder_to_class_folders(collect, site, tmp_path, portraits):
    put_portraits(site, portraits)
    page = site.put("/page", "<img src=4.png><img data-src=5.png><img src=gone.png>")
    (tmp_path / "urls.txt").write_text(f"# pages\n{page}\n")
    folder = tmp_path / "我的照片"
    folder.mkdir()
    write_image(folder / "又.png", portraits[4])  # a copy of one on the site
    write_image(folder / "墙.png", portraits[4][:40, :40])  # no face
    (folder / "坏.jpg").symlink_to("坏.jpg")  # to itself
    video = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter_fourcc(*"MJPG"), 5, (200, 200))
    for _ in range(10):
        writer.write(portraits[6])
    writer.release()
    command = ("run", f"happy={tmp_path / 'urls.txt'}", f"happy={folder}", f"平静={video}", "--out", tmp_path / "数据")
    options = ("--allow-private", "--pause", 0, "--json")
    code, out, err = collect(*command, *options)
    assert code == 0, err
    happy, calm = json.loads(out)
    assert happy["crawled"]["saved"] == 2 and happy["files"] == 2 and happy["copies"] == 1
    assert calm["files"] == 1 and list(calm["frames"].values()) == [2]  # of two frames, one is a copy
    assert "坏.jpg" in err and err.count("\n") == 1
    faces = load_faces(tmp_path / "数据")  # what `train --data` reads
    assert faces.counts()["happy"] == 2 and faces.counts()["neutral"] == 1
    assert sorted(path.name for path in list_images(folder)) == ["又.png", "坏.jpg", "墙.png"]
    asked = dict(site.asked)
    code, out, err = collect(*command, *options)  # again: it goes on, and nothing comes twice
    assert code == 0 and [told["files"] for told in json.loads(out)] == [2, 1]
    assert site.asked["/4.png"] == asked["/4.png"]
    code, out, _ = collect("sources", tmp_path / "数据" / "happy")
    assert code == 0 and all(f"url: {site.url}/{name}.png" in out for name in (4, 5)) and f"page: {page}" in out
    code, out, _ = collect("sources", *list_images(tmp_path / "数据" / "平静"), video, "--json")
    calm, unknown = json.loads(out).values()
    assert code == 1 and unknown == [] and [record.get("video") for record in calm] == 2 * [None] + 2 * ["clip.avi"]


WRONG = """
run happy --out x
run happy=nowhere.mp4 --out x
run happy= --out x
crawl --out x
crawl nowhere.txt --out x
crawl http://a/ --out x --pause -1
crawl http://a/ --out x --depth -1
crawl http://a/ --out x --proxy nowhere
frames x.mp4 --out x --per-second 0
clean nowhere
clean .
clean . --pattern same
sources nowhere.jpg
select nowhere.jpg --out x
train-mouths --data nowhere.npz"""  # the first line is empty: no arguments


@pytest.mark.parametrize("args", WRONG.splitlines())
def test_wrong_use_is_one_line_and_code_2(collect, tmp_path, monkeypatch, args):
    monkeypatch.chdir(tmp_path)
    code, out, err = collect(*shlex.split(args))
    assert code == 2 and not out
    assert err.startswith("error: ") and err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []  # nothing half done


def test_parts_by_hand(collect, site, tmp_path, portraits):
    """crawl, clean, select one after the other."""
    put_portraits(site, portraits)
    web = tmp_path / "web"
    urls = [f"{site.url}/{name}.png" for name in (4, 5, 404)]
    code, out, err = collect("crawl", *urls, "--out", web, "--allow-private", "--pause", 0, "--json")
    assert code == 0 and json.loads(out)["saved"] == 2 and "404" in err
    write_image(web / "copy.png", portraits[4])
    code, out, _ = collect("clean", web, "--format", ".png")
    assert code == 0 and "leave out" in out and "without --out" in out and len(list_images(web)) == 3
    tidy = tmp_path / "tidy"
    code, out, _ = collect("clean", web, "--format", ".png", "--out", tidy, "--json")
    assert code == 0 and json.loads(out)["leave out"] == 1 and len(list_images(web)) == 3
    assert [path.name for path in list_images(tidy)] == ["tidy_00001.png", "tidy_00002.png"]
    assert collect("clean", web, "--format", ".png", "--out", tidy)[0] == 0  # again: no second sheet
    (sheet,) = tmp_path.glob("tidy-*")
    assert sheet.name == "tidy-copies.jpg" and read_image(sheet).size
    code, out, _ = collect("select", tidy, "--out", tmp_path / "mouths", "--what", "mouths", "--json")
    assert code == 0 and len(json.loads(out)["files"]) == 2


def test_bad_videos_are_named_and_the_rest_goes_on(collect, tmp_path):
    (tmp_path / "bad.mp4").write_bytes(b"no")
    code, out, err = collect("frames", tmp_path / "bad.mp4", tmp_path / "none.mp4", "--out", tmp_path / "f", "--json")
    assert code == 1 and err.count("error: ") == 2 and len(json.loads(out)["failed"]) == 2
    (tmp_path / "bad.png").write_bytes(b"")
    code, _, err = collect("run", f"happy={tmp_path / 'bad.png'}", "--out", tmp_path / "set")
    assert code == 1 and err.count("bad.png") == 1  # and not twice in one line


def test_class_names_stay_in_the_folder_and_the_work_folder_is_no_class(tmp_path):
    for name in ("../happy", "a/b", "CON", ".hidden", ""):
        with pytest.raises(ValueError, match="class name"):
            collect_class(name, sort_sources([]), tmp_path / "out", tmp_path / "work", None, CollectRules())
    with pytest.raises(ValueError, match="outside"):
        collect_class("happy", sort_sources([]), tmp_path, tmp_path / "work", None)
    with pytest.raises(ValueError, match="found none"):  # an empty folder
        sort_sources([str(tmp_path)])


@pytest.mark.parametrize("source", ["data/happy", "link", "data/happy/a.png"])
def test_a_source_within_the_data_set(collect, tmp_path, portraits, source):
    """Each run would cut faces out of faces, and mix them into the originals."""
    (tmp_path / "data" / "happy").mkdir(parents=True)
    write_image(tmp_path / "data" / "happy" / "a.png", portraits[4])
    (tmp_path / "link").symlink_to("data/happy")
    other = tmp_path / "other.png"
    write_image(other, portraits[5])
    command = ("run", f"sad={other}", f"happy={tmp_path / source}", "--out", tmp_path / "data")
    code, _, err = collect(*command)
    assert code == 2 and "sources outside of" in err and err.count("\n") == 1
    assert not (tmp_path / "data" / "sad").exists() and len(list_images(tmp_path / "data")) == 1


def test_a_run_that_was_stopped_goes_on(collect, tmp_path, monkeypatch, portraits):
    source, out = tmp_path / "src", tmp_path / "data"
    source.mkdir()
    for name, seed in (("happy_00002", 4), ("b", 5), ("c", 6)):
        write_image(source / f"{name}.png", portraits[seed])
    written = []

    def stop(*args, **record):
        written.append(args)
        if len(written) == 2:
            raise KeyboardInterrupt
        return save_recorded(*args, **record)

    monkeypatch.setattr("fer_paddle.collect.clean.save_recorded", stop)
    assert collect("run", f"happy={source}", "--out", out)[0] == 130 and len(list_images(out)) == 1
    monkeypatch.undo()
    code, told, _ = collect("run", f"happy={source}", "--out", out, "--json")
    assert code == 0 and json.loads(told)[0]["files"] == 3
    tidy = tmp_path / "tidy"
    code, told, _ = collect("clean", out / "happy", "--format", ".jpg", "--out", tidy, "--json")
    assert code == 0 and json.loads(told)["convert"] == 3
    for path in list_images(tidy):  # by three new names and a new format
        found = find_sources(path)
        assert found[0]["file"] == path.name and len(found) == 3
        x1, y1, x2, y2 = found[-1]["box_xyxy"]
        crop = crop_square(read_image(found[-1]["source"]), (x1, y1, x2, y2), FACE_MARGIN)
        assert abs(read_image(path).astype(int) - resize(crop, read_image(path).shape[0])).mean() < 8
