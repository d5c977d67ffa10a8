"""What a method may know about its call, and say about its reply."""

import weakref
from collections.abc import Iterator, Mapping, MutableMapping
from datetime import datetime
from functools import cached_property
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl

from mesh.call import Metadata
from mesh.clock import Clock, monotonic
from mesh.definition.background import Background
from mesh.definition.cookies import read_cookies, set_cookie_header
from mesh.io.files.folder import Folder


class Fields(Mapping[str, str]):
    """Metadata of a request by name, whatever the case; of a repeated name the last value counts.

    Binary values (names that end in `-bin`) are bytes, in `raw` and by `getbytes` only.
    """

    def __init__(self, raw: Metadata) -> None:
        self.raw = raw

    def getbytes(self, name: str) -> list[bytes]:
        """Every binary value of the name, in order; empty if there is none."""
        name = name.lower()
        return [value for key, value in self.raw if key == name and isinstance(value, bytes)]

    def getlist(self, name: str) -> list[str]:
        """Every value of the name, in order; empty if there is none."""
        name = name.lower()
        return [value for key, value in self.raw if key == name and isinstance(value, str)]

    def __getitem__(self, name: str) -> str:
        values = self.getlist(name)
        if not values:
            raise KeyError(name)
        return values[-1]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(key for key, value in self.raw if isinstance(value, str)))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __repr__(self) -> str:
        return f"Fields({list(self.raw)!r})"


class ReplyFields(MutableMapping[str, str]):
    """Metadata of a reply: setting a name replaces its values, `append` adds one more.

    Values of names that end in `-bin` may be bytes; those are in `raw` only.
    """

    def __init__(self) -> None:
        self._raw: list[tuple[str, str | bytes]] = []

    @property
    def raw(self) -> Metadata:
        """Names in lower case with their values, in the order in which they were set."""
        return tuple(self._raw)

    def append(self, name: str, value: str | bytes) -> None:
        """Adds a value beside those that the name has."""
        name = _name(name)
        is_binary = isinstance(value, bytes) and name.endswith("-bin")
        self._raw.append((name, value if is_binary else _text(value)))

    def getlist(self, name: str) -> list[str]:
        """Every value of the name that is text, in order; empty if there is none."""
        name = name.lower()
        return [value for key, value in self._raw if key == name and isinstance(value, str)]

    def __getitem__(self, name: str) -> str:
        values = self.getlist(name)
        if not values:
            raise KeyError(name)
        return values[-1]

    def __setitem__(self, name: str, value: str | bytes) -> None:
        self._raw = [pair for pair in self._raw if pair[0] != name.lower()]
        self.append(name, value)

    def __delitem__(self, name: str) -> None:
        left = [pair for pair in self._raw if pair[0] != name.lower()]
        if len(left) == len(self._raw):
            raise KeyError(name)
        self._raw = left

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(key for key, value in self._raw if isinstance(value, str)))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __repr__(self) -> str:
        return f"ReplyFields({self._raw!r})"


_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")


def _name(name: str) -> str:
    lower = name.lower()
    if not lower or not _TOKEN.issuperset(lower):
        raise ValueError(f"{name!r} is no name of a header field")
    return lower


def _text(value: object) -> str:
    # A line break would let the value start a header field of its own.
    if not isinstance(value, str) or any(each in value for each in "\r\n\0"):
        raise ValueError(f"{value!r} is no value of a header field")
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        raise ValueError(f"{value!r} is no value of a header field") from None
    return value


class Request:
    """The call as the caller made it, apart from its arguments.

    `method` is the name of the method; `request_id` identifies the request in logs.
    """

    def __init__(
        self, method: str = "", metadata: Metadata = (), query: str = "", request_id: str = ""
    ) -> None:
        self.method = method
        self.request_id = request_id
        self._metadata = metadata
        self._query = query

    @cached_property
    def headers(self) -> Fields:
        """The caller's metadata (HTTP: header fields)."""
        return Fields(self._metadata)

    @cached_property
    def cookies(self) -> Mapping[str, str]:
        """The caller's cookies by name."""
        return MappingProxyType(read_cookies("; ".join(self.headers.getlist("cookie"))))

    @cached_property
    def query_params(self) -> Mapping[str, str]:
        """Parameters of the query string; of a repeated name the last value counts."""
        return dict(self.query_items)

    @cached_property
    def query_items(self) -> tuple[tuple[str, str], ...]:
        """Every parameter of the query string with its value, in order."""
        return tuple(parse_qsl(self._query, keep_blank_values=True))


