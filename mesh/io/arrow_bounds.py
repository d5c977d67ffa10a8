"""Arrow streams from strangers, in which a few bytes may stand for a great many.

`pa` is pyarrow, which is optional: who reads a stream has loaded it.
"""

import struct
from collections.abc import Iterator
from types import ModuleType
from typing import Any


def check_type(pa: ModuleType, name: str, kind: Any, *, top: bool = False) -> None:
    """Refuses types of which a value may take no room, or share another's.

    Raises ValueError naming the column, `name`; `top` says that it is one, and not a part of one.
    """
    is_type = pa.types
    if isinstance(kind, pa.BaseExtensionType):
        inner = [kind.storage_type]
    elif is_type.is_dictionary(kind):
        inner = [kind.value_type]
    elif is_type.is_struct(kind):
        inner = [field.type for field in kind]
    elif is_type.is_map(kind):
        inner = [kind.key_type, kind.item_type]
    elif _is_list(pa, kind):
        inner = [kind.value_type]
    elif (is_type.is_null(kind) and top) or (_is_leaf(pa, kind) and _width(kind) != 0):
        return
    else:
        inner = []
    if not inner:
        raise ValueError(f"an Arrow column of {kind} is not accepted: {name!r}")
    for each in inner:
        check_type(pa, name, each)


def _is_list(pa: ModuleType, kind: Any) -> bool:
    is_type = pa.types
    if is_type.is_fixed_size_list(kind):
        return bool(kind.list_size > 0)
    return bool(is_type.is_list(kind) or is_type.is_large_list(kind))


def _is_leaf(pa: ModuleType, kind: Any) -> bool:
    is_type = pa.types
    return bool(
        is_type.is_primitive(kind)
        or is_type.is_decimal(kind)
        or is_type.is_string(kind)
        or is_type.is_large_string(kind)
        or is_type.is_binary(kind)
        or is_type.is_large_binary(kind)
        or is_type.is_fixed_size_binary(kind)
    )


def _width(kind: Any) -> int:
    try:
        return int(kind.byte_width) if kind.bit_width % 8 == 0 else 1
    except ValueError:
        return 1  # of no fixed width


def check_unpacked(pa: ModuleType, data: bytes | memoryview, limit: int) -> None:
    """Refuses compressed buffers that say they unpack to more than `limit` bytes in all.

    Raises ValueError, and what pyarrow and struct raise for a stream that is broken.
    """
    total = 0
    for message in pa.ipc.MessageReader.open_stream(pa.py_buffer(data)):
        if message.type not in ("record batch", "dictionary"):
            continue
        body = memoryview(message.body)
        for offset, length in _compressed(memoryview(message.metadata), message.type):
            if length >= 8:
                total += max(0, struct.unpack_from("<q", body, offset)[0])
        if total > limit:
            raise ValueError(f"an Arrow stream unpacks to {total} bytes, more than {limit}")


def _compressed(metadata: memoryview, kind: str) -> Iterator[tuple[int, int]]:
    """Offset and length of each buffer of a compressed batch; of another, nothing.

    Reads the flatbuffer Message { header = 2 }, DictionaryBatch { data = 1 } and RecordBatch
    { buffers = 2, compression = 3 } of Arrow's Message.fbs.
    """
    start = struct.unpack_from("<I", metadata, 0)[0]
    batch = _child(metadata, start, 2)
    if kind == "dictionary":
        batch = _child(metadata, batch, 1)
    if not _child(metadata, batch, 3):
        return
    buffers = _child(metadata, batch, 2)
    count = struct.unpack_from("<I", metadata, buffers)[0]
    for at in range(count):
        yield struct.unpack_from("<qq", metadata, buffers + 4 + 16 * at)


def _child(metadata: memoryview, table: int, field: int) -> int:
    """Where the table or vector in a field of the flatbuffer table at `table` is; 0 if unset."""
    vtable = table - struct.unpack_from("<i", metadata, table)[0]
    if struct.unpack_from("<H", metadata, vtable)[0] < 6 + 2 * field:
        return 0
    offset = struct.unpack_from("<H", metadata, vtable + 4 + 2 * field)[0]
    if not offset:
        return 0
    at = table + int(offset)
    return at + int(struct.unpack_from("<I", metadata, at)[0])
