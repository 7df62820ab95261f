"""A plain service around the package `fer`, to compare ours with: docs/results.md has the commands.

It needs an environment of its own: `pip install fer==25.10.3 fastapi uvicorn prometheus-client`. An answer is computed
where it is asked for, since the interpreter that `fer` shares takes one image at a time: run a process for each core.
"""

from __future__ import annotations

import os
from typing import Any

import cv2
import numpy as np
from fastapi import FastAPI, HTTPException, Request
from fer.fer import FER
from prometheus_client import make_asgi_app

app = FastAPI()
app.mount("/metrics", make_asgi_app())
find_faces = FER(mtcnn=os.environ.get("FER_MTCNN") == "1").detect_emotions  # else OpenCV's Haar cascade


@app.get("/readyz")
async def ready() -> str:
    """Say that the networks are loaded."""
    return "ready"


@app.post("/v1/faces")
async def faces(request: Request) -> list[dict[str, Any]]:
    """Answer with the faces of the image in the body."""
    image = cv2.imdecode(np.frombuffer(await request.body(), np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise HTTPException(422, "expected an image")
    return [
        {"box": [int(side) for side in face["box"]], "probs": {name: float(p) for name, p in face["emotions"].items()}}
        for face in find_faces(image)
    ]
