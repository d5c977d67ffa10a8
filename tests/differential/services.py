"""BentoML services that both servers run unmodified, a method for each row of the contract.

Loaded by `bentoml serve services:Main` and by the mesh, from this folder. Nothing here knows of
the mesh.
"""

# ruff: noqa: B006, B008, UP006, UP007, UP035, UP045 - written as users write: the old forms are read too

import asyncio
import dataclasses
import datetime as dt
import decimal
import enum
import http
import json
import threading
import time
import typing
import uuid
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Annotated, Any, Dict, List, Literal, Optional, Set, Tuple, Union

import annotated_types
import bentoml
import numpy as np
import numpy.typing as npt
import pandas as pd
import starlette.exceptions
import starlette.responses
import torch
from bentoml.exceptions import (
    BadInput,
    BentoMLException,
    InternalServerError,
    InvalidArgument,
    NotFound,
    RemoteException,
    ServiceUnavailable,
    StateException,
    UnprocessableEntity,
)
from bentoml.validators import ContentType, DataframeSchema, DType, Shape
from PIL import Image as PILImage
from PIL.Image import Image
from prometheus_client import Counter, Gauge, Histogram, Summary
from pydantic import BaseModel, Field, HttpUrl, SecretStr, field_validator, model_validator
from typing_extensions import TypedDict

DEPLOYMENTS: list[str] = []
SOLD = Counter("shop_sold", "What was sold.", ["kind"])
PRICES = Histogram("shop_price_euros", "What it cost.", ["kind"], buckets=(1, 5, 10))
STOCK = Gauge("shop_stock", "What is left.")
GUESTS = Gauge("shop_guests", "Who is in.", multiprocess_mode="sum")
SIZES = Summary("shop_sizes", "How large it was.")


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Sub(BaseModel):
    a: int
    b: str = "x"


class Outer(BaseModel):
    sub: Sub
    subs: List[Sub] = []
    by_name: Dict[str, Sub] = {}


@dataclasses.dataclass
class Point:
    x: int
    y: float = 0.5


class Pair(typing.NamedTuple):
    left: int
    right: str


class Options(TypedDict):
    depth: int


class Params(BaseModel):
    prompt: str
    temperature: float = 0.0


class Batch(bentoml.IODescriptor):
    data: np.ndarray
    shaped: Annotated[np.ndarray, Shape((2, 2)), DType("float32")]
    note: str = "none"


class Scores(bentoml.IODescriptor):
    values: np.ndarray
    total: float


class Upload(bentoml.IODescriptor):
    file: Path
    title: str = "untitled"


class Result(BaseModel):
    ok: bool
    items: List[int]


class Guarded(BaseModel):
    size: int
    name: str = Field("none", pattern="^[a-z]+$", alias="label")

    @field_validator("size")
    @classmethod
    def even(cls, size: int) -> int:
        if size % 2:
            raise ValueError("must be even")
        assert size < 100, "too large"
        return size

    @model_validator(mode="after")
    def named(self) -> "Guarded":
        if self.size == 10 and self.name == "none":
            raise ValueError("ten needs a label")
        return self


class Teapot(BentoMLException):
    error_code = http.HTTPStatus.IM_A_TEAPOT


class Conflict(BentoMLException):
    error_code = http.HTTPStatus.CONFLICT


class Unauthorized(BentoMLException):
    error_code = http.HTTPStatus.UNAUTHORIZED


class Forbidden(BentoMLException):
    error_code = http.HTTPStatus.FORBIDDEN


class Numbered(BentoMLException):
    error_code = 409


class Unlucky(BentoMLException):
    error_code = http.HTTPStatus.BAD_GATEWAY


@bentoml.service(name="Adder")
class Adder:
    """Adds, in threads."""

    @bentoml.api
    def add(self, x: int, y: int = 1) -> int:
        return x + y

    @bentoml.api
    def sell(self, kind: str, price: float) -> None:
        SOLD.labels(kind).inc()
        GUESTS.set(2)

    @bentoml.api
    def scale(self, a: np.ndarray, by: float = 2.0) -> np.ndarray:
        return a * by

    @bentoml.api
    def refuse(self, how: str) -> str:
        if how == "teapot":
            raise Teapot("from the adder")
        if how == "missing":
            raise NotFound("nothing to add")
        raise RuntimeError("a secret of the adder")

    @bentoml.api
    def count(self, n: int) -> Generator[int, None, None]:
        yield from range(n)


