"""gRPC's message framing and its `grpc-timeout`, without input or output.

https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
"""

from struct import Struct

from mesh.errors import InvalidArgument, TooLarge

_PREFIX = Struct(">BI")
_UNITS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
_DIGITS = 8
MOST_FIELDS = 1000
"""Fields of a message after which names are not looked for any more; encoders write them first."""
LONGEST_NAME = 256
"""Bytes of the name of a method, a model or a version at most."""
_METHOD = 0x0A  # the tag of field 1, length-delimited


def framed(message: bytes, *, compressed: bool = False) -> bytes:
    """The message behind its five-byte prefix, which says whether it is compressed."""
    return _PREFIX.pack(compressed, len(message)) + message


def prefix(size: int) -> bytes:
    """What stands before a message of `size` bytes that is not compressed."""
    return _PREFIX.pack(0, size)


def timeout_seconds(value: str) -> float:
    """Seconds of a `grpc-timeout`: up to eight digits and a unit. Raises InvalidArgument."""
    digits, unit = value[:-1], value[-1:]
    if not (digits.isdecimal() and digits.isascii() and len(digits) <= _DIGITS and unit in _UNITS):
        raise InvalidArgument(f"grpc-timeout {value!r} is not up to 8 digits and one of HMSmun")
    return int(digits) * _UNITS[unit]


class MessageReader:
    """Cuts the bytes of a request into its messages. `limit` is in bytes for each message.

    `compressed` tells of the message that `take` gave last whether it is.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.compressed = False
        self._whole: bytes | None = None  # a message that came alone
        self._buffer = bytearray()
        self._size: int | None = None  # of the message whose prefix has been read

    @property
    def is_between(self) -> bool:
        """Whether every message that began has been taken."""
        return self._whole is None and self._size is None and not self._buffer

    def put(self, data: bytes) -> None:
        """Takes bytes of the request; raises as `take`."""
        if self.is_between and len(data) >= _PREFIX.size:
            # Nearly always it is one message, which is then not copied once more.
            if len(data) == _PREFIX.size + self._checked(data):
                self._whole = data[_PREFIX.size :]
                return
        elif self._whole is not None:
            self._buffer += framed(self._whole, compressed=self.compressed)
            self._whole = None
        self._buffer += data

    @property
    def size(self) -> int:
        """Bytes of the message that has begun to come; 0 while its prefix is not here."""
        return self._size or 0

    @property
    def left(self) -> int:
        """Bytes of that message that are still to come."""
        return max(0, self.size - len(self._buffer))

    def take_part(self) -> bytes:
        """What has come of a message of which some is left; the rest does not come through here."""
        part = bytes(self._buffer)
        self._buffer.clear()
        self._size = None
        return part

    def take(self) -> bytes | None:
        """The next message; None while it is not complete.

        Raises:
            InvalidArgument: a prefix is malformed.
            TooLarge: a message is over the limit, told by its prefix.
        """
        if self._whole is not None:
            whole, self._whole = self._whole, None
            return whole
        return self._next() if self._buffer or self._size is not None else None

    def _next(self) -> bytes | None:
        buffer = self._buffer
        if self._size is None:
            if len(buffer) < _PREFIX.size:
                return None
            self._size = self._checked(buffer)
            del buffer[: _PREFIX.size]
        if len(buffer) < self._size:
            return None
        message = bytes(memoryview(buffer)[: self._size])
        del buffer[: self._size]
        self._size = None
        return message

    def _checked(self, data: bytes | bytearray) -> int:
        compressed, size = _PREFIX.unpack_from(data)
        if compressed > 1:
            raise InvalidArgument("the request is not framed as gRPC messages")
        self.compressed = compressed == 1
        self.check(size)
        return int(size)

    def check(self, size: int) -> None:
        """Raises TooLarge if a message of `size` bytes is over the limit."""
        if size > self.limit:
            raise TooLarge(f"the message has more than {self.limit} bytes")


def peek_method(message: bytes) -> str:
    """The field `method` of a serialized mesh.v1.CallRequest, without reading the rest.

    Raises InvalidArgument if there is none among the first fields, it is too long to be one, or
    the message is malformed up to there.
    """
    try:
        # The field that every encoder writes first, with a name of fewer than 128 bytes.
        if message[0] == _METHOD and 0 < message[1] < 0x80 and len(message) >= 2 + message[1]:
            return message[2 : 2 + message[1]].decode()
        return _peek(message)
    except (IndexError, ValueError):
        raise InvalidArgument("the message is not a mesh.v1.CallRequest") from None


def _peek(message: bytes) -> str:
    position = count = 0
    found: bytes | None = None
    while position < len(message) and count < MOST_FIELDS:
        count += 1
        tag, position = varint(message, position)
        if tag == _METHOD:
            size, position = varint(message, position)
            check_name(size)
            found = message[position : position + size]
            if len(found) < size:
                raise ValueError
            break
        position = skip(message, position, tag & 7)
    if not found:
        raise InvalidArgument("the call names no method: set CallRequest.method")
    return found.decode()


def check_name(size: int) -> None:
    """Raises InvalidArgument if a name of `size` bytes is longer than any: errors quote names."""
    if size > LONGEST_NAME:
        raise InvalidArgument(f"the request has a name of more than {LONGEST_NAME} bytes")


def varint(data: bytes, position: int) -> tuple[int, int]:
    """The number at a position, and the position behind it. Raises IndexError or ValueError."""
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise ValueError


def skip(data: bytes, position: int, wire_type: int) -> int:
    """The position behind the content of a field, whose tag has been read.

    https://protobuf.dev/programming-guides/encoding/. Raises IndexError or ValueError.
    """
    if wire_type == 0:
        return varint(data, position)[1]
    if wire_type == 2:
        size, position = varint(data, position)
        return position + size
    fixed = {1: 8, 5: 4}.get(wire_type)
    if fixed is None:
        raise ValueError
    return position + fixed
