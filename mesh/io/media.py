"""Media types of bodies: which one a body has, and which one a caller wants back."""

from mesh.call import CALL, JSON
from mesh.errors import UnsupportedMediaType

TEXT = "text/plain; charset=utf-8"
"""Media type of a reply that is a bare string or bytes."""
EVENTS = "text/event-stream; charset=utf-8"
"""Media type of a streamed reply whose items are encoded as over JSON."""

_WILDCARDS = ("*/*", "application/*")


def is_call(media_type: str) -> bool:
    """Whether a body is a mesh.v1 message; everything else is read as JSON.

    Raises UnsupportedMediaType for pickles, which are never read.
    """
    if media_type == JSON:
        return False
    if media_type == CALL:
        return True
    essence = media_type.partition(";")[0].strip().lower()
    if "pickle" in essence:
        raise UnsupportedMediaType(f"{essence} is not accepted: it can carry code")
    return essence == CALL


def wants_call(request_media_type: str, accept: str) -> bool:
    """Whether the reply is a mesh.v1 message: it was asked for, or the request was one.

    A caller whose `accept` names neither form gets the natural one of its request.
    """
    if not accept:
        return is_call(request_media_type)
    ranges = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    if CALL in ranges:
        return True
    if is_call(request_media_type):
        return JSON not in ranges or any(wildcard in ranges for wildcard in _WILDCARDS)
    return False
