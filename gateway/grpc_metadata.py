"""Metadata whose names end in `-bin`: base64 in requests, bytes for services.

https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
"""

from base64 import b64decode
from binascii import Error

from mesh.call import Metadata
from mesh.errors import InvalidArgument

_BINARY = "-bin"


def read(metadata: Metadata) -> Metadata:
    """Metadata of a request with binary values as bytes, each of a list by itself.

    Raises InvalidArgument for a binary value that is not base64.
    """
    for name, _ in metadata:
        if name.endswith(_BINARY):
            return tuple(_read(metadata))
    return metadata


def _read(metadata: Metadata) -> list[tuple[str, str | bytes]]:
    found: list[tuple[str, str | bytes]] = []
    for name, value in metadata:
        if isinstance(value, str) and name.endswith(_BINARY):
            found += [(name, _decoded(name, each.strip())) for each in value.split(",")]
        else:
            found.append((name, value))
    return found


def _decoded(name: str, value: str) -> bytes:
    """The bytes of base64 with padding or without."""
    try:
        return b64decode(value + "=" * (-len(value) % 4), validate=True)
    except (Error, ValueError):
        raise InvalidArgument(f"the metadata {name} is not base64") from None
