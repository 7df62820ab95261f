"""Sources of pages with images: seed pages, and pages of search results."""

from __future__ import annotations

import json
import string
from collections.abc import Callable, Sequence
from typing import Protocol
from urllib.parse import quote, urlsplit

from fer_paddle.collect.fetch import Response
from fer_paddle.collect.links import Found, ImageLink, absolute_url, find_links

MAX_PAGES = 10_000  # of a search
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


class SearchPages:
    """Read the numbered pages of a search, until one has no image.

    Args:
        address: URL with `$query` and `$page`, such as `https://example.org/search?q=$query&page=$page`.
        read_page: Gives the images of one page of results; None takes those of an HTML page.
    """

    def __init__(
        self,
        address: str,
        query: str,
        pages: int = 1,
        read_page: Callable[[Response], Sequence[ImageLink]] | None = None,
    ):
        if not 1 <= pages <= MAX_PAGES or not query.strip():
            raise ValueError(f"expected a query and 1 to {MAX_PAGES} pages, got {query!r} and {pages}")
        if "$query" not in address or (pages > 1 and "$page" not in address):
            raise ValueError(f"expected an address with $query and $page, got {address!r}")
        self.address, self.query, self.page, self.last_page = address, query, 1, pages
        self.read_page = read_page or (lambda page: find_links(page.body, page.url, page.charset).images)

    def first(self) -> Sequence[str]:
        return [self._url()]

    def read(self, page: Response) -> Found:
        images = tuple(self.read_page(page))
        if not images or self.page >= self.last_page:
            return Found(images)
        self.page += 1
        return Found(images, (self._url(),))

    def _url(self) -> str:
        return string.Template(self.address).safe_substitute(query=quote(self.query, safe=""), page=self.page)


def openverse(query: str, pages: int = 1) -> SearchPages:
    """Search Openverse, whose images are openly licensed and carry their license.

    Source: https://api.openverse.org/v1/.
    """
    address = "https://api.openverse.org/v1/images/?q=$query&page=$page&page_size=20&format=json"
    return SearchPages(address, query, pages, read_openverse)


def read_openverse(page: Response) -> list[ImageLink]:
    """Return the images of one answer of Openverse."""
    try:
        results = json.loads(page.body)["results"]
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise ValueError(f"{page.url}: expected JSON with results, got {type(error).__name__}") from error
    if not isinstance(results, list):
        raise ValueError(f"{page.url}: expected JSON with a list of results, got {type(results).__name__}")
    links = []
    for result in results:
        address = result.get("url") if isinstance(result, dict) else None
        url = absolute_url(page.url, address) if isinstance(address, str) and address else None
        if url is not None:
            landing = str(result.get("foreign_landing_url") or page.url)
            links.append(ImageLink(url, landing, str(result.get("attribution") or result.get("license_url") or "")))
    return links
