"""Downloads of what clients give by URL, with no way into networks that are not everybody's."""

import re
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Final

import httpcore

from mesh.call import FetchLimits
from mesh.io.files.addresses import Network, may_connect, networks_of
from mesh.io.files.name import base_name
from mesh.io.files.web_address import WebAddress, web_address
from mesh.io.types.file import File

BLOCKED: Final = "Connection blocked due to insecure input URL"

Resolve = Callable[[str, int], Sequence[str]]
"""The addresses of a host, which may be an address itself; blocks. Raises OSError if none."""

_REDIRECTS: Final = {301, 302, 303, 307, 308}
_MOST_ADDRESSES: Final = 4
"""Addresses of one host that are tried."""
_HEADERS: Final = (("accept", "*/*"), ("accept-encoding", "identity"), ("user-agent", "mesh"))
_MEDIA_TYPE: Final = re.compile(r"[!-~]{1,100}([ \t]*;[ -~]{0,100})?")


def resolve(host: str, port: int) -> list[str]:
    """The addresses that this machine knows for a host. Raises OSError if it knows none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Fetcher:
    """Downloads within limits; usable from several threads.

    A host's addresses are looked up once per connection, all of them are checked, and one of
    them is connected to. Proxies in the environment are not used. `clock` is in seconds.
    """

    def __init__(
        self,
        limits: FetchLimits = FetchLimits(),  # noqa: B008  # immutable
        *,
        resolve: Resolve = resolve,
        ssl_context: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = limits
        self._allowed = networks_of(limits.networks)
        self._resolve = resolve
        self._given_context = ssl_context
        self._clock = clock

    def __repr__(self) -> str:
        return f"<Fetcher {self._limits}>"

    @cached_property
    def _ssl_context(self) -> ssl.SSLContext:
        return self._given_context or httpcore.default_ssl_context()

    def fetch(self, uri: str, new_path: Callable[[], Path]) -> File:
        """Downloads to the path that `new_path` names once content comes.

        Raises ValueError for a URL that is wrong, leads where it must not, or gives no content
        within the limits; OSError if the content can't be written. Then no file is left.
        """
        address = web_address(uri)
        time_left = _TimeLeft(self._limits.timeout, self._clock)
        backend = _Guarded(self._resolve, self._allowed, time_left)
        try:
            with httpcore.ConnectionPool(
                ssl_context=self._ssl_context,
                max_connections=1,
                max_keepalive_connections=0,
                network_backend=backend,
            ) as pool:
                return self._follow(pool, address, new_path)
        except httpcore.TimeoutException:
            seconds = f"{self._limits.timeout:g} seconds"
            raise ValueError(f"the URL could not be fetched within {seconds}") from None
        except (httpcore.NetworkError, httpcore.ProtocolError):
            raise ValueError("the URL could not be fetched: the connection failed") from None

    def _follow(
        self, pool: httpcore.ConnectionPool, address: WebAddress, new_path: Callable[[], Path]
    ) -> File:
        for _ in range(self._limits.redirects + 1):
            with pool.stream("GET", _url(address), headers=_headers(address)) as response:
                if response.status not in _REDIRECTS:
                    return self._file(response, address, new_path)
                location = _header(response, b"location")
            if not location:
                raise ValueError("the URL could not be fetched: its redirect leads nowhere")
            address = address.joined(location)
        limit = self._limits.redirects
        raise ValueError(f"the URL could not be fetched: more than {limit} redirects")

    def _file(
        self, response: httpcore.Response, address: WebAddress, new_path: Callable[[], Path]
    ) -> File:
        if not 200 <= response.status < 300:
            raise ValueError(f"the URL could not be fetched: it answered {response.status}")
        if _header(response, b"content-encoding").lower() not in ("", "identity"):
            raise ValueError("the URL could not be fetched: its content is compressed unasked")
        length = _header(response, b"content-length")
        if length.isdecimal() and int(length) > self._limits.max_bytes:
            raise self._too_large()
        path = new_path()
        try:
            self._write(response.iter_stream(), path)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        media_type = _header(response, b"content-type").strip()
        known = media_type if _MEDIA_TYPE.fullmatch(media_type) else ""
        return File(media_type=known, filename=base_name(address.filename), path=path)

    def _write(self, chunks: Iterable[bytes], path: Path) -> None:
        size = 0
        with path.open("xb") as target:
            for chunk in chunks:
                size += len(chunk)
                if size > self._limits.max_bytes:
                    raise self._too_large()
                target.write(chunk)

    def _too_large(self) -> ValueError:
        return ValueError(f"the file at the URL is larger than {self._limits.max_bytes} bytes")


def _url(address: WebAddress) -> httpcore.URL:
    return httpcore.URL(
        scheme=address.scheme.encode(),
        host=address.host.encode(),
        port=address.port,
        target=address.target.encode(),
    )


def _headers(address: WebAddress) -> list[tuple[str, str]]:
    return [("host", address.authority), *_HEADERS]


def _header(response: httpcore.Response, name: bytes) -> str:
    for key, value in response.headers:
        if key.lower() == name:
            return bytes(value).decode("utf-8", "replace")
    return ""


class _TimeLeft:
    """How much is left of the time for a whole download."""

    __slots__ = ("_clock", "_end")

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._end = clock() + seconds

    def seconds(self) -> float:
        """More than 0. Raises httpcore.ReadTimeout when nothing is left."""
        left = self._end - self._clock()
        if left <= 0:
            raise httpcore.ReadTimeout
        return left


class _Guarded(httpcore.NetworkBackend):
    """Connects to addresses that may be connected to, and to nothing else."""

    def __init__(self, resolve: Resolve, allowed: Sequence[Network], time_left: _TimeLeft) -> None:
        self._resolve = resolve
        self._allowed = allowed
        self._time_left = time_left
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002  # the download's own holds
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connects to an address of the host, the first that answers.

        Raises ValueError if one of them is not allowed, whichever would have been taken.
        """
        addresses = self._addresses(host, port)
        if not all(may_connect(address, self._allowed) for address in addresses):
            raise ValueError(BLOCKED)
        tried = addresses[:_MOST_ADDRESSES]
        for still, address in zip(range(len(tried), 0, -1), tried, strict=True):
            try:
                # An address, so that nothing is looked up a second time.
                stream = self._sockets.connect_tcp(
                    address, port, self._time_left.seconds() / still, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if still == 1:
                    raise
            else:
                return _Timed(stream, self._time_left)
        raise httpcore.ConnectError("no address")

    def _addresses(self, host: str, port: int) -> Sequence[str]:
        """Asks in a thread of its own, for a look-up can't be given a time limit."""
        answers: SimpleQueue[Sequence[str] | BaseException] = SimpleQueue()

        def ask() -> None:
            try:
                answers.put(self._resolve(host, port))
            except (OSError, UnicodeError) as error:
                answers.put(error)

        Thread(target=ask, name="resolve", daemon=True).start()
        try:
            answer = answers.get(timeout=self._time_left.seconds())
        except Empty:
            raise httpcore.ConnectTimeout from None
        if isinstance(answer, BaseException) or not answer:
            raise ValueError("the URL could not be fetched: its host was not found")
        return answer


class _Timed(httpcore.NetworkStream):
    """A connection whose every step ends when the time for the download does."""

    def __init__(self, stream: httpcore.NetworkStream, time_left: _TimeLeft) -> None:
        self._stream = stream
        self._time_left = time_left

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002  # as above
        return self._stream.read(max_bytes, self._time_left.seconds())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002  # as above
        self._stream.write(buffer, self._time_left.seconds())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002  # as above
    ) -> httpcore.NetworkStream:
        """The connection inside TLS, with a server that proves to be the host of the URL."""
        seconds = self._time_left.seconds()
        return _Timed(
            self._stream.start_tls(ssl_context, server_hostname, seconds), self._time_left
        )

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
