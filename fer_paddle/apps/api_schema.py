"""What the service's OpenAPI document says of bodies and answers, with examples."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

_FACE: Any = {
    "box_xyxy": [243.3, 59.7, 337.0, 165.7],
    "score": 0.9882,
    "label": "happy",
    "sure": True,
    "probs": {
        "angry": 0.01,
        "disgust": 0.0,
        "fear": 0.01,
        "happy": 0.94,
        "sad": 0.0,
        "surprise": 0.01,
        "neutral": 0.03,
    },
}
_ANSWER: Any = {"width": 640, "height": 480, "faces": [_FACE]}
_PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4//8/AAX+Av4N70a4AAAAAElFTkSuQmCC"  # one white pixel
)


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
_ENTRY = {
    "type": "object",
    "properties": {
        "image": {"type": "string", "contentEncoding": "base64"},
        "url": {"type": "string", "format": "uri"},
    },
    "minProperties": 1,
    "maxProperties": 1,
    "additionalProperties": False,
}
_FILE = {"type": "string", "contentMediaType": "application/octet-stream", "format": "binary"}


def _body(form: dict[str, Any], json_schema: dict[str, Any], example: Any, raw: bool) -> dict[str, Any]:
    content: dict[str, Any] = {
        "multipart/form-data": {
            "schema": {"type": "object", "properties": {"file": form}, "required": ["file"]},
        },
        "application/json": {"schema": json_schema, "example": example},
    }
    if raw:
        content |= {kind: {"schema": _FILE} for kind in ("image/jpeg", "image/png", "application/octet-stream")}
    return {"requestBody": {"required": True, "content": content}}


FACES_BODY = _body(_FILE, _ENTRY, {"image": _PIXEL}, raw=True)
BATCH_BODY = _body(
    {"type": "array", "items": _FILE, "minItems": 1},
    {
        "type": "object",
        "properties": {"images": {"type": "array", "items": _ENTRY, "minItems": 1}},
        "required": ["images"],
        "additionalProperties": False,
    },
    {"images": [{"image": _PIXEL}, {"image": _PIXEL}]},
    raw=False,
)
