"""Query parameters as BentoCloud's clients send them: what is not given may be there, but empty."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, Query
from pydantic import BeforeValidator, Field, WithJsonSchema

from mesh.faces.cloud.wire.base import Listed

_EachT = TypeVar("_EachT")
_ViewT = TypeVar("_ViewT")

COUNT = 10
"""How many are listed if nobody says."""


def _absent(value: object) -> object:
    return None if value == "" else value


def _or_empty(**schema: object) -> WithJsonSchema:
    """What the document says of a parameter that may be there, but empty: null there is none."""
    return WithJsonSchema({"anyOf": [schema, {"type": "string", "maxLength": 0}]})


Number = Annotated[
    Annotated[int, Field(ge=0, lt=2**31)] | None,
    BeforeValidator(_absent),
    _or_empty(type="integer", minimum=0, maximum=2**31 - 1),
    Query(),
]
"""A number; None if it is absent or empty."""
Flag = Annotated[bool | None, BeforeValidator(_absent), _or_empty(type="boolean"), Query()]
"""True or false; None if it is absent or empty."""
Text = Annotated[str, Query(max_length=1000)]
"""A text; empty if it is absent."""


@dataclass(frozen=True, slots=True)
class Paging:
    """Which part of a list is asked for: `count` from `start` on, of what `q` and `search` mean."""

    start: int | None = None
    count: int | None = None
    q: str = ""
    search: str = ""

    @property
    def begin(self) -> int:
        """How many are passed over."""
        return self.start or 0

    def some(self, found: Sequence[_EachT]) -> Sequence[_EachT]:
        """Those of all that were found; without `count` they are the rest."""
        begin = self.begin
        return found[begin:] if self.count is None else found[begin : begin + self.count]

    def page(self, found: Sequence[_EachT], shown: Callable[[_EachT], _ViewT]) -> Listed[_ViewT]:
        """These as they are sent."""
        items = self.some(found)
        return Listed(
            start=self.begin,
            count=len(items) if self.count is None else self.count,
            total=len(found),
            items=tuple(map(shown, items)),
        )


async def _paging(
    start: Number = None, count: Number = None, q: Text = "", search: Text = ""
) -> Paging:
    return Paging(start, count, q, search)


Paged = Annotated[Paging, Depends(_paging)]
"""The parameters of every list."""
