"""Image links out of pages."""

import pytest

from fer_paddle.collect.links import find_links, largest_candidate

BASE = "http://site.example/people/page.html"
JSON_LD = '<script type="application/ld+json">'


def urls(html, **more):
    found = find_links(html.encode() if isinstance(html, str) else html, BASE, **more)
    return [link.url.removeprefix("http://site.example/") for link in found.images]


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ("<img src=a.jpg>", ["people/a.jpg"]),
        ("<img src=../笑.jpg>", ["笑.jpg"]),
        ("<base href=/other/><img src=a.jpg>", ["other/a.jpg"]),
        ("<img src=a.jpg><img src='a.jpg#top'>", ["people/a.jpg"]),  # once
        # lazy loading: the address the image will get, not its placeholder
        ("<img src='data:image/gif;base64,R0' data-src=a.jpg>", ["people/a.jpg"]),
        ("<img src=grey.gif data-srcset='a.jpg 1x, b.jpg 2x'>", ["people/b.jpg"]),
        ("<img src=s.jpg srcset='m.jpg 480w, l.jpg 960w'>", ["people/l.jpg"]),
        ("<picture><source srcset=a.webp><img src=a.jpg></picture>", ["people/a.webp", "people/a.jpg"]),
        ("<video poster=p.jpg><source src=film.mp4></video>", ["people/p.jpg"]),
        ("<meta property=og:image content=/og.jpg>", ["og.jpg"]),
        ("<link rel=image_src href=/is.jpg><link rel=stylesheet href=x.css>", ["is.jpg"]),
        ("<a href=full.JPG?x=1><img src=thumb.jpg></a>", ["people/full.JPG?x=1", "people/thumb.jpg"]),
        ("<div style=\"background: url('b.png')\">", ["people/b.png"]),
        # what is no image to fetch
        ("<img><img src=''><img src='data:image/png;base64,AA=='><img src='javascript:x'>", []),
        ("<img src='http://[bad/a.jpg'><img src='file:///etc/passwd'>", []),
        ("<script>var a = '<img src=a.jpg>'</script><!-- <img src=b.jpg> -->", []),
        ("", []),
        ("<img src=a.jpg", []),  # cut off within the tag
        ("<div>" * 3000 + "<img src=a.jpg>", ["people/a.jpg"]),  # deep
    ],
)
def test_images(html, found):
    assert urls(html) == found


@pytest.mark.parametrize(
    "html",
    [b"<a/" * 40_000, b"<!--" * 100_000, b"<![CDATA[" * 50_000, b"<?" * 100_000, b"<p style='url(" + b" " * 400_000],
    ids=["tags", "comments", "cdata", "instructions", "style"],
)
def test_a_page_made_to_be_slow_is_read_like_any_other(html):
    """Each took 10 s to hours by html.parser or a backtracking pattern; the suite's time limit would tell."""
    assert find_links(html, BASE).images == ()


def test_further_pages_and_encodings():
    found = find_links("<a href=next.html>下一页</a><a href=a.jpg></a><a href=mailto:x@y>".encode("gbk"), BASE, "gbk")
    assert found.pages == ("http://site.example/people/next.html",)
    assert urls("<img src=笑.jpg>".encode("gbk"), charset="gbk") == ["people/笑.jpg"]
    assert urls(b"<img src=a.jpg>", charset="no-such-charset") == ["people/a.jpg"]
    assert urls(b"\xff\xfe\x00\x81<img src=a.jpg>\x00") in ([], ["people/a.jpg"])  # garbage does not raise


@pytest.mark.parametrize(
    ("srcset", "largest"),
    [
        ("a.jpg 1x, b.jpg 1.5x", "b.jpg"),
        ("a.jpg 480w,b.jpg 1200w, c.jpg 800w", "b.jpg"),
        ("/w_300,h_200/a.jpg 300w, /w_600,h_400/a.jpg 600w", "/w_600,h_400/a.jpg"),  # commas within an address
        ("a.jpg, b.jpg 2x", "b.jpg"),
        (" , a.jpg oops", "a.jpg"),
        ("", None),
    ],
)
def test_srcset(srcset, largest):
    assert largest_candidate(srcset) == largest


@pytest.mark.parametrize(
    ("html", "license"),
    [
        ("<a rel=license href=/by>CC BY 4.0</a>", "CC BY 4.0 http://site.example/by"),
        ("<link rel='nofollow license' href=https://l.example/0>", "https://l.example/0"),
        ("<meta name=dcterms.rights content='© A  B'>", "© A B"),
        (JSON_LD + '{"@graph": [{"license": "https://l.example/1"}]}</script>', "https://l.example/1"),
        (JSON_LD + "{broken</script>", None),
        ("<a href=/by>CC BY 4.0</a>", None),
    ],
)
def test_licenses(html, license):
    (link,) = find_links(f"{html}<img src=a.jpg>".encode(), BASE).images
    assert link.license == license and link.page == BASE
