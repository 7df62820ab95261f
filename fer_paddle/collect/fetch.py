"""One polite download: public addresses only, robots.txt, a pause per host, retries, limits on time and bytes."""

from __future__ import annotations

import email.utils
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

import httpx
from protego import Protego

from fer_paddle.collect.addresses import Refused, check_url, is_public, names_own_network

AGENT = "fer_paddle"  # the name that counts in robots.txt
USER_AGENT = f"{AGENT}/1.0 (a course on facial expressions)"
BACKOFF_SECONDS = 1.0  # wait before the second try; it doubles with each. A server's Retry-After counts more
MAX_WAIT_SECONDS = 60.0  # longest wait for a server; one that asks for more is unreachable for now
MAX_REDIRECTS = 5  # hops from one address to the next
MAX_ROBOTS_BYTES = 500 * 1024  # RFC 9309, section 2.5: at least that much is read
MAX_DELAY_SECONDS = 60.0  # of a robots.txt
_TRY_AGAIN = (408, 425, 429, 500, 502, 503, 504)
_MALFORMED = (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError)


class Unreachable(OSError):
    """A server that cannot be reached or fails now; trying again later may help."""


@dataclass(frozen=True)
class FetchPolicy:
    """How to fetch."""

    pause_seconds: float = 1.0  # least time between two requests to one host; its robots.txt may ask for more
    attempts: int = 3  # tries of one request
    read_seconds: float = 15.0  # longest wait for the next bytes
    total_seconds: float = 90.0  # longest time for one response, with all its bytes
    allow_private: bool = False  # also fetch from this machine and its network


@dataclass(frozen=True)
class Response:
    """What a server sent."""

    asked: str  # the address that was asked for
    url: str  # where it came from, after all redirects
    kind: str  # its content type in small letters, without parameters
    charset: str | None  # of its content type, or None
    body: bytes  # the bytes
    license: str | None  # of a `Link: <...>; rel="license"` header, or None


@dataclass(frozen=True)
class Expect:
    """What a request is for: largest body, beginnings of the content types; `cut` takes the start of a larger body."""

    max_bytes: int
    kinds: tuple[str, ...] = ("",)
    cut: bool = False


class Fetcher:
    """Fetch one address after another; every peer is checked before a byte is sent.

    Args:
        proxy: URL of an HTTP proxy, which resolves names itself: only addresses written as such can be checked here.
            The environment's proxies are not used.
    """

    def __init__(
        self,
        policy: FetchPolicy = FetchPolicy(),
        proxy: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ):
        if proxy is not None and not re.match(r"https?://[^/]", proxy):
            raise ValueError(f"expected a proxy such as http://localhost:8080, got {proxy!r}")
        self.policy, self.sleep, self._proxied = policy, sleep, proxy is not None
        self._client = httpx.Client(
            proxy=proxy,
            timeout=policy.read_seconds,
            # One connection a request, so that each is checked and timed by itself.
            limits=httpx.Limits(max_keepalive_connections=0),
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
            trust_env=False,
        )
        self._robots: dict[str, Protego | Unreachable] = {}
        self._last: dict[str, float] = {}

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def __enter__(self) -> Fetcher:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get(self, url: str, expect: Expect) -> Response:
        """Fetch one address, redirects followed, every hop checked."""
        return self._get(url, expect, robots=True)

    def _get(self, url: str, expect: Expect, robots: bool) -> Response:
        asked = url
        for _ in range(MAX_REDIRECTS + 1):
            address = check_url(url)
            if not self.policy.allow_private and names_own_network(address.host):
                raise Refused(f"expected a host on the open internet, got {address.host}")
            pause = self.policy.pause_seconds
            if robots and address.path != "/robots.txt":
                pause = max(pause, self._check_robots(address))
            found = self._try(address, expect, pause)
            if isinstance(found, Response):
                return replace(found, asked=asked)
            url = found
        raise Refused(f"{url}: expected at most {MAX_REDIRECTS} redirects, got more")

    def _check_robots(self, address: httpx.URL) -> float:
        """Refuse what robots.txt forbids; return the seconds it asks for between two requests."""
        site = f"{address.scheme}://{address.netloc.decode('ascii')}"
        if site not in self._robots:
            self._robots[site] = self._read_robots(site)
        rules = self._robots[site]
        if isinstance(rules, Unreachable):  # the whole site is left alone: RFC 9309, section 2.3.1
            raise Unreachable(f"{site}: robots.txt cannot be read: {rules}")
        if not rules.can_fetch(str(address), AGENT):
            raise Refused(f"{address}: robots.txt of {address.host} does not allow it")
        delay = rules.crawl_delay(AGENT) or 0.0
        return min(delay, MAX_DELAY_SECONDS) if delay > 0 else 0.0

    def _read_robots(self, site: str) -> Protego | Unreachable:
        try:
            found = self._get(f"{site}/robots.txt", Expect(MAX_ROBOTS_BYTES, cut=True), robots=False)
        except Refused:  # there is none
            return Protego.parse("")
        except Unreachable as error:
            return error
        return Protego.parse(found.body.decode("utf-8-sig", "replace"))

    def _try(self, url: httpx.URL, expect: Expect, pause: float) -> Response | str:
        """Try until there is a response, a redirect (its address) or no attempt left."""
        wait, reason = 0.0, ""
        for attempt in range(self.policy.attempts):
            if wait > MAX_WAIT_SECONDS:
                raise Unreachable(f"{url}: {reason}, asks for {wait:.0f} s of patience")
            self._wait(url.host, max(pause, wait))
            try:
                return self._once(url, expect)
            except _Later as error:
                reason, asked = str(error), error.seconds
            wait = max(BACKOFF_SECONDS * 2**attempt, asked)
        raise Unreachable(f"{url}: {reason}, in {self.policy.attempts} attempts")

    def _wait(self, host: str, pause: float) -> None:
        due = self._last.get(host, -float("inf")) + pause
        if (seconds := due - time.monotonic()) > 0:
            self.sleep(seconds)
        self._last[host] = time.monotonic()

    def _once(self, url: httpx.URL, expect: Expect) -> Response | str:
        watch = _Watch(self.policy.total_seconds, self.policy.allow_private or self._proxied)
        extensions = {"trace": watch.on_event}
        with _named_errors(url), watch, self._client.stream("GET", url, extensions=extensions) as response:
            if response.has_redirect_location and response.next_request is not None:
                return str(response.next_request.url)
            if response.status_code in _TRY_AGAIN:
                raise _Later(f"status {response.status_code}", _retry_after(response.headers.get("Retry-After", "")))
            if response.status_code != 200:
                raise Refused(f"{url}: expected a response of status 200, got {response.status_code}")
            kind, _, parameters = response.headers.get("Content-Type", "").partition(";")
            kind = kind.strip().lower()
            if not kind.startswith(expect.kinds):
                raise Refused(f"{url}: expected another kind of file, got {ascii(kind[:60]) if kind else 'no type'}")
            body = _read_body(response, url, expect)
            license_url = response.links.get("license", {}).get("url")
        charset = re.search(r"charset=[\"']?([\w.:-]+)", parameters, re.IGNORECASE)
        address = str(response.url.copy_with(fragment=None))
        return Response(address, address, kind, charset.group(1) if charset else None, body, license_url)


