"""Scalar types of protobuf, and Python's types that travel as one.

https://protobuf.dev/programming-guides/proto3/#scalar
"""

import operator
from collections.abc import Callable, Iterable
from struct import Struct, error as struct_error
from typing import Any

from pydantic_core import to_jsonable_python

from mesh.io.rpc.held import FIXED32, FIXED64, VARINT, Held, put_bytes
from mesh.io.wire import Chunks
from mesh.varint import varint

Payload = Callable[[Any], bytes]


class Scalar(Held):
    """Numbers and truth values, each of which is written by `payload`."""

    def __init__(self, proto: str, wire: int, payload: Payload) -> None:
        self.proto = proto
        self.wire = wire
        self.short = proto.capitalize()
        self._payload = payload

    @property
    def reads_plainly(self) -> bool:
        """Numbers are themselves."""
        return True

    def read(self, value: Any) -> Any:
        """The value itself."""
        return value

    def put(self, out: Chunks, tag: bytes, value: Any) -> int:
        """As of every type; raises TypeError or ValueError for what is no such number."""
        data = tag + self._payload(value)
        out.append(data)
        return len(data)

    def put_all(self, out: Chunks, tag: bytes, values: Iterable[Any]) -> int:
        """One packed field with all of them."""
        data = b"".join(map(self._payload, values))
        return put_bytes(out, tag, data) if data else 0


class Text(Held):
    """Text, and what has a form as text: `write` makes it one."""

    proto = "string"
    short = "String"

    def __init__(self, write: Callable[[Any], str] | None = None, note: str = "") -> None:
        self._write = write
        self.note = note

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Text) and (self._write, self.note) == (other._write, other.note)

    def __hash__(self) -> int:
        return hash((self._write, self.note))

    @property
    def reads_plainly(self) -> bool:
        """Text is itself; pydantic makes of it what it stands for."""
        return True

    def read(self, value: Any) -> Any:
        """The text itself."""
        return value

    def put(self, out: Chunks, tag: bytes, value: Any) -> int:
        """As of every type; raises TypeError for what has no form as text."""
        text = value if self._write is None else self._write(value)
        if not isinstance(text, str):
            raise TypeError(f"must be a text, not {type(text).__name__}")
        return put_bytes(out, tag, text.encode())


class Binary(Held):
    """Bytes."""

    proto = "bytes"
    short = "Bytes"

    @property
    def reads_plainly(self) -> bool:
        """Bytes are themselves."""
        return True

    def read(self, value: Any) -> Any:
        """The bytes themselves."""
        return value

    def put(self, out: Chunks, tag: bytes, value: Any) -> int:
        """As of every type; raises TypeError for what is no buffer."""
        return put_bytes(out, tag, bytes(memoryview(value)))


def as_text(value: Any) -> str:
    """The text that JSON has of a value: of dates, UUIDs, addresses; of secrets, asterisks."""
    return value if isinstance(value, str) else str(to_jsonable_python(value))


def _whole(bits: int, *, signed: bool) -> Payload:
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1)) if signed else (0, 2**bits)
    name = f"{'' if signed else 'u'}int{bits}"

    def payload(value: Any) -> bytes:
        number = operator.index(value)
        if not low <= number < high:
            raise ValueError(f"{number} does not fit into {name}")
        return varint(number & 2**64 - 1)

    return payload


def _zigzag(bits: int) -> Payload:
    check = _whole(bits, signed=True)

    def payload(value: Any) -> bytes:
        check(value)
        number = operator.index(value)
        return varint((number << 1) ^ (number >> bits - 1) if number < 0 else number << 1)

    return payload


def _packed(form: str) -> Payload:
    pack = Struct(form).pack

    def payload(value: Any) -> bytes:
        try:
            return pack(value)
        except struct_error as error:
            raise ValueError(f"{value!r} does not fit: {error}") from None

    return payload


def _truth(value: Any) -> bytes:
    return b"\x01" if value else b"\x00"


SCALARS = {
    each.proto: each
    for each in (
        Scalar("bool", VARINT, _truth),
        Scalar("int32", VARINT, _whole(32, signed=True)),
        Scalar("int64", VARINT, _whole(64, signed=True)),
        Scalar("uint32", VARINT, _whole(32, signed=False)),
        Scalar("uint64", VARINT, _whole(64, signed=False)),
        Scalar("sint32", VARINT, _zigzag(32)),
        Scalar("sint64", VARINT, _zigzag(64)),
        Scalar("fixed32", FIXED32, _packed("<I")),
        Scalar("fixed64", FIXED64, _packed("<Q")),
        Scalar("sfixed32", FIXED32, _packed("<i")),
        Scalar("sfixed64", FIXED64, _packed("<q")),
        Scalar("float", FIXED32, _packed("<f")),
        Scalar("double", FIXED64, _packed("<d")),
    )
}
"""All scalars but text and bytes, by their names in a .proto."""
BOOL, INT64, DOUBLE = SCALARS["bool"], SCALARS["int64"], SCALARS["double"]
TEXT, BINARY = Text(), Binary()
PLAIN_TEXT = Text(as_text)
"""Text of what pydantic reads from a text."""
