"""robots.txt by RFC 9309, as Protego reads it: what the crawler may fetch, and how long it waits."""

import httpx
import pytest

from fer_paddle.collect.addresses import Refused
from fer_paddle.collect.fetch import MAX_DELAY_SECONDS, Fetcher, FetchPolicy, Response

TEXT = """\ufeff# a comment
User-agent: other
Disallow: /

User-Agent: fer_paddle
User-agent: second
Disallow: /private/   # not here
Allow: /private/open
Disallow: /*.gif$
Disallow: /search?*page=
Disallow: /%e5%9b%be
crawl-delay: 2.5

User-agent: *
Disallow: /all
"""


def check(monkeypatch, text, path, agent="fer_paddle/1.0"):
    """Return the delay of a robots.txt for a path, None where it is forbidden."""
    fetcher = Fetcher(FetchPolicy(agent=agent))
    page = Response("", "", "text/plain", None, text.encode(), None)
    monkeypatch.setattr(fetcher, "_get", lambda *_, **__: page)
    try:
        return fetcher._check_robots(httpx.URL(f"https://site.example{path}"))
    except Refused:
        return None


@pytest.mark.parametrize(
    ("text", "path", "allowed"),
    [
        (TEXT, "/", True),
        (TEXT, "/all", True),  # the group for everybody counts only where none names us
        (TEXT, "/private/a.jpg", False),
        (TEXT, "/private/open/a.jpg", True),  # the longest rule wins
        (TEXT, "/a/b.gif", False),
        (TEXT, "/a/b.gif?x", True),  # $ is the end
        (TEXT, "/search?q=1&page=2", False),
        (TEXT, "/%E5%9B%BE/1.jpg", False),  # one letter, two spellings
        ("", "/a", True),
        ("User-agent: *\nDisallow:", "/a", True),  # an empty rule forbids nothing
        ("User-agent: *\nDisallow: /a\nAllow: /a", "/a", True),  # a tie
        ("User-agent: *\nDisallow: *", "/a", False),
        ("User-agent: *\nDisallow: /$", "/", False),
        ("User-agent: a\nDisallow: /x\nUser-agent: *\nDisallow: /y", "/x", True),
        ("User-agent: *\nDisallow: /" + "*a" * 40 + "b", "/" + "a" * 3000, True),
    ],
)
def test_rules(monkeypatch, text, path, allowed):
    assert (check(monkeypatch, text, path) is not None) is allowed


def test_other_crawlers_and_the_delay(monkeypatch):
    assert check(monkeypatch, TEXT, "/all/x", "unknown") is None
    assert check(monkeypatch, TEXT, "/private/a.jpg", "unknown") is not None
    assert check(monkeypatch, TEXT, "/x", "other") is None
    delays = {"2.5": 2.5, "0": 0, "-1": 0, "nan": 0, "1e9": MAX_DELAY_SECONDS, "99999": MAX_DELAY_SECONDS}
    for value, seconds in delays.items():
        assert check(monkeypatch, f"User-agent: *\nCrawl-delay: {value}", "/") == seconds
