"""Image links out of a page: img, srcset, og:image, lazy loading, links to files; and what it says of licenses."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urldefrag, urljoin, urlsplit

from bs4 import BeautifulSoup, Tag

from fer_paddle.images import FORMATS

# Where scripts that load images as they scroll into view keep the address; `src` is then a gray pixel.
_LAZY_NAMES = "src original lazy-src lazy url actualsrc hi-res-src full-src"
LAZY_ATTRIBUTES = tuple(f"data-{name}" for name in _LAZY_NAMES.split())
LAZY_SETS = ("data-srcset", "data-lazy-srcset")
_METAS = ("og:image", "og:image:url", "og:image:secure_url", "twitter:image", "twitter:image:src")
_LICENSE_METAS = ("license", "licence", "dc.rights", "dcterms.license", "dcterms.rights", "copyright")
_BACKGROUND = re.compile(r"url\(\s{0,9}(?:'([^']{1,2000})'|\"([^\"]{1,2000})\"|([^'\"()\s]{1,2000}))")
_MAX_ATTRIBUTE = 20_000  # characters of a style or srcset that are read
_MAX_LICENSE = 300


@dataclass(frozen=True)
class ImageLink:
    """An image that a page names."""

    url: str  # absolute, http or https, without a fragment
    page: str  # the page that names it
    license: str | None = None  # what was found on its license; None where nothing was


@dataclass(frozen=True)
class Found:
    """What a page names: images, and further pages, each once, in the order of the page."""

    images: tuple[ImageLink, ...] = ()
    pages: tuple[str, ...] = ()


def find_links(html: bytes, url: str, charset: str | None = None) -> Found:
    """Find the links of an HTML page at a URL, in the charset that its server named or that the page says.

    Of an `img` with several sizes the largest is taken, and of one that is loaded late the address it will get.
    """
    # lxml reads any bytes in linear time; Python's own parser takes minutes on a few kilobytes of open tags.
    page = BeautifulSoup(html, "lxml", from_encoding=charset)
    base = page.find("base", href=True)
    root = urljoin(url, str(base["href"])) if base else url
    license = find_license(page, root)
    images: dict[str, ImageLink] = {}
    for address in _image_addresses(page):
        if absolute := absolute_url(root, address):
            images.setdefault(absolute, ImageLink(absolute, url, license))
    pages = (absolute_url(root, str(link["href"])) for link in page.find_all("a", href=True))
    further = dict.fromkeys(link for link in pages if link and link not in images)
    return Found(tuple(images.values()), tuple(further))


def absolute_url(base: str, address: str) -> str | None:
    """Return an absolute http or https URL without its fragment; None for data:, javascript: and malformed ones."""
    try:
        url = urldefrag(urljoin(base, address.strip())).url
        return url if urlsplit(url).scheme in ("http", "https") and urlsplit(url).hostname else None
    except ValueError:  # such as an open bracket in the host
        return None


def _image_addresses(page: BeautifulSoup) -> Iterator[str]:
    for tag in page.find_all(True):
        if tag.name in ("img", "source", "amp-img"):
            # The source of a video or of audio is no image.
            if tag.name != "source" or (tag.parent is not None and tag.parent.name == "picture"):
                yield from _of_image(tag)
        elif tag.name == "meta":
            kind = str(tag.get("property") or tag.get("name") or "").lower()
            if kind in _METAS and tag.get("content"):
                yield str(tag["content"])
        elif tag.name in ("link", "a") and tag.get("href"):
            address = str(tag["href"])
            if names_image(address) if tag.name == "a" else "image_src" in _words(tag.get("rel")):
                yield address
        elif tag.name == "video" and tag.get("poster"):
            yield str(tag["poster"])
        if "url(" in (style := str(tag.get("style") or "")[:_MAX_ATTRIBUTE]):
            yield from ("".join(match.groups("")) for match in _BACKGROUND.finditer(style))


def _of_image(tag: Tag) -> Iterator[str]:
    """The one address of an image that matters most: the largest of a set, else the late one, else `src`."""
    for name in (*LAZY_SETS, "srcset"):
        if largest := largest_candidate(str(tag.get(name) or "")):
            yield largest
            return
    for name in (*LAZY_ATTRIBUTES, "src"):
        if address := str(tag.get(name) or "").strip():
            yield address
            return


def largest_candidate(srcset: str) -> str | None:
    """Return the address of a `srcset` with the largest width or density; None where there is none.

    Source: the HTML standard, "parsing a srcset attribute": an address may hold commas, but not end with one.
    """
    best, best_size, rest = None, -1.0, srcset[:_MAX_ATTRIBUTE]
    while match := re.match(r"[\s,]*(\S+)", rest):
        address, rest = match.group(1), rest[match.end() :]
        descriptor = ""
        if address.endswith(","):
            address = address.rstrip(",")
        else:
            descriptor, _, rest = rest.partition(",")
        number = re.fullmatch(r"\s*(\d{1,9}(?:\.\d{1,9})?)[wx]\s*", descriptor)
        size = float(number.group(1)) if number else 1.0
        if address and size > best_size:
            best, best_size = address, size
    return best


def names_image(url: str) -> bool:
    """Tell whether a URL's path ends like an image file."""
    try:
        path = urlsplit(url).path.lower()
    except ValueError:
        return False
    return path.endswith(tuple(FORMATS))


def find_license(page: BeautifulSoup, base: str) -> str | None:
    """Return what a page says of its license: rel=license, meta, schema.org; None where it says nothing."""
    found: dict[str, None] = {}
    for tag in page.find_all(["a", "link"], href=True):
        if "license" in _words(tag.get("rel")) or tag.get("itemprop") == "license":
            text = " ".join(tag.get_text().split()) if tag.name == "a" else ""
            found[f"{text} {absolute_url(base, str(tag['href'])) or tag['href']}".strip()] = None
    for tag in page.find_all("meta", content=True):
        if str(tag.get("name") or tag.get("property") or "").lower() in _LICENSE_METAS:
            found[" ".join(str(tag["content"]).split())] = None
    for tag in page.find_all("script", type="application/ld+json"):
        try:
            found |= dict.fromkeys(_licenses_within(json.loads(tag.get_text())))
        except (ValueError, RecursionError):
            continue  # a broken block says nothing
    return "; ".join(found)[:_MAX_LICENSE] or None


def _licenses_within(content: Any) -> Iterator[str]:
    if isinstance(content, dict):
        if isinstance(content.get("license"), str):
            yield content["license"]
        content = list(content.values())
    if isinstance(content, list):
        for part in content:
            yield from _licenses_within(part)


def _words(value: Any) -> list[str]:
    return [word.lower() for word in (value.split() if isinstance(value, str) else value or ())]
