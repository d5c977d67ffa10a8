"""The names in a serialized inference.ModelInferRequest, read without the rest of it."""

from typing import NamedTuple

from gateway.grpc_frames import MOST_FIELDS, check_name, skip, varint
from mesh.errors import InvalidArgument

_FIELDS = {0x0A: "model", 0x12: "version", 0x1A: "id"}
"""Tags of the fields that are read: model_name, model_version, id."""


class Names(NamedTuple):
    """What a request is for; the version and the id may be empty."""

    model: str
    version: str = ""
    id: str = ""


def names(message: bytes) -> Names:
    """The names in the message.

    Raises InvalidArgument if it names no model, or one too long to be one, or is malformed.
    """
    found = {"model": ""}
    position = count = 0
    try:
        while position < len(message) and count < MOST_FIELDS:
            count += 1
            tag, position = varint(message, position)
            field = _FIELDS.get(tag)
            if field is None:
                position = skip(message, position, tag & 7)
                continue
            size, position = varint(message, position)
            if field != "id":  # which is not quoted, but given back
                check_name(size)
            found[field] = message[position : position + size].decode()
            position += size
    except (IndexError, ValueError):
        raise _malformed() from None
    if position > len(message):
        raise _malformed()
    if not found["model"]:
        raise InvalidArgument("the request names no model: set model_name")
    return Names(**found)


def _malformed() -> InvalidArgument:
    return InvalidArgument("the message is not an inference.ModelInferRequest")
