"""Large arrays of a request read where they lie, without a copy.

The protobuf library copies a message into its own memory, and each field of bytes out of it again.
So the elements of large tensors in a request's own fields are cut out before it reads the rest.

https://protobuf.dev/programming-guides/encoding/
"""

from collections.abc import Container, Iterator
from typing import NamedTuple

from google.protobuf.message import DecodeError

from mesh.io.rpc import held
from mesh.v1.types_pb2 import Tensor
from mesh.varint import read_varint

LARGE = 64 * 1024
"""Bytes of a message from which it is worth looking for large tensors."""
MOST = 1000
"""Fields that are looked at; a message with more is the library's, which is faster at that."""
_DATA = 3  # the number of Tensor.data


class Lifted(NamedTuple):
    """A tensor without its elements, and those where they lie in the message."""

    tensor: Tensor
    data: memoryview


class _Field(NamedTuple):
    """A field: where it begins and ends, and where what is in it begins."""

    number: int
    wire: int
    start: int
    inside: int
    end: int


def lift(body: bytes, numbers: Container[int]) -> tuple[bytes, dict[int, Lifted]]:
    """A message without the tensors in these of its fields, and the tensors by field.

    All stays in the message if it is none, which the library then says, if one of the fields is
    there more than once, which it merges, and if there are too many.
    """
    view = memoryview(body)
    found: dict[int, Lifted] = {}
    rest = _Rest(view)
    seen: set[int] = set()
    try:
        for field in _fields(view):
            if field.number in numbers and field.wire == held.LENGTH:
                if field.number in seen:
                    return body, {}
                seen.add(field.number)
                lifted = _lifted(view[field.inside : field.end])
                if lifted is not None:
                    found[field.number] = lifted
                    rest.leave_out(field.start, field.end)
    except (IndexError, ValueError, DecodeError):
        return body, {}
    return (rest.bytes(), found) if found else (body, {})


def _lifted(message: memoryview) -> Lifted | None:
    """The tensor in a message; None if it has no elements in bytes."""
    data: memoryview | None = None
    rest = _Rest(message)
    for field in _fields(message):
        if field.number == _DATA and field.wire == held.LENGTH:
            data = message[field.inside : field.end]  # of several the last counts
            rest.leave_out(field.start, field.end)
    return None if data is None else Lifted(Tensor.FromString(rest.bytes()), data)


class _Rest:
    """What is left of a message when some of it is left out, in order."""

    def __init__(self, message: memoryview) -> None:
        self._message = message
        self._parts: list[memoryview] = []
        self._at = 0

    def leave_out(self, start: int, end: int) -> None:
        """Leaves out what stands there."""
        self._parts.append(self._message[self._at : start])
        self._at = end

    def bytes(self) -> bytes:
        """The rest."""
        return b"".join((*self._parts, self._message[self._at :]))


def _fields(message: memoryview) -> Iterator[_Field]:
    """The fields of a message. Raises IndexError or ValueError if it is none, or has too many."""
    at, size = 0, len(message)
    for _ in range(MOST):
        if at == size:
            return
        start = at
        tag, at = read_varint(message, at)
        inside, at = _extent(message, at, tag & 7)
        if at > size or tag < 8:
            raise ValueError("a field is cut off, or has no number")
        yield _Field(tag >> 3, tag & 7, start, inside, at)
    if at < size:
        raise ValueError("more fields than are looked at")


def _extent(data: memoryview, at: int, wire: int) -> tuple[int, int]:
    """Where the value of a field begins and ends."""
    match wire:
        case held.VARINT:
            return at, read_varint(data, at)[1]
        case held.FIXED64:
            return at, at + 8
        case held.LENGTH:
            size, at = read_varint(data, at)
            return at, at + size
        case held.FIXED32:
            return at, at + 4
    raise ValueError("a wire type that is not read here")
