"""The images of a request's body, never on disk, and what the OpenAPI document says of bodies and answers."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from fastapi import HTTPException
from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

Source = tuple[str, bytes]  # "bytes" with an encoded image, or "url" with an address


async def read_sources(headers: Headers, body: bytes, most: int) -> list[Source]:
    """Return the images of a request: multipart files, one raw image, or JSON with base64 or URLs."""
    if (coding := headers.get("content-encoding", "identity")) != "identity":
        raise HTTPException(415, f"expected a body without Content-Encoding, got {coding[:60]!r}")
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        sources = await _read_form(headers, body)
    elif kind == "application/json":
        sources = _read_json(body)
    elif kind.startswith("image/") or kind == "application/octet-stream":
        sources = [("bytes", body)]
    else:
        got = f"{kind[:60]!r}" if kind else "none"
        raise HTTPException(415, f"expected multipart/form-data, image/*, application/json as content type, got {got}")
    if not 1 <= len(sources) <= most:
        raise HTTPException(422, f"expected {'one image' if most == 1 else f'1 to {most} images'}, got {len(sources)}")
    return sources


async def _read_form(headers: Headers, body: bytes) -> list[Source]:
    async def stream() -> AsyncGenerator[bytes, None]:
        yield body

    try:
        parser = MultiPartParser(headers, stream())
        parser.spool_max_size = len(body) + 1  # never to the disk
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError) as error:
        raise HTTPException(422, f"expected multipart/form-data, got: {error}") from error
    sources = [("bytes", await value.read()) for _, value in form.multi_items() if isinstance(value, UploadFile)]
    await form.close()
    return sources


def _read_json(body: bytes) -> list[Source]:
    """Read `{"image": base64}`, `{"url": ...}`, or a list of these under `images`."""
    try:
        content = json.loads(body)
        is_list = isinstance(content, dict) and content.keys() == {"images"} and isinstance(content["images"], list)
        return [_read_entry(entry) for entry in (content["images"] if is_list else [content])]
    except (ValueError, RecursionError) as error:
        expected = 'expected JSON {"image": base64} or {"url": address}, for a batch a list of these under "images"'
        raise HTTPException(422, f"{expected}, got another: {error}") from error


def _read_entry(entry: Any) -> Source:
    match entry:
        case {"url": str(url)} if len(entry) == 1:
            return "url", url.encode()
        case {"image": str(text)} if len(entry) == 1:
            lines = "".join(text.rpartition("base64,")[2].split())  # most programs break them
            try:
                return "bytes", base64.b64decode(lines, validate=True)
            except ValueError as error:
                raise ValueError(f"no base64 ({error})") from error
    raise ValueError(json.dumps(entry)[:60])


# An answer, the bodies that the requests may have, and what else may come.
_SCHEMA: dict[str, Any] = json.loads(Path(__file__).with_name("api_schema.json").read_text(encoding="utf-8"))
_ANSWER, IMAGE_BODY, BATCH_BODY = _SCHEMA["answer"], _SCHEMA["image_body"], _SCHEMA["batch_body"]


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


class MarkAnswer(BaseModel):
    """One mark: its class, its center in pixels of the image, and how sure the detector is."""

    class_: str = Field(alias="class")
    center_xy: list[float]
    score: float


class MarksAnswer(BaseModel):
    """The marks of one image, the surest first."""

    width: int
    height: int
    marks: list[MarkAnswer]


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
    int(status): {"model": Problem, "description": text} for status, text in _SCHEMA["errors"].items()
}
