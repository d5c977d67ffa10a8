"""HTTP servers outside the mesh: a request goes there as it comes, and its reply comes back."""

import ssl
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from gateway.forward import Request
from gateway.outside import UnreachableError
from mesh.call import Trace
from mesh.errors import Code, DeadlineExceeded, MeshError, Overloaded
from mesh.traffic.snapshot import Upstream

if TYPE_CHECKING:
    import httpcore

CONNECT_TIMEOUT = 5.0
"""Seconds in which a connection must be open."""
READ_TIMEOUT = 300.0
"""Seconds without a byte from an upstream, or in which it takes none."""
MOST_CONNECTIONS = 1000
IDLE_CONNECTIONS = 100
IDLE_TIME = 4.0
"""Seconds that a connection without a request is kept: fewer than the 5 of many servers, which may
close one at the moment when a request is sent on it."""
_TIMEOUTS = {
    "connect": CONNECT_TIMEOUT,
    "pool": CONNECT_TIMEOUT,
    "read": READ_TIMEOUT,
    "write": READ_TIMEOUT,
}
_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""RFC 9110 section 7.6.1."""
_CARRIED = (b"accept", b"content-type", b"content-encoding", b"content-length")
"""What describes bodies, which go through as they are."""
_BODILESS = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})
"""Verbs whose requests have a body only if they say so."""
_IN_PATHS = "/:@!$&'()*+,;=-._~"

Fields = list[tuple[bytes, bytes]]


class Answer:
    """The reply of an upstream: its head is here, its body comes."""

    def __init__(self, upstream: Upstream, response: "httpcore.Response") -> None:
        self._upstream = upstream
        self._response = response
        self.status: int = response.status

    @property
    def fields(self) -> Fields:
        """Its header fields that are for the client."""
        named = _named_by_connection(self._response.headers)
        return [
            (name.lower(), value)
            for name, value in self._response.headers
            if (key := name.lower()) not in _HOP_BY_HOP
            and key not in named
            and key != b"x-request-id"  # the client's own is told already
        ]

    async def parts(self) -> AsyncIterator[bytes]:
        """The body as it comes. Raises MeshError if it breaks off."""
        import httpcore  # noqa: PLC0415  # as in HttpUpstreams

        try:
            async for part in self._response.aiter_stream():
                yield part
        except httpcore.TimeoutException:
            raise _too_late(self._upstream) from None
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise _broken(self._upstream, error) from None

    async def close(self) -> None:
        """Lets go of the connection; one whose body was not read to the end is closed."""
        await self._response.aclose()


class HttpUpstreams:
    """Connections to HTTP upstreams, kept for later requests.

    What is needed for that is loaded with the first request to one: gateways without upstreams do
    not pay for it. `tls` is the context of https ones; None trusts whom the system trusts.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._pool: httpcore.AsyncConnectionPool | None = None

    def __repr__(self) -> str:
        return f"<HttpUpstreams {self._pool!r}>"

    async def open(
        self,
        upstream: Upstream,
        verb: str,
        path: str,
        request: Request,
        trace: Trace,
        body: AsyncIterator[bytes] | None,
    ) -> Answer:
        """Sends the request and waits for the head of the reply.

        `body` is read only when there is a connection.

        Raises:
            UnreachableError: there is none; nothing was sent.
            MeshError: the upstream broke off, or did not answer in time.
            Exception: what `body` raises.
        """
        import httpcore  # noqa: PLC0415  # as said above

        sent = httpcore.Request(
            verb,
            _url(upstream, path, request.query),
            headers=list(outgoing(request, upstream, trace, has_body=body is not None)),
            content=body,
            extensions={"timeout": _TIMEOUTS},
        )
        try:
            response = await self._connections().handle_async_request(sent)
        except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
            raise UnreachableError(str(error)) from None
        except httpcore.PoolTimeout:
            text = f"too many requests to upstream {upstream.name!r} are under way"
            raise Overloaded(text, retry_after=1.0) from None
        except httpcore.TimeoutException:
            raise _too_late(upstream) from None
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise _broken(upstream, error) from None
        return Answer(upstream, response)

    def _connections(self) -> "httpcore.AsyncConnectionPool":
        if self._pool is None:
            import httpcore  # noqa: PLC0415  # as said above

            self._pool = httpcore.AsyncConnectionPool(
                self._tls or ssl.create_default_context(),
                max_connections=MOST_CONNECTIONS,
                max_keepalive_connections=IDLE_CONNECTIONS,
                keepalive_expiry=IDLE_TIME,
            )
        return self._pool

    async def close(self) -> None:
        """Closes all connections."""
        if self._pool is not None:
            await self._pool.aclose()


def has_body(verb: str, request: Request) -> bool:
    """Whether a body may follow the head of the request."""
    fields = request.fields
    if b"content-length" in fields:
        return fields[b"content-length"] != b"0" or verb not in _BODILESS
    return b"transfer-encoding" in fields or verb not in _BODILESS


def outgoing(
    request: Request, upstream: Upstream, trace: Trace, *, has_body: bool
) -> Iterator[tuple[bytes, bytes]]:
    """The header fields that go to the upstream.

    Without those that are between two machines, and those of the mesh. A key of the upstream
    takes the place of what the client says to be.
    """
    fields = request.fields
    named = _named_by_connection(fields.items())
    yield b"host", urlsplit(upstream.url).netloc.encode()
    for name, value in request.metadata:
        field = name.encode("latin-1")
        if field in named or (upstream.api_key and field == b"authorization"):
            continue
        yield field, value if isinstance(value, bytes) else value.encode("latin-1")
    if upstream.api_key:
        yield b"authorization", f"Bearer {upstream.api_key}".encode()
    for field in _CARRIED:
        if field in fields:
            yield field, fields[field]
    if has_body and b"content-length" not in fields:
        yield b"transfer-encoding", b"chunked"
    yield b"x-request-id", request.request_id.encode("latin-1")
    if trace.traceparent:
        yield b"traceparent", trace.traceparent.encode("latin-1")
    if trace.tracestate:
        yield b"tracestate", trace.tracestate.encode("latin-1")


def _named_by_connection(fields: Iterable[tuple[bytes, bytes]]) -> frozenset[bytes]:
    """The fields that `connection` says to be between two machines."""
    return frozenset(
        each.strip().lower()
        for name, value in fields
        if name.lower() == b"connection"
        for each in value.split(b",")
    )


def _url(upstream: Upstream, path: str, query: str) -> str:
    base = upstream.url.partition("?")[0].rstrip("/")
    asked = f"?{query}" if query else ""
    # Servers decode paths.
    return f"{base}{quote(path, _IN_PATHS)}{asked}"


def _too_late(upstream: Upstream) -> DeadlineExceeded:
    return DeadlineExceeded(f"upstream {upstream.name!r} was silent for {READ_TIMEOUT:g} seconds")


def _broken(upstream: Upstream, error: Exception) -> MeshError:
    text = f"upstream {upstream.name!r} broke off: {error}".rstrip(": ")
    return MeshError(text, code=Code.UNAVAILABLE, http_status=502)
