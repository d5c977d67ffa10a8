"""Compressed gRPC messages: gzip and deflate, in pieces so that a large one holds nobody up.

https://github.com/grpc/grpc/blob/master/doc/compression.md

A reply is compressed if its request's messages are said to be and the client takes that; others
would pay for it with every small call.
"""

import asyncio
import zlib
from types import MappingProxyType
from typing import NamedTuple

from gateway.grpc_frames import framed
from mesh import inflate
from mesh.errors import InvalidArgument, TooLarge, Unimplemented

ACCEPTED = (b"grpc-accept-encoding", b"gzip,deflate,identity")
"""The header field that says what requests may be encoded with."""
IDENTITY = b"identity"
PIECE = 64 * 1024
"""Bytes that are compressed at one go."""
WORTH = 1024
"""Bytes from which on a reply is compressed."""
_LEVEL = 1  # three times as fast as zlib's default, for messages a tenth larger


class Codec(NamedTuple):
    """One encoding."""

    name: bytes

    async def decoded(self, data: bytes, limit: int) -> bytes:
        """The message that was encoded.

        Raises:
            TooLarge: it has more than `limit` bytes; no more than that are made.
            InvalidArgument: the data is not in this encoding.
        """
        if not data:
            return data  # some encoders leave an empty message as it is
        name = self.name.decode()
        parts = []
        try:
            for part in inflate.inflated(data, name, limit):
                parts.append(part)
                if len(parts) > 1:
                    await asyncio.sleep(0)
        except inflate.TooLongError:
            raise TooLarge(f"the message has more than {limit} bytes") from None
        except inflate.DamagedError as damage:
            raise InvalidArgument(f"a message is not {name}: {damage}") from None
        return b"".join(parts)

    async def framed(self, message: bytes) -> bytes:
        """The message behind its prefix, compressed if that makes it smaller."""
        if len(message) < WORTH:
            return framed(message)
        engine = zlib.compressobj(_LEVEL, wbits=inflate.WINDOWS[self.name.decode()])
        parts = [engine.compress(message[:PIECE])]
        view = memoryview(message)
        for start in range(PIECE, len(message), PIECE):
            await asyncio.sleep(0)
            parts.append(engine.compress(view[start : start + PIECE]))
        parts.append(engine.flush())
        data = b"".join(parts)
        return framed(data, compressed=True) if len(data) < len(message) else framed(message)


_CODECS = MappingProxyType({name.encode(): Codec(name.encode()) for name in inflate.WINDOWS})


def codec_of(encoding: bytes) -> Codec | None:
    """What a `grpc-encoding` means; None for identity. Raises Unimplemented for one not known."""
    if encoding == IDENTITY:
        return None
    codec = _CODECS.get(encoding)
    if codec is None:
        raise Unimplemented(f"grpc-encoding {encoding.decode('latin-1')!r} is not supported")
    return codec


def takes(accepted: bytes, codec: Codec) -> bool:
    """Whether a client with this `grpc-accept-encoding` takes replies in the encoding."""
    return codec.name in map(bytes.strip, accepted.split(b","))
