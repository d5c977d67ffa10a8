"""What a field of a message holds: how it is read, and how it is written."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

from mesh.io.wire import Chunks
from mesh.varint import varint

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
"""Wire types, https://protobuf.dev/programming-guides/encoding/#structure."""


class Held(ABC):
    """A type of fields. `proto` is its name in a .proto, a message's or an enum's from its package.

    `is_message` says that a field of it has presence by itself, `short` is what it is called in
    the names of messages that are made around it.
    """

    wire: int = LENGTH
    is_message: bool = False
    note: str = ""
    """A sentence about its values for readers of the .proto."""
    proto: str
    short: str

    @abstractmethod
    def read(self, value: Any) -> Any:
        """What pydantic is to see of a field's value as the protobuf library has it.

        Raises InvalidArgument for values that contradict themselves.
        """

    @abstractmethod
    def put(self, out: Chunks, tag: bytes, value: Any) -> int:
        """Appends a field with this checked value; returns how many bytes that is.

        Raises TypeError or ValueError for a value that does not fit.
        """

    def put_all(self, out: Chunks, tag: bytes, values: Iterable[Any]) -> int:
        """Appends a repeated field; returns and raises as `put`."""
        return sum([self.put(out, tag, value) for value in values])

    @property
    def reads_plainly(self) -> bool:
        """Whether `read` gives what it takes."""
        return False


def tag_of(number: int, wire: int) -> bytes:
    """What a field begins with."""
    return varint(number << 3 | wire)


def put_bytes(out: Chunks, tag: bytes, data: bytes) -> int:
    """Appends a field of bytes or text; returns how many bytes that is."""
    head = tag + varint(len(data))
    out += (head, data)
    return len(head) + len(data)
