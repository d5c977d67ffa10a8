"""Enums of Python as enums of protobuf."""

from collections.abc import Mapping
from enum import Enum
from typing import Any

from mesh.errors import InvalidArgument, Violation
from mesh.io.rpc.held import VARINT, Held, put_bytes
from mesh.io.wire import Chunks
from mesh.varint import varint

UNSPECIFIED = "UNSPECIFIED"
"""What the value 0 is called behind the enum's name: none was given."""


class EnumType(Held):
    """An enum whose `members` have these numbers; 0 stands for none of them.

    `names` are those of the values in the .proto, by number.
    """

    wire = VARINT

    def __init__(
        self,
        proto: str,
        short: str,
        members: Mapping[Enum, int],
        names: Mapping[int, str],
        doc: tuple[str, ...] = (),
    ) -> None:
        self.proto = proto
        self.short = short
        self.names = names
        self.doc = doc
        self.members = members
        self._values = {number: member.value for member, number in members.items()}

    def read(self, value: int) -> Any:
        """What the member is in JSON. Raises InvalidArgument for a number of none."""
        try:
            return self._values[value]
        except KeyError:
            text = f"{value} is no value of {self.proto.lstrip('.')}"
            raise InvalidArgument(text, violations=(Violation((), "enum", text),)) from None

    def put(self, out: Chunks, tag: bytes, value: Any) -> int:
        """As of every type; raises ValueError for what is no member."""
        data = tag + self._payload(value)
        out.append(data)
        return len(data)

    def put_all(self, out: Chunks, tag: bytes, values: Any) -> int:
        """One packed field with all of them."""
        data = b"".join(map(self._payload, values))
        return put_bytes(out, tag, data) if data else 0

    def _payload(self, value: Any) -> bytes:
        try:
            return varint(self.members[value])
        except (KeyError, TypeError):
            raise ValueError(f"{value!r} is no member of {self.short}") from None
