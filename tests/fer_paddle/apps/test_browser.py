"""The page of `export web`: its folder, and in Chromium what it finds, says and asks for."""

import base64
import hashlib
import io
import json
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from fer_paddle.apps import browser
from fer_paddle.apps.demo import astronaut
from fer_paddle.apps.video import VideoWriter
from fer_paddle.apps.web_texts import TEXTS
from fer_paddle.drawn import draw_scene
from fer_paddle.expression.predict import Classifier
from fer_paddle.images import write_image
from fer_paddle.pipeline import Pipeline
from tests import chromium

SCENE = draw_scene(2, 640, 480, num_faces=4, min_px=70).image
ALONE = draw_scene(2, 640, 480, num_faces=1, min_px=150).image
CLOSE = draw_scene(1, 640, 480, num_faces=1, min_px=150).image[213:366, 260:393]  # a face that fills the image


@pytest.fixture
def packed(monkeypatch):
    """A runtime of no bytes."""
    monkeypatch.setattr(browser, "load_runtime", lambda archive=None: dict.fromkeys(browser.RUNTIME_FILES, b""))


def test_the_folder_is_whole_and_replaces_only_a_page_of_ours(run, packed, tmp_path):
    out = tmp_path / "页" / "site"
    code, _, err = run("export", "web", "--out", out, "--weights", "mouth.smile", "--landmarks", "none", "--json")
    assert code == 0, err
    site = json.loads((out / "site.json").read_text(encoding="utf-8"))
    there = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert there == set(site["files"]) and "landmarks" not in site and "landmarks.onnx" not in there
    assert site["classes"] == ["neutral", "smile"] and site["names"]["zh"] == ["中性", "微笑"]
    assert (out / "expression.onnx").read_bytes() == browser.classifier_file("mouth.smile").read_bytes()
    first = (out / "sw.js").read_text(encoding="utf-8").splitlines()
    assert json.loads(first[1][len("const FILES = ") : -1]) == ["./", *sorted(there - {"sw.js"})]
    code, _, err = run("export", "web", "--out", out, "--prior", "uniform")
    assert code == 0, err
    site = json.loads((out / "site.json").read_text(encoding="utf-8"))
    assert np.allclose(site["expression"]["prior_ratios"], Classifier(prior="uniform").prior_ratios)
    assert "landmarks" in site and (out / "sw.js").read_text(encoding="utf-8").splitlines()[0] != first[0]
    (out / "CNAME").write_text("example.org")
    assert run("export", "web", "--out", out)[0] == 2 and (out / "CNAME").is_file()
    assert [path.name for path in out.parent.iterdir()] == ["site"]


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["--weights", "landmarks.68"], "got landmarks.68, a network of landmarks"),
        (["--detector", "landmarks.68"], "such as yolo3lite.face"),
        (["--landmarks", "vgg8.photos"], "got vgg8.photos, a network of expression"),
        (["--weights", "none.onnx"], "none.onnx"),
        (["--runtime", __file__], "expected the npm package onnxruntime-web-1.23.2.tgz"),
        (["--runtime", "missing.tgz"], "missing.tgz"),
        (["--out", __file__], "expected a folder for the page, got the file"),
        (["--out", str(Path(__file__).parent)], "expected a new or empty folder"),
    ],
)
def test_wrong_use_is_one_line_and_leaves_nothing(run, tmp_path, args, expected):
    code, out, err = run("export", "web", "--out", tmp_path / "site", *args)
    assert code == 2 and not out and err.count("\n") == 1 and expected in err, err
    assert list(tmp_path.iterdir()) == []


