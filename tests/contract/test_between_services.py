"""What one service gives another arrives as it was."""

import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image as PILImage
from PIL.Image import Image

import mesh
from mesh import Context
from mesh.client import Client
from mesh.cluster.start import Session
from mesh.errors import NotFound
from mesh.serving.run import Place, RunningMesh
from mesh.testing import LocalMesh


def is_gone(path: Path) -> bool:
    """Whether the path's folder goes: it is removed after the reply is sent."""
    until = time.monotonic() + 50
    while path.parent.exists() and time.monotonic() < until:
        time.sleep(0.01)
    return not path.parent.exists()


@mesh.service
class Callee:
    """Gives back what it takes."""

    @mesh.api
    def file(self, x: Path, context: Context) -> list[str]:
        context.state["last"] = x
        inside = x.parent == Path(context.temp_dir)
        return [str(x), x.read_text(), "inside" if inside else str(x.parent)]

    @mesh.api
    def is_gone(self, context: Context) -> bool:
        return is_gone(context.state["last"])

    @mesh.api
    def same(self, x: Path) -> Path:
        return x

    @mesh.api
    def frame(self, x: pd.DataFrame) -> pd.DataFrame:
        return x

    @mesh.api
    def image(self, x: Image) -> Image:
        return x.rotate(90, expand=True)

    @mesh.api
    def images(self, x: list[Image]) -> list[Image]:
        return x

    @mesh.api
    def tensor(self, x: torch.Tensor) -> torch.Tensor:
        return x * 2

    @mesh.api
    def anything(self, x: Any) -> Any:
        return x

    @mesh.api
    def arrays(self, x: Path) -> Iterator[np.ndarray]:
        for number in range(2):
            yield np.full(2, x.stat().st_size + number, np.float16)


@mesh.service
class Caller:
    """Says of each type how it arrived, there and back."""

    callee = mesh.depends(Callee)

    @mesh.api
    def file(self, x: Path) -> list[Any]:
        path, text, where = self.callee.to_sync.file(x)
        gone = self.callee.to_sync.is_gone()
        return [path == str(x), text, where, gone, x.exists()]

    @mesh.api
    def same(self, x: Path, context: Context) -> Path:
        path: Path = self.callee.to_sync.same(x)
        assert path != x
        assert path.parent == Path(context.temp_dir)
        context.state["last"] = path
        return path

    @mesh.api
    def is_gone(self, context: Context) -> bool:
        return is_gone(context.state["last"])

    @mesh.api
    async def frame(self) -> bool:
        frame = pd.DataFrame(
            {
                "small": np.array([1, 2], np.int8),
                "text": ["a", None],
                "day": pd.to_datetime(["2020-01-01", None]),
                "kind": pd.Categorical(["u", "v"]),
                "maybe": pd.array([1, None], dtype="Int64"),
            }
        )
        pd.testing.assert_frame_equal(await self.callee.to_async.frame(frame), frame)
        return True

    @mesh.api
    def images(self) -> list[Any]:
        turned = self.callee.to_sync.image(PILImage.new("RGBA", (3, 2), (1, 2, 3, 4)))
        grey = self.callee.to_sync.images([PILImage.new("L", (3, 2)), PILImage.new("1", (1, 1))])
        return [turned.size, turned.getpixel((0, 0)), *[each.mode for each in grey]]

    @mesh.api
    async def tensor(self) -> list[Any]:
        made = await self.callee.to_async.tensor(torch.ones(2, 2, dtype=torch.bfloat16))
        return [type(made).__name__, str(made.dtype), made.tolist()]

    @mesh.api
    async def scores(self) -> list[str]:
        ranked = {f"label {number}": -number for number in range(40, 0, -1)}
        return list(await self.callee.to_async.anything(ranked))

    @mesh.api
    async def counts(self, until: int) -> AsyncIterator[int]:
        for number in range(until):
            yield number
        raise mesh.NotFound("no more")

    @mesh.api
    async def arrays(self, x: Path) -> list[Any]:
        found = [array async for array in self.callee.to_async.arrays(x)]
        return [[str(array.dtype), array.tolist()] for array in found]


@pytest.fixture(scope="module")
def served(ray_session: Session) -> Iterator[LocalMesh]:
    with RunningMesh(Place(control_port=None), session=ray_session) as running:
        mesh = LocalMesh(running)
        mesh.deploy(Caller, name="caller")
        yield mesh
        running.control.delete("caller")
        mesh.close()


@pytest.fixture(scope="module")
def client(served: LocalMesh) -> Iterator[Client]:
    with Client(served.url) as made:
        yield made


@pytest.fixture
def note(tmp_path: Path) -> Path:
    path = tmp_path / "note.txt"
    path.write_text("text")
    return path


def test_a_file_is_in_the_folder_of_the_one_called_and_removed_after(
    client: Client, note: Path
) -> None:
    assert client.file(x=note) == [False, "text", "inside", True, True]


def test_a_file_that_comes_back_is_in_the_folder_of_the_caller_under_its_own_name(
    client: Client, served: LocalMesh, note: Path
) -> None:
    assert client.same(x=note).read_text() == "text"
    reply = served.http.post("/same", files={"x": ("note.txt", note.read_bytes())})
    assert reply.headers["content-disposition"] == 'attachment; filename="note.txt"'
    assert client.is_gone() is True


def test_a_frame_keeps_its_types(client: Client) -> None:
    assert client.frame() is True


def test_images_keep_size_mode_and_transparency(client: Client) -> None:
    assert client.images() == [[2, 3], [1, 2, 3, 4], "L", "1"]


def test_a_tensor_keeps_its_type(client: Client) -> None:
    assert client.tensor() == ["Tensor", "torch.bfloat16", [[2, 2], [2, 2]]]


def test_a_dictionary_keeps_its_order(client: Client) -> None:
    assert client.scores() == [f"label {number}" for number in range(40, 0, -1)]


def test_streamed_arrays_keep_their_type(client: Client, note: Path) -> None:
    assert client.arrays(x=note) == [["float16", [4, 4]], ["float16", [5, 5]]]


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_an_error_midway_keeps_its_kind_behind_the_items(served: LocalMesh, scheme: str) -> None:
    with Client(f"{scheme}://{served.target}") as client:
        items = client.counts(until=2)
        assert [next(items), next(items)] == [0, 1]
        with pytest.raises(NotFound, match="no more"):
            next(items)
