"""Bodies that their sender compressed."""

import zlib

from mesh.errors import TooLarge, UnsupportedMediaType
from mesh.io.open_inference.request import fault

_WINDOWS = {"gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}
"""What zlib is told of each encoding."""
ENCODINGS = frozenset(_WINDOWS)


def inflated(body: bytes, encoding: str, limit: int) -> bytes:
    """A compressed body as it was, `limit` bytes at most.

    Raises InvalidArgument for a body that is damaged or goes on behind its end, TooLarge for one
    that is longer, UnsupportedMediaType for an encoding that is not known.
    """
    if encoding not in _WINDOWS:
        raise UnsupportedMediaType(f"bodies in {encoding} are not accepted")
    stream = zlib.decompressobj(_WINDOWS[encoding])
    try:
        found = stream.decompress(body, limit + 1)
    except zlib.error:
        raise fault("", f"The body is not compressed by {encoding}", "encoding") from None
    if len(found) > limit:
        raise TooLarge(f"the request body has more than {limit} bytes")
    if not stream.eof or stream.unused_data:
        raise fault("", f"The body is no one stream of {encoding}", "encoding")
    return found
