"""Commands that serve: the page and the HTTP service."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from fer_paddle.console import Output
from fer_paddle.messages import say
from fer_paddle.options import INT_MAX, NaturalInt, Number, PositiveFloat, PositiveInt, ThreadCount, Weights

Port = Annotated[int, Number(int, 1, 65535), "port to listen at"]
Host = Annotated[str, "address to listen at; 0.0.0.0: reachable from the network"]


def serve(
    *,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    weights: Weights = None,
    workers: Annotated[ThreadCount, "threads that compute"] = 2,
    queue: Annotated[NaturalInt, "requests that may wait beside; more get 503"] = 32,
    max_bytes: Annotated[PositiveInt, "largest request"] = 10_000_000,
    max_pixels: Annotated[int, Number(int, 1, INT_MAX), "largest image"] = 25_000_000,
    max_images: Annotated[PositiveInt, "largest batch"] = 16,
    seconds: Annotated[PositiveFloat, "longest upload, and longest wait for an answer"] = 20.0,
    allow_url: Annotated[bool, "also fetch images by URL, from public addresses alone"] = False,
    landmarks: Annotated[bool, "also find the points and pose that ?landmarks=true asks for"] = False,
) -> Output:
    """Serve faces and expressions over HTTP: POST /v1/faces, /v1/batch; GET /healthz, /readyz, /metrics, /openapi.json.

    The variable FER_API_KEY holds the key that clients must send as X-API-Key; without it anyone may ask.
    """
    from fer_paddle.apps.api import Limits, create_app
    from fer_paddle.apps.api import serve as run
    from fer_paddle.expression.predict import Classifier
    from fer_paddle.landmarks.predict import Landmarker
    from fer_paddle.pipeline import Pipeline
    from yolo3tiny.predict import Detector

    api_key = os.environ.get("FER_API_KEY")
    if api_key is not None and not api_key.strip():
        raise ValueError("expected a key in FER_API_KEY, got an empty one")
    # One thread a network: the workers are what fills the cores.
    landmarker = Landmarker(threads=1) if landmarks else False
    pipeline = Pipeline(Detector(threads=1), Classifier(weights, threads=1), landmarks=landmarker)
    limits = Limits(max_bytes, max_pixels, max_images, seconds, workers, queue)
    run(create_app(pipeline, limits, api_key, allow_url), host, port)
    return Output({"stopped": True}, say("stopped"))


def web(
    *,
    host: Host = "127.0.0.1",
    port: Annotated[int | None, Number(int, 1, 65535), "port (default: the first free one from 7860 on)"] = None,
    weights: Annotated[Path | None, "a network of your own, offered first: a file such as my_course/model.onnx"] = None,
    share: Annotated[
        Literal["off", "on"], "on: a public address by Gradio's server, through which all data pass"
    ] = "off",
) -> Output:
    """Show the page in a browser: images, webcam, videos, two networks side by side, in English and Chinese."""
    from fer_paddle.apps.web import build_page, launch

    launch(build_page(str(weights) if weights else None), host, port, share == "on")
    return Output({"stopped": True}, say("stopped"))
