"""A site on the loopback with every kind of answer a crawler meets, and images to serve."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pytest

from fer_paddle.collect.fetch import Fetcher, FetchPolicy

Page = tuple[int, dict[str, str], bytes]


def encode(seed: int, side: int = 80, suffix: str = ".jpg") -> bytes:
    """Draws an image that differs from those of other seeds."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), np.uint8)
    return cv2.imencode(suffix, cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC))[1].tobytes()


class Site:
    """A real HTTP server on a free port of 127.0.0.1."""

    def __init__(self) -> None:
        # By path: the answer, or a function of the handler that answers by itself.
        self.pages: dict[str, Page | Callable[[BaseHTTPRequestHandler], None]] = {}
        self.asked: Counter[str] = Counter()
        self.headers: dict[str, dict[str, str]] = {}  # of the last request
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.asked[handler.path] += 1
        self.headers[handler.path] = dict(handler.headers)
        page = self.pages.get(handler.path, (404, {}, b""))
        try:
            if callable(page):
                page(handler)
                return
            status, headers, body = page
            handler.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                handler.send_header(name, value)
            handler.end_headers()
            handler.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the crawler had enough

    def put(self, path: str, body: bytes | str, kind: str = "text/html", status: int = 200, **headers: str) -> str:
        """Serves a body, and gives its address."""
        body = body.encode() if isinstance(body, str) else body
        self.pages[path] = (status, {"Content-Type": kind, **headers}, body)
        return self.url + path

    def put_image(self, path: str, seed: int, side: int = 80) -> bytes:
        suffix, kind = (".png", "image/png") if path.endswith(".png") else (".jpg", "image/jpeg")
        body = encode(seed, side, suffix)
        self.put(path, body, kind)
        return body


@pytest.fixture
def site() -> Iterator[Site]:
    one = Site()
    yield one
    one.server.shutdown()
    one.server.server_close()


@pytest.fixture
def make_fetcher() -> Iterator[Callable[..., Fetcher]]:
    """`make_fetcher(**changes)`: a Fetcher that may visit the loopback and never really sleeps between requests."""
    made = []

    def make(sleep: Callable[[float], None] = lambda seconds: None, **changes: object) -> Fetcher:
        how = {key: changes.pop(key) for key in ("proxy",) if key in changes}
        policy = FetchPolicy(**{"allow_private": True, "pause_seconds": 0.0, "read_seconds": 2.0, **changes})
        made.append(Fetcher(policy, sleep=sleep, **how))
        return made[-1]

    yield make
    for fetcher in made:
        fetcher.close()
