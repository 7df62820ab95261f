"""One polite download: checked addresses, robots.txt, a pause per host, retries, limits on time and bytes."""

from __future__ import annotations

import email.utils
import http.cookiejar
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

import httpcore
import httpx

from fer_paddle.collect.addresses import Refused, check_url, names_own_network
from fer_paddle.collect.robots import ALLOW_ALL, MAX_BYTES, Rules, parse_robots
from fer_paddle.collect.transport import CheckedBackend, Transport

AGENT = "fer_paddle"
_TRY_AGAIN = (408, 425, 429, 500, 502, 503, 504)
_NETWORK = (httpx.TransportError, httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, OSError)
_MALFORMED = (
    httpx.InvalidURL,
    httpx.DecodingError,
    httpx.UnsupportedProtocol,
    UnicodeError,
    httpcore.UnsupportedProtocol,
)


class Unreachable(OSError):
    """A server that cannot be reached or fails now; trying again later may help."""


@dataclass(frozen=True)
class Manners:
    """How to fetch.

    Attributes:
        pause_seconds: Least time between two requests to one host; its robots.txt may ask for more.
        attempts: Tries of one request.
        backoff_seconds: Wait before the second try; it doubles with each. A server's Retry-After counts more.
        max_wait_seconds: Longest wait for a server; one that asks for more is unreachable for now.
        read_seconds: Longest wait for the next bytes.
        total_seconds: Longest time for one answer, with all its bytes.
        max_redirects: Hops from one address to the next.
        allow_private: Also fetch from this machine and its network.
        respect_robots: Do what robots.txt says.
        agent: The User-Agent that is sent; its first word counts in robots.txt.

    Raises:
        ValueError: A number is out of its range.
    """

    pause_seconds: float = 1.0
    attempts: int = 3
    backoff_seconds: float = 1.0
    max_wait_seconds: float = 60.0
    read_seconds: float = 15.0
    total_seconds: float = 90.0
    max_redirects: int = 5
    allow_private: bool = False
    respect_robots: bool = True
    agent: str = f"{AGENT}/1.0 (a course on facial expressions)"

    def __post_init__(self) -> None:
        waits = (self.pause_seconds, self.backoff_seconds, self.max_wait_seconds)
        if min(waits) < 0 or min(self.read_seconds, self.total_seconds) <= 0:
            raise ValueError(f"expected waits of at least 0 s and limits above 0 s, got {self}")
        if self.attempts < 1 or self.max_redirects < 0 or not re.fullmatch(r"[\w-]+[ -~]*", self.agent, re.ASCII):
            raise ValueError(
                f"expected attempts of 1 or more, max_redirects of 0 or more and an ASCII agent, got {self}"
            )


@dataclass(frozen=True)
class Answer:
    """What a server sent.

    Attributes:
        asked: The address that was asked for.
        url: Where it came from, after all redirects.
        kind: Its content type in small letters, without parameters.
        charset: Of its content type, or None.
        body: The bytes.
        licence: Of a `Link: <...>; rel="license"` header, or None.
    """

    asked: str
    url: str
    kind: str
    charset: str | None
    body: bytes
    licence: str | None


@dataclass(frozen=True)
class Want:
    """What a request is for.

    Attributes:
        max_bytes: Largest body.
        kinds: Beginnings of the content types that are wanted; the body of another is not read.
        cut: Take the first `max_bytes` of a larger body instead of refusing it.
    """

    max_bytes: int
    kinds: tuple[str, ...] = ("",)
    cut: bool = False