class _Watch:
    """Check the peer of a connection before a byte is sent, and end a request that takes too long altogether."""

    def __init__(self, seconds: float, allow_private: bool):
        self._allow_private, self._socket, self._is_over = allow_private, None, False
        self._timer = threading.Timer(seconds, self._end)

    def on_event(self, name: str, info: dict[str, Any]) -> None:
        """Look at a new connection; https://www.python-httpx.org/advanced/extensions/#trace."""
        if name != "connection.connect_tcp.complete":
            return
        stream = info["return_value"]
        self._socket = stream.get_extra_info("socket")
        peer = stream.get_extra_info("server_addr")[0]
        if not self._allow_private and not is_public(peer):
            stream.close()
            raise Refused(f"expected a host on the open internet, got one at {peer}")

    def _end(self) -> None:
        self._is_over = True
        if self._socket is not None:
            try:
                self._socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # the server has closed it

    def __enter__(self) -> _Watch:
        self._timer.daemon = True
        self._timer.start()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._timer.cancel()
        if self._is_over and isinstance(error, httpx.TransportError):
            raise _Later("the whole request took too long") from error


class _Later(Exception):
    """An attempt that failed, and after how many seconds the server wants the next."""

    def __init__(self, reason: str, seconds: float = 0.0):
        super().__init__(reason)
        self.seconds = seconds


@contextmanager
def _named_errors(url: httpx.URL) -> Iterator[None]:
    try:
        yield
    except _MALFORMED as error:
        raise Refused(f"{url}: expected a response by the rules of HTTP, got: {error}") from error
    except (httpx.TransportError, OSError) as error:
        raise _Later(f"{type(error).__name__} {error}".strip()) from error


def _read_body(response: httpx.Response, url: httpx.URL, expect: Expect) -> bytes:
    # Not asked for, and what is compressed may unfold to a million times its size.
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise Refused(f"{url}: expected a response that is not compressed, got {encoding[:60]!a}")
    too_large = f"{url}: expected at most {expect.max_bytes} bytes, got "
    length = response.headers.get("Content-Length", "")
    if length.isdigit() and int(length[:18]) > expect.max_bytes and not expect.cut:
        raise Refused(f"{too_large}{length[:18]}")
    body = bytearray()
    for block in response.iter_raw():
        body += block
        if len(body) > expect.max_bytes:
            if expect.cut:
                break
            raise Refused(f"{too_large}more")
    return bytes(body[: expect.max_bytes])


def _retry_after(value: str) -> float:
    """Return the seconds of a Retry-After header: a number or a date; 0 for anything else."""
    if re.fullmatch(r"\d{1,9}", value.strip()):
        return float(value)
    try:
        when = email.utils.parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return max((when - datetime.now(timezone.utc)).total_seconds(), 0.0) if when.tzinfo else 0.0
