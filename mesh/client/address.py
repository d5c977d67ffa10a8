"""Where a client calls: the parts of its URL."""

from urllib.parse import urlsplit

from mesh.errors import ConfigError

_HTTP, _GRPC = ("http", "https"), ("grpc", "grpcs")


class Address:
    """Where a client calls. `url` has no slash at its end, `target` is `host:port`.

    `shown` is the URL without a password that may be in it.

    Raises ConfigError for a URL of another scheme.
    """

    def __init__(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            is_known = parts.scheme in (*_HTTP, *_GRPC) and bool(parts.hostname)
            _ = parts.port  # raises as urlsplit does
        except ValueError:
            is_known = False
        if not is_known:
            shown = url.rpartition("@")[2]
            raise ConfigError(f"{shown!r}: give http://host:port, https://, grpc:// or grpcs://")
        self.url = url.rstrip("/")
        self.shown = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl().rstrip("/")
        self.target = parts.netloc
        self.is_http = parts.scheme in _HTTP
        self.is_secure = parts.scheme in ("https", "grpcs")
        path = parts.path.strip("/")
        self.endpoint = ""
        if not self.is_http and path:
            prefix, _, self.endpoint = path.partition("/")
            if prefix != "e" or not self.endpoint:
                raise ConfigError(f"{self.shown!r}: over gRPC a path can only be /e/<endpoint>")
