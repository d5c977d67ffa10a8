"""What the sync and the async client have in common: where they call, and when they try again."""

from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Any
from urllib.parse import urlsplit

from mesh.client.content import is_repeatable
from mesh.client.description import MethodDescription, ServiceDescription
from mesh.client.options import Options
from mesh.client.retry import pause
from mesh.clock import monotonic
from mesh.errors import ConfigError, DeadlineExceeded, MeshError

_HTTP, _GRPC = ("http", "https"), ("grpc", "grpcs")
_RNG = Random()  # noqa: S311  # spreads tries in time


class Address:
    """Where a client calls. `url` has no slash at its end, `target` is `host:port`.

    Raises ConfigError for a URL of another scheme.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in (*_HTTP, *_GRPC) or not parts.netloc:
            raise ConfigError(f"{url!r}: give http://host:port, https://, grpc:// or grpcs://")
        self.url = url.rstrip("/")
        self.target = parts.netloc
        self.is_http = parts.scheme in _HTTP
        self.is_secure = parts.scheme in ("https", "grpcs")
        path = parts.path.strip("/")
        self.endpoint = ""
        if not self.is_http and path:
            prefix, _, self.endpoint = path.partition("/")
            if prefix != "e" or not self.endpoint:
                raise ConfigError(f"{url!r}: over gRPC a path can only be /e/<endpoint>")


class Tries:
    """The tries of one call, until its deadline."""

    def __init__(
        self, options: Options, method: MethodDescription, arguments: Mapping[str, Any]
    ) -> None:
        self._method = method
        self._made = 0
        self._retries = options.retries if is_repeatable(arguments) and not method.stream else 0
        limit = options.timeout
        self._deadline = None if limit is None else monotonic() + limit

    def left(self) -> float | None:
        """Seconds until the deadline, None if there is none. Raises DeadlineExceeded after it."""
        if self._deadline is None:
            return None
        left = self._deadline - monotonic()
        if left <= 0:
            raise DeadlineExceeded("no reply within the time limit")
        return left

    def pause(self, error: MeshError) -> float:
        """Seconds until the next try after one that failed; raises `error` if there is none."""
        self._made += 1
        wait = pause(
            error,
            tries=self._made,
            retries=self._retries,
            idempotent=self._method.idempotent,
            left=float("inf") if self._deadline is None else self._deadline - monotonic(),
            rng=_RNG,
        )
        if wait is None:
            raise error
        return wait


def changed(options: Options, changes: dict[str, Any]) -> Options:
    """Options with some changed; headers are added. Raises TypeError for an unknown one."""
    headers = {**options.headers, **changes.pop("headers", {})}
    return replace(options, headers=headers, **changes)


def described(service: ServiceDescription, name: str) -> MethodDescription:
    """The method of this name. Raises AttributeError if the service has none."""
    method = service.methods.get(name)
    if method is None:
        known = ", ".join(sorted(service.methods))
        raise AttributeError(f"{service.name} has no method {name!r}; it has {known}")
    return method
