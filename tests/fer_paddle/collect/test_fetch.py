"""Downloads from a real server that is slow, broken, redirecting, huge and lying."""

import time
from collections.abc import Callable

import httpx
import pytest

from fer_paddle.collect.addresses import Refused
from fer_paddle.collect.fetch import MAX_DELAY_SECONDS, Expect, Fetcher, FetchPolicy, Unreachable
from fer_paddle.pipeline import fetch_image, open_image

ANY = Expect(10_000)


def redirect(target: str, status: int = 302) -> tuple[int, dict[str, str], bytes]:
    return status, {"Location": target}, b""


def test_an_answer_says_where_it_came_from(site, make_fetcher):
    body = "<p>笑</p>".encode("gbk")
    site.put("/end", body, 'Text/HTML; Charset="GBK"', Link='<https://l.example/by>; rel="license"')
    site.pages["/start"] = redirect("/end")
    answer = make_fetcher().get(f"{site.url}/start#part", ANY)
    assert (answer.body, answer.kind, answer.charset) == (body, "text/html", "GBK")
    assert (answer.asked, answer.url) == (f"{site.url}/start#part", f"{site.url}/end")
    assert answer.license == "https://l.example/by"
    assert site.headers["/end"]["User-Agent"].startswith("fer_paddle/")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "0x7f000001", "[::ffff:127.0.0.1]"])
def test_a_name_of_the_own_network_is_refused_before_a_byte_is_sent(site, monkeypatch, host):
    """What a name resolves to counts at the connection: here a public name leads to this machine."""
    import socket

    port, real = site.server.server_port, socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda name, *rest, **more: real("127.0.0.1" if name == "a.example" else name, *rest, **more),
    )
    for name in (host, "a.example"):
        policy = FetchPolicy()
        with Fetcher(policy) as fetcher, pytest.raises(Refused, match="open internet, got"):
            fetcher.get(f"http://{name}:{port}/", ANY)
    assert not site.asked


def test_a_redirect_to_the_own_network_is_refused(site, make_fetcher):
    site.pages["/"] = redirect("http://10.0.0.1/secret")
    assert make_fetcher()._once(httpx.URL(f"{site.url}/"), ANY) == "http://10.0.0.1/secret"
    with pytest.raises(Refused, match=r"open internet, got 10\.0\.0\.1"):
        make_fetcher(allow_private=False).get("http://10.0.0.1/secret", ANY)


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("file:///etc/passwd", "http or https"),
        ("ftp://example.org/", "http or https"),
        ("http://user@127.0.0.1/", "user name"),
        ("/", "at most 5 redirects"),  # for ever
    ],
)
def test_redirects_that_lead_nowhere(site, make_fetcher, target, says):
    site.pages["/"] = redirect(target)
    with pytest.raises(Refused, match=says):
        make_fetcher().get(f"{site.url}/", ANY)


def drip(handler, start=b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n") -> None:
    """Sends a byte now and then without end: no single read takes long."""
    handler.wfile.write(start)
    while True:
        handler.wfile.write(b"x")
        handler.wfile.flush()
        time.sleep(0.05)


def send(*blocks: bytes) -> Callable[..., None]:
    """Sends these bytes, and closes the connection."""

    def answer(handler) -> None:
        for block in blocks:
            handler.wfile.write(block)
        handler.close_connection = True

    return answer


@pytest.mark.parametrize(
    "page",
    [
        drip,
        lambda handler: drip(handler, b"HTTP/1.1 200 OK\r\nX-Long: "),
        lambda handler: time.sleep(0.6),
        send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"half"),
        send(b"SSH-2.0-OpenSSH_9.6\r\n"),
    ],
    ids=["drip", "drip headers", "silence", "cut off", "no http"],
)
def test_slow_and_broken_servers_are_left_for_later(site, make_fetcher, page):
    site.pages["/"] = page
    fetcher = make_fetcher(total_seconds=0.4, read_seconds=0.3, attempts=2)
    with pytest.raises(Unreachable, match="in 2 attempts"):
        fetcher.get(f"{site.url}/", ANY)
    assert site.asked["/"] == 2


@pytest.mark.parametrize(
    "page",
    [
        (200, {"Content-Length": "999999999999"}, b""),  # says that it is huge
        send(b"HTTP/1.1 200 OK\r\n\r\n", *[b"x" * 10_000] * 200),  # is huge, and does not say
    ],
)
def test_huge_answers_are_refused(site, make_fetcher, page):
    site.pages["/"] = page
    with pytest.raises(Refused, match="at most 10000 bytes"):
        make_fetcher().get(f"{site.url}/", ANY)
    assert site.headers["/"]["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(
    ("page", "says"),
    [
        ((404, {}, b"no"), "got 404"),
        ((200, {"Content-Type": "video/mp4"}, b"x"), "got 'video/mp4'"),
        ((200, {}, b"x"), "got no type"),
        # nobody asked for it: 13 kB may unfold to 2.8 GB
        ((200, {"Content-Type": "image/jpeg", "Content-Encoding": "gzip"}, b"no gzip"), "not compressed, got 'gzip'"),
        ((200, {"Content-Type": "image/jpeg", "Content-Encoding": "gzip, gzip"}, b""), "not compressed"),
    ],
)
def test_answers_that_are_not_wanted(site, make_fetcher, page, says):
    site.pages["/"] = page
    with pytest.raises(Refused, match=says):
        make_fetcher().get(f"{site.url}/", Expect(1000, ("image/",)))
    assert site.asked["/"] == 1  # trying again is of no use


