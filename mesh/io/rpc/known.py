"""Messages that every service shares: those of mesh.v1, and protobuf's well-known types."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from mesh.errors import InvalidArgument, Violation
from mesh.io.json_text import tree
from mesh.io.rpc.held import Held, put_bytes, tag_of
from mesh.io.rpc.scalars import BOOL, DOUBLE, INT64
from mesh.io.types.file import File
from mesh.io.types.kind import Kind
from mesh.io.value import from_column, from_file, from_frame, from_tensor
from mesh.io.wire import Chunks, close_field, put_column, put_file, put_table, put_tensor

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# Tags of the fields of Timestamp, Duration, Struct, ListValue and Value.
_FIRST = tag_of(1, 0)
_SECOND = tag_of(2, 0)
_TRUTH = tag_of(4, 0)
_NUMBER = tag_of(2, 1)
_TEXT = tag_of(3, 2)
_STRUCT = tag_of(5, 2)
_LIST = tag_of(6, 2)
_ENTRY = tag_of(1, 2)
_VALUE = tag_of(2, 2)
_LARGEST_WHOLE = 2.0**53  # up to which a double says which whole number it is


class OfKind(Held):
    """A message of mesh.v1 that holds the wire values of a kind."""

    is_message = True

    def __init__(
        self, name: str, kind: Kind, read: Callable[[Any], Any], put: Callable[..., int]
    ) -> None:
        self.proto = f".mesh.v1.{name}"
        self.short = name
        self.kind = kind
        self._read = read
        self._put = put

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OfKind) and (self.proto, self.kind) == (other.proto, other.kind)

    def __hash__(self) -> int:
        return hash((self.proto, self.kind))

    def read(self, value: Any) -> Any:
        """The wire value of the message; raises InvalidArgument."""
        return self._read(value)

    def put(self, out: Chunks, tag: bytes, value: Any) -> int:
        """As of every type; raises what the kind raises for a value without a form."""
        return self._put(out, self.kind.wire(value), tag)


def tensor(kind: Kind) -> Held:
    """A field of an array or tensor."""
    return OfKind("Tensor", kind, from_tensor, put_tensor)


def frame(kind: Kind) -> Held:
    """A field of a data frame."""
    return OfKind("DataFrame", kind, from_frame, put_table)


def column(kind: Kind) -> Held:
    """A field of a series."""
    return OfKind("Column", kind, from_column, put_column)


def file(kind: Kind) -> Held:
    """A field of a file, an image, or bytes with a media type."""
    return OfKind("File", kind, from_file, _put_file)


def _put_file(out: Chunks, value: File | bytes, tag: bytes) -> int:
    return put_file(out, File(value) if isinstance(value, bytes) else value, tag)


class Moment(Held):
    """A google.protobuf.Timestamp: a datetime, in UTC; one without a zone is taken to be."""

    proto = ".google.protobuf.Timestamp"
    short = "Timestamp"
    is_message = True

    def read(self, value: Any) -> datetime:
        """The moment, with the zone UTC, to the microsecond. Raises InvalidArgument."""
        try:
            return _EPOCH + _span(value)
        except OverflowError:
            raise _out_of_range(value, "datetime_parsing") from None

    def put(self, out: Chunks, tag: bytes, value: datetime) -> int:
        """As of every type."""
        moment = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
        return _put_span(out, tag, (moment - _EPOCH) // _MICROSECOND, floor=True)


class Span(Held):
    """A google.protobuf.Duration: a timedelta."""

    proto = ".google.protobuf.Duration"
    short = "Duration"
    is_message = True

    def read(self, value: Any) -> timedelta:
        """The time, to the microsecond. Raises InvalidArgument."""
        try:
            return _span(value)
        except OverflowError:
            raise _out_of_range(value, "time_delta_parsing") from None

    def put(self, out: Chunks, tag: bytes, value: timedelta) -> int:
        """As of every type."""
        return _put_span(out, tag, value // _MICROSECOND, floor=False)


def _span(value: Any) -> timedelta:
    return timedelta(seconds=value.seconds, microseconds=value.nanos // 1000)


def _out_of_range(value: Any, kind: str) -> InvalidArgument:
    message = f"{value.seconds} seconds are out of range"
    return InvalidArgument(message, violations=(Violation((), kind, message),))


def _put_span(out: Chunks, tag: bytes, microseconds: int, *, floor: bool) -> int:
    """Seconds and nanoseconds; of a Timestamp these count upwards, of a Duration from 0."""
    seconds, rest = divmod(abs(microseconds) if not floor else microseconds, 1_000_000)
    if not floor and microseconds < 0:
        seconds, rest = -seconds, -rest
    at = len(out)
    out.append(tag)
    size = INT64.put(out, _FIRST, seconds) + INT64.put(out, _SECOND, rest * 1000)
    return close_field(out, at, size)


class AnyValue(Held):
    """A google.protobuf.Value: anything that JSON has a form for.

    It knows no whole numbers: those that a double holds exactly are read as int.
    """

    proto = ".google.protobuf.Value"
    short = "Value"
    is_message = True

    def read(self, value: Any) -> Any:
        """None, bool, int, float, str, list or dict."""
        kind = value.WhichOneof("kind")
        if kind == "number_value":
            number = value.number_value
            return int(number) if number.is_integer() and abs(number) < _LARGEST_WHOLE else number
        if kind == "struct_value":
            return {name: self.read(each) for name, each in value.struct_value.fields.items()}
        if kind == "list_value":
            return [self.read(each) for each in value.list_value.values]
        return None if kind in (None, "null_value") else getattr(value, kind)

    def put(self, out: Chunks, tag: bytes, value: Any) -> int:
        """As of every type; raises TypeError or ValueError for what has no form in JSON."""
        return self._put(out, tag, tree(value))

    def _put(self, out: Chunks, tag: bytes, value: Any) -> int:
        at = len(out)
        out.append(tag)
        match value:
            case None:
                size = BOOL.put(out, _FIRST, False)
            case bool():
                size = BOOL.put(out, _TRUTH, value)
            case int() | float():
                size = DOUBLE.put(out, _NUMBER, float(value))
            case str():
                size = put_bytes(out, _TEXT, value.encode())
            case dict():
                size = self.put_struct(out, _STRUCT, value)
            case _:
                size = self._put_list(out, value)
        return close_field(out, at, size)

    def put_struct(self, out: Chunks, tag: bytes, fields: dict[str, Any]) -> int:
        """Appends a field that holds a google.protobuf.Struct; returns how many bytes it is."""
        at = len(out)
        out.append(tag)
        size = 0
        for name, value in fields.items():
            entry = len(out)
            out.append(_ENTRY)
            inner = put_bytes(out, _ENTRY, name.encode())
            size += close_field(out, entry, inner + self._put(out, _VALUE, value))
        return close_field(out, at, size)

    def _put_list(self, out: Chunks, values: list[Any]) -> int:
        at = len(out)
        out.append(_LIST)
        return close_field(out, at, sum([self._put(out, _ENTRY, each) for each in values]))


MOMENT, SPAN, ANY = Moment(), Span(), AnyValue()
