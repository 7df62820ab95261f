"""Fetch the images of a page source into a folder, with a manifest that says where each came from."""

from __future__ import annotations

import io
import logging
from collections import Counter, deque
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from PIL import Image

from fer_paddle.collect.addresses import Refused
from fer_paddle.collect.fetch import Expect, Fetcher, Response, Unreachable
from fer_paddle.collect.links import ImageLink
from fer_paddle.collect.names import safe_name, save_new
from fer_paddle.collect.pages import PageSource
from fer_paddle.files import append_json_line, file_digest, hold, read_json_lines, read_text
from fer_paddle.images import FORMATS, list_images, read_image, read_size
from fer_paddle.messages import reason_of, track

logger = logging.getLogger(__name__)

MANIFEST = "manifest.jsonl"
MAX_IMAGE_BYTES = 20_000_000
MAX_PAGE_BYTES = 2_000_000
_IMAGES = ("image/", "application/octet-stream", "binary/octet-stream")
_PAGES = ("text/html", "application/xhtml+xml", "application/json")

SAVED, COPY, REFUSED, FAILED = "saved", "copy", "refused", "failed"


@dataclass(frozen=True)
class Record:
    """One line of the manifest: what became of one address."""

    url: str  # the address
    status: str  # `saved`; `copy` of a file that is there already; `refused` for good; `failed` for now
    page: str | None  # the page that named it; None for one that was given
    time: str = field(default_factory=lambda: datetime.now(timezone.utc).isoformat(timespec="seconds"))  # UTC, ISO 8601
    file: str | None = None  # name in the folder, of a saved image or of the one it copies
    sha256: str | None = None  # of the file's bytes
    bytes: int | None = None  # their number
    width: int | None = None  # of the image in pixels
    height: int | None = None  # of the image in pixels
    source: str | None = None  # where the bytes came from, after redirects
    license: str | None = None  # what the page or the server said of the license
    reason: str | None = None  # why it was refused or failed


@dataclass
class CrawlReport:
    """The records of one crawl, and what was done by an earlier one."""

    records: list[Record] = field(default_factory=list)
    done_before: int = 0

    def counts(self) -> dict[str, int]:
        """Addresses of each status."""
        found = Counter(record.status for record in self.records)
        return {status: found[status] for status in (SAVED, COPY, REFUSED, FAILED)}


class Crawler:
    """Fetch images into one folder; what an earlier crawl brought or refused is not fetched again.

    Args:
        min_side: Least width and height of an image in pixels: smaller ones are icons.
        max_images: Ends the crawl after so many saved images; None goes on to the end.
    """

    def __init__(self, folder: Path, fetcher: Fetcher, *, min_side: int = 64, max_images: int | None = None):
        self.folder, self.fetcher, self.min_side = folder, fetcher, min_side
        self.max_images = max_images
        folder.mkdir(parents=True, exist_ok=True)
        self.report = CrawlReport()
        records = read_manifest(folder)
        # What was refused is not asked for again, but for what was named by hand.
        done = (one for one in records if one.get("status") in (SAVED, COPY, REFUSED if one.get("page") else ""))
        self._done = {record["url"] for record in done}
        # By sha256, the file that holds it or held it once: what was taken out by hand does not come back.
        self._files = {record["sha256"]: str(record["file"]) for record in records if record.get("sha256")}
        self._files |= {file_digest(path): path.name for path in list_images(folder) if path.parent == folder}
        self._seen: set[str] = set()

    def crawl(self, source: PageSource) -> CrawlReport:
        """Read the pages of a source and save their images; a bad address is recorded, and the crawl goes on."""
        with hold(self.folder):
            waiting = deque(ImageLink(url, "") for url in source.first())
            while waiting and not self._is_full():
                link = waiting.popleft()
                page = self._fetch(link, Expect(MAX_PAGE_BYTES, _PAGES + _IMAGES))
                if page is None:
                    continue
                try:
                    found = source.read(page)
                except ValueError as error:
                    self._note(link, REFUSED, reason=reason_of(error))
                    continue
                waiting.extend(ImageLink(url, "") for url in found.pages)
                for image in track(found.images, "images"):
                    if not self._is_full():
                        self._fetch(image, Expect(MAX_IMAGE_BYTES, _IMAGES))
        return self.report

    def _is_full(self) -> bool:
        return self.max_images is not None and self.report.counts()[SAVED] >= self.max_images

    def _fetch(self, link: ImageLink, want: Expect) -> Response | None:
        """Fetch an address once, save it where it is an image, return it where it is a page."""
        if link.url in self._seen:
            return None
        self._seen.add(link.url)
        if link.url in self._done:
            self.report.done_before += 1
            return None
        try:
            answer = self.fetcher.get(link.url, want)
        except (Refused, Unreachable) as error:
            self._note(link, REFUSED if isinstance(error, Refused) else FAILED, reason=reason_of(error))
            return None
        if answer.kind.startswith(_PAGES):
            return answer
        self._save(link, answer)
        return None

    def _save(self, link: ImageLink, answer: Response) -> None:
        """Keep the bytes as they came, under a name and a suffix of our own, if they are an image."""
        try:
            height, width = read_image(answer.body).shape[:2]
            if min(height, width) < self.min_side:
                raise ValueError(f"expected at least {self.min_side} pixels a side, got {width} x {height}")
        except ValueError as error:
            self._note(link, REFUSED, source=answer.url, reason=reason_of(error))
            return
        digest = sha256(answer.body).hexdigest()
        known = self._files.get(digest)
        if known is None:
            self._files[digest] = save_image(self.folder, answer.url, answer.body).name
        self._note(
            link,
            SAVED if known is None else COPY,
            file=self._files[digest],
            sha256=digest,
            bytes=len(answer.body),
            width=width,
            height=height,
            source=answer.url,
            license=answer.license or link.license,
        )

    def _note(self, link: ImageLink, status: str, **more: Any) -> None:
        record = Record(link.url, status, link.page or None, **more)
        self.report.records.append(record)
        append_json_line(self.folder / MANIFEST, asdict(record))


def save_image(folder: Path, url: str, body: bytes) -> Path:
    """Write the bytes of an image as they came, named by their address, with the suffix of their format."""
    read_size(body)  # says clearly what is no image
    name = unquote(urlsplit(url).path.rstrip("/").rpartition("/")[2])
    with Image.open(io.BytesIO(body)) as image:
        suffix = next((suffix for suffix, kind in FORMATS.items() if kind == image.format), ".image")
    return save_new(folder, safe_name(name.rpartition(".")[0] or name), suffix, partial(Path.write_bytes, data=body))[0]


def read_manifest(folder: Path) -> list[dict[str, Any]]:
    """Read the manifest of a folder, oldest record first; empty where there is none."""
    path = folder / MANIFEST
    records = read_json_lines(path, missing_ok=True)
    if missing := [record for record in records if not isinstance(record.get("url"), str)]:
        raise ValueError(f"expected a URL in every line of {path}, got {missing[0]}")
    return records


def read_url_list(path: Path) -> list[str]:
    """Read a text file of one URL a line; empty lines and those that start with `#` are passed over."""
    if not path.is_file():
        raise FileNotFoundError(f"expected a text file of URLs, found none at {path}")
    lines = [line.strip() for line in read_text(path).splitlines()]
    urls = [line for line in lines if line and not line.startswith("#")]
    if not urls:
        raise ValueError(f"expected URLs in {path}, one a line, found none")
    return urls
