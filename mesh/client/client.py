"""A client of a deployed service: its methods as attributes, over HTTP or gRPC."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from copy import copy
from functools import partial
from typing import Any, Self, TypeVar, Unpack

from mesh.client.address import Address
from mesh.client.description import ServiceDescription
from mesh.client.fields import FieldValue
from mesh.client.grpc_transport import GrpcTransport
from mesh.client.http import HttpTransport
from mesh.client.options import Changes, Options
from mesh.client.pending import PendingCall, pending
from mesh.client.replies import Replies
from mesh.client.tries import Tries
from mesh.errors import FailedPrecondition, MeshError

T = TypeVar("T")


class Client:
    """Calls a deployed service: `Client("http://host:3000").classify(image=array)`.

    Every method of the service is an attribute; `call` takes the names that are none. The URL's
    scheme chooses the protocol: `http`, `https`, `grpc` or `grpcs`, with `/e/<endpoint>` or
    `endpoint` for an endpoint that is not the default. Usable from several threads.

    Arguments are plain values, arrays, tensors, frames, images, and files (a `Path`, a file opened
    in binary mode, `mesh.File`; for a parameter that is a file also its name). Results have the
    types that the service declares, where their libraries are installed here. Files that are
    received lie in a folder that `close` removes. Over HTTP files go to and from the disk in
    pieces; over gRPC a message is held in memory whole. A method that yields gives an iterator; a
    stream parameter takes an iterable (gRPC only).

    `timeout` is in seconds for one call with all its tries, a stream to its end (None: no limit);
    a call that was refused, or whose method is idempotent, is tried up to `retries` times more. A
    call with a file that the caller opened, or with a stream, has one try. `headers` go with every
    request, as metadata over gRPC: values are text, those of names in `-bin` bytes.
    """

    def __init__(
        self,
        url: str,
        *,
        endpoint: str = "",
        version: str = "",
        token: str = "",
        timeout: float | None = 60.0,
        retries: int = 2,
        headers: Mapping[str, FieldValue] | None = None,
    ) -> None:
        """Connects when it is first needed.

        Raises ConfigError for a URL that is none, or an option that cannot be sent.
        """
        address = Address(url)
        endpoint = endpoint or address.endpoint
        self._options = Options(timeout, retries, dict(headers or {}), endpoint, version, token)
        self._replies = Replies()
        self._transport: HttpTransport | GrpcTransport = (
            HttpTransport(address.url, self._replies)
            if address.is_http
            else GrpcTransport(address.target, self._replies, secure=address.is_secure)
        )
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._service: ServiceDescription | None = None
        self._name = f"<Client {address.shown}>"

    def __repr__(self) -> str:
        return self._name

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections, also those of `options`, and removes the files received.

        May be called again. Calls that run fail.
        """
        if not self._closed.is_set():
            self._closed.set()
            self._transport.close()
            self._replies.close()

    def options(self, **changes: Unpack[Changes]) -> Self:
        """This client with other options, on the same connections; `headers` are added."""
        options = self._options.changed(changes)
        made = copy(self)
        made.__dict__["_options"] = options
        if not options.is_same_service(self._options):
            made.__dict__["_service"] = None
        return made

    @property
    def service(self) -> ServiceDescription:
        """What the service says of itself, asked for once. Raises MeshError."""
        self._must_be_open()
        with self._lock:
            if self._service is None:
                tries = Tries(self._options, can_repeat=True, idempotent=True)
                document = _tried(lambda: self._transport.describe(self._options, tries), tries)
                self._service = ServiceDescription.of_json(document)
            return self._service

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        self.service.method(name)
        return partial(self.call, name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(self._service.methods if self._service else ())})

    def call(self, method: str, /, *args: Any, **kwargs: Any) -> Any:
        """The result of a method by its name; an iterator if it yields.

        Raises AttributeError for a method that the service has not, TypeError or ValueError for
        arguments that it cannot take, MeshError for what fails.
        """
        call = pending(self.service, self._options, method, args, kwargs)
        if call.method.streams_out:
            return self._items(call)
        return _tried(lambda: self._transport.call(call), call.tries)

    def _items(self, call: PendingCall) -> Iterator[Any]:
        has_begun = False
        while True:
            self._must_be_open()
            try:
                with closing(self._transport.stream(call)) as items:
                    for item in items:
                        has_begun = True
                        yield item
                return
            except MeshError as error:
                if has_begun:
                    raise
                time.sleep(call.tries.pause(error))

    def _must_be_open(self) -> None:
        if self._closed.is_set():
            raise FailedPrecondition(f"{self._name} is closed")


def _tried(attempt: Callable[[], T], tries: Tries) -> T:
    while True:
        try:
            return attempt()
        except MeshError as error:
            time.sleep(tries.pause(error))
