"""Services whose typed forms are looked at."""

import enum
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field, SecretStr

import mesh
from mesh import ContentType, DType, Shape


class Colour(enum.Enum):
    """What a thing looks like."""

    RED = "red"
    DARK_BLUE = 7


class Circle(BaseModel):
    size: int = 1


class Square(BaseModel):
    size: int = 1


class Node(BaseModel):
    value: int
    children: list["Node"] = []


@dataclass
class Span:
    start: int
    end: int = 10
    tags: list[str] = field(default_factory=lambda: ["new"])


class Point(NamedTuple):
    x: int
    y: float = 0.5


class Options(TypedDict, total=False):
    depth: int
    name: str


class Aliased(BaseModel):
    model_name: str = Field(alias="modelName")


@mesh.service
class Every:
    """Each type, given back."""

    @mesh.api
    def scalars(self, text: str, whole: int, real: float, truth: bool, raw: bytes) -> list[Any]:
        return [text, whole, real, truth, raw.decode()]

    @mesh.api
    def whole(self, x: int) -> int:
        return x

    @mesh.api
    def real(self, x: float) -> float:
        return x

    @mesh.api
    def text(self, x: str) -> str:
        return x

    @mesh.api
    def raw(self, x: bytes) -> bytes:
        return x

    @mesh.api
    def defaults(self, n: int = 5, tags: list[str] = ["a"], none: int | None = None) -> list[Any]:  # noqa: B006
        return [n, tags, none]

    @mesh.api
    def needs_to_be_told(self, x: int | None) -> str:
        return repr(x)

    @mesh.api
    def numbers(self, x: list[int]) -> list[int]:
        return x

    @mesh.api
    def rows(self, x: list[list[float]]) -> list[list[float]]:
        return x

    @mesh.api
    def holes(self, x: list[int | None]) -> list[int | None]:
        return x

    @mesh.api
    def maybe_list(self, x: list[int] | None) -> list[int] | None:
        return x

    @mesh.api
    def unique(self, x: set[int]) -> set[int]:
        return x

    @mesh.api
    def pair(self, x: tuple[int, str]) -> tuple[int, str]:
        return x

    @mesh.api
    def many(self, x: tuple[int, ...]) -> tuple[int, ...]:
        return x

    @mesh.api
    def scores(self, x: dict[str, float]) -> dict[str, float]:
        return x

    @mesh.api
    def by_number(self, x: dict[int, list[str]]) -> dict[int, list[str]]:
        return x

    @mesh.api
    def by_colour(self, x: dict[Colour, int]) -> dict[Colour, int]:
        return x

    @mesh.api
    def either(self, x: int | str) -> int | str:
        return x

    @mesh.api
    def mixed(self, x: list[int | str]) -> list[int | str]:
        return x

    @mesh.api
    def collections(self, x: int) -> list[int] | list[str] | dict[str, int] | dict[str, str]:
        return [x]

    @mesh.api
    def figure(self, x: Circle | Square) -> str:
        return type(x).__name__

    @mesh.api
    def figures(self, n: int) -> list[Circle | Square]:
        return [Circle(size=each) if each % 2 else Square(size=each) for each in range(n)]

    @mesh.api
    def coloured(self, x: Colour | str | int) -> Colour | str | int:
        return x

    @mesh.api
    def maybe_either(self, x: int | str | None = None) -> int | str | None:
        return x

    @mesh.api
    def colour(self, x: Colour) -> Colour:
        return x

    @mesh.api
    def colours(self, x: list[Colour]) -> list[Colour]:
        return x

    @mesh.api
    def favourite(self, x: Colour = Colour.RED) -> Colour:
        return x

    @mesh.api
    def choice(self, x: Literal["a", "b"]) -> Literal["a", "b"]:
        return x

    @mesh.api
    def moment(self, x: datetime) -> datetime:
        return x

    @mesh.api
    def took(self, x: timedelta) -> timedelta:
        return x

    @mesh.api
    def day(self, x: date) -> date:
        return x

    @mesh.api
    def identity(self, x: uuid.UUID) -> uuid.UUID:
        return x

    @mesh.api
    def amount(self, x: Decimal) -> Decimal:
        return x

    @mesh.api
    def secret(self, x: SecretStr) -> SecretStr:
        return x

    @mesh.api
    def tree(self, x: Node) -> Node:
        return x

    @mesh.api
    def span(self, x: Span) -> Span:
        return x

    @mesh.api
    def point(self, x: Point) -> Point:
        return x

    @mesh.api
    def options(self, x: Options) -> Options:
        return x

    @mesh.api
    def aliased(self, x: Aliased) -> Aliased:
        return x

    @mesh.api
    def anything(self, x: Any) -> Any:
        return x

    @mesh.api
    def plain(self, x: dict) -> dict:  # type: ignore[type-arg]  # untyped on purpose
        return x

    @mesh.api
    def nothing(self) -> None:
        return None

    @mesh.api
    def tensor(self, x: np.ndarray) -> np.ndarray:
        return x

    @mesh.api
    def matrix(
        self, x: Annotated[np.ndarray, Shape((-1, 2)), DType("float32")]
    ) -> Annotated[np.ndarray, Shape((-1, 2)), DType("float32")]:
        return x

    @mesh.api
    def frame(self, x: pd.DataFrame) -> pd.DataFrame:
        return x

    @mesh.api
    def series(self, x: pd.Series) -> pd.Series:
        return x

    @mesh.api
    def file(self, x: Path) -> Path:
        return x

    @mesh.api
    def sound(self, x: Annotated[bytes, ContentType("audio/mpeg")]) -> int:
        return len(x)

    @mesh.api
    def root(self, x: Node, /) -> int:
        return x.value

    @mesh.api
    def sum(self, *args: int, **kwargs: int) -> int:
        return sum(args) + sum(kwargs.values())

    @mesh.api
    async def total(self, items: AsyncIterator[int], start: int = 0) -> int:
        return start

    @mesh.api
    async def lists(self, items: AsyncIterator[list[int]]) -> AsyncIterator[list[int]]:
        async for item in items:
            yield item