class Fetcher:
    """Fetches one address after another.

    Args:
        manners: How.
        proxy: URL of an HTTP proxy. It resolves the names itself: of the addresses only those written as such can be
            checked here. The environment's proxies are not used.
        cookies: A cookies.txt in Netscape's format; each cookie goes to its own host alone.
        sleep: Waits; for tests.

    Raises:
        FileNotFoundError: There is no cookies file.
        ValueError: It is no cookies.txt, or the proxy is no http URL.
    """

    def __init__(
        self,
        manners: Manners = Manners(),
        proxy: str | None = None,
        cookies: Path | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ):
        if proxy is not None and not re.match(r"https?://[^/]", proxy):
            raise ValueError(f"expected a proxy such as http://localhost:8080, got {proxy!r}")
        self.manners, self.sleep, self._proxied = manners, sleep, proxy is not None
        # The proxy itself is the user's choice and may be near.
        self._backend = CheckedBackend(manners.allow_private or self._proxied)
        self._client = httpx.Client(
            transport=Transport(self._backend, proxy),
            cookies=read_cookies(cookies) if cookies else None,
            timeout=manners.read_seconds,
            # What is compressed may unfold to a thousand times its size.
            headers={"User-Agent": manners.agent, "Accept-Encoding": "identity"},
            trust_env=False,
        )
        self._robots: dict[str, Rules | Unreachable] = {}
        self._last: dict[str, float] = {}

    def close(self) -> None:
        """Closes all connections."""
        self._client.close()

    def __enter__(self) -> Fetcher:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get(self, url: str, want: Want) -> Answer:
        """Fetches one address, redirects followed, every hop checked.

        Args:
            url: http or https.
            want: What for.

        Raises:
            Refused: The address or the answer is none that is wanted; final.
            Unreachable: The server cannot be reached or fails, also after all attempts.
        """
        return self._get(url, want, self.manners.respect_robots)

    def _get(self, url: str, want: Want, robots: bool) -> Answer:
        asked = url
        for _ in range(self.manners.max_redirects + 1):
            address = check_url(url)
            if self._proxied:
                self._check_literal(address)
            rules = self._rules(address) if robots else ALLOW_ALL
            if not rules.allow(address.raw_path.decode("ascii")):
                raise Refused(f"{url}: robots.txt of {address.host} does not allow it")
            answer = self._try(address, want, max(rules.delay_seconds, self.manners.pause_seconds))
            if isinstance(answer, Answer):
                return replace(answer, asked=asked)
            url = answer
        raise Refused(f"{url}: expected at most {self.manners.max_redirects} redirects, got more")

    def _check_literal(self, address: httpx.URL) -> None:
        """Behind a proxy names are resolved there; what is an address in any spelling needs no name server."""
        if not self.manners.allow_private and names_own_network(address.host):
            raise Refused(f"expected a host on the open internet, got {address.host}")

    def _rules(self, address: httpx.URL) -> Rules:
        """Gives the rules of a site; one whose robots.txt cannot be read is left alone (RFC 9309, section 2.3.1)."""
        site = f"{address.scheme}://{address.netloc.decode('ascii')}"
        if site not in self._robots:
            agent = re.match(r"[\w-]+", self.manners.agent).group()
            try:
                answer = self._get(f"{site}/robots.txt", Want(MAX_BYTES, cut=True), robots=False)
                self._robots[site] = parse_robots(answer.body.decode("utf-8", "replace"), agent)
            except Refused:  # there is none
                self._robots[site] = ALLOW_ALL
            except Unreachable as error:
                self._robots[site] = error
        rules = self._robots[site]
        if isinstance(rules, Unreachable):
            raise Unreachable(f"{site}: robots.txt cannot be read: {rules}")
        return rules

    def _try(self, url: httpx.URL, want: Want, pause: float) -> Answer | str:
        """Tries until there is an answer, a redirect (its address) or no attempt left."""
        wait, reason = 0.0, ""
        for attempt in range(self.manners.attempts):
            if wait > self.manners.max_wait_seconds:
                raise Unreachable(f"{url}: {reason}, asks for {wait:.0f} s of patience")
            self._wait(url.host, max(pause, wait))
            try:
                return self._once(url, want)
            except _Later as error:
                reason, asked = str(error), error.seconds
            wait = max(self.manners.backoff_seconds * 2**attempt, asked)
        raise Unreachable(f"{url}: {reason}, in {self.manners.attempts} attempts")

    def _wait(self, host: str, pause: float) -> None:
        due = self._last.get(host, -float("inf")) + pause
        if (seconds := due - time.monotonic()) > 0:
            self.sleep(seconds)
        self._last[host] = time.monotonic()

    def _once(self, url: httpx.URL, want: Want) -> Answer | str:
        self._backend.deadline = time.monotonic() + self.manners.total_seconds
        with _named_errors(url), self._client.stream("GET", url, follow_redirects=False) as response:
            if response.has_redirect_location:
                return str(response.next_request.url)
            if response.status_code in _TRY_AGAIN:
                raise _Later(f"status {response.status_code}", _retry_after(response.headers.get("Retry-After", "")))
            if response.status_code != 200:
                raise Refused(f"{url}: expected an answer of status 200, got {response.status_code}")
            kind, _, parameters = response.headers.get("Content-Type", "").partition(";")
            kind = kind.strip().lower()
            if not kind.startswith(want.kinds):
                raise Refused(f"{url}: expected another kind of file, got {ascii(kind[:60]) if kind else 'no type'}")
            body = _read_body(response, url, want)
        charset = re.search(r"charset=[\"']?([\w.:-]+)", parameters, re.IGNORECASE)
        licence = response.links.get("license", {}).get("url")
        address = str(response.url.copy_with(fragment=None))
        return Answer(address, address, kind, charset.group(1) if charset else None, body, licence)


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
        raise Refused(f"{url}: expected an answer by the rules of HTTP, got: {error}") from error
    except _NETWORK as error:
        raise _Later(f"{type(error).__name__} {error}".strip()) from error


def _read_body(response: httpx.Response, url: httpx.URL, want: Want) -> bytes:
    too_large = f"{url}: expected at most {want.max_bytes} bytes, got "
    told = response.headers.get("Content-Length", "")
    if told.isdigit() and int(told[:18]) > want.max_bytes and not want.cut:
        raise Refused(f"{too_large}{told[:18]}")
    body = bytearray()
    for block in response.iter_bytes():
        body += block
        if len(body) > want.max_bytes:
            if want.cut:
                break
            raise Refused(f"{too_large}more")
    return bytes(body[: want.max_bytes])


def _retry_after(value: str) -> float:
    """Seconds of a Retry-After header: a number or a date; 0 for anything else."""
    if re.fullmatch(r"\d{1,9}", value.strip()):
        return float(value)
    try:
        when = email.utils.parsedate_to_datetime(value)
    except (ValueError, TypeError):
        return 0.0
    return max((when - datetime.now(timezone.utc)).total_seconds(), 0.0) if when.tzinfo else 0.0


def read_cookies(path: Path) -> http.cookiejar.MozillaCookieJar:
    """Reads a cookies.txt, as browsers' add-ons and curl write it.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no cookies.txt.
    """
    if not path.is_file():
        raise FileNotFoundError(f"expected a cookies.txt, found no file at {path}")
    jar = http.cookiejar.MozillaCookieJar(path)
    try:
        jar.load(ignore_discard=True, ignore_expires=True)
    except (http.cookiejar.LoadError, UnicodeError, ValueError) as error:
        raise ValueError(f"expected a cookies.txt in Netscape's format at {path}, got: {error}") from error
    for cookie in jar:
        if cookie.expires == 0:  # curl writes so what lasts as long as the browser
            cookie.expires, cookie.discard = None, True
    return jar
