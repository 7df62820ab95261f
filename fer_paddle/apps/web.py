"""The page: images, webcam and videos in a browser, by Gradio. Files go after ten minutes; nothing is fetched."""

from __future__ import annotations

import csv
import functools
import importlib.util
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when Gradio is imported

import cv2
import gradio as gr
import numpy as np

from fer_paddle import messages
from fer_paddle.apps.demo import astronaut
from fer_paddle.apps.recognize import draw_found, face_header, face_row
from fer_paddle.apps.video import ANNOTATED, FRAMES_CSV, PLOT, recognize_video
from fer_paddle.apps.web_texts import LANGUAGES, STYLE, TEXTS, bars, comparison, heading, paragraph, text
from fer_paddle.drawing import draw_boxes
from fer_paddle.drawn import draw_scene
from fer_paddle.expression.predict import DEFAULT, Classifier, classifier_file
from fer_paddle.files import write_json
from fer_paddle.images import faces_to_batch, to_gray, to_square
from fer_paddle.landmarks.predict import TASK as LANDMARKS
from fer_paddle.landmarks.predict import Landmarker
from fer_paddle.pipeline import MARGIN, MIN_SCORE, Face, Pipeline, crop_face, open_image
from fer_paddle.video import Video
from fer_paddle.weights import DETECTION
from fer_paddle.zoo import list_models
from yolo3tiny.predict import DEFAULT as DETECTOR
from yolo3tiny.predict import Detector

MAX_UPLOAD = "50mb"
VIDEO_SECONDS = 60.0
STREAM_SECONDS = 0.2
SHOWN: dict[str, Any] = {"interactive": False, "buttons": ["download", "fullscreen"]}  # none that shares outside
_THUMBNAIL_PX = 160
_KEEP_SECONDS = 600  # how long uploads and results stay
_PACKAGES = {"onnx": "onnxruntime", "openvino": "openvino", "ncnn": "ncnn", "mnn": "MNN"}

Image = np.ndarray | bytes | None  # uint8 [H, W, 3] RGB, as Gradio gives a camera's, or an uploaded file


class Asked(NamedTuple):
    """What the page is set to, in the order of its components."""

    network: str  # name or file, as the other networks
    runtime: str  # that runs it
    landmarks: str | bool  # their network; False or "" finds none, True takes the one that ships
    score: float  # least score of a face
    language: str = "en"
    detector: str = DETECTOR

    @property
    def pipeline(self) -> Pipeline:
        """Those networks, loaded."""
        return load_pipeline(self.network, self.runtime, self.landmarks, self.detector)


@functools.lru_cache(maxsize=4)
def load_pipeline(network: str, runtime: str, landmarks: str | bool, detector: str) -> Pipeline:
    """Return the pipeline of these networks; the last few stay loaded."""
    classifier = Classifier(network, runtime=runtime if Path(network).suffix in ("", ".onnx") else None)
    landmarker = Landmarker(landmarks) if isinstance(landmarks, str) and landmarks else bool(landmarks)
    return Pipeline(Detector(detector), classifier, landmarks=landmarker)


@functools.cache
def _root() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="fer_paddle_page_")


def make_folder() -> Path:
    """Make a folder for files to download; those that are older than _KEEP_SECONDS go."""
    for old in Path(_root().name).iterdir():
        if time.time() - old.stat().st_mtime > _KEEP_SECONDS:
            shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(dir=_root().name))


def networks(own: str | None = None, task: str = "expression") -> list[tuple[str, str]]:
    """Return what the page offers, as pairs of words and name: a learner's own file first, then what ships."""
    rows = [(Path(own).name, own)] if own else []
    for one in list_models():
        if one.task == task:
            accuracy = f"{one.accuracy:.1%}, " if one.accuracy else ""
            rows.append((f"{one.name} ({accuracy}{one.file_kb:.0f} kB)", one.name))
    return rows


def refuse(key: str, language: str) -> gr.Error:
    """Return what tells a person what is wrong, by a key of the texts; the terminal gets no trace."""
    return gr.Error(text(key, language), duration=5, print_exception=False)


