"""Bodies that their sender compressed."""

from mesh import inflate
from mesh.errors import TooLarge, UnsupportedMediaType
from mesh.io.open_inference.request import fault


def inflated(body: bytes, encoding: str, limit: int) -> bytes:
    """A compressed body as it was, `limit` bytes at most.

    Raises InvalidArgument for a body that is damaged or goes on behind its end, TooLarge for one
    that is longer, UnsupportedMediaType for an encoding that is not known.
    """
    if encoding not in inflate.WINDOWS:
        raise UnsupportedMediaType(f"bodies in {encoding} are not accepted")
    try:
        return b"".join(inflate.inflated(body, encoding, limit))
    except inflate.DamagedError as damage:
        raise fault("", f"The body is not {encoding}: {damage}", "encoding") from None
    except inflate.TooLongError:
        raise TooLarge(f"the request body has more than {limit} bytes") from None
