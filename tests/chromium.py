"""Drives Chromium by its DevTools protocol; as a script it times the page of `export web` on a drawn face.

    python tests/chromium.py SITE [SECONDS]

SITE is the folder that `export web` wrote. A camera that shows one drawn face is watched with one thread and, as a
host with headers for isolation allows, with several. Printed are what the page says at the end, frames a second, and
the time of the processor that the page's own thread takes a frame: that counts on a busy machine.
"""

from __future__ import annotations

import fcntl
import functools
import http.server
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np

NAME = next(filter(shutil.which, ("chromium", "chromium-browser", "google-chrome")), None)
ISOLATED = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--remote-debugging-pipe",
    "--use-fake-device-for-media-stream",
)


class Chromium:
    """A headless browser with one tab."""

    def __init__(self, folder: Path, *flags: str):
        (ours, theirs), self._ids, self._asked = (os.pipe(), os.pipe()), itertools.count(1), []
        (read, self._write), (read_back, write) = ours, theirs

        def place() -> None:
            far = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (read, write)]  # they may be 3 and 4 the other way
            os.dup2(far[0], 3), os.dup2(far[1], 4)  # where --remote-debugging-pipe expects them

        command = [NAME or "chromium", *FLAGS, *flags, f"--user-data-dir={folder / 'profile'}", "about:blank"]
        log = (folder / "chromium.log").open("wb")
        with log:
            self._process = subprocess.Popen(command, preexec_fn=place, close_fds=False, stderr=log, stdout=log)
        os.close(read), os.close(write)
        self._answers, self._session = os.fdopen(read_back, "rb"), None
        target = self("Target.createTarget", url="about:blank")["targetId"]
        self._session = self("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime"):
            self(f"{domain}.enable")

    def __call__(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result."""
        message: dict[str, Any] = {"id": next(self._ids), "method": method, "params": params}
        if self._session and not method.startswith("Browser."):
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while (answer := self._read()).get("id") != message["id"]:
            if answer.get("method") == "Network.requestWillBeSent":
                self._asked.append(answer["params"]["request"]["url"])
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def _read(self) -> dict[str, Any]:
        content = bytearray()
        while (byte := self._answers.read(1)) != b"\0":
            if not byte:
                raise RuntimeError("Chromium has ended")
            content += byte
        return json.loads(content)

    def evaluate(self, script: str) -> Any:
        """Return the value of a script in the tab; promises are awaited."""
        result = self("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"]["exception"].get("description", str(result)))
        return result["result"].get("value")

    def wait(self, script: str, seconds: float = 60) -> Any:
        """Return the value of a script as soon as it is true."""
        end = time.monotonic() + seconds
        while not (value := self.evaluate(script)):
            if time.monotonic() > end:
                raise TimeoutError(f"{script}; the page says {self.status()!r}")
            time.sleep(0.1)
        return value

    def open(self, url: str) -> None:
        """Open a page of `export web` and wait until its networks are there."""
        self("Page.navigate", url=url)
        self.wait("document.readyState === 'complete' && document.querySelector('#camera:enabled') !== null")

    def status(self) -> str:
        """Return what the page says."""
        return self.evaluate("document.getElementById('status')?.textContent")

    def choose(self, path: Path) -> None:
        """Give a file to the page."""
        node = self("Runtime.evaluate", expression="document.getElementById('file')")["result"]["objectId"]
        self("DOM.setFileInputFiles", files=[str(path)], objectId=node)

    def recognize(self, path: Path, folder: Path) -> dict[str, Any]:
        """Give an image to the page and return the JSON that it offers to download."""
        self.evaluate("document.getElementById('download').hidden = true")
        self.choose(path)
        self.wait("!document.getElementById('download').hidden")
        return self.download(folder)

    def download(self, folder: Path) -> dict[str, Any]:
        """Press the button for the results and return them; the file goes."""
        file = folder / "faces.json"
        self("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
        self.evaluate("document.getElementById('download').click()")
        end = time.monotonic() + 30
        while not file.is_file():
            if time.monotonic() > end:
                raise TimeoutError("expected faces.json to be downloaded")
            time.sleep(0.1)
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        file.unlink()
        return content

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Show another tab in a `with` block."""
        own = self("Target.getTargetInfo")["targetInfo"]["targetId"]
        other = self("Target.createTarget", url="about:blank")["targetId"]
        self("Target.activateTarget", targetId=other)
        self.wait("document.hidden")
        yield
        self("Target.activateTarget", targetId=own)
        self("Target.closeTarget", targetId=other)

    def requests(self) -> list[str]:
        """Return the addresses asked for since the last call, of the page and its workers' scripts."""
        self.evaluate("0")
        asked, self._asked = self._asked, []
        return asked

    def close(self) -> None:
        """End the browser."""
        self._process.terminate()
        self._process.wait(30)
        os.close(self._write), self._answers.close()


@contextmanager
def browse(*flags: str) -> Iterator[Chromium]:
    """Run Chromium with a profile of its own in a `with` block."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        browser = Chromium(Path(folder), *flags)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def serve(folder: Path, headers: dict[str, str] | None = None) -> Iterator[str]:
    """Serve a folder as a plain static host does, and yield its address."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def end_headers(self) -> None:
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            super().end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def film(path: Path, image: np.ndarray) -> str:
    """Write an image, uint8 [H, W, 3] BGR with even sides, as a film; return the flag for the camera."""
    height, width = image.shape[:2]
    head = f"YUV4MPEG2 W{width} H{height} F60:1 Ip A1:1 C420jpeg\nFRAME\n".encode()
    path.write_bytes(head + cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420).tobytes())
    return f"--use-file-for-fake-video-capture={path}"


def _figures(browser: Chromium, folder: str) -> tuple[float, float, float]:
    """Return the number of frames so far, the time and the time of the processor of the page's thread in seconds."""
    metrics = {one["name"]: one["value"] for one in browser("Performance.getMetrics")["metrics"]}
    return len(browser.download(Path(folder))["frames"]), time.monotonic(), metrics["TaskDuration"]


def main() -> None:
    from fer_paddle.drawn import draw_scene

    site, seconds = Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 10
    with tempfile.TemporaryDirectory() as folder:
        camera = film(Path(folder, "face.y4m"), draw_scene(2, 640, 480, num_faces=1, min_px=150).image)
        for headers in ({}, ISOLATED):
            with serve(site, headers) as address, browse(camera, "--use-fake-ui-for-media-stream") as browser:
                browser("Performance.enable", timeDomain="threadTicks")
                browser.open(address)
                browser.evaluate("document.getElementById('camera').click()")
                browser.wait("/\\d frames/.test(document.getElementById('status').textContent)")
                time.sleep(seconds)  # until V8 has optimized everything
                figures = [_figures(browser, folder)]
                time.sleep(seconds)
                figures.append(_figures(browser, folder))
                frames, wall_s, cpu_s = np.diff(figures, axis=0)[0]
                print(f"{browser.status()}; {frames / wall_s:.1f} frames/s, {1000 * cpu_s / frames:.1f} ms CPU a frame")


if __name__ == "__main__":
    main()