@contextmanager
def told(language: str, upload: str = "") -> Iterator[None]:
    """Tell a person on the page what is wrong; the path of an upload is told as its name."""
    try:
        yield
    except (ValueError, OSError, RuntimeError) as error:
        reason = messages.reason_of(error).replace(upload, Path(upload).name)
        raise gr.Error(messages.say(reason, language), print_exception=False) from error


def find_faces(image: Image, asked: Asked) -> tuple[np.ndarray, list[Face]]:
    """Return the image in BGR and its faces; gr.Error tells a person what is wrong."""
    if image is None:
        raise refuse("no_image", asked.language)
    with told(asked.language):
        bgr = open_image(image, "RGB")
        return bgr, asked.pipeline(bgr, min_score=asked.score)


def recognize(image: Image, *values: Any) -> tuple[Any, ...]:
    """Answer the button: annotated image, bars, files to download, and no Grad-CAM of the image before.

    Args:
        values: Those of `Asked`, in its order.
    """
    asked = Asked(*values)
    bgr, faces = find_faces(image, asked)
    folder = make_folder()
    rows = [face.to_json() for face in faces]
    write_json(folder / "faces.json", {"network": Path(asked.network).name, "faces": rows})
    with (folder / "faces.csv").open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.writer(file)
        writer.writerow(face_header(asked.pipeline.classes, bool(asked.landmarks)))
        writer.writerows(map(face_row, rows))
    files = str(folder / "faces.json"), str(folder / "faces.csv")
    return *_show(bgr, faces, asked.language), *files, gr.update(visible=False)


def _show(bgr: np.ndarray, faces: list[Face], language: str) -> tuple[np.ndarray, str]:
    """Return the annotated image, uint8 [H, W, 3] RGB, and the bars of its faces by their numbers."""
    return draw_found(bgr, faces, language, range(1, len(faces) + 1))[..., ::-1], bars(faces, language)


def explain(click: gr.SelectData, image: Image, *values: Any) -> dict[str, Any]:
    """Answer a click on the annotated image: Grad-CAM of the face there."""
    asked = Asked(*values)
    bgr, faces = find_faces(image, asked)
    x, y = click.index
    for face in faces:
        left, top, right, bottom = face.box_xyxy
        if left <= x <= right and top <= y <= bottom:
            return gr.update(value=gradient_map(bgr, face, asked), visible=True)
    return gr.update(visible=False)


def gradient_map(bgr: np.ndarray, face: Face, asked: Asked) -> np.ndarray:
    """Return the Grad-CAM of a face over its crop, uint8 [H, W, 3] RGB."""
    try:
        from fer_paddle.analysis.features import last_layer_of_side
        from fer_paddle.analysis.gradcam import grad_cam
        from fer_paddle.analysis.plots import scale_to_one
        from fer_paddle.environment import paddle
        from fer_paddle.expression.files import ExpressionModel

        paddle.disable_static()  # dynamic mode is a thread's own, and Gradio's threads begin without it
        path = classifier_file(asked.network, "dynamic").with_suffix(".safetensors")
        model = ExpressionModel.load(path)
    except (ImportError, FileNotFoundError) as error:
        raise refuse("no_paddle", asked.language) from error
    crop = to_gray(to_square(crop_face(bgr, face.box_xyxy, MARGIN)))
    batch = faces_to_batch([crop], model.input_size)
    heat = grad_cam(model.network, batch, last_layer_of_side(model.network, model.input_size))[0]
    side = max(crop.shape[0], 2 * _THUMBNAIL_PX)
    large = cv2.resize(scale_to_one(heat), (side, side), interpolation=cv2.INTER_CUBIC)
    colors = cv2.applyColorMap((255 * np.clip(large, 0, 1)).astype(np.uint8), cv2.COLORMAP_JET)
    face_bgr = cv2.cvtColor(cv2.resize(crop, (side, side)), cv2.COLOR_GRAY2BGR)
    return cv2.addWeighted(face_bgr, 0.6, colors, 0.4, 0)[..., ::-1]


def recognize_live(image: Image, *values: Any) -> tuple[Any, str]:
    """Answer one frame of the webcam."""
    asked = Asked(*values)
    return (None, "") if image is None else _show(*find_faces(image, asked), asked.language)


