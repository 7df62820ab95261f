"""The service by FastAPI's test client: every way in, every limit, and what it says when it is full or broken."""

import asyncio
import base64
import dataclasses
import logging
import threading
import time

import cv2
import httpx
import numpy as np
import pytest
from starlette.testclient import TestClient

from fer_paddle.apps.api import Limits, create_app
from fer_paddle.drawn import make_faces
from fer_paddle.labels import EXPRESSIONS
from fer_paddle.pipeline import Face
from tests.fer_paddle.image_bytes import png
from yolo3tiny.keypoint.predict import KeypointDetector
from yolo3tiny.keypoint.strips import draw_strip

PNG = cv2.imencode(".png", np.full((30, 40, 3), 200, np.uint8))[1].tobytes()
BASE64 = base64.b64encode(PNG).decode()
OTHER = cv2.imencode(".jpg", np.zeros((20, 10, 3), np.uint8))[1].tobytes()


class OneFace:
    """A pipeline that finds one sad face in every image of more than 20 rows; it can be held or made to break."""

    classes = EXPRESSIONS

    def __init__(self):
        self.go, self.broken, self.landmarker = threading.Event(), None, None
        self.go.set()

    def __call__(self, image, min_score=0.5, landmarks=False):
        self.go.wait(10)
        if self.broken:
            raise self.broken
        if image.shape[0] <= 20 or min_score > 0.8:
            return []
        face = Face(np.array([2, 3, 20, 22], np.float32), 0.8, np.eye(7, dtype=np.float32)[4], "sad")
        return [dataclasses.replace(face, points=self.landmarker, image_hw=image.shape[:2]) if landmarks else face]


@pytest.fixture
def pipeline():
    return OneFace()


@pytest.fixture
def make_client(pipeline):
    """`make_client(key, allow_url, marker, **limits)`: a started service, stopped at the end."""
    clients = []

    def make(key=None, allow_url=False, marker=None, **limits):
        app = create_app(pipeline, Limits(**limits), key, allow_url, marker)
        clients.append(TestClient(app, raise_server_exceptions=False))
        return clients[-1].__enter__()

    yield make
    pipeline.go.set()
    for client in clients:
        client.__exit__(None, None, None)


WAYS = [
    ("multipart", {"files": {"file": ("图.png", PNG)}}),
    ("raw", {"content": PNG, "headers": {"Content-Type": "image/png"}}),
    ("bytes of no declared kind", {"content": PNG, "headers": {"Content-Type": "application/octet-stream"}}),
    ("base64", {"json": {"image": BASE64}}),
    ("base64 in lines", {"json": {"image": base64.encodebytes(PNG).decode()}}),
    ("data URL", {"json": {"image": f"data:image/png;base64,{BASE64}"}}),
]


@pytest.mark.parametrize("request_", [way[1] for way in WAYS], ids=[way[0] for way in WAYS])
def test_every_way_in_gives_the_same(request_, make_client):
    answer = make_client().post("/v1/faces", **request_)
    assert answer.status_code == 200 and answer.headers["X-Request-ID"]
    (face,) = answer.json()["faces"]
    assert (answer.json()["width"], answer.json()["height"]) == (40, 30)
    assert face["label"] == "sad" and face["box_xyxy"] == [2, 3, 20, 22] and list(face["probs"]) == list(EXPRESSIONS)


def test_landmarks_come_where_they_are_asked_for(make_client, pipeline):
    client = make_client()
    assert client.post("/v1/faces", params={"landmarks": True}, files={"file": PNG}).status_code == 403
    pipeline.landmarker = make_faces(1, 64, seed=3).points[0] * 0.3
    (face,) = client.post("/v1/faces", params={"landmarks": True}, files={"file": PNG}).json()["faces"]
    assert len(face["points_xy"]) == 68 and set(face["pose"]) == {"yaw_deg", "pitch_deg", "roll_deg"}
    assert "points_xy" not in client.post("/v1/faces", files={"file": PNG}).json()["faces"][0]


def test_marks_come_where_they_are_served(make_client):
    assert make_client().post("/v1/keypoints", files={"file": PNG}).status_code == 403
    strip, marker = draw_strip("belt", 2), KeypointDetector(threads=1)
    body, client = cv2.imencode(".png", strip.image)[1].tobytes(), make_client(marker=marker)
    answer = client.post("/v1/keypoints", files={"file": ("strip.png", body)}).json()
    assert (answer["width"], answer["height"]) == strip.image.shape[1::-1] and len(answer["marks"]) == len(strip.labels)
    for mark in answer["marks"]:
        nearest = np.linalg.norm(strip.centers - mark["center_xy"], axis=1).argmin()
        assert marker.classes[strip.labels[nearest]] == mark["class"] and mark["score"] > 0.5
        assert np.abs(strip.centers[nearest] - mark["center_xy"]).max() < 3
        assert [*mark["center_xy"], mark["score"]] == [round(value, 4) for value in (*mark["center_xy"], mark["score"])]
    assert client.post("/v1/keypoints", files={"file": PNG}).json()["marks"] == []


