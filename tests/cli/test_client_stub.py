"""`mesh client-stub`: what it writes type-checks, and so does code that uses it."""

from collections.abc import AsyncIterator, Iterator
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
import pytest
from mypy import api
from PIL.Image import Image
from pydantic import BaseModel, Field
from typer.testing import CliRunner

import mesh
from mesh.cli.main import app
from tests.client.scripted import ok, scripted


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Item(BaseModel):
    name: str
    page: Path | None = None
    more: list["Item"] = []


class Odd(BaseModel):
    dashed: int = Field(alias="has-dash")
    str: int = 0  # hides a type where a class says it


@mesh.service
class Everything:
    r"""A shop with a "quoted" word, and a \ backslash."""

    @mesh.api
    def plain(self, a: int, b: str = "x", c: float | None = None) -> bool:
        """Says \"""yes\""" in

        two paragraphs."""
        return True

    @mesh.api
    def late(self, a: int = 1, *, b: int) -> int:
        return b

    @mesh.api
    def paint(self, colour: Colour, kind: Literal["a", 1] = "a") -> Colour:
        return colour

    @mesh.api
    def keep(self, item: Item) -> Item:
        return item

    @mesh.api
    def odd(self, item: Odd, items: list[int]) -> dict[str, int]:
        return {}

    @mesh.api
    def array(self, x: np.ndarray) -> Annotated[np.ndarray, mesh.DType("float32")]:
        return x

    @mesh.api
    def frame(self, x: pd.DataFrame) -> pd.DataFrame:
        return x

    @mesh.api
    def image(self, x: Image, scans: list[Path]) -> Path:
        return Path()

    @mesh.api
    def either(self) -> int | str:
        return 1

    @mesh.api
    def union(self, v: int | str, w: list[int] | None, item: Item | int = 1) -> int:
        return 1

    @mesh.api
    def count(self, n: int) -> Iterator[int]:
        yield n

    @mesh.api
    async def total(self, items: AsyncIterator[int]) -> int:
        return 0

    @mesh.api
    def list(self, n: int) -> list[str]:
        return []

    @mesh.api
    def call(self) -> int:
        return 1


TARGET = f"{__name__}:Everything"
USE = """
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

import numpy as np

from mesh import AsyncClient, Client

if TYPE_CHECKING:
    from shop import AsyncEverythingClient, EverythingClient, Item


def use(file: IO[bytes]) -> None:
    with cast("EverythingClient", Client("http://localhost:3000")) as client:
        truth: bool = client.plain(1, c=None)
        number: int = client.late(b=3)
        client.paint("red", kind=1)
        item: Item = client.keep({"name": "n", "page": file, "more": [{"name": "m"}]})
        page: Path | None = item["more"][0]["page"]
        client.odd({"has-dash": 1}, [1, 2])
        array: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = client.array([[1, 2]])
        path: Path = client.options(timeout=3).image("a.png", [Path("b"), file])
        either: int | str = client.either()
        client.union("text", None)
        client.union(1, [2], {"name": "n", "page": None})
        numbers: list[int] = list(client.count(3))
        total: int = client.total([1, 2])
        names: list[str] = client.list(1)
        client.call("call")
        print(truth, number, page, array, path, either, numbers, total, names)


async def use_async() -> None:
    async with cast("AsyncEverythingClient", AsyncClient("grpc://localhost:3000")) as client:
        truth: bool = await client.plain(1, "x")
        numbers: list[int] = [number async for number in client.count(3)]
        total: int = await client.total([1, 2])
        print(truth, numbers, total)
"""
MISUSE = """
from typing import TYPE_CHECKING, cast

from mesh import Client

if TYPE_CHECKING:
    from shop import EverythingClient

client = cast("EverythingClient", Client("http://localhost:3000"))
client.plain("text")
client.paint("green")
client.keep({"nme": "n"})
client.union([1], None)
client.buy()
"""


def run(*args: str) -> Any:
    return CliRunner().invoke(app, ["client-stub", *args])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    result = run(TARGET, "--out", str(folder / "shop.pyi"))
    assert result.exit_code == 0, result.output
    return folder


def checked(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(folder)
    (folder / "use.py").write_text(text)
    found, errors, _ = api.run(
        ["--strict", "--cache-dir", str(folder / "cache"), "use.py", "shop.pyi"]
    )
    assert not errors
    return found


def test_code_that_uses_it_is_free_of_errors(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert checked(folder, USE, monkeypatch).startswith("Success")


def test_mistakes_are_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = checked(folder, MISUSE, monkeypatch)
    for line in (10, 11, 12, 13):
        assert f"use.py:{line}: error" in found


def test_it_says_the_same_every_time(folder: Path) -> None:
    assert run(TARGET).output == (folder / "shop.pyi").read_text()


def test_what_a_client_has_itself_is_not_hidden(folder: Path) -> None:
    assert "# call is reached by `call`." in (folder / "shop.pyi").read_text()


def test_the_words_of_the_service_are_kept(folder: Path) -> None:
    text = (folder / "shop.pyi").read_text()
    assert '"""A shop with a "quoted" word' in text
    assert "two paragraphs." in text
    assert 'cast("EverythingClient", Client(url))' in text


def test_a_deployed_service_is_asked() -> None:
    with scripted(ok(1)) as server:
        result = run(server.url)
    assert "class ShopClient:" in result.output
    assert "def buy(self, n: int = 1) -> int: ..." in result.output


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    result = run(TARGET, "--out", str(tmp_path / "none" / "shop.pyi"))
    assert result.exit_code != 0
    assert isinstance(result.exception, mesh.MeshError | SystemExit)
