"""How a connection is made: to an address that was checked, within a time for the whole request."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable, Iterator
from typing import Any

import httpcore
import httpx

from fer_paddle.collect.addresses import resolve


class CheckedBackend(httpcore.NetworkBackend):
    """Connects to checked addresses alone, and ends what takes longer than the whole request may.

    httpcore's own limits hold for each read, so that a server that sends a byte every few seconds never meets them.

    Args:
        allow_private: Allow every address.

    Attributes:
        deadline: When the request that runs must have ended, in seconds of `time.monotonic`.
    """

    def __init__(self, allow_private: bool = False):
        self.allow_private, self.deadline = allow_private, float("inf")
        self._sockets = httpcore.SyncBackend()

    def left(self, timeout: float | None) -> float:
        """Seconds that the next operation may take."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the whole request took too long")
        return left if timeout is None else min(left, timeout)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Resolves, checks and connects to the first address that answers."""
        try:
            addresses = resolve(host, port, self.allow_private)
        except OSError as error:
            raise httpcore.ConnectError(f"{host} does not resolve: {error}") from error
        for address in addresses[:-1]:
            try:
                return self._connect(address, port, timeout, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return self._connect(addresses[-1], port, timeout, socket_options)

    def _connect(self, address: str, port: int, timeout: float | None, options: Any) -> httpcore.NetworkStream:
        stream = self._sockets.connect_tcp(address, port, self.left(timeout), None, options)
        return _TimedStream(stream, self)


class _TimedStream(httpcore.NetworkStream):
    """A connection whose every operation ends by the backend's deadline."""

    def __init__(self, stream: httpcore.NetworkStream, backend: CheckedBackend):
        self._stream, self._backend = stream, backend

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._backend.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._backend.left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None) -> Any:
        stream = self._stream.start_tls(ssl_context, server_hostname, self._backend.left(timeout))
        return _TimedStream(stream, self._backend)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class Transport(httpx.BaseTransport):
    """httpx over a pool that connects through our own backend.

    Args:
        backend: Connects.
        proxy: URL of an HTTP proxy, with name and password where it wants them; None for none.
    """

    def __init__(self, backend: CheckedBackend, proxy: str | None):
        context = ssl.create_default_context()
        if proxy is None:
            self._pool = httpcore.ConnectionPool(context, network_backend=backend)
        else:
            url = httpx.URL(proxy)
            auth = (url.username, url.password) if url.username else None
            self._pool = httpcore.HTTPProxy(
                str(url.copy_with(username=None, password=None)),
                proxy_auth=auth,
                ssl_context=context,
                network_backend=backend,
            )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._pool.handle_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=request.url.raw_scheme,
                    host=request.url.raw_host,
                    port=request.url.port,
                    target=request.url.raw_path,
                ),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        stream = _Body(answer.stream)
        return httpx.Response(answer.status, headers=answer.headers, stream=stream, extensions=answer.extensions)

    def close(self) -> None:
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, stream: Iterator[bytes]):
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        yield from self._stream

    def close(self) -> None:
        self._stream.close()
