"""http(s) URLs that a client gave, taken apart strictly."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Final, TypeVar
from urllib.parse import quote, unquote, urljoin, urlsplit

T = TypeVar("T")

_MAX: Final = 8192
"""Longest URL, in characters."""
_PORTS: Final = {"http": 80, "https": 443}
_UNWRITTEN: Final = re.compile(r"[\x00-\x20\x7f\\]")
"""Characters of which parsers of URLs think differently."""
_HOST: Final = re.compile(r"[A-Za-z0-9._-]{1,253}")


@dataclass(frozen=True, slots=True)
class WebAddress:
    """Where to connect to and what to ask for there.

    `host` is a name in ASCII or an address without brackets, `target` the path with the query.
    """

    text: str
    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def filename(self) -> str:
        """The last part of the path."""
        return unquote(self.target.partition("?")[0].rpartition("/")[2])

    def joined(self, location: str) -> "WebAddress":
        """Where a redirect from here leads to; raises ValueError as `web_address` does."""
        if _UNWRITTEN.search(location):
            raise ValueError("Invalid URL: it holds spaces, backslashes or control characters")
        return web_address(_valid(lambda: urljoin(self.text, location)))


def web_address(text: str) -> WebAddress:
    """Takes a URL apart. Raises ValueError for any but http and https, for users and passwords."""
    if len(text) > _MAX:
        raise ValueError(f"Invalid URL: it is longer than {_MAX} characters")
    if _UNWRITTEN.search(text):
        raise ValueError("Invalid URL: it holds spaces, backslashes or control characters")
    parts = _valid(lambda: urlsplit(text))
    if parts.scheme not in _PORTS:
        raise ValueError("Invalid URL: only http and https are fetched")
    if "@" in parts.netloc:
        raise ValueError("Invalid URL: it must not hold a user name or password")
    port = _valid(lambda: parts.port)
    if port == 0:
        raise ValueError("Invalid URL: there is no port 0")
    path = _valid(lambda: quote(parts.path, safe="/%:@!$&'()*+,;=~-._")) or "/"
    query = _valid(lambda: quote(parts.query, safe="/%:@!$&'()*+,;=~-._?[]"))
    return WebAddress(
        text,
        parts.scheme,
        _host(parts.hostname or ""),
        port or _PORTS[parts.scheme],
        f"{path}?{query}" if query else path,
    )


def _host(name: str) -> str:
    if ":" in name and "%" not in name:
        return str(_valid(lambda: IPv6Address(name)))
    if len(name) <= 253:  # the codec takes long over longer ones
        name = _valid(lambda: name.encode("idna").decode("ascii"))
    if not _HOST.fullmatch(name):
        raise ValueError("Invalid URL: there is no host in it")
    return name


def _valid(take: Callable[[], T]) -> T:
    try:
        return take()
    except ValueError:  # UnicodeError too; its text says nothing to who gave the URL
        raise ValueError("Invalid URL: its host, port or path can't be read") from None
