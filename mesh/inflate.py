"""Compressed data as it was, in pieces, so that little stands for much only as far as is wanted."""

import zlib
from collections.abc import Iterator
from types import MappingProxyType

WINDOWS = MappingProxyType({"gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS})
"""What zlib is told of each encoding that is known: its container and its window."""
PIECE = 64 * 1024
"""Bytes that are made at one go at most."""


class DamagedError(Exception):
    """The data is not what its encoding says, is cut off, or goes on behind its end."""


class TooLongError(Exception):
    """The data stands for more than is allowed."""


def inflated(data: bytes, encoding: str, limit: int) -> Iterator[bytes]:
    """What the data in one of the encodings of WINDOWS stands for, `limit` bytes at most.

    Raises:
        DamagedError: what is wrong with the data.
        TooLongError: there is more than `limit` bytes.
    """
    try:
        for piece in _pieces(data, WINDOWS[encoding]):
            limit -= len(piece)
            if limit < 0:
                raise TooLongError
            yield piece
    except zlib.error as error:
        raise DamagedError(str(error)) from None


def _pieces(data: bytes, wbits: int) -> Iterator[bytes]:
    engine = zlib.decompressobj(wbits)
    view = memoryview(data)
    for start in range(0, len(data), PIECE):
        if engine.eof:
            raise zlib.error("more behind its end")
        rest: bytes | memoryview = view[start : start + PIECE]
        while rest:
            yield engine.decompress(rest, PIECE)
            rest = engine.unconsumed_tail
    while not engine.eof:
        piece = engine.decompress(b"", PIECE)
        if not piece:
            raise zlib.error("cut off")
        yield piece
    if engine.unused_data:
        raise zlib.error("more behind its end")
