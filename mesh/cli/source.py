"""What is typed as `@FILE` or `@-`: content from the disk or from stdin."""

import json
from collections.abc import Iterator
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from mesh.cli.failure import WrongUsage
from mesh.client.description import Schema
from mesh.errors import UnsupportedMediaType
from mesh.io import arrow
from mesh.io.bodies.npy import read_npy
from mesh.io.types.file import OCTETS, File

CHUNK = 64 * 1024
"""Bytes of a piece of a file that is sent as a stream of bytes."""
_NPY, _ARROW_FILE, _ARROW_STREAM, _PARQUET = b"\x93NUMPY", b"ARROW1", b"\xff\xff\xff\xff", b"PAR1"


class Source:
    """One file, or stdin as `-`, whose content becomes what a schema says.

    `name` is the parameter that it is for, `given` what stands behind its `@`. All methods raise
    WrongUsage, naming the parameter, for what cannot be read or is of another form.
    """

    def __init__(self, name: str, given: str, stdin: BinaryIO) -> None:
        self._name = name
        self._given = given
        self._stdin = stdin
        self._path = None if given == "-" else _path(given)

    def value(self, schema: Schema) -> Any:
        """The content as a value: a file, bytes, text, an array, a frame, else what JSON says."""
        kind = schema.get("type")
        if kind == "file":
            return self._file(schema)
        if kind == "tensor":
            is_npy = self._content.startswith(_NPY)
            return self._npy() if is_npy else self._json("an .npy file or JSON")
        if kind == "dataframe" or schema.get("format") == "series":
            return self._frame()
        if kind == "string":
            return self._content if schema.get("format") == "binary" else self._text()
        if kind is None and not self._is_json():
            return self._text()
        return self._json("JSON")

    def document(self) -> Any:
        """What the content is in JSON; bytes if it is none."""
        return self._parsed() if self._is_json() else self._content

    def lines(self) -> Iterator[bytes]:
        """The lines that are not blank, as they come."""
        with self._opened() as stream:
            for line in stream:
                if line.strip():
                    yield line.rstrip(b"\r\n")

    def chunks(self) -> Iterator[bytes]:
        """The content in pieces, as they come."""
        with self._opened() as stream:
            # Of a pipe what is there, not as much as was asked for.
            read = getattr(stream, "read1", stream.read)
            while data := read(CHUNK):
                yield data

    def _opened(self) -> BinaryIO:
        if self._path is None:
            if self._stdin.closed:
                raise self._wrong("stdin is taken by another argument")
            return self._stdin
        try:
            return self._path.open("rb")
        except OSError as error:
            raise self._wrong(f"cannot read {self._given}: {error.strerror}") from None

    @cached_property
    def _content(self) -> bytes:
        try:
            with self._opened() as stream:
                return stream.read()
        except OSError as error:
            raise self._wrong(f"cannot read {self._given}: {error.strerror}") from None

    def _file(self, schema: Schema) -> Any:
        if self._path is not None and self._path.is_file():
            self._opened().close()  # says now what cannot be read later
            return self._path
        declared = str(schema.get("content_type", OCTETS))
        return File(self._content, OCTETS if "*" in declared else declared)

    def _text(self) -> str:
        try:
            return self._content.decode()
        except UnicodeDecodeError:
            raise self._wrong(f"{self._given} is no text in UTF-8") from None

    def _parsed(self) -> Any:
        return json.loads(self._content)

    def _is_json(self) -> bool:
        try:
            self._parsed()
        except (ValueError, RecursionError):
            return False
        return True

    def _json(self, expected: str) -> Any:
        try:
            return self._parsed()
        except (ValueError, RecursionError) as error:
            raise self._wrong(f"{self._given} is not {expected}: {error}") from None

    def _npy(self) -> Any:
        try:
            return read_npy(self._content)
        except ValueError as error:
            raise self._wrong(f"{self._given}: {error}") from None

    def _frame(self) -> Any:
        """JSON, .npy, Arrow, Parquet or CSV, as the content itself says."""
        content = self._content
        if content.startswith(_NPY):
            return self._npy()
        if content.lstrip()[:1] in (b"[", b"{"):
            return self._json("JSON")
        try:
            if content.startswith(_ARROW_STREAM):
                return arrow.to_frame(arrow.read_stream(content))
            pd = self._pandas()
            if content.startswith(_ARROW_FILE):
                return pd.read_feather(BytesIO(content))
            if content.startswith(_PARQUET):
                return pd.read_parquet(BytesIO(content))
            return pd.read_csv(BytesIO(content))
        except (ValueError, OSError, ImportError, UnsupportedMediaType) as error:
            reason = " ".join(str(error).split())
            raise self._wrong(f"{self._given} is no table that can be read: {reason}") from None

    def _pandas(self) -> Any:
        try:
            import pandas as pd  # noqa: PLC0415  # an optional dependency
        except ImportError:
            raise self._wrong(
                f"{self._given} is read by pandas: pip install serving-mesh[pandas,arrow]"
            ) from None
        return pd

    def _wrong(self, message: str) -> WrongUsage:
        return WrongUsage(f"{self._name}: {message}")


def _path(given: str) -> Path:
    try:
        return Path(given).expanduser()
    except RuntimeError:  # nobody is called so
        return Path(given)
