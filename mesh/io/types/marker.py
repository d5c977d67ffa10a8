"""What an annotation says about a kind."""

import operator
from functools import reduce
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.errors import PydanticSchemaGenerationError
from pydantic_core import CoreSchema

from mesh.io.types.kind import KIND, Kind
from mesh.io.types.registry import kind_of


class Marker:
    """Says something about a kind inside `Annotated`, also in a user's own pydantic model.

    There it makes the type one that is read and written as in a method's annotation, and that
    needs no `arbitrary_types_allowed`.
    """

    __slots__ = ()

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        if get_origin(source) in (Union, UnionType):
            return handler.generate_schema(self._in_union(source))
        return self._known(source, handler).marked(self).core_schema(checked=False)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        known: Kind | None = (schema.get("metadata") or {}).get(KIND)
        return handler(schema) if known is None else known.json_schema()

    def _known(self, source: Any, handler: GetCoreSchemaHandler) -> Kind:
        """The kind of `source` with the markers that stand before this one."""
        try:
            known = (handler(source).get("metadata") or {}).get(KIND)
        except PydanticSchemaGenerationError:  # without arbitrary_types_allowed
            known = None
        if known is None and (known := kind_of(source)) is None:
            raise self._misplaced(source)
        found: Kind = known
        return found

    def _in_union(self, union: Any) -> Any:
        """The union with this marker at each arm that it can mean."""
        arms = [Annotated[arm, self] if kind_of(arm) else arm for arm in get_args(union)]
        if arms == list(get_args(union)):
            raise self._misplaced(union)
        return reduce(operator.or_, arms)

    def _misplaced(self, source: Any) -> TypeError:
        return TypeError(f"{type(self).__name__} says nothing about {source!r}")
