"""What the service's OpenAPI document says of bodies and answers, with examples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

# An answer, and the bodies that the requests may have.
_SCHEMA: dict[str, Any] = json.loads(Path(__file__).with_name("api_schema.json").read_text(encoding="utf-8"))
_ANSWER, FACES_BODY, BATCH_BODY = _SCHEMA["answer"], _SCHEMA["faces_body"], _SCHEMA["batch_body"]


class FaceAnswer(BaseModel):
    """One face: box in pixels of the image, how sure the detector is, the likeliest class, all probabilities."""

    model_config = ConfigDict(extra="allow")  # points and pose, where they are asked for
    box_xyxy: list[float]
    score: float
    label: str
    sure: bool
    probs: dict[str, float]


class FacesAnswer(BaseModel):
    """The faces of one image, the surest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ANSWER]})
    width: int
    height: int
    faces: list[FaceAnswer]


class Problem(BaseModel):
    """What was expected, and what came."""

    detail: str


class ImageProblem(BaseModel):
    """Why one image of a batch has no answer."""

    error: str


class BatchAnswer(BaseModel):
    """An answer an image, in the order of the request."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"results": [_ANSWER, {"error": "no readable image"}]}]})
    results: list[FacesAnswer | ImageProblem]


ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": text}
    for status, text in {
        401: "No or another API key",
        403: "A URL or landmarks, which this service does not fetch or find",
        408: "The request did not come in time",
        413: "Too many bytes or pixels",
        415: "Another content type",
        422: "No readable image, or another number of images",
        503: "Busy; Retry-After says when to come again",
    }.items()
}
