"""The page's answers as Python functions; how it looks was seen in a browser."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from fer_paddle.apps.demo import astronaut
from fer_paddle.apps.video import VideoWriter
from fer_paddle.apps.web_texts import TEXTS, bars, comparison
from fer_paddle.expression.predict import DEFAULT
from fer_paddle.pipeline import Face

ASKED = (DEFAULT, "onnx", False, 0.5)
PORTRAIT = astronaut()[..., ::-1]
NO_GRADIENTS = "distresnet_int8.fer2013"  # ships without .safetensors
EMPTY = np.full((60, 80, 3), 90, np.uint8)


def at(x, y):
    """A click."""
    return SimpleNamespace(index=(x, y))


@pytest.fixture(scope="module")
def web():
    """The page; Gradio is large, and so is not imported where tests are only collected."""
    from fer_paddle.apps import web

    return web


def test_the_button_gives_image_bars_and_files(web):
    drawn, html, in_json, in_csv, why = web.recognize(PORTRAIT, *ASKED, "zh")
    assert drawn.shape == PORTRAIT.shape and (drawn != PORTRAIT).any() and "高兴" in html and why["visible"] is False
    (face,) = json.loads(Path(in_json).read_text(encoding="utf-8"))["faces"]
    with Path(in_csv).open(newline="", encoding="utf-8-sig") as file:
        (row,) = csv.DictReader(file)
    assert row["label"] == face["label"] == "happy" and float(row["happy"]) == face["probs"]["happy"]


def test_no_image_and_no_face_are_told(web):
    with pytest.raises(web.gr.Error, match="请先选择"):
        web.recognize(None, *ASKED, "zh")
    assert "No face was found" in web.recognize(EMPTY, *ASKED, "en")[1]
    with pytest.raises(web.gr.Error, match="expected a JPEG"):
        web.recognize(b"no image", *ASKED, "en")
    assert web.recognize_live(None, *ASKED, "en") == (None, "")
    with pytest.raises(web.gr.Error) as caught:
        web.recognize_clip(__file__, *ASKED, "en")
    assert caught.value.message.startswith("'test_web.py': expected") and not caught.value.print_exception


def test_a_click_on_a_face_shows_where_the_network_looked(web):
    shown = web.explain(at(225, 120), PORTRAIT, *ASKED, "en")
    assert shown["visible"] and shown["value"].shape[2] == 3 and shown["value"].std() > 20
    assert web.explain(at(5, 500), PORTRAIT, *ASKED, "en")["visible"] is False
    with pytest.raises(web.gr.Error, match="safetensors"):
        web.explain(at(225, 120), PORTRAIT, NO_GRADIENTS, *ASKED[1:], "en")


@pytest.mark.slow
def test_threads_that_did_not_import_paddle_explain_too_and_sigterm_is_kept():
    """Paddle's dynamic mode belongs to the thread that imports it: this needs a process without Paddle."""
    code = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from fer_paddle.apps import web
click = SimpleNamespace(index=(225, 120))
for _ in range(2):
    with ThreadPoolExecutor(1) as thread:
        asked = click, web.astronaut()[..., ::-1], web.DEFAULT, "onnx", False, 0.5, "en"
        assert thread.submit(web.explain, *asked).result()["visible"]
signal.raise_signal(signal.SIGTERM)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stderr.endswith("stopped\n") and "FatalError" not in done.stderr


def test_files_to_download_go_after_ten_minutes(web):
    old = web.make_folder()
    assert old.is_dir() and web.make_folder().is_dir() and old.is_dir()
    os.utime(old, (0, 0))
    assert web.make_folder().is_dir() and not old.exists()


def test_two_networks_and_the_stages(web):
    table, stages = web.compare(PORTRAIT, DEFAULT, "vgg8.fer2013", *ASKED, "en")
    assert "vgg8.fer2013" in table and table.count("<tr>") == 3 and "happy" in table
    assert [caption[0] for _, caption in stages] == ["1", "2", "3", "4"]
    assert len(web.compare(EMPTY, DEFAULT, "vgg8.fer2013", *ASKED, "en")[1]) == 1
    assert len(web.compare(PORTRAIT, NO_GRADIENTS, DEFAULT, *ASKED, "en")[1]) == 3  # no maps, and the rest


def test_a_video_is_given_back_in_a_form_that_browsers_play(web, tmp_path):
    writer = VideoWriter(tmp_path / "clip.mp4", 25)
    for index in range(3):
        writer.write(np.zeros((48, 64, 3), np.uint8), index / 25)
    writer.close()
    files = web.recognize_clip(str(tmp_path / "clip.mp4"), *ASKED, "en")
    assert [Path(file).name for file in files] == ["annotated.webm", "expressions.png", "frames.csv"]
    assert Path(files[0]).read_bytes()[:4] == b"\x1aE\xdf\xa3"


def test_names_of_classes_are_no_html():
    face = Face(np.array([0, 0, 9, 9], np.float32), 0.9, np.array([0.2, 0.8], np.float32), "<b>", ("a", "<b>"))
    assert "<b>" not in bars([face], "en") and "&lt;b&gt;" in bars([face], "en")
    assert "<b>" not in comparison([["<b>"] * 4], "en")


def test_the_page_offers_an_own_network_first_and_switches_its_language(web):
    own = str(web.classifier_file(DEFAULT))
    assert web.networks(own)[0] == (f"{DEFAULT}.onnx", own)
    page = web.build_page(own)
    client = TestClient(web.gr.mount_gradio_app(FastAPI(), page, "/"))
    assert client.get("/").status_code == 200
    config = client.get("/config").json()
    named = client.get("/gradio_api/info").json()["named_endpoints"]
    assert list(named) == ["/recognize", "/recognize_live", "/recognize_clip", "/compare"]
    upload = next(part for part in page.blocks.values() if getattr(part, "label", "") == TEXTS["image"][0])
    assert upload.preprocess(SimpleNamespace(path=__file__)) == Path(__file__).read_bytes()
    labels = {part["props"].get("label") for part in config["components"]}
    assert {english for key, (english, _) in TEXTS.items() if key.startswith("tab_")} <= labels
    switch = max(page.fns.values(), key=lambda one: len(one.outputs))
    updates = switch.fn("zh")
    assert len(updates) == len(switch.outputs) and updates[0].startswith("<h1>人脸")