BOMB = png(12_000, 12_000, 1, 0, b"")
JSON, PARTS = {"Content-Type": "application/json"}, {"Content-Type": "multipart/form-data; boundary=x"}
WRONG = [
    # what, request, status, part of what it says
    ("text", {"content": b"no image", "headers": {"Content-Type": "image/png"}}, 422, "expected a JPEG"),
    ("a bomb", {"content": BOMB, "headers": {"Content-Type": "image/png"}}, 422, "megapixels"),
    (
        "many pixels",
        {"files": {"file": cv2.imencode(".png", np.zeros((400, 300), np.uint8))[1].tobytes()}},
        413,
        "pixel",
    ),
    ("many bytes", {"content": bytes(200_001), "headers": {"Content-Type": "image/png"}}, 413, "200000 bytes"),
    ("no kind", {"content": PNG}, 415, "got none"),
    ("two files", {"files": [("file", PNG), ("file", PNG)]}, 422, "expected one image, got 2"),
    ("no file", {"content": b"", "headers": PARTS}, 422, "got 0"),
    ("broken JSON", {"content": b"{", "headers": JSON}, 422, "expected JSON"),
    ("deep JSON", {"content": b"[" * 100_000, "headers": JSON}, 422, "expected JSON"),
    ("no base64", {"json": {"image": "笑!"}}, 422, "expected JSON"),
    ("another name", {"json": {"image": BASE64, "more": 1}}, 422, "expected JSON"),
    ("another name of a batch", {"json": {"images": [{"image": BASE64}], "more": 1}}, 422, "expected JSON"),
    ("a list", {"json": [1]}, 422, "got another: [1]"),
    ("a list of no objects", {"json": {"images": [None]}}, 422, "got another: null"),
    ("a text for a list", {"json": {"images": "abc"}}, 422, 'got another: {"images": "abc"}'),
    ("half a character", {"content": rb'{"url": "\ud800"}', "headers": JSON}, 422, "expected JSON"),
    ("gzip", {"content": PNG, "headers": {**JSON, "Content-Encoding": "gzip"}}, 415, "got 'gzip'"),
    ("a text for a file", {"files": {"file": (None, "abc")}}, 422, "expected one image, got 0"),
    ("a part without a name", {"content": b"--x\r\n\r\na\r\n--x--", "headers": PARTS}, 422, "must be provided"),
    ("no boundary", {"content": b"a", "headers": {"Content-Type": "multipart/form-data"}}, 422, "Missing boundary"),
    ("a URL", {"json": {"url": "https://example.org/a.png"}}, 403, "fetches none"),
    ("a wrong score", {"content": PNG, "params": {"min_score": 2}}, 422, "min_score"),
    ("no number", {"content": PNG, "params": {"min_score": "nan"}}, 422, "min_score"),
    ("a query of another name", {"content": PNG, "params": {"landmark": "true"}}, 422, "query.landmark"),
]


