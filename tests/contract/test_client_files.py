"""Files between our clients and a real mesh, with other things beside them."""

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image as PILImage
from PIL.Image import Image
from pydantic import BaseModel

import mesh
from mesh.client import AsyncClient, Client
from mesh.errors import InvalidArgument, NotFound
from mesh.testing import LocalMesh

MIB = 1024 * 1024


class Page(BaseModel):
    scan: Path
    note: str = ""


@mesh.service(traffic={"timeout": 60, "max_request_bytes": "1Gi"})
class Files:
    """Takes files, and gives some."""

    @mesh.api
    def beside(self, x: Path, rows: np.ndarray, table: pd.DataFrame, note: str) -> list[str]:
        return [x.read_text(), str(rows.dtype), *map(str, table.dtypes), note]

    @mesh.api
    def several(self, x: Path, rows: list[np.ndarray]) -> list[str]:
        return [str(each.dtype) for each in rows]

    @mesh.api
    def inside(self, page: Page) -> str:
        return f"{page.scan.read_text()}|{page.scan.suffix}|{page.note}"

    @mesh.api
    def pages(self, x: list[Path]) -> list[str]:
        return [each.read_text() for each in x]

    @mesh.api
    def size(self, x: Path) -> int:
        return x.stat().st_size

    @mesh.api
    def size_of_root(self, x: Path, /) -> int:
        return x.stat().st_size

    @mesh.api
    def turned(self, x: Image) -> Image:
        return x.rotate(90, expand=True)

    @mesh.api
    def zeros(self, n: int, ctx: mesh.Context) -> Path:
        path = Path(ctx.temp_dir) / "zeros.bin"
        with path.open("wb") as file:
            file.truncate(n)
        return path

    @mesh.api
    def fails(self, kind: str) -> int:
        if kind == "missing":
            raise NotFound("no such thing")
        raise mesh.MeshError("short and stout", code=mesh.Code.UNKNOWN, http_status=418)

    @mesh.api
    async def count(self, n: int) -> AsyncIterator[int]:
        for number in range(n):
            yield number

    @mesh.api
    async def total(self, items: AsyncIterator[int], start: int = 0) -> int:
        return sum([item async for item in items], start)

    @mesh.api
    async def noted(self, items: AsyncIterator[int], page: Path) -> str:
        text = await asyncio.to_thread(page.read_text)
        return f"{text} {sum([item async for item in items])}"


@pytest.fixture(scope="module")
def urls(served: LocalMesh) -> Iterator[dict[str, str]]:
    served.deploy(Files, name="files")
    yield {
        "http": f"{served.url}/e/files",
        "grpc": f"grpc://{served.target}/e/files",
    }
    served.running.control.delete("files")


class _Blocking:
    """An AsyncClient as if it were a Client."""

    def __init__(self, url: str) -> None:
        self._url = url

    def __getattr__(self, name: str) -> Any:
        async def run(args: Any, kwargs: Any) -> Any:
            async with AsyncClient(self._url, timeout=60) as client:
                if name == "count":
                    return [item async for item in client.count(*args, **kwargs)]
                result = await client.call(name, *args, **kwargs)
                return result.stat().st_size if isinstance(result, Path) else result

        return lambda *args, **kwargs: asyncio.run(run(args, kwargs))


@pytest.fixture(params=["http", "grpc", "http async", "grpc async"])
def client(request: pytest.FixtureRequest, urls: dict[str, str]) -> Iterator[Any]:
    url = urls[request.param.partition(" ")[0]]
    if "async" in request.param:
        yield _Blocking(url)
        return
    with Client(url, timeout=60) as made:
        yield made


@pytest.fixture
def note(tmp_path: Path) -> Path:
    path = tmp_path / "note.txt"
    path.write_text("hi")
    return path


def test_arrays_and_frames_beside_a_file_keep_their_types(client: Any, note: Path) -> None:
    table = pd.DataFrame({"a": np.array([1, 2], np.int16), "b": np.array([0.5, 1], np.float32)})
    got = client.beside(x=note, rows=np.ones((2, 3), np.float16), table=table, note='"n"')
    assert got == ["hi", "float16", "int16", "float32", '"n"']


def test_a_large_array_and_a_long_text_go_beside_a_file(client: Any, note: Path) -> None:
    rows, text = np.ones(3 * MIB, np.int8), "ü" * 400_000
    table = pd.DataFrame({"a": [1]})
    assert client.beside(note, rows, table, text)[1::2] == ["int8", text]


def test_each_array_of_a_list_keeps_its_type(client: Any, note: Path) -> None:
    rows = [np.ones(2, np.uint8), np.ones(2, np.float64)]
    assert client.several(note, rows) == ["uint8", "float64"]
    assert client.several(note, rows[:1]) == ["uint8"]
    assert client.several(note, []) == []


def test_files_inside_of_models_are_files(client: Any, note: Path) -> None:
    assert client.inside({"scan": note, "note": "n"}) == "hi|.txt|n"
    assert client.inside({"scan": str(note)}) == "hi|.txt|"
    assert client.inside({"scan": io.BytesIO(b"from memory")}) == "from memory||"


def test_files_are_given_in_many_ways(client: Any, note: Path) -> None:
    with note.open("rb") as opened:
        ways = [note, str(note), opened, b"bytes", mesh.File(b"data", "text/plain", "a.txt")]
        assert client.pages(ways) == ["hi", "hi", "hi", "bytes", "data"]
    assert client.pages([]) == []


def test_an_image_that_was_never_a_file_is_sent(client: Any) -> None:
    turned = client.turned(PILImage.new("RGB", (3, 2), "red"))
    assert turned.size == (2, 3)


def test_an_opened_file_is_sent_from_where_it_stands(client: Any, note: Path) -> None:
    with note.open("rb") as opened:
        opened.read(1)
        assert client.size(opened) == 1
    with note.open("rb") as opened:
        assert client.size_of_root(opened) == 2


@pytest.mark.parametrize("method", ["size", "size_of_root"])
def test_large_files_go_there(client: Any, method: str, tmp_path: Path) -> None:
    page = tmp_path / "large.bin"
    with page.open("wb") as file:
        file.truncate(64 * MIB)
    assert getattr(client, method)(page) == 64 * MIB


def test_large_files_come_back(client: Any) -> None:
    got = client.zeros(64 * MIB)
    assert (got if isinstance(got, int) else got.stat().st_size) == 64 * MIB


def test_failures_have_their_classes(client: Any) -> None:
    with pytest.raises(NotFound, match="no such thing"):
        client.fails("missing")
    with pytest.raises(InvalidArgument):
        client.zeros("many")
    with pytest.raises(mesh.MeshError, match="short and stout") as caught:
        client.fails("teapot")
    assert caught.value.code is mesh.Code.UNKNOWN


def test_streams_go_both_ways(urls: dict[str, str]) -> None:
    with Client(urls["grpc"]) as client:
        assert list(client.count(3)) == [0, 1, 2]
        assert client.total([1, 2], start=3) == 6
    assert _Blocking(urls["grpc"]).total([1, 2]) == 3
    assert _Blocking(urls["http"]).count(2) == [0, 1]


def test_a_file_that_the_caller_opened_goes_with_a_stream(urls: dict[str, str]) -> None:
    with Client(urls["grpc"], timeout=60) as client:
        assert client.noted([1, 2], io.BytesIO(b"all")) == "all 3"
    assert _Blocking(urls["grpc"]).noted([1, 2], io.BytesIO(b"all")) == "all 3"
