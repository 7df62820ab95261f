"""robots.txt by RFC 9309."""

import pytest

from fer_paddle.collect.robots import MAX_DELAY_SECONDS, parse_robots

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


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/", True),
        ("/all", True),  # the group for everybody counts only where none names us
        ("/private/a.jpg", False),
        ("/private/open/a.jpg", True),  # the longest rule wins
        ("/a/b.gif", False),
        ("/a/b.gif?x", True),  # $ is the end
        ("/search?q=1&page=2", False),
        ("/%E5%9B%BE/1.jpg", False),  # one letter, two spellings
        ("/robots.txt", True),
    ],
)
def test_our_group(path, allowed):
    assert parse_robots(TEXT, "FER_Paddle").allow(path) is allowed


def test_other_groups():
    assert not parse_robots(TEXT, "unknown").allow("/all/x")
    assert parse_robots(TEXT, "unknown").allow("/private/a.jpg")
    assert not parse_robots(TEXT, "other").allow("/x")


@pytest.mark.parametrize(
    ("text", "path", "allowed"),
    [
        ("", "/a", True),
        ("Disallow: /", "/a", True),  # of no group
        ("User-agent: *\nDisallow:", "/a", True),  # an empty rule forbids nothing
        ("User-agent: *\nDisallow: /a\nAllow: /a", "/a", True),  # a tie
        ("User-agent: *\nDisallow: /a%2Fb", "/a/b", True),  # an encoded slash is no slash
        ("User-agent: *\nDisallow: *", "/a", False),
        ("User-agent: *\nDisallow: /$", "/a", True),
        ("User-agent: *\nDisallow: /$", "/", False),
        ("User-agent: a\nDisallow: /x\nUser-agent: *\nDisallow: /y", "/x", True),
        ("<html>not found</html>", "/a", True),
    ],
)
def test_rules(text, path, allowed):
    assert parse_robots(text, "fer_paddle").allow(path) is allowed


@pytest.mark.parametrize(
    ("value", "seconds"), [("2.5", 2.5), ("0", 0), ("-1", 0), ("nan", 0), ("1e9", 0), ("99999", MAX_DELAY_SECONDS)]
)
def test_crawl_delay(value, seconds):
    assert parse_robots(f"User-agent: *\nCrawl-delay: {value}", "x").delay_seconds == seconds


def test_a_pattern_that_would_stop_a_regular_expression():
    rules = parse_robots("User-agent: *\nDisallow: /" + "*a" * 300 + "b", "x")
    assert rules.allow("/" + "a" * 5000)