@pytest.mark.parametrize(("request_", "status", "says"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_wrong_requests_are_named(request_, status, says, make_client):
    answer = make_client(max_bytes=200_000, max_pixels=100_000).post("/v1/faces", **request_)
    assert answer.status_code == status and says in answer.json()["detail"] and answer.headers["X-Request-ID"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        *((method, "/v1/faces", 405) for method in ("GET", "HEAD", "OPTIONS", "PUT", "ODD")),
        ("HEAD", "/healthz", 405),
        ("POST", "/", 404),
        ("GET", "/v1/%ff", 404),
    ],
)
def test_another_method_or_path_is_no_fault(method, path, status, make_client):
    answer = make_client().request(method, path)
    assert answer.status_code == status and (method == "HEAD" or set(answer.json()) == {"detail"})


def test_a_client_that_goes_is_no_fault(pipeline, caplog):
    app = create_app(pipeline, Limits(workers=1, queue=0))
    scope = {"type": "http", "method": "POST", "path": "/v1/faces", "query_string": b"", "headers": []}
    sent = []

    async def receive():
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    assert sent[0]["status"] == 400 and not [record for record in caplog.records if record.levelname == "ERROR"]
    assert ask_at_once(app, 1)[0].status_code == 200  # its place in the queue is free


def test_a_url_leads_to_no_private_address(make_client, site_url="http://127.0.0.1:9/a.png"):
    answer = make_client(allow_url=True).post("/v1/faces", json={"url": site_url})
    assert answer.status_code == 422 and "expected a host on the open internet" in answer.json()["detail"]


def test_a_batch_goes_on_past_a_bad_image(make_client):
    client = make_client(max_images=3)
    answer = client.post("/v1/batch", files=[("file", PNG), ("file", b"bad"), ("file", OTHER)])
    first, second, third = answer.json()["results"]
    assert first["faces"][0]["label"] == "sad" and "expected" in second["error"] and third["faces"] == []
    assert len(client.post("/v1/batch", json={"images": [{"image": BASE64}] * 2}).json()["results"]) == 2
    for count in (0, 4):
        assert client.post("/v1/batch", json={"images": [{"image": BASE64}] * count}).status_code == 422


def test_the_key_is_asked_for_where_there_is_one(make_client):
    client = make_client(key="秘密")
    assert [client.get(path).status_code for path in ("/healthz", "/readyz", "/metrics")] == [200] * 3
    for key, status in ((None, 401), ("wrong", 401), ("秘密".encode(), 200)):
        headers = {"Content-Type": "image/png"} | ({"X-API-Key": key} if key else {})
        assert client.post("/v1/faces", content=PNG, headers=headers).status_code == status


def test_what_is_told_of_itself(make_client, caplog):
    client = make_client()
    with caplog.at_level(logging.INFO, "fer_paddle"):
        answer = client.post("/v1/faces", json={"image": BASE64}, headers={"X-Request-ID": "mine-1"})
        client.get("/secret/path?token=hidden", headers={"X-Request-ID": "two\r lines"})
    assert answer.headers["X-Request-ID"] == "mine-1"
    lines = [record.message for record in caplog.records if record.name == "fer_paddle.apps.api"]
    assert "POST /v1/faces 200" in lines[0] and lines[0].endswith("mine-1") and "GET other 404" in lines[1]
    assert not any(part in line for line in lines for part in (BASE64, "hidden", "secret", "two"))
    figures = client.get("/metrics").text
    assert 'fer_requests_total{path="/v1/faces",status="200"} 1.0' in figures and "fer_faces_total 1.0" in figures
    document = client.get("/openapi.json").json()
    body = document["paths"]["/v1/faces"]["post"]["requestBody"]["content"]
    assert client.post("/v1/faces", json=body["application/json"]["example"]).status_code == 200
    assert {"200", "413", "415", "422", "503"} <= set(document["paths"]["/v1/batch"]["post"]["responses"])


def test_faults_have_a_status_and_an_id(make_client, pipeline):
    client = make_client()
    for fault, code, told in (
        (ZeroDivisionError(), 500, "internal error"),
        (ValueError("expected 2 faces, got 1 faces"), 422, "expected 2 faces, got 1 face"),
    ):
        pipeline.broken = fault
        answer = client.post("/v1/faces", files={"file": PNG})
        assert (answer.status_code, answer.json()) == (code, {"detail": told}) and answer.headers["X-Request-ID"]
    pipeline.broken = None
    assert client.post("/v1/faces", files={"file": PNG}).status_code == 200


def ask_at_once(app, count, first=0, then=None):
    """Sends requests at the same time, calls `then` after the first answers; returns the answers in their order."""

    async def run():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            asked = [asyncio.create_task(client.post("/v1/faces", files={"file": PNG})) for _ in range(count)]
            for number, answer in enumerate(asyncio.as_completed(asked), 1):
                await answer
                if number == first:
                    then()
            return [task.result() for task in asked]

    return asyncio.run(run())


def test_more_than_the_queue_holds_is_told_to_come_again(pipeline):
    app = create_app(pipeline, Limits(workers=1, queue=2))
    pipeline.go.clear()
    answers = ask_at_once(app, 6, 3, pipeline.go.set)
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [503] * 3
    assert all(answer.headers["Retry-After"] == "1" for answer in answers if answer.status_code == 503)
    assert [answer.status_code for answer in ask_at_once(app, 3)] == [200] * 3


def test_a_late_answer_is_a_503_and_frees_its_place_when_it_is_done(pipeline):
    app = create_app(pipeline, Limits(workers=1, queue=0, seconds=0.2))
    pipeline.go.clear()
    assert [answer.status_code for answer in ask_at_once(app, 2)] == [503, 503]
    pipeline.go.set()
    time.sleep(0.1)
    assert ask_at_once(create_app(pipeline, Limits(workers=1, queue=0)), 1)[0].status_code == 200


def test_a_slow_upload_is_ended(pipeline):
    async def slow():
        yield PNG[:10]
        await asyncio.sleep(5)

    async def run():
        app = create_app(pipeline, Limits(seconds=0.2))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
            return await client.post("/v1/faces", content=slow(), headers={"Content-Type": "image/png"})

    assert asyncio.run(run()).status_code == 408