class Response:
    """What the method says about its reply. `status_code` is an HTTP status; None means 200.

    `background` takes work that is to be done when the reply is sent. `trailers` are set like
    `headers`, also after the first item of a stream, and go with the reply's end; they are for
    gRPC, and left out of HTTP. All of it counts only if the method does not fail.
    """

    def __init__(self) -> None:
        self.status_code: int | None = None
        self.headers = ReplyFields()
        self.background = Background()
        self._cookies: dict[str, str] = {}
        self._trailers: ReplyFields | None = None

    @property
    def trailers(self) -> ReplyFields:
        """Metadata that goes with the end of the reply (gRPC: trailing metadata)."""
        if self._trailers is None:
            self._trailers = ReplyFields()
        return self._trailers

    def trailing(self) -> Metadata:
        """The trailers as metadata of the reply."""
        return () if self._trailers is None else self._trailers.raw

    @property
    def cookies(self) -> Mapping[str, str]:
        """The values of the cookies that the reply sets, by name."""
        return MappingProxyType(self._cookies)

    def set_cookie(
        self,
        key: str,
        value: str = "",
        max_age: int | None = None,
        expires: datetime | str | int | None = None,
        path: str | None = "/",
        domain: str | None = None,
        secure: bool = False,
        httponly: bool = False,
        samesite: str | None = "lax",
    ) -> None:
        """Sets a cookie at the client.

        `max_age` is in seconds; `expires` a point in time, or seconds from now; `samesite`
        strict, lax or none. Raises ValueError for what no cookie can have.
        """
        self.headers.append(
            "set-cookie",
            set_cookie_header(
                key,
                value,
                max_age=max_age,
                expires=expires,
                path=path,
                domain=domain,
                secure=secure,
                httponly=httponly,
                samesite=samesite,
            ),
        )
        self._cookies[key] = value

    def delete_cookie(self, key: str, path: str = "/", domain: str | None = None) -> None:
        """Has the client forget a cookie that was set with this path and domain."""
        self.set_cookie(key, max_age=0, expires=0, path=path, domain=domain)
        del self._cookies[key]

    @property
    def media_type(self) -> str | None:
        """The content-type among the headers, which replaces the reply's own; None without."""
        return self.headers.get("content-type")

    def metadata(self) -> Metadata:
        """The headers as metadata of the reply, without the content-type."""
        return tuple(pair for pair in self.headers.raw if pair[0] != "content-type")


class Context:
    """One call, for a method that has a parameter of this type.

        def speak(self, text: str, context: mesh.Context) -> Path:
            context.response.headers["x-voice"] = "alto"
            return synthesise(text, Path(context.temp_dir, "speech.mp3"))

    `request` is what the caller said besides the arguments: `headers`, `cookies`, `query_params`,
    `method`, `request_id`. `response` is what the reply is to say: `status_code`, `headers`,
    `trailers`, `set_cookie(...)`, and `background.add_task(...)` for work when it is sent.

    `deployment` and `version` say where the replica runs (empty in tests); `state` is a dict
    that all calls of the replica share; `deadline` is on the monotonic clock, in seconds (None:
    there is none). `folder` is the call's own. In a unit test `Context()` stands for a call.
    """

    def __init__(
        self,
        *,
        method: str = "",
        metadata: Metadata = (),
        query: str = "",
        request_id: str = "",
        deadline: float | None = None,
        clock: Clock = monotonic,
        deployment: str = "",
        version: str = "",
        state: dict[str, Any] | None = None,
        folder: Folder | None = None,
    ) -> None:
        self.request = Request(method, metadata, query, request_id)
        self.response = Response()
        self.deadline = deadline
        self.deployment = deployment
        self.version = version
        self.state: dict[str, Any] = {} if state is None else state
        self._clock = clock
        self._folder = folder

    @property
    def temp_dir(self) -> str:
        """A folder of this call alone, removed when the reply and its background work are done.

        Outside of a replica it is removed with the context. Raises OSError if it can't be made.
        """
        if self._folder is None:
            self._folder = Folder()
            weakref.finalize(self, self._folder.remove)
        return str(self._folder.path)

    def time_left(self) -> float | None:
        """Seconds until the deadline, 0 if it has passed; None if there is none."""
        return None if self.deadline is None else max(0.0, self.deadline - self._clock())
