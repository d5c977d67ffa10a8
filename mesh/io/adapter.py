"""Pydantic's view of one annotation."""

from typing import Any

from pydantic import ConfigDict, PydanticUserError, TypeAdapter
from pydantic.errors import PydanticSchemaGenerationError

from mesh.errors import DefinitionError
from mesh.io.json_schema import json_schema

_CONFIG = ConfigDict(ser_json_inf_nan="constants")


def adapter(annotation: Any, *, where: str) -> TypeAdapter[Any]:
    """What validates and writes values of `annotation`.

    Raises DefinitionError, whose message `where` begins, if such values can't cross the mesh.
    """
    try:
        made: TypeAdapter[Any] = _adapter(annotation)
        json_schema(made, "validation")  # types of which there is no schema fail here
        return made
    except (PydanticUserError, TypeError, ValueError, NameError) as error:
        raise DefinitionError(f"{where}: {_reason(error)}") from error


def _adapter(annotation: Any) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(annotation, config=_CONFIG)
    except PydanticUserError as error:
        if error.code != "type-adapter-config-unused":
            raise
        return TypeAdapter(annotation)  # models and the like bring a configuration of their own


def _reason(error: Exception) -> str:
    first = str(error).partition("\n")[0]
    if not isinstance(error, PydanticSchemaGenerationError):
        return first
    hint = "; give arrays a Shape or DType in Annotated" if "numpy" in first else ""
    return f"{first.partition('. ')[0].removesuffix('.')}{hint}"
