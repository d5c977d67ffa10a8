"""The page on which people try a service's methods: its files, and the document it shows."""

import hashlib
import json
import zlib
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

_FOLDER = Path(__file__).parent / "static"
_MEDIA_TYPES = {
    ".css": b"text/css; charset=utf-8",
    ".html": b"text/html; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".svg": b"image/svg+xml",
}
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        # Results that are images or sound are shown from memory.
        "img-src 'self' blob: data:",
        "media-src 'self' blob: data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
).encode()
Headers = tuple[tuple[bytes, bytes], ...]


class Content(NamedTuple):
    """Bytes of a media type, with what browsers have to know of them."""

    media_type: bytes
    body: bytes
    headers: Headers

    def is_known(self, if_none_match: str) -> bool:
        """Whether a client that sent this `if-none-match` has the content."""
        known = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
        return "*" in known or dict(self.headers)[b"etag"].decode() in known


def index() -> Content:
    """The page."""
    found = file("index.html")
    assert found is not None  # noqa: S101  # it is part of this package
    return found


def file(name: str) -> Content | None:
    """A file that the page needs; None if there is none of this name."""
    path = _files().get(name)
    return None if path is None else _read(path)


@cache  # of the files that there are, whatever names are asked for
def _read(path: Path) -> Content:
    found = _content(_MEDIA_TYPES[path.suffix], path.read_bytes())
    if path.suffix != ".html":
        return found
    return found._replace(headers=(*found.headers, (b"content-security-policy", _POLICY)))


@lru_cache(maxsize=1)
def _files() -> dict[str, Path]:
    return {path.name: path for path in _FOLDER.rglob("*") if path.suffix in _MEDIA_TYPES}


@lru_cache(maxsize=16)
def document(compressed: bytes, release: str) -> Content:
    """The OpenAPI document of a release of this name, from what a snapshot has of it."""
    found = json.loads(zlib.decompress(compressed))
    found["info"]["version"] = release
    text = json.dumps(found, ensure_ascii=False, separators=(",", ":"))
    return _content(b"application/json", text.encode())


def _content(media_type: bytes, body: bytes) -> Content:
    tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
    # Asked for again each time, and answered by "not modified": a new release is seen at once.
    headers = (
        (b"cache-control", b"no-cache"),
        (b"etag", tag.encode()),
        (b"x-content-type-options", b"nosniff"),
    )
    return Content(media_type, body, headers)
