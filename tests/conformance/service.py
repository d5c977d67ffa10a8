"""A service whose methods see to it that clients of every language send what the table says.

A method that is sent other values refuses them, and gives back those that it knows.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from PIL.Image import Image

import mesh
from mesh import ContentType, Context, DType, Shape
from tests.conformance import values as known
from tests.conformance.values import (
    Bounded,
    Circle,
    Colour,
    Lists,
    Maps,
    Optionals,
    Records,
    Rectangle,
    Scalars,
    Texts,
    Times,
    Tree,
)


def require(fits: bool, value: Any) -> None:
    """Refuses a value that the table does not have."""
    if not fits:
        raise mesh.FailedPrecondition(f"not in the table: {value!r}")


def same_array(array: np.ndarray, expected: np.ndarray) -> bool:
    """Whether shape, type and elements are the same."""
    is_alike = array.dtype.kind == expected.dtype.kind and (
        array.dtype.kind == "U" or array.dtype == expected.dtype
    )
    return is_alike and array.shape == expected.shape and bool(np.all(array == expected))


@mesh.service(traffic={"timeout": 30, "max_request_bytes": "16Mi"}, threads=4)
class Conformance:
    """Every type in and out, and every kind of call."""

    def __init__(self) -> None:
        self.released: dict[str, asyncio.Event] = {}

    @mesh.api
    def scalars(self, value: Scalars) -> Scalars:
        """Sends back what it is sent."""
        require(value in (known.SCALARS, known.ZEROS), value)
        return value

    @mesh.api
    def lists(self, value: Lists) -> Lists:
        require(value in (known.LISTS, known.EMPTY_LISTS), value)
        return value

    @mesh.api
    def maps(self, value: Maps) -> Maps:
        require(value == known.MAPS, value)
        return value

    @mesh.api
    def optionals(self, value: Optionals) -> Optionals:
        """Sends back what it is sent, with defaults for what is not."""
        require(value in (known.ABSENT, known.GIVEN), value)
        return value

    @mesh.api
    def either(self, value: int | str) -> int | str:
        require(value in (7, "seven"), value)
        return value

    @mesh.api
    def form(self, value: Circle | Rectangle) -> Circle | Rectangle:
        """Sends back the other one."""
        require(value in (known.CIRCLE, known.RECTANGLE), value)
        return known.RECTANGLE if value == known.CIRCLE else known.CIRCLE

    @mesh.api
    def forms(self, values: list[Circle | Rectangle]) -> list[Circle | Rectangle]:
        """Sends back what it is sent, the last first."""
        require(values == [known.CIRCLE, known.RECTANGLE], values)
        return values[::-1]

    @mesh.api
    def colour(self, value: Colour) -> Colour:
        require(value is Colour.DARK_BLUE, value)
        return value

    @mesh.api
    def times(self, value: Times) -> Times:
        require(value == known.TIMES, value)
        return value

    @mesh.api
    def texts(self, value: Texts) -> Texts:
        require(value == known.TEXTS and str(value.amount) == str(known.TEXTS.amount), value)
        return value

    @mesh.api
    def records(self, value: Records) -> Records:
        require(value == known.RECORDS, value)
        return value

    @mesh.api
    def tree(self, value: Tree) -> Tree:
        require(value == known.TREE, value)
        return value

    @mesh.api
    def anything(self, value: Any) -> Any:
        require(value in (known.ANYTHING, None), value)
        return value

    @mesh.api
    def nothing(self) -> None:
        """Takes nothing and gives nothing."""

    @mesh.api
    def tensor(self, name: str, value: np.ndarray) -> np.ndarray:
        """Sends back the array; `name` says which one of the table it is."""
        require(same_array(value, known.TENSORS[name]), value)
        return value

    @mesh.api
    def double(
        self, value: Annotated[np.ndarray, Shape((-1, 2)), DType("float32")]
    ) -> Annotated[np.ndarray, Shape((-1, 2)), DType("float32")]:
        """Two times each element."""
        return value * 2

    @mesh.api
    def frame(self, value: pd.DataFrame) -> pd.DataFrame:
        pd.testing.assert_frame_equal(value, known.FRAME, check_dtype=False)
        return value

    @mesh.api
    def series(self, value: pd.Series) -> pd.Series:
        pd.testing.assert_series_equal(value, known.SERIES)
        return value

    @mesh.api
    def file(self, value: Annotated[Path, ContentType("text/csv")], context: Context) -> Path:
        """A text file with the file's text in upper case, called after it."""
        require(value.read_bytes() == b"a,b\n1,2\n", value)
        made = Path(context.temp_dir) / f"{value.stem}.txt"
        made.write_text(value.read_text().upper())
        return made

    @mesh.api
    def flipped(self, image: Image) -> Image:
        """The image with its left side on the right, as PNG."""
        require(image.size == (2, 1), image)
        left, right = image.getpixel((0, 0)), image.getpixel((1, 0))
        image.putpixel((0, 0), right)
        image.putpixel((1, 0), left)
        return image

    @mesh.api
    async def count(self, upto: int) -> AsyncIterator[int]:
        """The numbers from 1 on, and NOT_FOUND behind 3."""
        for number in range(1, upto + 1):
            if number > 3:
                raise mesh.NotFound("there is no 4")
            yield number

    @mesh.api
    async def total(self, numbers: AsyncIterator[int], start: int = 100) -> int:
        """The sum of all numbers and `start`."""
        return start + sum([each async for each in numbers])

    @mesh.api
    async def shout(self, words: AsyncIterator[str], mark: str) -> AsyncIterator[str]:
        """Each word with the mark behind it, as soon as it is there."""
        async for word in words:
            yield word.upper() + mark

    @mesh.api
    def bounded(self, value: Bounded) -> None:
        """Refuses values beyond limits."""

    @mesh.api
    def fail(self, how: str) -> None:
        """Fails in the way that is asked for."""
        if how == "not found":
            raise mesh.NotFound("there is no such thing: ñ")
        if how == "overloaded":
            raise mesh.Overloaded("come back later", retry_after=1.5)
        raise ValueError("a secret")

    @mesh.api
    async def hold(self, key: str) -> AsyncIterator[str]:
        """Says that it has begun and never ends."""
        event = self.released.setdefault(key, asyncio.Event())
        try:
            yield "begun"
            await asyncio.Event().wait()
        finally:
            event.set()

    @mesh.api
    async def was_released(self, key: str) -> bool:
        """True once `hold` of this key was cancelled; until then it waits."""
        await self.released.setdefault(key, asyncio.Event()).wait()
        return True

    @mesh.api
    async def slow(self, key: str) -> None:
        """Takes longer than anybody waits, and holds the key as `hold` does."""
        event = self.released.setdefault(key, asyncio.Event())
        try:
            await asyncio.Event().wait()
        finally:
            event.set()

    @mesh.api
    def metadata(self, context: Context) -> str:
        """The values of x-asked, one behind the other; also before the reply and behind it.

        Bytes of x-asked-bin go back the other way round.
        """
        asked = "+".join(context.request.headers.getlist("x-asked"))
        turned = b"".join(context.request.headers.getbytes("x-asked-bin"))[::-1]
        context.response.headers["x-answered"] = asked
        context.response.headers["x-answered-bin"] = turned
        context.response.trailers["x-behind"] = asked
        context.response.trailers["x-behind-bin"] = turned
        return asked

    @mesh.api
    def large(self, data: bytes) -> bytes:
        """8 MB, sent back."""
        pattern = bytes(range(251))
        expected = (pattern * (known.LARGE // 251 + 1))[: known.LARGE]
        require(data == expected, len(data))
        return data

    @mesh.api
    def long_text(self, text: str) -> str:
        """60 kB of text, which is worth compressing, sent back."""
        require(text == known.LONG_TEXT, len(text))
        return text
