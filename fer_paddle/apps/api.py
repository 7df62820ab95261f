"""The HTTP service: images in, faces with their expressions out, as JSON. Keeps and logs no image.

A request is bounded in bytes, pixels and seconds, and the queue in requests: 503 with Retry-After says that it is full.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import re
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Annotated, Any

import numpy as np
import prometheus_client
import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response, Security
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.security import APIKeyHeader
from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fer_paddle import __version__
from fer_paddle.apps.api_bodies import (
    BATCH_BODY,
    ERRORS,
    IMAGE_BODY,
    BatchAnswer,
    FacesAnswer,
    MarksAnswer,
    Problem,
    Source,
    read_sources,
)
from fer_paddle.collect.fetch import FetchPolicy
from fer_paddle.images import read_image, read_size
from fer_paddle.messages import reason_of
from fer_paddle.options import Limits
from fer_paddle.pipeline import MIN_SCORE, Pipeline, fetch_image
from yolo3tiny.keypoint.predict import KeypointDetector

logger = logging.getLogger(__name__)
RETRY_SECONDS = 1
_URL_POLICY = FetchPolicy(attempts=1, pause_seconds=0, read_seconds=5, total_seconds=10)
_ASKED_PATHS = ("/v1/faces", "/v1/batch", "/v1/keypoints")
_OPEN_PATHS = ("/healthz", "/readyz", "/metrics", "/openapi.json")


Finder = Callable[[np.ndarray], dict[str, Any]]  # image uint8 [H, W, 3] BGR -> what is found, by name


class MarksAsked(BaseModel):
    """The query of a request for marks; another name in it is refused, not passed over."""

    model_config = ConfigDict(extra="forbid")
    min_score: float = Field(MIN_SCORE, ge=0, le=1, description="Least score of a face or mark")


class Asked(MarksAsked):
    """The query of a request for faces."""

    landmarks: bool = Field(False, description="Also 68 points, pose and measures of each face")


class Service:
    """The pipeline behind a bounded queue, with its figures."""

    def __init__(self, pipeline: Pipeline, limits: Limits, allow_url: bool, marker: KeypointDetector | None):
        self.pipeline, self.marker, self.limits, self.allow_url = pipeline, marker, limits, allow_url
        self.is_ready = False
        self._threads, self._held = ThreadPoolExecutor(limits.workers, "recognize"), 0
        self.registry = prometheus_client.CollectorRegistry()
        prometheus_client.ProcessCollector(registry=self.registry)
        made: dict[str, Any] = {"namespace": "fer", "registry": self.registry}
        self.requests = prometheus_client.Counter("requests", "Answers", ["path", "status"], **made)
        self.latency = prometheus_client.Histogram("seconds", "From request to answer", ["path"], **made)
        self.faces = prometheus_client.Counter("faces", "Faces found", **made)
        held = prometheus_client.Gauge("requests_held", "Requests that are read, wait or are computed", **made)
        held.set_function(lambda: self._held)

    @property
    def is_full(self) -> bool:
        """Whether one more request would be too many."""
        return self._held >= self.limits.workers + self.limits.queue

    async def start(self) -> None:
        """Compute one image, so that the first request does not wait for it."""
        await asyncio.wrap_future(self._threads.submit(self.pipeline, np.zeros((64, 64, 3), np.uint8)))
        self.is_ready = True

    def stop(self) -> None:
        """Finish what is being computed."""
        self.is_ready = False
        self._threads.shutdown(wait=True, cancel_futures=True)

    def find_faces(self, asked: Asked) -> Finder:
        """Return what finds the faces of an image; HTTPException where landmarks are asked for and not served."""
        if asked.landmarks and self.pipeline.landmarker is None:
            raise HTTPException(403, "expected no landmarks=true: this service finds none (serve --landmarks does)")

        def find(image: np.ndarray) -> dict[str, Any]:
            found = self.pipeline(image, min_score=asked.min_score, landmarks=asked.landmarks)
            self.faces.inc(len(found))
            return {"faces": [face.to_json() for face in found]}

        return find

    def find_marks(self, min_score: float) -> Finder:
        """Return what finds the marks of an image; HTTPException where they are not served."""
        if (marker := self.marker) is None:
            raise HTTPException(403, "expected another path: this service finds no marks (serve --keypoints does)")
        return lambda image: {"marks": marker.to_json(marker(image, min_score))}

    async def answer(self, request: Request, find: Finder, is_batch: bool = False) -> list[dict[str, Any]]:
        """Read a request and answer for each of its images; HTTPException says what is wrong with it."""
        if self.is_full:
            raise _busy("the queue is full")
        self._held += 1
        try:
            body = await self._read(request)
            sources = await read_sources(request.headers, body, self.limits.max_images if is_batch else 1)
            work = self._threads.submit(self._recognize, sources, find, is_batch)
        except BaseException:
            self._held -= 1
            raise
        # What computes cannot be stopped: it counts until it is done, even where nobody waits for it any more.
        loop = asyncio.get_running_loop()
        work.add_done_callback(lambda _: loop.call_soon_threadsafe(self._release))
        try:
            return await asyncio.wait_for(asyncio.wrap_future(work), self.limits.seconds)
        except asyncio.TimeoutError as error:
            raise _busy(f"no answer within {self.limits.seconds:g} s") from error

    def _release(self) -> None:
        self._held -= 1

    async def _read(self, request: Request) -> bytes:
        try:
            return await asyncio.wait_for(self._read_blocks(request), self.limits.seconds)
        except asyncio.TimeoutError as error:
            raise HTTPException(408, f"expected the whole request within {self.limits.seconds:g} s") from error
        except ClientDisconnect as error:  # who asked reads no answer, but the journal shall not tell of a fault
            raise HTTPException(400, "expected the whole request, got a part of it") from error

    async def _read_blocks(self, request: Request) -> bytes:
        most, body = self.limits.max_bytes, bytearray()
        told = request.headers.get("content-length", "")
        if told.isdigit() and int(told[:18]) > most:
            raise HTTPException(413, f"expected at most {most} bytes, got {told[:18]}")
        async for block in request.stream():
            body += block
            if len(body) > most:
                raise HTTPException(413, f"expected at most {most} bytes, got more")
        return bytes(body)

    def _recognize(self, sources: Sequence[Source], find: Finder, is_batch: bool) -> list[dict[str, Any]]:
        results: list[dict[str, Any]] = []
        for source in sources:
            try:
                results.append(self._recognize_one(source, find))
            except HTTPException as error:
                if not is_batch:
                    raise
                results.append({"error": error.detail})
        return results

    def _recognize_one(self, source: Source, find: Finder) -> dict[str, Any]:
        kind, content = source
        try:
            if kind == "url":
                if not self.allow_url:
                    raise HTTPException(403, "expected an image, got a URL: this service fetches none")
                content = fetch_image(content.decode(), _URL_POLICY)
            height, width = read_size(content)
            if height * width > self.limits.max_pixels:
                raise HTTPException(413, f"expected at most {self.limits.max_pixels} pixels, got {width} x {height}")
            return {"width": width, "height": height, **find(read_image(content))}
        except (ValueError, OSError) as error:
            raise HTTPException(422, reason_of(error)) from error


def _busy(reason: str) -> HTTPException:
    return HTTPException(503, f"{reason}; try again later", headers={"Retry-After": str(RETRY_SECONDS)})


class Journal:
    """Give each answer a request id, count it and log one line of it, without address or content of the request."""

    def __init__(self, app: ASGIApp, service: Service, paths: Sequence[str]):
        self.app, self.service, self.paths = app, service, paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given, status, start = Headers(scope=scope).get("x-request-id", ""), 0, time.perf_counter()
        request_id = given if re.fullmatch(r"[\w.-]{1,64}", given, re.ASCII) else uuid.uuid4().hex

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        except Exception:  # the last stop of any fault of ours: the client gets its id, the log the place
            logger.exception("request %s failed", request_id)
            if not status:
                await JSONResponse({"detail": "internal error"}, 500)(scope, receive, send_with_id)
        finally:
            seconds, path = time.perf_counter() - start, scope["path"] if scope["path"] in self.paths else "other"
            self.service.requests.labels(path, str(status)).inc()
            self.service.latency.labels(path).observe(seconds)
            logger.info("%s %s %d %.1f ms %s", scope["method"], path, status, 1000 * seconds, request_id)


def create_app(
    pipeline: Pipeline | None = None,
    limits: Limits = Limits(),
    api_key: str | None = None,
    allow_url: bool = False,
    marker: KeypointDetector | None = None,
) -> FastAPI:
    """Build the service: clients must send `api_key`, if any, as X-API-Key; `marker` answers /v1/keypoints."""
    service = Service(pipeline or Pipeline(), limits, allow_url, marker)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await service.start()
        yield
        service.stop()

    app = FastAPI(title="fer_paddle", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    shared: dict[str, Any] = {"responses": ERRORS, "dependencies": _key_check(api_key)}

    @app.post("/v1/faces", response_model=FacesAnswer, openapi_extra=IMAGE_BODY, **shared)
    async def recognize(request: Request, asked: Annotated[Asked, Query()]) -> Any:
        """Find the faces of one image and name their expressions."""
        return (await service.answer(request, service.find_faces(asked)))[0]

    @app.post("/v1/keypoints", response_model=MarksAnswer, openapi_extra=IMAGE_BODY, **shared)
    async def find_marks(request: Request, asked: Annotated[MarksAsked, Query()]) -> Any:
        """Find the small marks of one wide image."""
        return (await service.answer(request, service.find_marks(asked.min_score)))[0]

    @app.post("/v1/batch", response_model=BatchAnswer, openapi_extra=BATCH_BODY, **shared)
    async def recognize_batch(request: Request, asked: Annotated[Asked, Query()]) -> Any:
        """Do the same with several images; one that cannot be read has an error instead of faces."""
        return {"results": await service.answer(request, service.find_faces(asked), is_batch=True)}

    _add_open_paths(app, service)
    app.add_middleware(Journal, service=service, paths=[*_OPEN_PATHS, *_ASKED_PATHS])
    app.add_exception_handler(RequestValidationError, _show_validation)
    return app


def _key_check(api_key: str | None) -> list[Any]:
    """Return the check of X-API-Key, as dependencies of a path; none without a key."""
    if api_key is None:
        return []

    async def check(given: str | None = Security(APIKeyHeader(name="X-API-Key", auto_error=False))) -> None:
        if not hmac.compare_digest((given or "").encode("latin-1"), api_key.encode()):
            raise HTTPException(401, "expected this service's key in X-API-Key", {"WWW-Authenticate": "APIKey"})

    return [Depends(check)]


def _add_open_paths(app: FastAPI, service: Service) -> None:
    """Add what a container's host asks: alive, ready, figures."""

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Tell that the process answers."""
        return {"status": "ok"}

    @app.get("/readyz", responses={503: {"model": Problem, "description": "Starting, stopping or full"}})
    async def readyz() -> dict[str, str]:
        """Tell whether a request would be taken now."""
        if not service.is_ready or service.is_full:
            raise _busy("the queue is full" if service.is_ready else "starting or stopping")
        return {"status": "ready"}

    @app.get("/metrics", response_class=PlainTextResponse)
    async def metrics() -> Response:
        """Return the figures in Prometheus' format."""
        text = prometheus_client.generate_latest(service.registry)
        return Response(text, media_type=prometheus_client.CONTENT_TYPE_LATEST)


async def _show_validation(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    problems = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
    return JSONResponse({"detail": problems}, 422)


def serve(app: FastAPI, host: str, port: int) -> None:
    """Run the service until SIGTERM or Ctrl-C, then finish what was begun."""
    logging.getLogger("fer_paddle").setLevel(logging.INFO)
    uvicorn.run(
        app, host=host, port=port, access_log=False, server_header=False, timeout_keep_alive=5,
        timeout_graceful_shutdown=30, log_level="warning",
    )  # fmt: skip
