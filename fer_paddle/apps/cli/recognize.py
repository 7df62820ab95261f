"""Commands that find faces and name their expressions: of files, in a page, over HTTP."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np

from fer_paddle import options as opt
from fer_paddle.console import FAILED, INTERRUPTED, OK, Output, shown_names, table, visible
from fer_paddle.messages import say

if TYPE_CHECKING:
    from fer_paddle.pipeline import Pipeline

Out = Annotated[Path, "folder for the annotated images"]
Port = Annotated[int, opt.Number(int, 1, 65535), "port to listen at"]
Host = Annotated[str, "address to listen at; 0.0.0.0: reachable from the network"]


@dataclass(frozen=True, kw_only=True)
class Networks:
    """Which networks recognize."""

    weights: opt.Weights = None
    detector: opt.FaceDetector = None
    landmarks: Annotated[bool, "also find 68 points of each face, its pose, and measures of mouth and eyes"] = False
    landmarker: Annotated[Path | None, "as --landmarks, by this network: a file, or a name of `models`"] = None

    def load(self, threads: int = 0, **more: Any) -> Pipeline:
        from fer_paddle.expression.predict import Classifier
        from fer_paddle.landmarks.predict import Landmarker
        from fer_paddle.pipeline import Pipeline
        from yolo3tiny.predict import Detector

        asked = self.landmarks or self.landmarker is not None
        landmarks = Landmarker(self.landmarker, threads=threads) if asked else False
        detector, classifier = Detector(self.detector, threads=threads), Classifier(self.weights, threads=threads)
        return Pipeline(detector, classifier, landmarks=landmarks, **more)


def recognize(
    images: Annotated[tuple[str, ...], "files, folders or globs of images; videos; URLs; a camera by its number"],
    *,
    out: Out = Path("out"),
    min_score: opt.MinScore = 0.5,
    min_face: opt.MinFace = 0,
    rotations: opt.Rotations = (),
    language: Annotated[Literal["en", "zh"], "names in the images; where it is given, also what is printed"] = "en",
    networks: Networks,
    allow_url: Annotated[bool, "fetch the URLs, from public addresses alone"] = False,
    seconds: Annotated[opt.PositiveFloat | None, "stop a video or camera after this time"] = None,
    show: Annotated[bool, "show videos in a window while they run; q stops"] = False,
) -> Output:
    """Find the faces in images and videos and name their expressions.

    Writes annotated copies, results.json and results.csv, and a folder for each video or camera with an annotated
    copy, a row a face and frame, a plot over time and a summary a person; exits with 1 if one failed.
    """
    from fer_paddle.apps.recognize import Report, find_sources, recognize_files
    from fer_paddle.apps.video import recognize_videos
    from fer_paddle.drawing import find_chinese_font

    if show and sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise ValueError("expected a screen for --show, found none")
    find_chinese_font()  # a wrong FER_FONT is told before work begins
    files, clips, unreached = find_sources(images, out, allow_url)
    pipeline = networks.load(min_face=min_face, rotations=tuple(map(int, rotations)))
    report = recognize_files(files, out, pipeline, min_score, language) if files else Report(())
    shown = _show_frame if show else None
    videos, failed = recognize_videos(clips, out, pipeline, min_score, language, seconds, shown)
    report.failed += [*unreached, *failed]
    return _show(report, videos, out)


def _show_frame(image: np.ndarray) -> bool:
    """Show a frame; False after q or Escape."""
    import cv2

    cv2.imshow("fer_paddle (q stops)", image)
    return cv2.waitKey(1) & 0xFF not in (27, ord("q"))


def demo(*, out: Out = Path("out")) -> Output:
    """Recognize scikit-image's astronaut and a scene of drawn faces."""
    from fer_paddle.apps.demo import write_demo_images
    from fer_paddle.apps.recognize import recognize_files
    from fer_paddle.pipeline import MIN_SCORE, Pipeline

    return _show(recognize_files(write_demo_images(out / "originals"), out, Pipeline(), MIN_SCORE), (), out)


def batch(
    *,
    data: Annotated[Path, "folder of images, with those below it"],
    out: Annotated[Path, "folder of the Parquet files"],
    workers: Annotated[opt.ThreadCount, "processes that label, a core each"] = 2,
    part: Annotated[opt.PositiveInt, "images of a file: what a killed worker does again"] = 500,
    min_score: opt.MinScore = 0.5,
    min_face: opt.MinFace = 0,
    weights: opt.Weights = None,
    detector: opt.FaceDetector = None,
    resume: Annotated[bool, "go on with what is in the folder"] = False,
) -> Output:
    """Label millions of images on this machine, or on the Ray cluster that RAY_ADDRESS names.

    Writes Parquet files of one row an image: file, width, height, faces, error. After a kill, --resume does what is
    missing, and images that have come since. Exits with 1 if an image is unreadable.
    """
    from fer_paddle.apps.batch import label_folder

    networks = {"weights": weights and str(weights), "detector": detector and str(detector)}
    settings = {**networks, "min_score": min_score, "min_face": min_face}
    result = label_folder(data, out, settings, workers, part, resume)
    text = say("{} images, {} of them unreadable, in {} parts in {}, {} of this run")
    counts = result["images"], result["failed"], result["parts"], out, result["done_now"]
    return Output(result, text.format(*counts), code=FAILED if result["failed"] else OK)


