"""The messages of a gRPC request as they come, none of which is larger than it may be."""

from collections.abc import AsyncGenerator, Callable, Iterator

from gateway.grpc_compression import Codec
from gateway.grpc_frames import MessageReader
from gateway.incoming import Incoming
from mesh.errors import Internal, InvalidArgument
from mesh.link.dispatch import Dispatcher
from mesh.link.frames import CHUNK


class Messages:
    """The messages of one request, for one task to take.

    `reader` cuts them out of what comes, `codec` is what they may be compressed with.
    """

    __slots__ = ("_codec", "_incoming", "_more", "reader")

    def __init__(self, incoming: Incoming, limit: int, codec: Codec | None) -> None:
        self._incoming = incoming
        self._codec = codec
        self._more = True  # not all of the request has been received
        self.reader = MessageReader(limit)

    async def first(self, *, whole: bool = True) -> bytes | None:
        """The first message; nearly always it is all there is.

        None is for a request without a message or, unless the `whole` message is asked for, for a
        large one, of which the reader has the beginning.
        """
        reader = self.reader
        while True:
            body, more = await self._incoming.part()
            reader.put(body)
            first = reader.take()
            if first is not None:
                self._more = more
                return await self._decoded(first) if reader.compressed else first
            if not more:
                break
            if not whole and reader.left and reader.size > CHUNK and not reader.compressed:
                return None
        self._more = False
        if not reader.is_between:
            raise _cut_off()
        return None

    async def rest(self) -> AsyncGenerator[bytes]:
        """The messages that are left."""
        reader = self.reader
        while True:
            while (message := reader.take()) is not None:
                yield await self._decoded(message) if reader.compressed else message
            if not self._more:
                break
            body, self._more = await self._incoming.part()
            reader.put(body)
        if not reader.is_between:
            raise _cut_off()

    async def parts(self) -> AsyncGenerator[tuple[bytes, bool]]:
        """The message of which the reader has the beginning, as it comes.

        With each part whether it is the last one.
        """
        left = self.reader.left
        yield self.reader.take_part(), not left
        while left:
            if not self._more:
                raise _cut_off()
            body, self._more = await self._incoming.part()
            part = body[:left]
            left -= len(part)
            if len(part) < len(body):
                raise _too_many()
            yield part, not left

    @property
    def is_over(self) -> bool:
        """Whether all of the request has come and been taken."""
        return not self._more and self.reader.is_between

    async def check_end(self) -> None:
        """Raises InvalidArgument if there is one more message."""
        if not self.is_over and await anext(self.rest(), None) is not None:
            raise _too_many()

    def end(self, failure: Callable[[], Exception]) -> None:
        """Has whoever takes messages, now or later, raise what `failure` makes."""
        self._incoming.end(failure)

    async def _decoded(self, message: bytes) -> bytes:
        """The message that a compressed one stands for."""
        if self._codec is None:
            raise Internal("a message is compressed, but grpc-encoding does not say how")
        return await self._codec.decoded(message, self.reader.limit)


class Limits:
    """The largest message that an endpoint may take, before it is known which version takes it.

    `default` bytes are for services that set no limit of their own.
    """

    def __init__(self, dispatcher: Dispatcher, default: int) -> None:
        self.default = default
        self._dispatcher = dispatcher
        self._snapshot = dispatcher.snapshot
        self._found: dict[str, int] = {}

    def of(self, endpoint: str) -> int:
        """Bytes of a message at most; those of the version are to be checked later."""
        if self._snapshot is not self._dispatcher.snapshot:
            self._snapshot = self._dispatcher.snapshot
            self._found = {}
        limit = self._found.get(endpoint)
        if limit is None:
            limit = self._found[endpoint] = max(self._entries(endpoint), default=self.default)
        return limit

    def _entries(self, endpoint: str) -> Iterator[int]:
        for name in self._snapshot.endpoints[endpoint].reachable:
            deployment = self._snapshot.deployments.get(name)
            for version in deployment.versions if deployment is not None else ():
                yield version.services[version.entry].max_request_bytes or self.default


def _cut_off() -> InvalidArgument:
    return InvalidArgument("the request ends in the middle of a message")


def _too_many() -> InvalidArgument:
    return InvalidArgument("the request has more than one message")
