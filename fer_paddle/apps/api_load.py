"""Loads a service of this machine and prints what it reaches: `python -m fer_paddle.apps.api_load --clients 200`.

It starts the service itself, so that nothing else is ever loaded. Clients ask one after another over a connection of
their own; every tenth request is broken on purpose with `--faults`. After a 503 a client waits as it was told.
`--service "COMMAND {port}"` loads another service that answers at /v1/faces, /readyz and /metrics.
"""

from __future__ import annotations

import asyncio
import collections
import re
import shlex
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from typing import Annotated

import cv2
import numpy as np

from fer_paddle.apps.speed import photo_640x480
from fer_paddle.console import Command, Output, format_json, run
from fer_paddle.deployment.benchmark import time_runs
from fer_paddle.expression.predict import Classifier
from fer_paddle.images import read_image
from fer_paddle.options import PositiveFloat, PositiveInt, ThreadCount
from fer_paddle.pipeline import Pipeline
from yolo3tiny.predict import Detector

OURS = f"{shlex.quote(sys.executable)} -m fer_paddle serve --port {{port}} --workers {{workers}}"
Statuses = collections.Counter[str]


def make_requests(photo: bytes, faults: bool) -> list[bytes]:
    """Return whole HTTP requests: the photo, and with `faults` one broken request after nine of it."""
    head = b"POST /v1/faces HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
    good = head % (b"image/jpeg", len(photo)) + photo
    bad = [
        head % (b"image/jpeg", 2000) + photo[:2000],  # cut off
        head % (b"text/plain", 5) + b"hello",
        head % (b"application/json", 9) + b'{"image":',
        head % (b"multipart/form-data", 3) + b"xyz",
    ]
    return [one for fault in bad for one in [*[good] * 9, fault]] if faults else [good]


async def ask(port: int, requests: list[bytes], end: float, seconds: list[float], statuses: Statuses) -> None:
    """Send requests over one connection until a time; note how long each took and what came."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for request in cycle(requests):
        if time.monotonic() > end:
            break
        start = time.monotonic()
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = re.search(r"content-length: (\d+)", head)
        await reader.readexactly(int(length[1]) if length else 0)
        status = head.split(" ", 2)[1]
        statuses[status] += 1
        if status == "200":
            seconds.append(time.monotonic() - start)
        if retry := re.search(r"retry-after: (\d+)", head):
            await asyncio.sleep(int(retry[1]))
    writer.close()


async def load(port: int, requests: list[bytes], clients: int, duration: float) -> tuple[list[float], Statuses]:
    """Run the clients and return the seconds of the right answers and how often each status came."""
    seconds: list[float] = []
    statuses: Statuses = collections.Counter()
    end = time.monotonic() + duration
    asked = [ask(port, requests, end, seconds, statuses) for _ in range(clients)]
    for result in await asyncio.gather(*asked, return_exceptions=True):
        statuses["connection lost"] += isinstance(result, BaseException)
    return seconds, +statuses


def resident_mb(port: int) -> float:
    """Return the memory of the service."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        found = re.search(r"^process_resident_memory_bytes (\S+)", answer.read().decode(), re.MULTILINE)
    assert found is not None
    return float(found[1]) / 1e6


@contextmanager
def running_service(port: int, command: list[str]) -> Iterator[None]:
    """Run a service in a `with` block, from when it is ready."""
    service = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5).close()
                break
            except OSError:
                time.sleep(0.5)
        else:
            raise OSError(f"expected a service at port {port} within two minutes, found none")
        yield
    finally:
        service.terminate()
        service.wait(60)


def measure(
    *,
    clients: Annotated[PositiveInt, "clients, each of which asks again when it has its answer"] = 4,
    seconds: Annotated[PositiveFloat, "how long they ask"] = 20.0,
    workers: Annotated[ThreadCount, "threads of the service that compute"] = 2,
    faults: Annotated[bool, "break every tenth request"] = False,
    service: Annotated[str, "command of another service; {port} and {workers} are filled in"] = OURS,
) -> Output:
    """Load a service of this machine and print the figures as JSON."""
    photo = cv2.imencode(".jpg", photo_640x480(), [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
    pipeline = Pipeline(Detector(threads=1), Classifier(threads=1))
    alone = workers / time_runs(lambda: pipeline(read_image(photo)), 30)["median_ms"] * 1000
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with running_service(port, shlex.split(service.format(port=port, workers=workers))):
        requests = make_requests(photo, faults)
        asyncio.run(load(port, requests, clients, min(seconds, 5)))  # memory grows up to its working size
        before = resident_mb(port)
        times, statuses = asyncio.run(load(port, requests, clients, seconds))
        after = resident_mb(port)
    rate = len(times) / seconds
    figures = {
        "clients": clients,
        "answers_per_second": round(rate, 1),
        "pipeline_alone_per_second": round(alone, 1),
        "ratio": round(rate / alone, 3),
        "p50_ms": round(1000 * float(np.quantile(times, 0.5)), 1),
        "p95_ms": round(1000 * float(np.quantile(times, 0.95)), 1),
        "statuses": dict(statuses),
        "memory_mb": [round(before, 1), round(after, 1)],
    }
    return Output(figures, format_json(figures))


if __name__ == "__main__":
    sys.exit(run(Command(measure), None))