@bentoml.service(traffic={"timeout": 20})
class Words:
    """Words, on the event loop; it has a dependency of its own."""

    adder = bentoml.depends(Adder)

    @bentoml.api
    async def shout(self, text: str) -> str:
        return text.upper()

    @bentoml.api
    async def length(self, text: str) -> int:
        return await self.adder.to_async.add(x=len(text), y=0)

    @bentoml.api
    async def letters(self, text: str) -> AsyncGenerator[str, None]:
        for letter in text:
            yield letter


@bentoml.service(
    traffic={"timeout": 8},
    threads=8,
    labels={"team": "tests"},
    http={
        "cors": {
            "enabled": True,
            "access_control_allow_origins": ["http://shop.example"],
            "access_control_allow_methods": ["GET", "OPTIONS", "POST", "HEAD", "PUT"],
            "access_control_allow_credentials": True,
            "access_control_allow_headers": ["*"],
            "access_control_max_age": 1200,
            "access_control_expose_headers": ["x-total"],
        }
    },
)
class Main:
    """A method for each row."""

    adder = bentoml.depends(Adder)
    words = bentoml.depends(Words)

    @bentoml.on_deployment
    def note_deployment() -> None:
        DEPLOYMENTS.append("deployed")

    def __init__(self) -> None:
        self.events = ["init"]
        self.meeting = asyncio.Barrier(2)
        self.sync_meeting = threading.Barrier(2)
        self.calls = 0

    @bentoml.on_startup
    def b_started(self) -> None:
        self.events.append("b_started")

    @bentoml.on_startup
    async def a_started(self) -> None:
        await asyncio.sleep(0)
        self.events.append("a_started")

    @bentoml.on_shutdown
    def stopped(self) -> None:
        self.events.append("stopped")

    async def __is_ready__(self) -> bool:
        return True

    def __is_alive__(self) -> bool:
        return True

    @bentoml.api
    def lifecycle(self) -> List[str]:
        return self.events

    @bentoml.api
    def is_current(self) -> bool:
        return bentoml.get_current_service() is self

    # Scalars.

    @bentoml.api
    def text(self, prompt: str = Field(description="The prompt text", examples=["hello"])) -> str:
        return prompt

    @bentoml.api
    def whole(self, x: int) -> int:
        return x

    @bentoml.api
    def real(self, x: float) -> float:
        return x

    @bentoml.api
    def flag(self, x: bool) -> bool:
        return x

    @bentoml.api
    def octets(self, x: bytes) -> bytes:
        return x

    @bentoml.api
    def anything(self, x):
        return x

    @bentoml.api
    def any_text(self, x: str) -> Any:
        return x

    @bentoml.api
    def nothing(self) -> None:
        return None

    @bentoml.api
    def unannotated(self, x: int):
        return {"x": x, "twice": [x, x]}

    @bentoml.api
    def optional(self, n: Optional[int] = None, word: Optional[str] = None) -> str:
        return f"{n!r}|{word!r}"

    @bentoml.api
    def optional_required(self, n: Optional[int]) -> str:
        return repr(n)

    @bentoml.api
    def union(self, x: Union[int, str]) -> str:
        return f"{type(x).__name__}:{x}"

    @bentoml.api
    def union_out(self, x: Union[int, str]) -> Union[int, str]:
        return x

    @bentoml.api
    def color(self, x: Color) -> Color:
        return x

    @bentoml.api
    def literal(self, x: Literal["a", "b", 3]) -> str:
        return repr(x)

    @bentoml.api
    def moment(self, x: dt.datetime) -> dt.datetime:
        return x

    @bentoml.api
    def day(self, x: dt.date) -> dt.date:
        return x

    @bentoml.api
    def span(self, x: dt.timedelta) -> dt.timedelta:
        return x

    @bentoml.api
    def identifier(self, x: uuid.UUID) -> uuid.UUID:
        return x

    @bentoml.api
    def amount(self, x: decimal.Decimal) -> decimal.Decimal:
        return x

    @bentoml.api
    def constrained(
        self,
        prompt: Annotated[str, annotated_types.MaxLen(5)],
        temperature: Annotated[float, annotated_types.Ge(0), annotated_types.Lt(2)] = 0.5,
        tokens: Annotated[int, annotated_types.Gt(0), annotated_types.MultipleOf(100)] = 100,
    ) -> str:
        return f"{prompt}|{temperature}|{tokens}"

    # Containers and models.

    @bentoml.api
    def numbers(self, x: List[int]) -> List[int]:
        return x

    @bentoml.api
    def anything_listed(self, x: list) -> list:
        return x

    @bentoml.api
    def table(self, x: Dict[str, int]) -> Dict[str, int]:
        return x

    @bentoml.api
    def anything_named(self, x: dict) -> dict:
        return x

    @bentoml.api
    def couple(self, x: Tuple[int, str]) -> List[str]:
        return [str(each) for each in x]

    @bentoml.api
    def couple_out(self, x: int) -> Tuple[int, str]:
        return x, "b"

    @bentoml.api
    def pair(self, x: Pair) -> int:
        return x.left

    @bentoml.api
    def members(self, x: Set[int]) -> List[int]:
        return sorted(x)

    @bentoml.api
    def typed_dict(self, x: Options) -> int:
        return x["depth"]

    @bentoml.api
    def model(self, m: Sub) -> Sub:
        return Sub(a=m.a + 1, b=m.b)

    @bentoml.api
    def nested(self, m: Outer) -> Outer:
        return m

    @bentoml.api
    def models(self, x: List[Sub]) -> List[Sub]:
        return x

    @bentoml.api
    def models_named(self, x: Dict[str, Sub]) -> Dict[str, int]:
        return {name: each.a for name, each in x.items()}

    @bentoml.api
    def point(self, p: Point) -> Point:
        return Point(p.x + 1, p.y)

    @bentoml.api
    def wrong_output(self, x: str) -> int:
        return x

    @bentoml.api
    def wrong_model(self, x: int) -> Sub:
        return {"a": x}

    @bentoml.api
    def bytes_named(self, x: str) -> Dict[str, bytes]:
        return {"x": x.encode()}

    # Signatures.

    @bentoml.api
    def several(self, *args: int) -> str:
        return repr(args)

    @bentoml.api
    def keywords(self, a: int, **params: Any) -> str:
        return f"{a}|{sorted(params.items())!r}"

    @bentoml.api(input_spec=Params)
    def spec_params(self, **params: Any) -> str:
        return f"{params['prompt']}|{params['temperature']}"

    @bentoml.api(input_spec=Params, output_spec=Result)
    def spec_named(self, prompt: str, temperature: float) -> Any:
        return Result(ok=bool(prompt), items=[int(temperature)])

    @bentoml.api(route="/elsewhere/deep", name="unused")
    def moved(self, x: int = 3) -> int:
        return x

    @bentoml.api
    def in_quotes(self, x: "List[int]", m: "Optional[Sub]" = None) -> "int":
        return sum(x) + (m.a if m else 0)

    # Roots.

    @bentoml.api
    def root_text(self, x: str, /) -> str:
        return f"<{x}>"

    @bentoml.api
    def root_whole(self, x: int = 7, /) -> int:
        return x + 1

    @bentoml.api
    def root_octets(self, x: bytes, /) -> bytes:
        return x[::-1]

    @bentoml.api
    def root_words(self, x: List[str], /) -> int:
        return len(x)

    @bentoml.api
    def root_model(self, m: Sub, /) -> Sub:
        return m

    @bentoml.api
    def root_array(self, a: np.ndarray, /) -> np.ndarray:
        return a * 2

    @bentoml.api
    def root_image(self, x: Image, /) -> str:
        return f"{x.size} {x.format}"

    @bentoml.api
    def root_path(self, x: Path, /) -> int:
        return len(x.read_bytes())

    @bentoml.api
    def root_upload(self, x: Upload, /) -> str:
        return f"{x.title}|{x.file.read_text()}"

    # Arrays and frames.

    @bentoml.api
    def array(self, a: np.ndarray) -> np.ndarray:
        return a

    @bentoml.api
    def array_type(self, a: np.ndarray) -> str:
        return f"{a.dtype}{a.shape}"

    @bentoml.api
    def array_shaped(
        self, a: Annotated[np.ndarray, Shape((2, 3)), DType("float32")]
    ) -> Annotated[np.ndarray, Shape((2, 3)), DType("float32")]:
        return a

    @bentoml.api
    def array_small(self, a: Annotated[np.ndarray, DType("int8")]) -> str:
        return f"{a.dtype}{a.tolist()}"

    @bentoml.api
    def array_generic(
        self, a: np.ndarray[tuple[int], np.dtype[np.float16]]
    ) -> npt.NDArray[np.int64]:
        return a.astype(np.int64)

    @bentoml.api
    def array_optional(self, a: Optional[np.ndarray] = None) -> str:
        return "none" if a is None else str(a.tolist())

    @bentoml.api
    def arrays(self, x: List[np.ndarray]) -> List[np.ndarray]:
        return [each + 1 for each in x]

    @bentoml.api
    def arrays_named(self, x: Dict[str, np.ndarray]) -> Dict[str, np.ndarray]:
        return x

    @bentoml.api
    def tensor(self, a: torch.Tensor) -> torch.Tensor:
        return a * 2

    @bentoml.api
    def tensor_shaped(
        self,
        a: Annotated[torch.Tensor, Shape((1, 4)), DType("float32")] = Field(
            description="A 1x4 tensor"
        ),
    ) -> np.ndarray:
        return a.numpy()

    @bentoml.api
    def described(self, x: Batch) -> Scores:
        return Scores(values=x.data * 2, total=float(x.shaped.sum()))

    @bentoml.api
    def frame(self, df: pd.DataFrame) -> pd.DataFrame:
        return df

    @bentoml.api
    def frame_columns(
        self, df: Annotated[pd.DataFrame, DataframeSchema(orient="records", columns=["a", "b"])]
    ) -> Annotated[pd.DataFrame, DataframeSchema(orient="columns")]:
        return df

    @bentoml.api
    def frame_type(self, df: pd.DataFrame) -> str:
        return f"{list(df.columns)} {[str(each) for each in df.dtypes]}"

    # Files and images.

    @bentoml.api
    def image(self, image: Image, note: str = "none") -> str:
        return f"{image.size} {image.format} {note}"

    @bentoml.api
    def image_echo(self, image: Image) -> Image:
        return image

    @bentoml.api
    def image_resized(self, image: Image, width: int = 2) -> Image:
        return image.resize((width, width))

    @bentoml.api
    def image_module(self, image: PILImage.Image) -> int:
        return image.width

    @bentoml.api
    def image_optional(self, image: Optional[Image] = None) -> str:
        return "none" if image is None else str(image.size)

    @bentoml.api
    def images(self, images: List[Image]) -> List[int]:
        return [each.width for each in images]

    @bentoml.api
    def file(self, p: Path, note: str = "none") -> Dict[str, Any]:
        return {"suffix": p.suffix, "size": p.stat().st_size, "note": note}

    @bentoml.api
    def file_typed(self, p: Annotated[Path, ContentType("text/*")]) -> str:
        return p.read_text()

    @bentoml.api
    def files(self, files: List[Path]) -> List[int]:
        return [len(each.read_bytes()) for each in files]

    @bentoml.api
    def file_and_model(self, p: Path, m: Sub, n: int = 1) -> str:
        return f"{p.stat().st_size}|{m.a}|{m.b}|{n}"

    @bentoml.api
    def file_out(self, text: str, ctx: bentoml.Context) -> Path:
        path = Path(ctx.temp_dir) / "output.mp3"
        path.write_text(text)
        return path

    @bentoml.api
    def file_out_text(
        self, text: str, context: bentoml.Context
    ) -> Annotated[Path, ContentType("text/plain")]:
        path = Path(context.temp_dir, "answer.zzz")
        path.write_text(text)
        return path

    @bentoml.api
    def file_out_image(self, ctx: bentoml.Context) -> Path:
        path = Path(ctx.temp_dir, "picture.png")
        PILImage.new("RGB", (3, 2), "red").save(path)
        return path

    @bentoml.api
    def file_out_umlaut(self, ctx: bentoml.Context) -> Path:
        path = Path(ctx.temp_dir, "o é.txt")
        path.write_text("hi")
        return path

    @bentoml.api
    def page(self, name: str) -> Annotated[str, ContentType("text/html")]:
        return f"<h1>{name}</h1>"

    @bentoml.api
    def pixels(self) -> Annotated[bytes, ContentType("image/png")]:
        return b"\x89PNG not really"

    # Streams.

    @bentoml.api
    def stream_text(self, n: int = 3) -> Generator[str, None, None]:
        for i in range(n):
            yield f"s{i} "

    @bentoml.api
    async def stream_async(self, n: int = 3) -> AsyncGenerator[str, None]:
        for i in range(n):
            yield f"data: {i}\n\n"

    @bentoml.api
    async def stream_octets(self, n: int = 2) -> AsyncGenerator[bytes, None]:
        for i in range(n):
            yield bytes([i, 255])

    @bentoml.api
    def stream_whole(self, n: int = 3) -> Generator[int, None, None]:
        yield from range(n)

    @bentoml.api
    async def stream_dict(self, n: int = 2) -> AsyncGenerator[Dict[str, int], None]:
        for i in range(n):
            yield {"i": i, "j": i}

    @bentoml.api
    async def stream_array(self, n: int = 2) -> AsyncGenerator[np.ndarray, None]:
        for i in range(n):
            yield np.arange(i + 1)

    @bentoml.api
    async def stream_model(self, n: int = 2) -> AsyncGenerator[Sub, None]:
        for i in range(n):
            yield Sub(a=i)

    @bentoml.api
    async def stream_early(self) -> AsyncGenerator[str, None]:
        raise Teapot("early")
        yield ""

    @bentoml.api
    async def stream_late(self) -> AsyncGenerator[str, None]:
        yield "first"
        await asyncio.sleep(0)
        raise RuntimeError("a secret")

    @bentoml.api
    async def stream_typed(self, ctx: bentoml.Context) -> AsyncGenerator[str, None]:
        ctx.response.headers["content-type"] = "application/x-lines"
        ctx.response.headers["x-total"] = "2"
        yield "a\n"
        yield "b\n"

    # Context.

    @bentoml.api
    def asked(self, ctx: bentoml.Context) -> Dict[str, Any]:
        request = ctx.request
        return {
            "header": request.headers.get("x-in"),
            "metadata": request.metadata.get("X-In"),
            "query": request.query_params.get("a"),
            "cookie": request.cookies.get("flavour"),
            "path": request.url.path,
            "verb": request.method,
        }

    @bentoml.api
    def answered(self, status: int, context: bentoml.Context) -> Dict[str, int]:
        response = context.response
        response.status_code = status
        response.headers["X-Custom"] = "v"
        response.metadata["X-Other"] = "w"
        response.set_cookie("k", "v", max_age=10)
        return {"status": status}

    @bentoml.api
    def cookies(self, ctx: bentoml.Context) -> str:
        ctx.response.set_cookie("a", "1", httponly=True, secure=True, samesite="strict")
        ctx.response.set_cookie("b", "2", path="/deep", domain="shop.example")
        return "set"

    @bentoml.api
    def many_headers(self, ctx: bentoml.Context) -> str:
        ctx.response.headers.append("x-multi", "1")
        ctx.response.headers.append("x-multi", "2")
        return "set"

    @bentoml.api
    def context_unannotated(self, ctx, x: int = 1) -> int:
        ctx.response.status_code = 201
        return x

    @bentoml.api
    def counted(self, ctx: bentoml.Context) -> int:
        ctx.state["seen"] = ctx.state.get("seen", 0) + 1
        return ctx.state["seen"] > 0

    @bentoml.api
    async def background(self, ctx: bentoml.Context) -> str:
        ctx.response.background.add_task(self.events.append, "in the background")
        return "later"

    @bentoml.api
    def response(self, x: int) -> Any:
        return starlette.responses.JSONResponse({"x": x}, status_code=203, headers={"x-own": "1"})

    @bentoml.api
    def response_overwritten(self, x: int, ctx: bentoml.Context) -> Any:
        return starlette.responses.PlainTextResponse(str(x), status_code=203)

    @bentoml.api
    def headers_then_error(self, ctx: bentoml.Context) -> str:
        ctx.response.headers["x-dropped"] = "1"
        raise BadInput("after headers")

    # Errors.

    @bentoml.api
    def fail(self, how: str) -> str:
        match how:
            case "invalid":
                raise InvalidArgument("bad arg")
            case "bad":
                raise BadInput("bad input")
            case "missing":
                raise NotFound("no such thing")
            case "unprocessable":
                raise UnprocessableEntity("cannot process")
            case "teapot":
                raise Teapot("short and stout")
            case "conflict":
                raise Conflict("conflict")
            case "unauthorized":
                raise Unauthorized("who are you")
            case "forbidden":
                raise Forbidden("not you")
            case "unavailable":
                raise ServiceUnavailable("too busy")
            case "internal":
                raise InternalServerError("inside")
            case "gateway":
                raise Unlucky("elsewhere")
            case "base":
                raise BentoMLException("base")
            case "coded":
                raise BentoMLException("gone", error_code=http.HTTPStatus.GONE)
            case "state":
                raise StateException("state")
            case "value":
                raise ValueError("a secret")
            case "key":
                raise KeyError("a secret")
            case "validation":
                Sub(a="not a number")
            case "http":
                raise starlette.exceptions.HTTPException(418, "tea")
            case "numbered":
                raise Numbered("by its number")
            case "empty":
                raise BadInput
            case "two":
                raise BadInput("one", "two")
            case "dict":
                raise BadInput({"field": "x"})
            case "lines":
                raise NotFound("one\ntwo\té")
            case "timeout":
                raise TimeoutError("a secret")
            case "decode":
                json.loads("{")
            case "group":
                raise ExceptionGroup("several", [BadInput("a")])
            case "chained":
                raise BadInput("from a key") from KeyError("a")
            case "remote":
                raise RemoteException("from afar")
            case "sync_in_async":
                raise RuntimeError("x")
            case "exit":
                raise RuntimeError("StopIteration lookalike")
        return "fine"

    @bentoml.api
    async def fail_async(self, how: str) -> str:
        return self.fail_now(how)

    def fail_now(self, how: str) -> str:
        raise Teapot(how)

    @bentoml.api
    def slow(self, seconds: float) -> str:
        time.sleep(seconds)
        return "done"

    @bentoml.api
    async def slow_async(self, seconds: float) -> str:
        await asyncio.sleep(seconds)
        return "done"

    @bentoml.api
    def scratch(self, ctx: bentoml.Context) -> str:
        Path(ctx.temp_dir, "note.txt").write_text("kept")
        return ctx.temp_dir

    @bentoml.api
    def is_there(self, path: str) -> bool:
        return Path(path).exists()

    @bentoml.api
    def typed_reply(self, kind: str, ctx: bentoml.Context) -> str:
        ctx.response.headers["content-type"] = kind
        ctx.response.headers["cache-control"] = "no-store"
        return "é"

    @bentoml.api
    def typed_array(self, ctx: bentoml.Context) -> List[int]:
        ctx.response.headers["content-type"] = "application/vnd.list+json"
        return [1, 2]

    @bentoml.api
    def quiet(self, status: int, ctx: bentoml.Context) -> None:
        ctx.response.status_code = status

    @bentoml.api
    async def stream_created(self, ctx: bentoml.Context) -> AsyncGenerator[str, None]:
        ctx.response.status_code = 201
        ctx.response.set_cookie("k", "v")
        yield "a"

    @bentoml.api
    def redirected(self) -> Any:
        return starlette.responses.RedirectResponse("/elsewhere", headers={"x-own": "1"})

    @bentoml.api
    def response_stream(self) -> Any:
        async def items() -> AsyncGenerator[str, None]:
            yield "a"
            yield "b"

        return starlette.responses.StreamingResponse(items(), media_type="text/csv")

    @bentoml.api
    def response_file(self, ctx: bentoml.Context) -> Any:
        path = Path(ctx.temp_dir, "data.csv")
        path.write_text("a,b")
        return starlette.responses.FileResponse(path, filename="d.csv", headers={"x-own": "1"})

    @bentoml.api
    def response_cookies(self) -> Any:
        made = starlette.responses.HTMLResponse("<p>", status_code=202)
        made.set_cookie("a", "1")
        made.set_cookie("b", "2")
        return made

    @bentoml.api
    def response_empty(self) -> Any:
        return starlette.responses.Response(status_code=204)

    @bentoml.api
    def no_text(self) -> str:
        return None

    @bentoml.api
    def missing_text(self) -> Optional[str]:
        return None

    @bentoml.api
    def missing_file(self) -> Path:
        return Path("/no/such/file.txt")

    @bentoml.api
    def optional_model(self, m: Optional[Sub] = None, ms: List[Optional[Sub]] = []) -> str:
        return f"{m!r} {ms!r}"

    @bentoml.api
    def either_model(self, m: Union[Sub, Params]) -> str:
        return type(m).__name__

    @bentoml.api
    def chosen(self, x: Dict[Literal["a", "b"], List[Literal[1, 2]]]) -> str:
        return repr(x)

    @bentoml.api
    def guarded(self, x: Guarded) -> int:
        return x.size

    @bentoml.api
    def secret(self, x: SecretStr, link: Optional[HttpUrl] = None) -> str:
        return f"{x} {link}"

    @bentoml.api
    async def meet(self) -> bool:
        """Two calls that wait for each other."""
        async with asyncio.timeout(6):
            await self.meeting.wait()
        return True

    @bentoml.api
    def meet_sync(self) -> bool:
        self.sync_meeting.wait(6)
        return True

    @bentoml.api
    async def endless(self) -> AsyncGenerator[str, None]:
        try:
            while True:
                yield "again "
                await asyncio.sleep(0.01)
        finally:
            self.events.append("endless closed")

    @bentoml.api
    def endless_sync(self) -> Generator[str, None, None]:
        try:
            while True:
                yield "again "
                time.sleep(0.01)
        finally:
            self.events.append("endless_sync closed")

    # Metrics.

    @bentoml.api
    def sell(self, kind: str, price: float) -> None:
        """Is counted here and in another process."""
        SOLD.labels(kind).inc()
        PRICES.labels(kind).observe(price)
        STOCK.set(3)
        GUESTS.set(1)
        SIZES.observe(price)
        self.adder.sell(kind, price)

    # Dependencies.

    @bentoml.api
    def added(self, x: int) -> int:
        return self.adder.add(x=x, y=10)

    @bentoml.api
    async def added_async(self, x: int) -> int:
        return await self.adder.to_async.add(x=x)

    @bentoml.api
    def scaled(self, a: np.ndarray) -> np.ndarray:
        return self.adder.scale(a, by=3.0)

    @bentoml.api
    async def shouted(self, text: str) -> str:
        return await self.words.shout(text=text)

    @bentoml.api
    def shouted_sync(self, text: str) -> str:
        return self.words.to_sync.shout(text=text)

    @bentoml.api
    async def measured(self, text: str) -> int:
        return await self.words.length(text)

    @bentoml.api
    async def both(self, text: str) -> Dict[str, Any]:
        loud, size = await asyncio.gather(
            self.words.to_async.shout(text=text), self.adder.to_async.add(x=len(text), y=0)
        )
        return {"loud": loud, "size": size}

    @bentoml.api
    async def spelled(self, text: str) -> AsyncGenerator[str, None]:
        async for letter in self.words.letters(text=text):
            yield letter + "."

    @bentoml.api
    def totalled(self, n: int) -> int:
        return sum(self.adder.count(n=n))

    @bentoml.api
    def refused(self, how: str) -> str:
        return self.adder.refuse(how=how)

    @bentoml.api
    async def refused_async(self, how: str) -> str:
        return await self.adder.to_async.refuse(how=how)

    # Batches.

    @bentoml.api(batchable=True, max_batch_size=8)
    def batched(self, x: List[str]) -> List[str]:
        return [each.upper() for each in x]


@bentoml.service(
    name="Prefixed",
    path_prefix="/v1",
    traffic={"timeout": 10, "max_concurrency": 1},
    metrics={"namespace": "shelf"},
    envs=[{"name": "SHELF", "value": "top"}],
    http={"response": {"trace_id": True}},
)
class Prefixed:
    def __init__(self) -> None:
        self.ready = False
        self.alive = True

    def __is_ready__(self) -> bool:
        return self.ready

    async def __is_alive__(self) -> bool:
        return self.alive

    def __metrics__(self, text: str) -> str:
        return text.replace("shelf_request_total", "shelf_asked_total") + "# the end\n"

    @bentoml.api
    async def set_ready(self, ready: bool) -> bool:
        self.ready = ready
        return ready

    @bentoml.api
    async def set_alive(self, alive: bool) -> bool:
        self.alive = alive
        return alive

    @bentoml.api
    def env(self) -> str:
        import os

        return os.environ.get("SHELF", "")

    @bentoml.api(route="/")
    def at_the_root(self) -> str:
        return "root"

    @bentoml.api(route="/docs.json")
    def at_a_page(self) -> str:
        return "page"

    @bentoml.api
    async def hold(self, seconds: float) -> str:
        await asyncio.sleep(seconds)
        return "held"