@pytest.mark.parametrize(
    ("headers", "waits"),
    [
        ({}, [1, 2]),
        ({"Retry-After": "7"}, [7, 7]),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, [1, 2]),  # long ago
        ({"Retry-After": "Wed, 21 Oct 99999999999999999999 07:28:00 GMT"}, [1, 2]),  # no date
    ],
)
def test_a_failing_server_is_tried_again_later_and_later(site, make_fetcher, headers, waits):
    slept: list[float] = []
    site.pages["/"] = (503, headers, b"")
    with pytest.raises(Unreachable, match="status 503, in 3 attempts"):
        make_fetcher(slept.append).get(f"{site.url}/", ANY)
    assert [round(seconds) for seconds in slept] == waits


def test_a_server_that_wants_too_much_patience_and_one_that_recovers(site, make_fetcher):
    def recover(handler):
        status, body = (503, b"") if site.asked["/"] < 3 else (200, b"well")
        send(b"HTTP/1.1 %d OK\r\nContent-Length: %d\r\n\r\n" % (status, len(body)), body)(handler)

    site.pages["/"] = (429, {"Retry-After": "86400"}, b"")
    with pytest.raises(Unreachable, match="86400 s of patience"):
        make_fetcher().get(f"{site.url}/", ANY)
    assert site.asked["/"] == 1
    site.pages["/"] = recover
    assert make_fetcher().get(f"{site.url}/", ANY).body == b"well"


@pytest.mark.parametrize(("delay", "pause"), [("3", 3), ("-1", 1), ("nan", 1), ("1e9", MAX_DELAY_SECONDS)])
def test_a_pause_between_two_requests_to_one_host(site, make_fetcher, delay, pause):
    site.put("/robots.txt", f"User-agent: *\nCrawl-delay: {delay}", "text/plain")
    site.put("/a", "a")
    slept: list[float] = []
    fetcher = make_fetcher(slept.append, pause_seconds=1.0)
    fetcher.get(f"{site.url}/a", ANY)
    fetcher.get(f"{site.url}/a", ANY)
    assert [round(seconds) for seconds in slept] == [pause] * 2  # after robots.txt, then after the first page
    assert site.asked["/robots.txt"] == 1


@pytest.mark.parametrize(
    ("robots", "error"),
    [
        ((200, {}, b"User-agent: *\nDisallow: /a"), Refused),
        ((200, {}, b"User-agent: fer_paddle\nDisallow: /all\n\nUser-agent: *\nDisallow: /"), None),  # our group alone
        ((200, {}, b"User-agent: *\nDisallow: /a\n" + b"#" * 600_000), Refused),  # only its start is read
        ((500, {}, b""), Unreachable),  # RFC 9309: then the whole site is left alone
        ((404, {}, b""), None),
        ((403, {}, b""), None),
        ((200, {"Content-Type": "text/html"}, b"<h1>Welcome</h1>"), None),
    ],
)
def test_robots(site, make_fetcher, robots, error):
    site.pages["/robots.txt"] = robots
    site.put("/a", "a")
    site.pages["/hop"] = redirect("/a")  # every hop counts
    for path in ("/a", "/hop"):
        if error is None:
            assert make_fetcher().get(site.url + path, ANY).body == b"a"
            continue
        with pytest.raises(error, match=r"robots\.txt"):
            make_fetcher().get(site.url + path, ANY)
        assert not site.asked["/a"]


def test_a_proxy_gets_the_whole_address(site, make_fetcher):
    site.pages["http://pictures.example/a"] = (200, {"Content-Length": "5"}, b"proxy")
    fetcher = make_fetcher(proxy=site.url, allow_private=False)
    assert fetcher.get("http://pictures.example/a", ANY).body == b"proxy"
    for host in ("127.0.0.1", "2130706433", "localhost:8080", "[::1]", "intranet"):
        with pytest.raises(Refused, match="open internet"):
            fetcher.get(f"http://{host}/", ANY)
    with pytest.raises(ValueError, match="expected a proxy"):
        make_fetcher(proxy="localhost:8080")


def test_an_image_for_the_pipeline_by_the_same_guard(site):
    body = site.put_image("/a.png", 3)
    address = f"{site.url}/a.png"
    with pytest.raises(Refused, match="expected a host on the open internet"):
        open_image(address, allow_url=True)
    assert fetch_image(address, FetchPolicy(allow_private=True, pause_seconds=0)) == body
