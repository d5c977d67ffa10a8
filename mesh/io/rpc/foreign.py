"""Types of fields that contracts written by hand have for what the mesh has messages for."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from mesh.io.json_text import tree
from mesh.io.rpc.held import Held, put_bytes
from mesh.io.rpc.known import ANY
from mesh.io.types.file import File
from mesh.io.types.kind import Kind
from mesh.io.types.table import Column
from mesh.io.wire import Chunks

_PACKED = {"float": "<f4", "double": "<f8"}
"""Element types whose packed form is that of an array; whole numbers are checked one by one."""


class Elements(Held):
    """The elements of an array or series, row by row, as a repeated field of numbers or text."""

    def __init__(self, element: Held, kind: Kind) -> None:
        self.proto = element.proto
        self.wire = element.wire
        self.short = element.short
        self._element = element
        self._kind = kind

    @property
    def reads_plainly(self) -> bool:
        """Lists are what annotated arrays are read from."""
        return True

    def read(self, value: Any) -> Any:
        """The element itself."""
        return value

    def put(self, out: Chunks, tag: bytes, value: Any) -> int:
        """One element."""
        return self._element.put(out, tag, value)

    def put_all(self, out: Chunks, tag: bytes, values: Iterable[Any]) -> int:
        """All elements of the array that `values` is; raises what the kind raises."""
        wire = self._kind.wire(values)
        array = wire.values if isinstance(wire, Column) else np.asarray(wire)
        packed = _PACKED.get(self.proto)
        if packed is not None and array.dtype.kind in "iuf":
            made = np.ascontiguousarray(array, packed)
            return put_bytes(out, tag, made.tobytes()) if made.size else 0
        return self._element.put_all(out, tag, array.ravel().tolist())


class RawFile(Held):
    """The content of a file as bytes."""

    proto = "bytes"
    short = "Bytes"

    def __init__(self, kind: Kind) -> None:
        self._kind = kind

    @property
    def reads_plainly(self) -> bool:
        """Bytes stand for a file without a name."""
        return True

    def read(self, value: Any) -> Any:
        """The bytes themselves."""
        return value

    def put(self, out: Chunks, tag: bytes, value: Any) -> int:
        """As of every type; raises ValueError if the content can't be read."""
        wire = self._kind.wire(value)
        try:
            return put_bytes(out, tag, wire.read() if isinstance(wire, File) else wire)
        except OSError as error:
            raise ValueError(f"the file can't be read: {error.strerror}") from None


class Struct(Held):
    """A google.protobuf.Struct: an object of JSON values."""

    proto = ".google.protobuf.Struct"
    short = "Struct"
    is_message = True

    def read(self, value: Any) -> dict[str, Any]:
        """A dict of JSON values."""
        return {name: ANY.read(each) for name, each in value.fields.items()}

    def put(self, out: Chunks, tag: bytes, value: Any) -> int:
        """As of every type; raises TypeError for what is no object in JSON."""
        plain = tree(value)
        if not isinstance(plain, Mapping):
            raise TypeError(f"must be an object, not {type(value).__name__}")
        return ANY.put_struct(out, tag, dict(plain))


STRUCT = Struct()
