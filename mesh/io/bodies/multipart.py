"""multipart/form-data: fields and files, each file going to the call's folder as it comes."""

import logging
from email.message import Message
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from mesh.errors import TooLarge
from mesh.io.arguments import Arguments, Bound
from mesh.io.bodies.faults import broken, too_large
from mesh.io.bodies.form_fields import FormFields
from mesh.io.bodies.limits import Limits
from mesh.io.bodies.spool import Spool
from mesh.io.files.folder import Folder
from mesh.io.files.name import base_name
from mesh.io.types.kind import Intake

_FORM = "multipart"
_SILENT = logging.Logger("mesh.io.multipart", logging.CRITICAL + 1)  # noqa: LOG001  # apart
"""For the parser, which would write a line about each form that a client broke."""


class MultipartReader:
    """Reads a multipart form.

    `folder` is the call's; without one files stay in memory, and are bounded as text.
    """

    __slots__ = ("_arguments", "_fields", "_intake", "_parser", "_parts")
    only_keeps = False

    def __init__(
        self,
        arguments: Arguments,
        fields: FormFields,
        media_type: str,
        *,
        folder: Folder | None,
        intake: Intake | None,
        limits: Limits,
    ) -> None:
        """Raises InvalidArgument if the media type names no boundary, or one that is too long."""
        self._arguments = arguments
        self._fields = fields
        self._intake = intake
        self._parts = _Parts(fields, folder, limits)
        self._parser = MultipartParser(_boundary(media_type, limits), self._parts.callbacks())
        self._parser.logger = _SILENT

    def feed(self, data: bytes) -> None:
        """Takes the next piece of the body.

        Raises InvalidArgument naming what is broken, TooLarge naming what is over its limit.
        """
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise broken(_FORM, str(error)) from None

    def finish(self) -> tuple[Bound, Any]:
        """The arguments, and the first item of the stream or NO_ITEM."""
        self._parts.check_end()
        return self._arguments.load(self._fields.values(), self._intake)

    def close(self) -> None:
        """Lets go of the file that is being written, if there is one."""
        self._parts.close()


def _boundary(media_type: str, limits: Limits) -> bytes:
    if len(media_type) > limits.media_type:
        raise broken(_FORM, f"the content-type has more than {limits.media_type} characters")
    header = media_type.encode("latin-1", "replace").decode("latin-1")
    boundary = parse_options_header(header)[1].get(b"boundary", b"")
    if not boundary:
        raise broken(_FORM, "the content-type names no boundary")
    if len(boundary) > limits.boundary:
        raise broken(_FORM, f"the boundary has more than {limits.boundary} characters")
    return boundary


class _Parts:
    """What the parser says, part by part."""

    def __init__(self, fields: FormFields, folder: Folder | None, limits: Limits) -> None:
        self._fields = fields
        self._folder = folder
        self._limits = limits
        self._files = 0
        self._texts = 0
        self._in_memory = 0  # bytes of files that have ended
        self._has_ended = False
        self._inside = "before the first boundary"
        self._header: tuple[bytearray, bytearray] = (bytearray(), bytearray())
        self._headers: dict[bytes, bytes] = {}
        self._headers_size = 0
        self._name = ""
        self._filename: str | None = None
        self._data: bytearray | Spool | None = None

    def callbacks(self) -> Any:
        """What the parser calls."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._open,
            "on_part_data": self._take,
            "on_part_end": self._close,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        self._headers = {}
        self._headers_size = 0
        self._inside = f"in the header of part {self._files + self._texts + 1}"

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._count_header(end - start)
        self._header[0].extend(data[start:end])

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._count_header(end - start)
        self._header[1].extend(data[start:end])

    def _count_header(self, size: int) -> None:
        self._headers_size += size
        if self._headers_size > self._limits.headers:
            what = f"the header of part {self._files + self._texts + 1}"
            raise broken(_FORM, f"{what} has more than {self._limits.headers} bytes")

    def _header_end(self) -> None:
        name, value = self._header
        self._headers[bytes(name).lower()] = bytes(value)
        self._header = (bytearray(), bytearray())

    def _open(self) -> None:
        """The part's header is complete: its content has a place, or is of no use."""
        header = self._headers.get(b"content-disposition", b"").decode("latin-1")
        _, options = parse_options_header(header)
        number = self._files + self._texts + 1
        name = options.get(b"name")
        if not name:
            raise broken(_FORM, f"part {number} has no name")
        self._name = _named(name, f"the name of part {number}")
        filename = _filename(header, options.get(b"filename"), f"the file name of part {number}")
        self._filename = None if filename is None else base_name(filename)
        self._inside = f"in part {self._name!r}"
        self._count()
        if self._filename is None:
            self._data = None if self._fields.field(self._name) is None else bytearray()
        elif self._fields.wants_file(self._name):
            left = self._limits.files_in_memory - self._in_memory
            self._data = Spool(self._folder, min(self._limits.in_memory, left))
        else:
            self._data = None

    def _count(self) -> None:
        if self._filename is None:
            self._texts += 1
        else:
            self._files += 1
        most = self._limits.parts
        if self._texts > most or self._files > most:
            sort = "fields" if self._texts > most else "files"
            raise TooLarge(f"the form has more than {most} {sort}")

    def _take(self, data: bytes, start: int, end: int) -> None:
        found = self._data
        if isinstance(found, Spool):
            if self._folder is None:
                self._fields.count_text(end - start)
            found.write(data[start:end])
        elif found is not None:
            if len(found) + end - start > self._limits.text:
                message = f"a field that is no file has at most {self._limits.text} bytes"
                raise too_large(self._name, message)
            self._fields.count_text(end - start)
            found += data[start:end]

    def _close(self) -> None:
        found, self._data = self._data, None
        self._inside = "between two parts"
        if isinstance(found, Spool):
            found.close()  # first: a form may end with this file
            # What a browser sends for an input of files in which none was chosen.
            if found.size or self._filename:
                media_type = self._headers.get(b"content-type", b"").decode("latin-1")
                filename = self._filename or ""
                self._fields.add_file(self._name, found, media_type, filename)
            if found.path is None:
                self._in_memory += found.size
        elif found is not None:
            self._fields.add_text(self._name, bytes(found))

    def _end(self) -> None:
        self._has_ended = True

    def check_end(self) -> None:
        """Raises InvalidArgument if the body ended before the form did."""
        if not self._has_ended:
            raise broken(_FORM, f"the body ends {self._inside}")

    def close(self) -> None:
        """Lets go of what is open."""
        if isinstance(self._data, Spool):
            self._data.close()
        self._data = None


def _filename(header: str, plain: bytes | None, what: str) -> str | None:
    """The file name, which RFC 7578 forbids to be written as `filename*`, and some write so."""
    if plain is not None:
        return _named(plain, what)
    if "filename*" not in header.lower():
        return None
    message = Message()
    message["content-disposition"] = header
    return message.get_filename()


def _named(name: bytes, what: str) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError:
        raise broken(_FORM, f"{what} is no UTF-8") from None
