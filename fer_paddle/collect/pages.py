"""Sources of pages with images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from urllib.parse import urlsplit

from fer_paddle.collect.fetch import Response
from fer_paddle.collect.links import Found, find_links

MAX_SITE_PAGES = 100  # of seeds and what they link to


class PageSource(Protocol):
    """Which pages to read, and how. Write one for a site with a way of its own."""

    def first(self) -> Sequence[str]:
        """Return the addresses to begin with: pages, or images themselves."""

    def read(self, page: Response) -> Found:
        """Return the images of a page, and the pages to read next."""


class SeedPages:
    """Read pages and, where `depth` is above 0, the pages of the same host that they link to.

    Args:
        urls: Pages, or images themselves.
        depth: How many links away from a seed a page may be.
    """

    def __init__(self, urls: Sequence[str], depth: int = 0):
        if not urls or depth < 0:
            raise ValueError(f"expected URLs and a depth of at least 0, got {len(urls)} URLs, depth {depth}")
        self.depth = depth
        self._depths = dict.fromkeys(urls, 0)

    def first(self) -> Sequence[str]:
        return list(self._depths)

    def read(self, page: Response) -> Found:
        found = find_links(page.body, page.url, page.charset)
        depth = self._depths.get(page.asked, 0) + 1
        if depth > self.depth:
            return Found(found.images)
        host = urlsplit(page.url).netloc
        new = [url for url in found.pages if url not in self._depths and urlsplit(url).netloc == host]
        new = new[: max(MAX_SITE_PAGES - len(self._depths), 0)]
        self._depths.update(dict.fromkeys(new, depth))
        return Found(found.images, tuple(new))
