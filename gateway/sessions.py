"""Sessions: the key that keeps the requests of a client together, and the cookie that bears it."""

import secrets
from collections.abc import Iterator

from gateway.forward import Request
from mesh.traffic.snapshot import Endpoint, Session

LONGEST_KEY = 128
"""Characters of a cookie's value that is a key; a longer one is none of ours."""


def entered(request: Request, endpoint: Endpoint) -> Request:
    """The request with the key of its session at `endpoint`, if that has sessions.

    The cookie of the session is taken off what goes on to the service; other cookies stay. A
    client that has no such cookie is given one with the reply.
    """
    session = endpoint.session
    if session is None:
        return request
    if session.header:
        return request._replace(session=request.text(session.header.encode("latin-1")))
    key = ""
    kept: list[tuple[str, str | bytes]] = []
    # HTTP/2 may have the cookies in several fields, RFC 9113 section 8.2.3.
    for name, value in request.metadata:
        if name != "cookie" or not isinstance(value, str):
            kept.append((name, value))
            continue
        found, rest = _without(value, session.cookie)
        key = key or found
        if rest:
            kept.append((name, rest))
    request = request._replace(metadata=tuple(kept))
    if key:
        return request._replace(session=key)
    key = secrets.token_hex(16)
    return request._replace(session=key, set_cookie=_set_cookie(session, key))


def _without(cookies: str, name: str) -> tuple[str, str]:
    """The value of the cookie (empty: it is not there), and the field without it."""
    key = ""
    rest = []
    for pair in cookies.split(";"):
        label, _, value = pair.strip().partition("=")
        if label != name:
            rest.append(pair.strip())
        elif len(value) <= LONGEST_KEY:
            key = key or value.strip('"')
    return key, "; ".join(filter(None, rest))


def _set_cookie(session: Session, key: str) -> bytes:
    age = f"; Max-Age={session.ttl}" if session.ttl else ""
    return f"{session.cookie}={key}; Path=/{age}; HttpOnly; SameSite=Lax".encode("latin-1")


def cookie_fields(request: Request) -> Iterator[tuple[bytes, bytes]]:
    """The header field of the reply that gives the client its cookie, if it needs one."""
    if request.set_cookie:
        yield b"set-cookie", request.set_cookie
