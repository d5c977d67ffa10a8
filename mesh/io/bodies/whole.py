"""A body that is decoded when all of it is here."""

from collections.abc import Callable
from typing import Any

from mesh.io.binding import Bound
from mesh.io.types.kind import Intake

Decode = Callable[[bytes, Intake | None], tuple[Bound, Any]]
"""Gives the arguments in a body, and the first item of the stream or NO_ITEM."""


class WholeReader:
    """Holds a body in memory until `decode` takes it."""

    __slots__ = ("_decode", "_intake", "_parts")
    only_keeps = True

    def __init__(self, decode: Decode, intake: Intake | None) -> None:
        self._decode = decode
        self._intake = intake
        self._parts: list[bytes] = []

    def feed(self, data: bytes) -> None:
        """Takes the next piece of the body."""
        self._parts.append(data)

    def finish(self) -> tuple[Bound, Any]:
        """The arguments, and the first item of the stream or NO_ITEM."""
        body = b"".join(self._parts)
        self._parts.clear()  # not to hold a large body twice
        return self._decode(body, self._intake)

    def close(self) -> None:
        """Lets go of what was read."""
        self._parts.clear()
