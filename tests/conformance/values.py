"""Types of the conformance service, and the values that clients of every language send to it."""

import enum
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field
from typing_extensions import TypedDict  # pydantic takes no other from Python 3.11


class Scalars(BaseModel):
    """Every scalar."""

    text: str
    whole: int
    real: float
    truth: bool
    binary: bytes


class Point(NamedTuple):
    """A place."""

    x: int
    y: float


class Lists(BaseModel):
    """What holds values in order, or each value once."""

    names: list[str]
    numbers: list[int]
    unique: set[int]
    many: tuple[float, ...]
    pair: tuple[int, str]
    rows: list[list[float]]
    points: list[Point]


class Maps(BaseModel):
    """Values by key."""

    counts: dict[str, int]
    names: dict[int, str]
    rows: dict[str, list[int]]
    points: dict[str, Point]


class Optionals(BaseModel):
    """What may be left out."""

    maybe: int | None
    number: int = 5
    text: str | None = "fallback"
    point: Point | None = None


class Circle(BaseModel):
    """A form that is round."""

    radius: float


class Rectangle(BaseModel):
    """A form with four corners."""

    width: float
    height: float


class Colour(enum.Enum):
    """What a client may choose from."""

    RED = "red"
    DARK_BLUE = "dark blue"


class Times(BaseModel):
    """Points in time and the time between them."""

    at: datetime
    took: timedelta


class Texts(BaseModel):
    """What travels as text."""

    identity: uuid.UUID
    amount: Decimal
    speed: Literal["fast", "slow"]


@dataclass
class Span:
    """From one number to another."""

    start: int
    end: int = 10


class Options(TypedDict):
    """A dict with known keys."""

    depth: int
    name: str


class Records(BaseModel):
    """Classes of each kind, one in the other."""

    point: Point
    span: Span
    options: Options
    spans: list[Span] = Field(default_factory=list)


@dataclass
class Tree:
    """A tree of numbers."""

    value: int
    children: list["Tree"] = field(default_factory=list)


class Bounded(BaseModel):
    """Values with limits."""

    count: Annotated[int, Field(ge=1)]
    name: Annotated[str, Field(max_length=5)]


SCALARS = Scalars(
    text="Grüße, 世界 🚀", whole=-(2**63), real=-0.1, truth=True, binary=b"\x00\xff\x80"
)
ZEROS = Scalars(text="", whole=0, real=0.0, truth=False, binary=b"")
LISTS = Lists(
    names=["a", "", "c"],
    numbers=[3, -1, 2**62],
    unique={1, 2},
    many=(0.5, 1.5, 2.5),
    pair=(7, "seven"),
    rows=[[1.0, 2.0], [], [3.0]],
    points=[Point(1, 2.5), Point(0, 0.0)],
)
EMPTY_LISTS = Lists(
    names=[], numbers=[], unique=set(), many=(), pair=(0, ""), rows=[], points=[]
)  # fmt: skip
MAPS = Maps(
    counts={"one": 1, "": 0},
    names={-1: "minus", 0: "zero"},
    rows={"odd": [1, 3], "none": []},
    points={"here": Point(1, 2.5)},
)
ABSENT = Optionals(maybe=None)
GIVEN = Optionals(maybe=0, number=0, text="", point=Point(0, 0.0))
CIRCLE, RECTANGLE = Circle(radius=1.5), Rectangle(width=2.0, height=3.0)
TIMES = Times(
    at=datetime(2024, 2, 29, 12, 30, 0, 123456, UTC), took=timedelta(seconds=-1, milliseconds=-500)
)
TEXTS = Texts(
    identity=uuid.UUID("12345678-1234-5678-1234-567812345678"),
    amount=Decimal("123.4500"),
    speed="fast",
)
RECORDS = Records(
    point=Point(1, 2.5),
    span=Span(3),
    options=Options(depth=2, name="deep"),
    spans=[Span(1, 2)],
)
TREE = Tree(1, [Tree(2, [Tree(3)]), Tree(4)])
ANYTHING: Any = {
    "list": [1, 2.5, "three", True, None],
    "inner": {"empty": {}, "none": []},
    "text": "x",
}
TENSORS = {
    "float32": np.array([[1.5, -2, 3], [0, 0.25, -0.0]], np.float32),
    "float16": np.array([1.0, -2.0, 65504.0], np.float16),
    "float64": np.array(0.1, np.float64),
    "int64": np.array([[-(2**63)], [2**63 - 1]], np.int64),
    "uint8": np.arange(8, dtype=np.uint8).reshape(2, 2, 2),
    "bool": np.array([True, False, True]),
    "str": np.array([["a", "ß"], ["", "long text"]]),
    "empty": np.zeros((0, 3), np.int32),
}
"""By the last part of the names of their cases."""
FRAME = pd.DataFrame(
    {
        "id": np.array([1, 2, 3], np.int64),
        "score": np.array([0.5, np.nan, 2.5]),
        "count": pd.array([10, None, 30], dtype="Int64"),
        "name": ["a", None, "ß"],
        "seen": np.array([True, False, True]),
    }
)
SERIES = pd.Series([1.5, None, 3.5], name="score", dtype="Float64")
LARGE = 8 << 20
"""Bytes of the large message; byte N of it is N modulo 251."""
LONG_TEXT = "conformance " * 5000
"""Text that is worth compressing."""
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000020000000108020000007b40e8dd0000000f"
    "49444154789c63f8cfc0c0c0f01f00070001ff7e08b1d00000000049454e44ae426082"
)
"""An image two pixels wide and one high: red, then blue."""