def recognize_clip(path: str | None, *values: Any) -> tuple[str, str, str]:
    """Answer the video's button: annotated video, plot and CSV of its first minute."""
    asked = Asked(*values)
    if path is None:
        raise refuse("no_image", asked.language)
    folder, name = make_folder() / "result", Path(path).name
    with told(asked.language, path):
        how = asked.pipeline, asked.score, asked.language, VIDEO_SECONDS
        recognize_video(Video(path), name, folder, *how, suffix=".webm")
    return str(folder / f"{ANNOTATED}.webm"), str(folder / PLOT), str(folder / FRAMES_CSV)


def compare(image: Image, left: str, right: str, *values: Any) -> tuple[str, list[Any]]:
    """Answer the course corner: two networks on one image, and the stages of the pipeline as images."""
    asked = Asked(*values)._replace(network=left, runtime="onnx", landmarks=False)
    bgr, faces = find_faces(image, asked)
    crops = [crop_face(bgr, face.box_xyxy, MARGIN) for face in faces]
    rows = []
    for name in (left, right):
        with told(asked.language):
            classifier: Any = asked._replace(network=name).pipeline.classifier
        start = time.perf_counter()
        probs = classifier(crops)
        each_ms = f"{1000 * (time.perf_counter() - start) / max(len(crops), 1):.1f}"
        answers = ", ".join(f"{classifier.classes[row.argmax()]} {row.max():.0%}" for row in probs)
        rows.append([Path(name).name, answers, f"{classifier_file(name).stat().st_size / 1000:.0f} kB", each_ms])
    return comparison(rows, asked.language), stages(bgr, faces, crops, asked)


def stages(bgr: np.ndarray, faces: list[Face], crops: list[np.ndarray], asked: Asked) -> list[tuple[np.ndarray, str]]:
    """Return the images of the pipeline's stages with their captions."""
    language = asked.language
    boxes = np.array([face.box_xyxy for face in faces], np.float32).reshape(-1, 4)
    shown = [(draw_boxes(bgr, boxes, [face.score for face in faces])[..., ::-1], text("boxes", language))]
    if not faces:
        return shown
    classifier: Any = asked.pipeline.classifier
    size = classifier.input_size
    batch = [cv2.resize(to_gray(to_square(crop)), (size, size), interpolation=cv2.INTER_AREA) for crop in crops]
    side = (_THUMBNAIL_PX, _THUMBNAIL_PX)
    shown.append((np.hstack([cv2.resize(crop, side)[..., ::-1] for crop in crops]), text("crops", language)))
    enlarged = [cv2.resize(gray, side, interpolation=cv2.INTER_NEAREST) for gray in batch]
    shown.append((np.hstack(enlarged), text("batch", language)))
    try:
        maps = [cv2.resize(gradient_map(bgr, face, asked), side) for face in faces]
    except gr.Error as error:
        gr.Warning(error.message)
        return shown
    return [*shown, (np.hstack(maps), text("maps", language))]