def test_the_runtime_is_fetched_once_and_checked(run, tmp_path, monkeypatch):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        for name in browser.RUNTIME_FILES:
            tar.addfile(entry := tarfile.TarInfo(f"package/dist/{name}"), io.BytesIO(b"abc"[: (entry.size or 0)]))
    package = tmp_path / "registry" / "onnxruntime-web" / "-" / browser.RUNTIME
    package.parent.mkdir(parents=True)
    package.write_bytes(content.getvalue())
    monkeypatch.setattr(browser, "CACHE", tmp_path / "cache" / browser.RUNTIME)
    with chromium.serve(tmp_path / "registry") as address:
        monkeypatch.setenv("NPM_CONFIG_REGISTRY", address)
        with pytest.raises(RuntimeError, match="another file, or a part of it"):
            browser.load_runtime()
        digest = base64.b64encode(hashlib.sha512(content.getvalue()).digest()).decode()
        monkeypatch.setattr(browser, "RUNTIME_SHA512", digest)
        assert browser.load_runtime().keys() == set(browser.RUNTIME_FILES)
    assert browser.load_runtime().keys() == set(browser.RUNTIME_FILES)  # from the cache: nobody serves it now
    browser.CACHE.write_bytes(b"damaged")
    code, _, err = run("export", "web", "--out", tmp_path / "site")
    assert code == 1 and err.count("\n") == 1 and "--runtime takes the file of `npm pack" in err
    assert not (tmp_path / "site").exists() and browser.CACHE.read_bytes() == b"damaged"


