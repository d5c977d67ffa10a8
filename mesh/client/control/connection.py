"""Questions to the control API, and answers as values."""

import math
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import TypeAdapter, ValidationError

from mesh.client.control.patience import ENOUGH, Outage, Patience, got_away, was_sent
from mesh.client.control.whereabouts import PREFIX, Whereabouts
from mesh.client.failure import of_http
from mesh.errors import (
    ConfigError,
    DeadlineExceeded,
    Internal,
    InvalidArgument,
    MeshError,
    NotFound,
    Unauthenticated,
    Unavailable,
)

T = TypeVar("T")
NOTHING: Mapping[str, Any] = MappingProxyType({})
CONNECT = 10.0
"""Seconds for a connection at most: the host of a controller that is away may answer nothing."""
_REPEATABLE = frozenset({"GET", "PUT", "DELETE"})
"""What comes to the same however often it is asked, as HTTP has it."""


def path(*parts: str | int) -> str:
    """A path of these parts, whatever characters they have.

    Raises InvalidArgument for a part that is nothing in a path, which would lead elsewhere.
    """
    for part in parts:
        if part in ("", ".", ".."):
            raise InvalidArgument(f"{part!r} is no name")
    return "".join(f"/{quote(str(part), safe='')}" for part in parts)


class Connection:
    """The control API at one place. Usable from several threads. All errors are MeshErrors.

    `timeout` is in seconds, for each question. Raises ConfigError for an address that is none.

    Paths begin where the control API is; URLs are taken as they are.

    A question that breaks off, or meets nobody where somebody was, is asked again for as long as
    `patience` has it, if that is safe: it never is for one that makes something new each time.
    """

    def __init__(
        self, where: Whereabouts, timeout: float = 60.0, patience: Patience = ENOUGH
    ) -> None:
        if not where.token.isascii() or not where.token.isprintable():
            raise ConfigError("the token has characters that no token has: is it another text?")
        self.url = where.url
        self._patience = patience
        self._has_answered = False
        self._is_guess = where.is_guess
        fields = {"authorization": f"Bearer {where.token}"} if where.token else {}
        try:
            self._client = httpx.Client(
                base_url=f"{where.url}{PREFIX}",
                headers=fields,
                timeout=httpx.Timeout(timeout, connect=min(timeout, CONNECT)),
                follow_redirects=False,
            )
        except (httpx.InvalidURL, ValueError) as error:
            raise ConfigError(f"the control API cannot be at {where.url!r}: {error}") from None

    def __repr__(self) -> str:
        return f"<Connection {self.url}>"

    def close(self) -> None:
        """Closes it; questions that are open fail."""
        self._client.close()

    def ask(
        self,
        kind: type[T],
        method: str,
        path: str,
        json: Any = None,
        params: Mapping[str, Any] = NOTHING,
        *,
        again: bool | None = None,
        within: float = math.inf,
    ) -> T:
        """The answer to one question, as a `kind`.

        `again` says whether the question may be asked twice; else its method does. A controller
        that is away is waited for `within` seconds at most.

        Raises:
            MeshError: as the controller says, or Unavailable where there is none.
        """
        body = self.raw(method, path, json, params, again=again, within=within)
        try:
            found: T = _reader(kind).validate_json(body)  # type: ignore[arg-type]  # types have hashes
        except ValidationError as error:
            raise Internal(f"what {self.url} answers is not of this version: {error}") from None
        return found

    def raw(
        self,
        method: str,
        path: str,
        json: Any = None,
        params: Mapping[str, Any] = NOTHING,
        *,
        again: bool | None = None,
        within: float = math.inf,
    ) -> bytes:
        """The answer as it comes; raises as `ask`.

        What is deleted twice was deleted: that it is gone the second time is no error.
        """
        repeatable = method in _REPEATABLE if again is None else again
        outage = Outage(self._patience, within)
        while True:
            try:
                return self._once(method, path, json, params)
            except NotFound:
                if method == "DELETE" and outage.may_be_done:
                    return b""
                raise
            except httpx.HTTPError as error:
                failure, is_sent = self._broken(error), was_sent(error)
                if not (self._has_answered or outage.may_be_done or got_away(error)):
                    raise failure from error
            except Unavailable as error:
                if not (self._has_answered and repeatable):
                    raise
                # Who answers 503 has done nothing; of a 502 that a proxy gives nobody knows.
                failure, is_sent = error, error.http_status != 503
            outage.wait_for(failure, is_sent=is_sent, is_repeatable=repeatable)

    def _once(self, method: str, path: str, json: Any, params: Mapping[str, Any]) -> bytes:
        response = self._client.request(method, path, json=json, params=dict(params))
        self._has_answered |= response.status_code < 500
        if response.status_code >= 300:
            raise self._refusal(response, response.content)
        return response.content

    def lines(
        self, path: str, params: Mapping[str, Any], fields: Mapping[str, str]
    ) -> Iterator[str]:
        """The lines of an answer as they come, for as long as they may; raises as `ask`."""
        timeout = self._client.timeout
        try:
            with self._client.stream(
                "GET",
                path,
                params=dict(params),
                headers=dict(fields),
                timeout=httpx.Timeout(timeout.write, read=None, connect=timeout.connect),
            ) as response:
                if response.status_code >= 300:
                    raise self._refusal(response, response.read())
                yield from response.iter_lines()
        except httpx.HTTPError as error:
            raise self._broken(error) from error

    def send(
        self, method: str, where: str, content: Iterable[bytes], size: int
    ) -> Mapping[str, str]:
        """Sends `size` bytes; returns the fields of the answer's head. Raises as `ask`.

        `where` is a URL, or a path from the root of the control API's port.
        """
        url = where if "://" in where else f"{self.url}{where}"
        fields = {"content-type": "application/octet-stream", "content-length": str(size)}
        try:
            response = self._client.request(method, url, content=content, headers=fields)
        except httpx.HTTPError as error:
            raise self._broken(error) from error
        if response.status_code >= 300:
            raise self._refusal(response, response.content)
        return response.headers

    def pieces(self, where: str, size: int) -> Iterator[tuple[bytes, int]]:
        """An answer in pieces of `size` bytes at most, each with how many it is in all.

        `where` is as for `send`; 0 stands for a length that is not known. Raises as `ask`.
        """
        try:
            with self._client.stream("GET", f"{self.url}{where}") as response:
                if response.status_code >= 300:
                    raise self._refusal(response, response.read())
                whole = int(response.headers.get("content-length", 0))
                for piece in response.iter_bytes(size):
                    yield piece, whole
        except httpx.HTTPError as error:
            raise self._broken(error) from error

    def _broken(self, error: httpx.HTTPError) -> MeshError:
        if isinstance(error, httpx.TimeoutException) and was_sent(error):
            return DeadlineExceeded(f"the control API at {self.url} does not answer in time")
        why = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        hint = "; mesh up starts a mesh, --url names another" if self._is_guess else ""
        return Unavailable(f"the control API at {self.url} does not answer: {why}{hint}")

    def _refusal(self, response: httpx.Response, body: bytes) -> MeshError:
        error = of_http(response.status_code, response.headers, body)
        if isinstance(error, Unauthenticated):
            error.message += f" ({self.url}; --token, or MESH_CONTROL_TOKEN)"
            error.args = (error.message,)
        return error


@cache
def _reader(kind: Any) -> Any:
    return TypeAdapter(kind)
