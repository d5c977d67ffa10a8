"""Batches with large pieces, written and read without the protobuf library.

The library copies every piece into its own memory and out again. A frame that has nothing but a
piece of a message is simple enough to be written by hand, so that its bytes are copied once: into
the batch, and out of it. Everything else is the library's.

https://protobuf.dev/programming-guides/encoding/
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from google.protobuf.message import DecodeError

from mesh.v1 import link_pb2
from mesh.varint import read_varint, varint

LARGE = 64 * 1024
"""Bytes of a batch from which it is worth being read by hand."""
_FRAME, _CALL, _DATA = b"\x0a", b"\x08", b"\x22"  # tags: Frames.frames, Frame.call, Frame.data
_MESSAGE_END, _END = b"\x28\x01", b"\x30\x01"


class PieceFrame(NamedTuple):
    """A frame with a piece of a message, and nothing else."""

    call: int
    data: bytes
    message_end: bool
    end: bool


Part = link_pb2.Frame | PieceFrame


def piece_frame(
    call: int, data: bytes | memoryview, *, message_end: bool, end: bool
) -> tuple[bytes, bytes | memoryview]:
    """A frame as an element of mesh.v1.Frames, in two pieces: its head, and the data.

    What stands behind the data in the library's order stands before it: readers take any order.
    """
    inside = _CALL + varint(call)
    if message_end:
        inside += _MESSAGE_END
    if end:
        inside += _END
    inside += _DATA + varint(len(data))
    return _FRAME + varint(len(inside) + len(data)) + inside, data


def other_frame(frame: link_pb2.Frame) -> bytes:
    """A frame of any kind as an element of mesh.v1.Frames."""
    data = frame.SerializeToString()
    return _FRAME + varint(len(data)) + data


def frames(batch: bytes) -> Iterable[Part]:
    """The frames of a serialized mesh.v1.Frames, in order. Raises DecodeError if it is none."""
    if len(batch) < LARGE:
        return link_pb2.Frames.FromString(batch).frames
    return list(_split(batch))


def _split(batch: bytes) -> Iterator[Part]:
    view = memoryview(batch)
    at, size = 0, len(batch)
    try:
        while at < size:
            if batch[at] != _FRAME[0]:  # a field that this version does not know
                yield from link_pb2.Frames.FromString(batch[at:]).frames
                return
            length, at = read_varint(batch, at + 1)
            end = at + length
            if end > size:
                raise DecodeError("a frame is cut off")
            yield _piece(batch, at, end) or link_pb2.Frame.FromString(view[at:end].tobytes())
            at = end
    except (IndexError, ValueError):
        raise DecodeError("a batch is cut off, or has a number that is too long") from None


def _piece(batch: bytes, at: int, end: int) -> PieceFrame | None:
    """The frame between two places, if it is one with a piece and nothing else."""
    call, data, message_end, ends = 0, b"", False, False
    while at < end:
        tag = batch[at]
        if tag == _CALL[0]:
            call, at = read_varint(batch, at + 1)
        elif tag == _DATA[0]:
            length, at = read_varint(batch, at + 1)
            if at + length > end:
                raise DecodeError("a piece is longer than its frame")
            data = batch[at : at + length]
            at += length
        elif tag == _MESSAGE_END[0]:
            flag, at = read_varint(batch, at + 1)
            message_end = bool(flag)
        elif tag == _END[0]:
            flag, at = read_varint(batch, at + 1)
            ends = bool(flag)
        else:
            return None
    if at > end:
        raise DecodeError("a frame is cut off")
    return PieceFrame(call, data, message_end, ends)
