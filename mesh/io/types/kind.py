"""What an annotation says about a value of a type that JSON has no form for."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, SerializationInfo
from pydantic_core import CoreSchema, core_schema

from mesh.io.types.file import File
from mesh.io.types.plain import plain_value

WIRE: Final = object()
"""The context of a dump by pydantic that is to give wire values."""
KIND: Final = "mesh_kind"
"""Where a core schema keeps its kind, in the metadata."""


class Intake(Protocol):
    """Where the files of one call come from, and where they are put.

    Both methods may block, so decoding that can reach them runs in a thread.
    """

    def keep(self, file: File) -> Path:
        """The path of the file's content, in the call's own folder. Raises ValueError."""

    def fetch(self, uri: str) -> File:
        """The content behind an http(s) URL. Raises ValueError saying why it can't be had."""


class Kind(ABC):
    """A type with what the annotations around it add; immutable.

    Stands in `Annotated` for pydantic: there it reads arguments by `load`, whose intake is the
    validation's context, and writes by `wire`. `Checked(kind)` reads results, by `check`.
    """

    __slots__ = ()

    @abstractmethod
    def marked(self, marker: object) -> "Kind":
        """This kind with what `marker` adds. Raises TypeError if it contradicts or is no use."""

    @abstractmethod
    def load(self, value: Any, intake: Intake | None) -> Any:
        """A value of this type from what came: the value of a JSON text, or a wire value.

        Raises ValueError, or PydanticCustomError for a type of error of its own, if that does
        not fit.
        """

    @abstractmethod
    def check(self, value: Any) -> Any:
        """What a method returned, made to fit. Raises ValueError if it doesn't."""

    @abstractmethod
    def wire(self, value: Any) -> Any:
        """The wire value of a value of this type: an array, Table, Column, File, str or bytes.

        Raises ValueError if it has none.
        """

    @abstractmethod
    def json_schema(self) -> dict[str, Any]:
        """The keywords by which clients know the type."""

    @property
    def numbers(self) -> np.dtype[Any] | None:
        """The floating element type whose arrays are read as the lists of their numbers are."""
        return None

    def __get_pydantic_core_schema__(
        self, _source: Any, _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return self.core_schema(checked=False)

    def __get_pydantic_json_schema__(
        self, _schema: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return self.json_schema()

    def core_schema(self, *, checked: bool) -> CoreSchema:
        """How pydantic reads values of this type: arguments, or with `checked` results."""

        def load(value: Any, info: core_schema.ValidationInfo[Any]) -> Any:
            return self.load(value, info.context)

        writes = core_schema.plain_serializer_function_ser_schema(self._write, info_arg=True)
        metadata = {KIND: self}
        if checked:
            return core_schema.no_info_plain_validator_function(
                self.check, serialization=writes, metadata=metadata
            )
        return core_schema.with_info_plain_validator_function(
            load, serialization=writes, metadata=metadata
        )

    def _write(self, value: Any, info: SerializationInfo[Any]) -> Any:
        """What a dump has of a value: to the mesh a wire value, to users theirs, or JSON's."""
        if info.context is WIRE:
            return self.wire(value)
        return plain_value(self.wire(value)) if info.mode_is_json() else value


class Checked:
    """Stands in `Annotated` where results of the kind are read."""

    __slots__ = ("kind",)

    def __init__(self, kind: Kind) -> None:
        self.kind = kind

    def __repr__(self) -> str:
        return f"Checked({self.kind!r})"

    def __get_pydantic_core_schema__(
        self, _source: Any, _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return self.kind.core_schema(checked=True)

    def __get_pydantic_json_schema__(
        self, _schema: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return self.kind.json_schema()
