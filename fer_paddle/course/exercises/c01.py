"""Cases of notebook 01."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from fer_paddle.collect.addresses import names_own_network
from fer_paddle.collect.fetch import Response
from fer_paddle.course.checks import Case

SITE = "https://faces.example"


def exercise_1(source: Callable[[str], Any]) -> Iterator[Case]:
    """A page source that reads JSON."""
    url = f"{SITE}/api?page=1"
    yield Case("JsonSite(site).first()", lambda: source(SITE).first(), [url])
    for files, following in ((("/a.png", "/b.png"), 2), ((), None)):
        content = {"pictures": [{"file": file, "by": "Li"} for file in files], "next": following}
        page = Response(url, url, "application/json", None, json.dumps(content).encode(), None)
        name = f"JsonSite(site).read(page with {len(files)} images)"
        yield Case(f"{name}.images", partial(_image_urls, source, page), [f"{SITE}{file}" for file in files])
        pages = [f"{SITE}/api?page={following}"] if following else []
        yield Case(f"{name}.pages", partial(_page_urls, source, page), pages)


def _image_urls(source: Callable[[str], Any], page: Response) -> list[str]:
    return [link.url for link in source(SITE).read(page).images]


def _page_urls(source: Callable[[str], Any], page: Response) -> list[str]:
    return list(source(SITE).read(page).pages)


def exercise_2(count_bits: Callable[..., Any]) -> Iterator[Case]:
    """Bits that differ between hashes."""
    rng = np.random.default_rng(0)
    for number in range(3):
        one = rng.random((8, 8)) < 0.5
        other = one ^ (rng.random((8, 8)) < number / 4)
        yield Case(f"count_bits(hash {number}, other)", partial(count_bits, one, other), np.count_nonzero(one != other))


def exercise_3(refused: Any) -> Iterator[Case]:
    """Hosts whose text already tells that they are of the own network."""
    hosts = ("8.8.8.8", "2130706433", "::ffff:10.0.0.1", "localhost.example.org", "0x7f.1", "169.254.169.254")
    yield Case("refused", refused, {host for host in hosts if names_own_network(host)})


def exercise_4(most_mixed_up: Callable[..., Any]) -> Iterator[Case]:
    """Confusion matrices, true in the rows: mistakes of a pair in both directions."""
    classes = ("neutral", "smile", "laugh")
    for mistakes, pair in (
        ([[9, 2, 0], [2, 9, 3], [0, 0, 9]], {"neutral", "smile"}),
        ([[9, 0, 4], [1, 9, 1], [0, 1, 9]], {"neutral", "laugh"}),
    ):
        yield Case(f"most_mixed_up({mistakes}, classes)", partial(most_mixed_up, np.array(mistakes), classes), pair)
