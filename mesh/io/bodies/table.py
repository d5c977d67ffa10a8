"""A body that is one array or one frame; the other inputs are in the query string."""

from typing import Any
from urllib.parse import parse_qsl

from mesh.errors import UnsupportedMediaType
from mesh.io.arguments import Arguments, Bound, InputField
from mesh.io.bodies.form_fields import FormFields
from mesh.io.bodies.limits import Limits
from mesh.io.bodies.wire_form import decoded, reads
from mesh.io.types.kind import Intake


class TableDecoder:
    """Decodes an application/x-npy or Arrow body for the one input that it can be."""

    __slots__ = ("_arguments", "_field", "_limits", "_media_type", "_query")

    def __init__(self, arguments: Arguments, media_type: str, query: str, limits: Limits) -> None:
        """Raises UnsupportedMediaType if no input, or more than one, could be the body."""
        self._arguments = arguments
        self._field = _only(arguments, media_type)
        self._limits = limits
        self._media_type = media_type
        self._query = query

    def decode(self, body: bytes, intake: Intake | None) -> tuple[Bound, Any]:
        """The arguments, and the first item of the stream or NO_ITEM. Raises InvalidArgument."""
        arguments, name = self._arguments, self._field.name
        path = arguments.path if arguments.root else (name,)
        value = decoded(body, self._media_type, *path, title=arguments.title)
        if arguments.root:
            return arguments.load(value, intake)
        found = self._from_query()
        found[name] = value
        return arguments.load(found, intake)

    def _from_query(self) -> dict[str, Any]:
        fields = FormFields(self._arguments.fields, self._limits)
        for name, value in parse_qsl(self._query, keep_blank_values=True):
            fields.add_text(name, value.encode())
        return fields.values()


def _only(arguments: Arguments, media_type: str) -> InputField:
    found = [each for each in arguments.fields.values() if _fits(each, media_type)]
    if len(found) != 1:
        how_many = "no input" if not found else f"{len(found)} inputs"
        raise UnsupportedMediaType(
            f"a body of type {media_type} is one value, and {arguments.method} has {how_many}"
            " that it could be"
        )
    return found[0]


def _fits(field: InputField, media_type: str) -> bool:
    return not field.is_list and reads(field, media_type)
