"""Large arrays of a request read where they lie, without a copy.

The protobuf library copies a message into its own memory, and each field of bytes out of it again.
So the elements of large tensors in a request's own fields are cut out before it reads the rest.

https://protobuf.dev/programming-guides/encoding/
"""

from collections.abc import Container
from typing import NamedTuple

from google.protobuf.message import DecodeError

from mesh.io.rpc import held
from mesh.v1.types_pb2 import Tensor

LARGE = 64 * 1024
"""Bytes of a message from which it is worth looking for large tensors."""
_DATA = 3 << 3 | held.LENGTH  # the tag of Tensor.data


class Lifted(NamedTuple):
    """A tensor without its elements, and those where they lie in the message."""

    tensor: Tensor
    data: memoryview


def lift(body: bytes, numbers: Container[int]) -> tuple[bytes, dict[int, Lifted]]:
    """A message without the tensors in these of its fields, and the tensors by field.

    All stays in the message if it is none, which the library then says, and if one of the fields
    is there more than once, which it merges.
    """
    view = memoryview(body)
    found: dict[int, Lifted] = {}
    rest: list[memoryview] = []
    seen: set[int] = set()
    at = 0
    try:
        while at < len(body):
            number, wire, start = _tag(body, at)
            inside, end = _extent(body, start, wire)
            lifted = None
            if wire == held.LENGTH and number in numbers:
                if number in seen:
                    return body, {}
                seen.add(number)
                lifted = _lifted(view[inside:end])
            if lifted is None:
                rest.append(view[at:end])
            else:
                found[number] = lifted
            at = end
    except (IndexError, DecodeError):
        return body, {}
    return (b"".join(rest), found) if found else (body, {})


def _lifted(message: memoryview) -> Lifted | None:
    data: memoryview | None = None
    rest: list[memoryview] = []
    at = 0
    while at < len(message):
        number, wire, start = _tag(message, at)
        inside, end = _extent(message, start, wire)
        if number << 3 | wire == _DATA:
            data = message[inside:end]  # of several the last counts
        else:
            rest.append(message[at:end])
        at = end
    if data is None:
        return None
    return Lifted(Tensor.FromString(b"".join(rest)), data)


def _tag(data: bytes | memoryview, at: int) -> tuple[int, int, int]:
    """Number and wire type of the field that begins there, and where what follows begins."""
    tag, after = _varint(data, at)
    if tag < 8:
        raise DecodeError("a field has no number")
    return tag >> 3, tag & 7, after


def _extent(data: bytes | memoryview, at: int, wire: int) -> tuple[int, int]:
    """Where the value of a field begins and ends."""
    match wire:
        case held.VARINT:
            _, end = _varint(data, at)
        case held.FIXED64:
            end = at + 8
        case held.LENGTH:
            size, at = _varint(data, at)
            end = at + size
        case held.FIXED32:
            end = at + 4
        case _:
            raise DecodeError("a field has a wire type that is not read here")
    if end > len(data):
        raise DecodeError("a field is cut off")
    return at, end


def _varint(data: bytes | memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
        if shift > 63:
            raise DecodeError("a number is too long")
