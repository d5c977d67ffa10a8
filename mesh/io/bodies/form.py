"""application/x-www-form-urlencoded: text by names, or a JSON object that is called so."""

from typing import Any
from urllib.parse import unquote_to_bytes

from mesh.errors import TooLarge
from mesh.io.arguments import Arguments, Bound
from mesh.io.bodies.form_fields import FormFields
from mesh.io.bodies.limits import Limits
from mesh.io.types.kind import Intake


class FormReader:
    """Reads an urlencoded body, which is held in memory."""

    __slots__ = ("_arguments", "_fields", "_intake", "_limits", "_parts")
    only_keeps = False

    def __init__(
        self, arguments: Arguments, fields: FormFields, intake: Intake | None, limits: Limits
    ) -> None:
        self._arguments = arguments
        self._fields = fields
        self._intake = intake
        self._limits = limits
        self._parts: list[bytes] = []

    def feed(self, data: bytes) -> None:
        """Takes the next piece of the body. Raises TooLarge when that is too much text."""
        self._fields.count_text(len(data))
        self._parts.append(data)

    def finish(self) -> tuple[Bound, Any]:
        """The arguments, and the first item of the stream or NO_ITEM."""
        body = b"".join(self._parts)
        if body.lstrip().startswith(b"{"):  # as `curl -d` labels JSON; forms have %7B for {
            return self._arguments.load_json(body, self._intake)
        most = self._limits.parts
        if body.count(b"&") >= most:
            raise TooLarge(f"the form has more than {most} fields")
        for pair in body.split(b"&"):
            name, _, value = pair.replace(b"+", b" ").partition(b"=")
            key = unquote_to_bytes(name).decode("utf-8", "replace")
            # Bytes still: what they say is for the field to decide, which can be named.
            self._fields.add_text(key, unquote_to_bytes(value))
        return self._arguments.load(self._fields.values(), self._intake)

    def close(self) -> None:
        """Lets go of what was read."""
        self._parts.clear()
