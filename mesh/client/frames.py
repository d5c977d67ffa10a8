"""Items of a stream of mesh.v1 messages over HTTP: each with its length before it."""

from collections.abc import Iterator

from mesh.client.failure import of_http
from mesh.errors import Internal

_HEAD = 4
"""Bytes of a length: unsigned, the highest first."""
_FAILED = 2**31
"""Set in the length of what is no message but tells why the stream ends: status and error."""
_LONGEST = 2**30


class FrameReader:
    """Takes the bytes of a reply as they come, in any pieces, and gives its messages."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The messages that are complete now.

        Raises the MeshError that a last frame tells of, Internal for a length beyond reason.
        """
        self._buffer += data
        while len(self._buffer) >= _HEAD:
            size = int.from_bytes(self._buffer[:_HEAD], "big")
            is_failure = size >= _FAILED
            size &= ~_FAILED
            if size > _LONGEST:
                raise Internal("the reply is not a stream of mesh.v1 messages")
            if len(self._buffer) < _HEAD + size:
                return
            message = bytes(self._buffer[_HEAD : _HEAD + size])
            del self._buffer[: _HEAD + size]
            if is_failure:
                raise of_http(int.from_bytes(message[:2], "big"), {}, message[2:])
            yield message

    def end(self) -> None:
        """Raises Internal if the reply ended within a message."""
        if self._buffer:
            raise Internal("the reply ended in the middle of a message")