def test_every_text_is_there_in_both_languages_and_used():
    own = json.loads((browser.PAGE / "texts.json").read_text(encoding="utf-8"))
    script = "".join((browser.PAGE / name).read_text(encoding="utf-8") for name in ("page.js", "index.html"))
    for key, (english, chinese) in own.items():
        assert not chinese.isascii() and english.translate(dict.fromkeys(map(ord, "…·"))).isascii(), key
        assert f'"{key}"' in script, key
    assert not own.keys() & set(browser._SHARED_TEXTS) and set(browser._SHARED_TEXTS) <= TEXTS.keys()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The page as it ships, below a folder of its own."""
    if chromium.NAME is None:
        pytest.skip("expected chromium")
    if not browser.CACHE.is_file():
        pytest.skip(f"expected {browser.CACHE}: `python -m fer_paddle export web` fetches it")
    folder = tmp_path_factory.mktemp("host")
    browser.write_site(folder / "below" / "site")
    return folder


def write_images(folder: Path) -> list[Path]:
    """Images of every way of resizing: shrunk by halves and ratios, enlarged, long, gray, clear; and of every look."""
    clear = np.full((*SCENE.shape[:2], 1), 255, np.uint8)
    clear[:, ::3] = 0
    images = {
        "astronaut": astronaut(),
        "scene": SCENE,
        "large": draw_scene(3, 1088, 816, num_faces=5, min_px=40).image,
        "long": draw_scene(4, 999, 333, num_faces=3, min_px=60).image,
        "crowd": np.tile(cv2.resize(SCENE, (240, 180), interpolation=cv2.INTER_AREA), (5, 6, 1)),
        "small": SCENE[100:330, 60:300],
        "close": CLOSE,
    }
    for name, image in images.items():
        write_image(folder / f"{name}.png", image)
    Image.fromarray(np.concatenate([SCENE[..., ::-1], clear], axis=2)).save(folder / "clear.png")
    Image.fromarray(SCENE[..., 1]).save(folder / "gray.png")
    return sorted(folder.glob("*.png"))


def write_video(path: Path) -> Path:
    """Two seconds of a drawn face."""
    writer = VideoWriter(path, 25)
    for index in range(50):
        writer.write(ALONE, index / 25)
    writer.close()
    return path


@pytest.mark.slow
def test_the_page_answers_as_python(site, tmp_path):
    pipeline, answered = Pipeline(landmarks=True), 0
    with chromium.serve(site) as address, chromium.browse() as page:
        page.open(f"{address}below/site/")
        for path in write_images(tmp_path):
            got = page.recognize(path, tmp_path)
            wanted = pipeline(path)
            assert (got["source"], got["network"], len(got["faces"])) == (path.name, "vgg8.photos", len(wanted)), path
            for face, one in zip(got["faces"], wanted):
                one, answered = one.to_json(), answered + 1
                assert list(face["probs"]) == list(one["probs"]) and face["label"] == one["label"]
                assert np.abs(np.subtract([*face["probs"].values()], [*one["probs"].values()])).max() < 1e-3, path
                assert np.abs(np.subtract(face["box_xyxy"], one["box_xyxy"])).max() < 0.05
                assert np.abs(np.subtract(face["points_xy"], one["points_xy"])).max() < 0.05
        assert all(url.startswith(address) for url in page.requests() if not url.startswith("blob:"))
    assert answered >= 15


@pytest.mark.slow
def test_the_page_behaves(site, tmp_path):
    write_image(tmp_path / "empty.png", np.full((60, 80, 3), 90, np.uint8))
    write_image(tmp_path / "astronaut.png", astronaut())
    write_image(tmp_path / "small.png", small := draw_scene(5, 320, 240, num_faces=6, min_px=14).image)
    (tmp_path / "bad.png").write_bytes(b"no image")
    (tmp_path / "bad.webm").write_bytes(b"no video")
    click, text = "document.getElementById('{}').click()", "document.getElementById('{}').textContent"
    camera = chromium.film(tmp_path / "face.y4m", ALONE)
    with chromium.browse(camera) as page:
        with chromium.serve(site) as address:
            page.open(f"{address}below/site/")
            assert not page.evaluate("crossOriginIsolated")
            for name in ("bad.png", "bad.webm"):
                page.choose(tmp_path / name)
                page.wait(f"{text.format('status')}.startsWith('{name}: expected')")
            assert page.recognize(tmp_path / "empty.png", tmp_path)["faces"] == []
            assert "No face was found" in page.evaluate(text.format("faces"))
            assert len(page.recognize(tmp_path / "astronaut.png", tmp_path)["faces"]) == 1
            page.choose(write_video(tmp_path / "clip.webm"))
            page.wait("!document.getElementById('stop').hidden")
            page.wait("document.getElementById('stop').hidden")  # at the end
            frames = page.download(tmp_path)["frames"]
            assert frames and all(len(frame["faces"]) == 1 and 0 <= frame["time_s"] <= 2 for frame in frames)
            page.recognize(tmp_path / "astronaut.png", tmp_path)
            page.evaluate(click.format("language"))
            assert "高兴" in page.evaluate(text.format("faces")) and page.evaluate("document.title") == "人脸表情识别"
            few, many = (len(Pipeline()(small, min_score=score)) for score in (0.95, 0.5))
            assert len(page.recognize(tmp_path / "small.png", tmp_path)["faces"]) == many > few > 0
            page.evaluate("score.value = 0.95, score.oninput()")
            page.wait(f"document.querySelectorAll('.face').length === {few}")
            page("Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=2, mobile=True)
            assert page.evaluate("document.documentElement.scrollWidth") <= 360
            page("Browser.setPermission", permission={"name": "camera"}, setting="denied")
            page.evaluate(click.format("camera"))
            page.wait(f"{text.format('status')}.startsWith('摄像头被拒绝')")
            page("Browser.setPermission", permission={"name": "camera"}, setting="granted")
            page.evaluate("score.value = 0.5, score.oninput()")
            page.evaluate(click.format("camera"))
            page.wait(f"/每秒 \\d+ 帧/.test({text.format('status')})")
            page.evaluate(click.format("stop"))
            watched = page.download(tmp_path)
            assert watched["longest_px"] == 320 and len(watched["frames"]) >= 2 and watched["frames_skipped"] == 0
            assert len(watched["frames"][-1]["faces"]) == 1
            with chromium.serve(tmp_path) as elsewhere, pytest.raises(RuntimeError, match="Failed to fetch"):
                page.evaluate(f"fetch('{elsewhere}astronaut.png', {{ mode: 'no-cors' }})")  # the policy forbids it
            page.wait("navigator.serviceWorker.getRegistration().then((one) => one?.active?.state === 'activated')")
        page.open(f"{address}below/site/")  # nobody serves it now
        assert page.evaluate("crossOriginIsolated")  # by the service worker's headers
        assert len(page.recognize(tmp_path / "astronaut.png", tmp_path)["faces"]) == 1


BRIGHTNESS = """(() => {
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  return data.reduce((sum, value, at) => sum + (at % 4 < 3 ? value : 0), 0) / (0.75 * data.length);
})()"""
STREAMS = """
  streams = [];
  const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (asked) => (streams.push(await ask(asked)), streams.at(-1));
