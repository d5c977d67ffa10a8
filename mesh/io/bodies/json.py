"""A JSON document: the inputs by name, or the root input itself."""

from typing import Any

from mesh.io.arguments import Arguments, Bound
from mesh.io.types.kind import Intake


class JsonReader:
    """Reads a JSON body."""

    __slots__ = ("_arguments", "_intake", "_parts")

    def __init__(self, arguments: Arguments, intake: Intake | None) -> None:
        self._arguments = arguments
        self._intake = intake
        self._parts: list[bytes] = []

    def feed(self, data: bytes) -> None:
        """Takes the next piece of the body."""
        self._parts.append(data)

    def finish(self) -> tuple[Bound, Any]:
        """The arguments, and the first item of the stream or NO_ITEM."""
        return self._arguments.load_json(b"".join(self._parts), self._intake)

    def close(self) -> None:
        """Lets go of what was read."""
        self._parts.clear()
