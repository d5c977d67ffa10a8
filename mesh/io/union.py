"""Unions of which some arm is a kind or contains one."""

from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticSerializationUnexpectedValue, core_schema


class InOrder:
    """Stands in `Annotated` around such a union: its arms are tried from left to right.

    A kind can't tell how well a value fits. `names` are those of the arms in paths of faults;
    empty for pydantic's own.
    """

    __slots__ = ("_names",)

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        schema: Any = handler(source)
        if schema["type"] == "union" and len(schema["choices"]) == len(self._names):
            schema["choices"] = [
                (arm, name) if name and not isinstance(arm, tuple) else arm
                for arm, name in zip(schema["choices"], self._names, strict=True)
            ]
            schema["mode"] = "left_to_right"
        made: CoreSchema = schema
        return made


class Arm:
    """Stands in `Annotated` around an arm of such a union whose values are of `cls`.

    The arm writes these only, so that others are left to the other arms; `exact` says that it
    reads these only too.
    """

    __slots__ = ("_cls", "_exact")

    def __init__(self, cls: type, *, exact: bool = False) -> None:
        self._cls = cls
        self._exact = exact

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(
            self._read,
            handler(source),
            serialization=core_schema.wrap_serializer_function_ser_schema(self._write),
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        # The serializer is a function, of which pydantic knows no schema.
        inner: CoreSchema = schema["schema"]
        return handler(inner)

    def _read(self, value: Any, handler: core_schema.ValidatorFunctionWrapHandler) -> Any:
        if self._exact and not isinstance(value, self._cls):
            raise ValueError(f"is no {self._cls.__name__}")
        return handler(value)

    def _write(self, value: Any, handler: core_schema.SerializerFunctionWrapHandler) -> Any:
        if not isinstance(value, self._cls):
            raise PydanticSerializationUnexpectedValue(f"is no {self._cls.__name__}")
        return handler(value)