"""


@pytest.mark.slow
def test_what_stands_still_is_looked_at_again_and_the_last_source_asked_for_is_shown(site, tmp_path):
    write_image(tmp_path / "astronaut.png", astronaut())
    (tmp_path / "bad.png").write_bytes(b"no image")
    status, click = "document.getElementById('status').textContent", "document.getElementById('{}').click()"
    with (
        chromium.serve(site) as address,
        chromium.browse(chromium.film(tmp_path / "face.y4m", ALONE), "--use-fake-ui-for-media-stream") as page,
    ):
        page.open(f"{address}below/site/")

        def check_settings(before):
            """Settings are tried on the frame shown: no other is read, none is added."""
            bright = page.evaluate(BRIGHTNESS)
            for change in ("landmarks.click()", "score.value = 0.4, score.oninput()"):
                page.evaluate(f"download.hidden = true, {change}")
                page.wait("!download.hidden")
                after = page.download(tmp_path)["frames"]
                assert len(after) == len(before) and after[:-1] == before[:-1] and len(after[-1]["faces"]) == 1
                assert after[-1]["time_s"] == before[-1]["time_s"] and "points_xy" not in after[-1]["faces"][0]
            page.evaluate(click.format("language"))
            assert abs(page.evaluate(BRIGHTNESS) - bright) < 3
            page.evaluate("landmarks.click()")

        page.evaluate(STREAMS)
        page.evaluate(click.format("camera"))
        page.wait(f"/\\d frames/.test({status})")
        page.choose(tmp_path / "bad.png")
        page.wait(f"{status}.startsWith('bad.png: expected')")
        page.evaluate("new Promise((done) => setTimeout(done, 1000))")  # the camera goes on, the message stays
        assert page.status().startswith("bad.png: expected")
        page.evaluate(click.format("stop"))
        check_settings(page.download(tmp_path)["frames"])
        page.choose(write_video(tmp_path / "clip.webm"))
        page.wait("!document.getElementById('stop').hidden")
        page.wait("document.getElementById('stop').hidden")  # at the end
        check_settings(page.download(tmp_path)["frames"])
        page.choose(write_video(tmp_path / "clip.webm"))
        page.wait("!document.getElementById('stop').hidden")
        seen = len(page.download(tmp_path)["frames"])
        with page.hidden():
            assert page.evaluate("document.hidden")
            page.evaluate("new Promise((done) => setTimeout(done, 2500))")  # longer than the video
            assert not page.evaluate("document.getElementById('stop').hidden")  # it waits
        page.wait("document.getElementById('stop').hidden")
        assert len(page.download(tmp_path)["frames"]) > seen
        for times in (2, 1):  # the last time while the camera is still being opened
            for _ in range(times):
                page.evaluate(click.format("camera"))
            if times == 2:
                page.wait("streams.length === 3 && streams.filter((one) => one.active).length === 1")
            page.choose(tmp_path / "astronaut.png")
            page.wait(f"streams.every((one) => !one.active) && /ms a frame · threads/.test({status})")
            assert page.evaluate("document.getElementById('stop').hidden")
            assert len(page.download(tmp_path)["faces"]) == 1
        page.wait("streams.length === 4 && streams.every((one) => !one.active)")
        assert len(page.download(tmp_path)["faces"]) == 1
