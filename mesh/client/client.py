"""A client of a deployed service: its methods as attributes, over HTTP or gRPC."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from copy import copy
from functools import partial
from typing import Any, Self

from mesh.client.description import MethodDescription, ServiceDescription
from mesh.client.grpc_transport import GrpcTransport
from mesh.client.http import HttpTransport
from mesh.client.http_messages import Replies
from mesh.client.options import Options
from mesh.client.shared import Address, Tries, changed, described
from mesh.errors import MeshError, Unimplemented
from mesh.io.folder import Folder
from mesh.io.intake import CallIntake


class Client:
    """Calls a deployed service: `Client("http://host:3000").classify(image=array)`.

    Every method of the service is an attribute; `call` takes the names that are none. The URL's
    scheme chooses the protocol: `http`, `https`, `grpc` or `grpcs`, with `/e/<endpoint>` or
    `endpoint` for an endpoint that is not the default. Usable from several threads.

    Arguments are plain values, arrays, tensors, frames, images, and files (a `Path`, a file opened
    in binary mode, `mesh.File`). Results have the types that the service declares, where their
    libraries are installed here. Files that are received lie in a folder that `close` removes. A
    method that yields gives an iterator; a stream parameter takes an iterable (gRPC only).

    `timeout` is in seconds for one call with all its tries (None: no limit); a call that was
    refused, or whose method is idempotent, is tried up to `retries` times more.
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
        headers: dict[str, str] | None = None,
    ) -> None:
        """Connects when it is first needed. Raises ConfigError for a URL that is none."""
        address = Address(url)
        endpoint = endpoint or address.endpoint
        self._options = Options(timeout, retries, dict(headers or {}), endpoint, version, token)
        self._folder = Folder()
        replies = Replies(CallIntake(self._folder))
        self._transport: HttpTransport | GrpcTransport = (
            HttpTransport(address.url, replies)
            if address.is_http
            else GrpcTransport(address.target, replies, secure=address.is_secure)
        )
        self._lock = threading.Lock()
        self._service: ServiceDescription | None = None
        self._name = f"<Client {address.url}>"

    def __repr__(self) -> str:
        return self._name

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections and removes the files that were received."""
        self._transport.close()
        self._folder.remove()

    def options(self, **changes: Any) -> Self:
        """This client with another `timeout`, `retries`, `headers`, `token` or `version`."""
        made = copy(self)
        made.__dict__["_options"] = changed(self._options, changes)
        return made

    @property
    def service(self) -> ServiceDescription:
        """What the service says of itself, asked for once. Raises MeshError."""
        with self._lock:
            if self._service is None:
                document = self._transport.describe(self._options)
                self._service = ServiceDescription.of_json(document)
            return self._service

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        described(self.service, name)
        return partial(self.call, name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(self._service.methods if self._service else ())})

    def call(self, method: str, /, *args: Any, **kwargs: Any) -> Any:
        """The result of a method by its name; an iterator if it yields.

        Raises TypeError for arguments that the method does not take, MeshError for what fails.
        """
        found = described(self.service, method)
        arguments = found.bind(args, kwargs)
        sent = arguments.pop(found.stream) if found.stream else None
        tries = Tries(self._options, found, arguments)
        if found.streams_out:
            return self._items(found, arguments, sent, tries)
        return self._value(found, arguments, sent, tries)

    def _streaming(self, method: MethodDescription) -> GrpcTransport:
        """What carries a stream of items to the service. Raises Unimplemented if nothing does."""
        if not isinstance(self._transport, GrpcTransport):
            raise Unimplemented(f"{method.name} takes a stream of items, which only gRPC carries")
        return self._transport

    def _value(
        self,
        method: MethodDescription,
        arguments: dict[str, Any],
        sent: Iterable[Any] | None,
        tries: Tries,
    ) -> Any:
        transport, options = self._transport, self._options
        while True:
            try:
                left = tries.left()
                if sent is not None:
                    return self._streaming(method).send(method, arguments, sent, options, left)
                return transport.call(method, arguments, options, left)
            except MeshError as error:
                time.sleep(tries.pause(error))

    def _items(
        self,
        method: MethodDescription,
        arguments: dict[str, Any],
        sent: Iterable[Any] | None,
        tries: Tries,
    ) -> Iterator[Any]:
        transport, options = self._transport, self._options
        has_begun = False
        while True:
            try:
                left = tries.left()
                items = (
                    transport.stream(method, arguments, options, left)
                    if sent is None
                    else self._streaming(method).exchange(method, arguments, sent, options, left)
                )
                for item in items:
                    has_begun = True
                    yield item
                return
            except MeshError as error:
                if has_begun:
                    raise
                time.sleep(tries.pause(error))