def serve(
    *,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    networks: Networks,
    limits: opt.Limits,
    allow_url: Annotated[bool, "also fetch images by URL, from public addresses alone"] = False,
    keypoints: Annotated[str | None, "also find marks at /v1/keypoints by this network, such as keypoint.belt"] = None,
) -> Output:
    """Serve faces and expressions over HTTP: POST /v1/faces, /v1/batch; GET /healthz, /readyz, /metrics, /openapi.json.

    With --landmarks a request may ask for points and pose by ?landmarks=true.

    The variable FER_API_KEY holds the key that clients must send as X-API-Key; without it anyone may ask.
    """
    from fer_paddle.apps.api import create_app
    from fer_paddle.apps.api import serve as run
    from yolo3tiny.keypoint.predict import KeypointDetector

    api_key = os.environ.get("FER_API_KEY")
    if api_key is not None and not api_key.strip():
        raise ValueError("expected a key in FER_API_KEY, got an empty one")
    pipeline = networks.load(threads=1)  # the workers are what fills the cores
    marker = KeypointDetector(keypoints, threads=1) if keypoints else None
    run(create_app(pipeline, limits, api_key, allow_url, marker), host, port)
    return Output({"stopped": True}, say("stopped"))


def web(
    *,
    host: Host = "127.0.0.1",
    port: Annotated[int | None, opt.Number(int, 1, 65535), "port (default: the first free one from 7860 on)"] = None,
    weights: Annotated[Path | None, "a network of your own, offered first: a file such as my_course/model.onnx"] = None,
    detector: Annotated[Path | None, "a face detector of your own, offered first"] = None,
    landmarker: Annotated[Path | None, "a landmark network of your own, offered first"] = None,
) -> Output:
    """Show the page in a browser: images, webcam, videos, two networks side by side, in English and Chinese."""
    from fer_paddle.apps.web import build_page, launch

    own = [str(one) if one else None for one in (weights, detector, landmarker)]
    launch(build_page(*own), host, port)
    return Output({"stopped": True}, say("stopped"))


def _show(report: Any, videos: Sequence[Any], folder: Path) -> Output:
    texts = []
    if report.results or not videos:
        texts = [_table_of_images(report.results), say("{} images written to {}").format(len(report.results), folder)]
    for video in videos:
        figures = visible(video.file), video.frames, video.seconds, video.frames_per_second, video.folder
        texts.append(say("{}: {} frames, {:.1f} s, recognized at {} frames/s, written to {}").format(*figures))
        texts += [_table_of_people(video.people)] if video.people else []
        texts += [say("stopped; what was done is kept")] if video.stopped else []
    failed = [{"file": file, "reason": reason} for file, reason in report.failed]
    result = {"images": report.results, "videos": [vars(video) for video in videos], "failed": failed}
    code = INTERRUPTED if any(video.stopped for video in videos) else OK
    return Output(result, "\n\n".join(texts), report.failed, code)


def _table_of_people(people: list[dict[str, Any]]) -> str:
    rows = []
    for person in people:
        named = sorted(person["frames_named"].items(), key=lambda item: -item[1])[:3]
        shown = shown_names(person["mean_probs"])
        names = ", ".join(f"{shown[name]} {frames / person['frames']:.0%}" for name, frames in named)
        seen = say("{:.1f} to {:.1f} s").format(person["first_seconds"], person["last_seconds"])
        rows.append([person["id"], seen, names])
    return table(["id", "seen", "frames named"], rows)


def _table_of_images(results: list[dict[str, Any]]) -> str:
    rows = []
    for result in results:
        name = Path(result["file"]).name
        for face in result["faces"]:
            left, top, right, bottom = (round(side) for side in face["box_xyxy"])
            prob, place = face["probs"][face["label"]], f"{left},{top} {right - left}x{bottom - top}"
            label = shown_names(face["probs"])[face["label"]] + ("" if face["sure"] else "?")
            rows.append([name, label, f"{prob:.0%}", f"{face['score']:.2f}", place])
        if not result["faces"]:
            rows.append([name, say("no face"), "", "", ""])
    return table(["image", "expression", "sure", "face score", "place and size"], rows)
