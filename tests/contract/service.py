"""A service with a method for every type of the contract, each giving back what it takes."""

import enum
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from annotated_types import Ge, Gt, Lt, MaxLen, MultipleOf
from PIL import Image as PILImage
from PIL.Image import Image
from pydantic import BaseModel, Field, HttpUrl, SecretStr

import mesh
from mesh import ContentType, Context, DataframeSchema, DType, IODescriptor, Shape


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Point(NamedTuple):
    x: int
    y: float


class Options(TypedDict):
    depth: int
    name: str


@dataclass
class Span:
    start: int
    end: int = 10


class Sub(BaseModel):
    a: int
    b: str = "x"


class Outer(BaseModel):
    sub: Sub
    many: list[Sub] = []


class Node(BaseModel):
    value: int
    children: list["Node"] = []


class Params(BaseModel):
    prompt: str
    temperature: float = 0.5


class Sample(IODescriptor):
    label: str
    data: np.ndarray[tuple[int], np.dtype[np.float16]]
    weights: Annotated[torch.Tensor, DType("float32")]


class Document(IODescriptor):
    title: str
    scan: Path
    preview: Image | None = None


class Album(BaseModel):
    name: str
    pages: list[Document] = []


@mesh.service(traffic={"timeout": 30, "max_request_bytes": "50Mi"}, threads=4)
class Types:
    """Every type in and out."""

    @mesh.api
    def text(self, x: str) -> str:
        return x

    @mesh.api
    def whole(self, x: int) -> int:
        return x

    @mesh.api
    def real(self, x: float) -> float:
        return x

    @mesh.api
    def truth(self, x: bool) -> bool:
        return x

    @mesh.api
    def binary(self, x: bytes) -> bytes:
        return x

    @mesh.api
    def nothing(self) -> None:
        return None

    @mesh.api
    def plain_list(self, x: list) -> list:  # type: ignore[type-arg]  # untyped on purpose
        return x

    @mesh.api
    def numbers(self, x: list[int]) -> list[int]:
        return x

    @mesh.api
    def plain_dict(self, x: dict) -> dict:  # type: ignore[type-arg]  # as above
        return x

    @mesh.api
    def scores(self, x: dict[str, int]) -> dict[str, int]:
        return x

    @mesh.api
    def pair(self, x: tuple[int, str]) -> tuple[int, str]:
        return x

    @mesh.api
    def unique(self, x: set[int]) -> list[int]:
        return sorted(x)

    @mesh.api
    def point(self, x: Point) -> float:
        assert isinstance(x, Point)
        return x.x + x.y

    @mesh.api
    def options(self, x: Options) -> Options:
        return x

    @mesh.api
    def span(self, x: Span) -> int:
        assert isinstance(x, Span)
        return x.end - x.start

    @mesh.api
    def colour(self, x: Colour) -> Colour:
        return x

    @mesh.api
    def choice(self, x: Literal["a", "b", 3]) -> str:
        return str(x)

    @mesh.api
    def maybe(self, x: int | None = None) -> str:
        return repr(x)

    @mesh.api
    def either(self, x: int | str) -> str:
        return type(x).__name__

    @mesh.api
    def anything(self, x: Any) -> Any:
        return x

    @mesh.api
    def untyped(self, x):  # type: ignore[no-untyped-def]  # on purpose
        return x

    @mesh.api
    def times(self, at: datetime, on: date, hour: time, took: timedelta) -> list[str]:
        return [at.isoformat(), on.isoformat(), hour.isoformat(), str(took.total_seconds())]

    @mesh.api
    def today(self, on: date) -> date:
        return on

    @mesh.api
    def identity(self, x: uuid.UUID) -> uuid.UUID:
        return x

    @mesh.api
    def amount(self, x: Decimal) -> str:
        return str(x)

    @mesh.api
    def link(self, x: HttpUrl) -> str:
        return str(x)

    @mesh.api
    def secret(self, x: SecretStr) -> int:
        return len(x.get_secret_value())

    @mesh.api
    def model(self, x: Sub) -> Sub:
        return x

    @mesh.api
    def nested(self, x: Outer) -> Outer:
        return x

    @mesh.api
    def models(self, x: list[Sub]) -> list[Sub]:
        return x

    @mesh.api
    def tree(self, x: Node) -> Node:
        return x

    @mesh.api
    def described(
        self,
        prompt: str = Field(description="The prompt text", examples=["hello"]),
        temperature: float = Field(default=0.5, ge=0, le=2),
    ) -> str:
        return f"{prompt}|{temperature}"

    @mesh.api
    def bounded(
        self,
        prompt: Annotated[str, MaxLen(5)],
        temperature: Annotated[float, Ge(0), Lt(2)],
        tokens: Annotated[int, Gt(0), MultipleOf(100)],
    ) -> int:
        return tokens

    @mesh.api(input_spec=Params)
    def spread(self, **params: Any) -> str:
        return f"{params['prompt']}|{params['temperature']}"

    @mesh.api
    def many(self, *args: int) -> int:
        return sum(args)

    @mesh.api
    def keywords(self, a: int, **kwargs: Any) -> dict[str, Any]:
        return {"a": a, **kwargs}

    @mesh.api
    def array(self, x: np.ndarray) -> np.ndarray:
        return x

    @mesh.api
    def half(self, x: np.ndarray[tuple[int], np.dtype[np.float16]]) -> np.ndarray:
        return x

    @mesh.api
    def integers(self, x: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        return x

    @mesh.api
    def matrix(
        self, x: Annotated[np.ndarray, Shape((2, 3)), DType("float32")]
    ) -> Annotated[np.ndarray, Shape((2, 3)), DType("float32")]:
        return x

    @mesh.api
    def flags(self, x: Annotated[np.ndarray, DType("bool")]) -> np.ndarray:
        return ~x

    @mesh.api
    def words(self, x: Annotated[np.ndarray, DType("str")]) -> np.ndarray:
        return x

    @mesh.api
    def tensor(
        self, x: Annotated[torch.Tensor, Shape((1, 4)), DType("float32")]
    ) -> Annotated[torch.Tensor, DType("float32")]:
        return x * 2

    @mesh.api
    def brain(self, x: Annotated[torch.Tensor, DType("bfloat16")]) -> torch.Tensor:
        assert x.dtype is torch.bfloat16
        return x

    @mesh.api
    def arrays(self, x: list[np.ndarray]) -> list[np.ndarray]:
        return x

    @mesh.api
    def frame(self, x: pd.DataFrame) -> pd.DataFrame:
        return x

    @mesh.api
    def petals(
        self,
        x: Annotated[pd.DataFrame, DataframeSchema(orient="records", columns=["length", "width"])],
    ) -> Annotated[pd.DataFrame, DataframeSchema(orient="columns")]:
        return x

    @mesh.api
    def series(self, x: pd.Series) -> pd.Series:
        return x * 2

    @mesh.api
    def sample(self, x: Sample) -> Sample:
        assert x.data.dtype == np.float16
        return x

    @mesh.api
    def image(self, x: Image, scale: int = 1) -> Image:
        return x.resize((x.width * scale, x.height * scale))

    @mesh.api
    def image_by_module(self, x: PILImage) -> str:  # type: ignore[valid-type]  # as users write it
        return str(x.size)  # type: ignore[attr-defined]  # as above

    @mesh.api
    def images(self, x: list[Image]) -> list[int]:
        return [each.width for each in x]

    @mesh.api
    def maybe_image(self, x: Image | None = None) -> str:
        return "none" if x is None else str(x.size)

    @mesh.api
    def file(self, x: Path, note: str = "") -> str:
        return f"{x.read_text()}|{x.suffix}|{note}"

    @mesh.api
    def audio(self, x: Annotated[Path, ContentType("audio/mp3")]) -> int:
        return x.stat().st_size

    @mesh.api
    def files(self, x: list[Path]) -> list[str]:
        return [each.read_text() for each in x]

    @mesh.api
    def maybe_file(self, x: Path | None = None) -> str:
        return "none" if x is None else x.read_text()

    @mesh.api
    def speech(self, text: str, context: Context) -> Path:
        path = Path(context.temp_dir) / "output.mp3"
        path.write_bytes(text.encode())
        return path

    @mesh.api
    def custom(self, ctx: Context) -> Annotated[Path, ContentType("application/x-custom")]:
        path = Path(ctx.temp_dir) / "out.bin"
        path.write_bytes(b"\x00\x01")
        return path

    @mesh.api
    def picture(self) -> Annotated[bytes, ContentType("image/png")]:
        return b"\x89PNG..."

    @mesh.api
    def page(self) -> Annotated[str, ContentType("text/html")]:
        return "<p>hi</p>"

    @mesh.api
    def several(self, n: int, ctx: Context) -> list[Path]:
        paths = [Path(ctx.temp_dir) / f"{number}.txt" for number in range(n)]
        for number, path in enumerate(paths):
            path.write_text(f"file {number}")
        return paths

    @mesh.api
    def mixed(self, ctx: Context) -> dict[str, Path | int]:
        path = Path(ctx.temp_dir) / "m.txt"
        path.write_text("mixed")
        return {"file": path, "number": 3}

    @mesh.api
    def document(self, x: Document) -> Document:
        return x

    @mesh.api
    def album(self, x: Album) -> list[str]:
        return [page.scan.read_text() for page in x.pages]

    @mesh.api
    def root_text(self, x: str, /) -> str:
        return x

    @mesh.api
    def root_whole(self, x: int, /) -> int:
        return x

    @mesh.api
    def root_default(self, x: int = 7, /) -> int:
        return x

    @mesh.api
    def root_bytes(self, x: bytes, /) -> int:
        return len(x)

    @mesh.api
    def root_list(self, x: list[str], /) -> list[str]:
        return x

    @mesh.api
    def root_model(self, x: Sub, /) -> Sub:
        return x

    @mesh.api
    def root_array(self, x: np.ndarray, /) -> np.ndarray:
        return x

    @mesh.api
    def root_frame(self, x: pd.DataFrame, /) -> pd.DataFrame:
        return x

    @mesh.api
    def root_image(self, x: Image, /) -> str:
        return f"{x.format} {x.size}"

    @mesh.api
    def root_file(self, x: Path, /) -> str:
        return x.read_text()

    @mesh.api
    def count(self, n: int) -> Iterator[int]:
        yield from range(n)

    @mesh.api
    async def letters(self, word: str) -> AsyncIterator[str]:
        for letter in word:
            yield letter

    @mesh.api
    async def blobs(self, n: int) -> AsyncIterator[bytes]:
        for number in range(n):
            yield bytes([number, 255])

    @mesh.api
    async def records(self, n: int) -> AsyncIterator[Sub]:
        for number in range(n):
            yield Sub(a=number)

    @mesh.api
    async def rows(self, n: int) -> AsyncIterator[np.ndarray]:
        for number in range(n):
            yield np.full(2, number, np.float32)

    @mesh.api
    async def early(self) -> AsyncIterator[int]:
        raise mesh.NotFound("early")
        yield 1  # makes it a generator

    @mesh.api
    def status(self, ctx: Context) -> dict[str, str]:
        ctx.response.status_code = 202
        ctx.response.headers["x-custom"] = "v"
        ctx.response.set_cookie("k", "v", max_age=10)
        return {"agent": ctx.request.headers.get("x-in", "")}

    @mesh.api
    def fails(self, kind: str) -> int:
        if kind == "argument":
            raise mesh.InvalidArgument("bad arg")
        if kind == "missing":
            raise mesh.NotFound("no such thing")
        if kind == "teapot":
            raise mesh.MeshError("short and stout", code=mesh.Code.UNKNOWN, http_status=418)
        raise ValueError("the secret text")

    @mesh.api
    def wrong(self) -> int:
        return "abc"  # type: ignore[return-value]  # on purpose