def build_page(weights: str | None = None, detector: str | None = None, landmarker: str | None = None) -> gr.Blocks:
    """Build the page; a learner's own networks are offered first."""
    choices, default = networks(weights), weights or DEFAULT
    load_pipeline(default, "onnx", landmarker or "", detector or DETECTOR)  # a wrong file is told before the page opens
    runtimes = [name for name, package in _PACKAGES.items() if importlib.util.find_spec(package)]
    parts: dict[str, Any] = {}  # key of TEXTS -> component
    say = functools.partial(text, language="en")

    def add(key: str, kind: Any, **settings: Any) -> Any:
        settings |= {"value": say(key)} if kind in (gr.Button,) else {"label": say(key)}
        parts[key] = kind(**settings)
        return parts[key]

    with gr.Blocks(title=say("title"), analytics_enabled=False, delete_cache=(_KEEP_SECONDS, _KEEP_SECONDS)) as page:
        gr.HTML(STYLE, padding=False)
        with gr.Row():
            with gr.Column(scale=4, min_width=280):
                head = gr.HTML(heading("en"), elem_id="head")
            with gr.Column(scale=1, min_width=200):
                chosen = gr.Radio(list(LANGUAGES.items()), value="en", show_label=False, container=False)
        with add("settings", gr.Accordion, open=False), gr.Row():
            network = add("network", gr.Dropdown, choices=choices, value=default)
            runtime = add("runtime", gr.Dropdown, choices=runtimes, value="onnx")
            finders, marks = networks(detector, DETECTION), [("-", ""), *networks(landmarker, LANDMARKS)]
            found_by = add("detector", gr.Dropdown, choices=finders, value=detector or DETECTOR)
            landmarks = add("landmarks", gr.Dropdown, choices=marks, value=landmarker or "")
            score = add("score", gr.Slider, minimum=0.05, maximum=0.95, step=0.05, value=MIN_SCORE)
        asked = [network, runtime, landmarks, score, chosen, found_by]
        with add("tab_image", gr.Tab):
            _add_image_tab(add, asked)
        with add("tab_webcam", gr.Tab), gr.Row():
            webcam = add("webcam", gr.Image, sources=["webcam"], streaming=True)
            with gr.Column():
                live, live_bars = add("live", gr.Image, **SHOWN), gr.HTML()
            webcam.stream(recognize_live, [webcam, *asked], [live, live_bars], stream_every=STREAM_SECONDS)
        with add("tab_video", gr.Tab):
            clip = add("video", gr.Video, sources=["upload", "webcam"], height=320)
            run_clip = add("run_video", gr.Button, variant="primary")
            shown = [
                add("annotated_video", gr.Video, interactive=False, buttons=["download"]),
                add("plot", gr.Image, **SHOWN),
            ]
            shown.append(add("video_csv", gr.DownloadButton))
            run_clip.click(recognize_clip, [clip, *asked], shown)
        with add("tab_course", gr.Tab):
            with gr.Row():
                left = add("left", gr.Dropdown, choices=choices, value=default)
                right = add("right", gr.Dropdown, choices=choices, value="vgg8.fer2013")
            run_compare = add("compare", gr.Button, variant="primary")
            shown = [
                gr.HTML(),
                add("stages", gr.Gallery, columns=2, height="auto", object_fit="contain", buttons=["fullscreen"]),
            ]
            run_compare.click(compare, [parts["image"], left, right, *asked], shown)
        foot = gr.HTML(paragraph("footer", "en"), elem_id="foot")
        switched = [head, foot, *parts.values()]
        switch = functools.partial(_switch, list(parts.items()))
        chosen.change(switch, chosen, switched, show_progress="hidden", api_visibility="private")
    return page


def _add_image_tab(add: Any, asked: list[Any]) -> None:
    scene = draw_scene(2, 640, 480, num_faces=4, min_px=70).image
    with gr.Row():
        with gr.Column():
            image = add("image", gr.Image, sources=["upload", "clipboard", "webcam"], height=360)
            image.preprocess = _read_upload
            run = add("run", gr.Button, variant="primary")
            gr.Examples([[astronaut()[..., ::-1]], [scene[..., ::-1]]], image, label=TEXTS["examples"][0])
        with gr.Column():
            annotated = add("annotated", gr.Image, height=360, format="png", **SHOWN)
            why = add("why", gr.Image, visible=False, height=320, **SHOWN)
            found = gr.HTML()
            with gr.Row():
                files = [add("json", gr.DownloadButton, size="sm"), add("csv", gr.DownloadButton, size="sm")]
    run.click(recognize, [image, *asked], [annotated, found, *files, why])
    annotated.select(explain, [image, *asked], why, api_visibility="private")  # a click tells which face


def _read_upload(payload: Any) -> bytes | None:
    """Return an uploaded file as it is: our own reader has clearer errors than Gradio's."""
    return None if payload is None else Path(payload.path).read_bytes()


def _switch(parts: list[tuple[str, Any]], language: str) -> list[Any]:
    """Return head, foot and every component in a language."""
    named = [
        gr.update(value=text(key, language)) if isinstance(part, gr.Button) else gr.update(label=text(key, language))
        for key, part in parts
    ]
    return [heading(language), paragraph("footer", language), *named]


def launch(page: gr.Blocks, host: str | None = None, port: int | None = None) -> None:
    """Serve the page until Ctrl-C; without a port GRADIO_SERVER_PORT or the first free one from 7860 on is taken."""
    page.queue(max_size=32, default_concurrency_limit=2)
    page.launch(server_name=host, server_port=port, max_file_size=MAX_UPLOAD, show_error=True, footer_links=[])
