"""Which reader a body has: by its media type, and by what the method takes."""

from functools import partial
from typing import Any, Protocol

from mesh.errors import Violation
from mesh.io.arguments import Arguments, Bound
from mesh.io.bodies.form import FormReader
from mesh.io.bodies.form_fields import FormFields
from mesh.io.bodies.limits import LIMITS, Limits
from mesh.io.bodies.multipart import MultipartReader
from mesh.io.bodies.raw import FileReader, decode_text
from mesh.io.bodies.table import TableDecoder
from mesh.io.bodies.whole import WholeReader
from mesh.io.files.intake import CallIntake
from mesh.io.media import ARROW, FORM, NPY, URLENCODED, essence, is_call
from mesh.io.violations import invalid_input


class Reader(Protocol):
    """Reads one body piece by piece. No method is called while another runs; all may block.

    With `only_keeps` `feed` does nothing but keep the piece, and never blocks.
    """

    only_keeps: bool

    def feed(self, data: bytes) -> None:
        """Takes the next piece of the body.

        Raises InvalidArgument or TooLarge as soon as it is clear that the body is no good.
        """

    def finish(self) -> tuple[Bound, Any]:
        """The arguments when the body is complete, and the first item of the stream or NO_ITEM.

        Raises InvalidArgument naming every fault, TooLarge naming what is over its limit.
        """

    def close(self) -> None:
        """Lets go of memory and open files; what lies in the call's folder stays."""


def reader(
    arguments: Arguments,
    media_type: str,
    query: str = "",
    intake: CallIntake | None = None,
    limits: Limits = LIMITS,
) -> Reader:
    """What reads a body of this media type for a method with these inputs.

    `query` is the request's query string, from which an array or frame body takes the other
    inputs. `intake` takes files; without one they are held in memory, and paths can't be had.
    Bodies of media types that nobody knows are JSON. Raises UnsupportedMediaType for pickles and
    for types that the method has no input for, InvalidArgument for a multipart type without its
    boundary.
    """
    if is_call(media_type):
        return WholeReader(arguments.load_call, intake)
    bare = essence(media_type)
    if arguments.root:
        found = _raw(arguments, bare, intake, limits)
        if found is not None:
            return found
    if bare in (NPY, ARROW):
        return WholeReader(TableDecoder(arguments, bare, query, limits).decode, intake)
    if bare in (URLENCODED, FORM) and arguments.parts is not None:
        fields = FormFields(arguments.parts, limits)
        if bare == URLENCODED:
            return FormReader(arguments, fields, intake, limits)
        folder = intake.folder if intake is not None else None
        return MultipartReader(
            arguments, fields, media_type, folder=folder, intake=intake, limits=limits
        )
    return WholeReader(arguments.load_json, intake)


def _raw(
    arguments: Arguments, media_type: str, intake: CallIntake | None, limits: Limits
) -> Reader | None:
    """What reads the body of a root input that is no JSON, whatever the body is called."""
    (field,) = arguments.fields.values()
    if field.is_list:
        return None
    if field.is_text:
        return WholeReader(partial(decode_text, arguments), intake)
    if not field.is_file or field.kind is None:
        return None
    is_file = field.kind.json_schema().get("type") == "file"
    if is_file and media_type == FORM:
        fault = Violation(arguments.path, "path_type", "Invalid file type")
        raise invalid_input((fault,), arguments.title)
    folder = intake.folder if intake is not None else None
    return FileReader(
        arguments, media_type, may_be_url=is_file, folder=folder, intake=intake, limits=limits
    )
