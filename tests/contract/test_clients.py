"""Every row of the table with every client, on one real mesh."""

import asyncio
import gc
import shutil
import tempfile
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import bentoml
import bentoml.exceptions
import httpx
import pytest

from mesh.client import AsyncClient, Client
from mesh.errors import InvalidArgument, MeshError
from mesh.testing import LocalMesh
from tests.contract.rows import BENTOML, FAILURES, OURS, ROWS, STREAMS, Row, assert_same

Call = Callable[..., Any]
CLIENTS = ("bentoml", "bentoml async", "http", "http async", "grpc", "grpc async")


@pytest.fixture(scope="module")
def calls(served: LocalMesh) -> Iterator[dict[str, Call]]:
    """A way to make a call and get its result, or the list of its items, for each client."""
    theirs = bentoml.SyncHTTPClient(served.url, server_ready_timeout=30)
    http, grpc = Client(served.url), Client(f"grpc://{served.target}")

    def sync(client: Any) -> Call:
        def call(method: str, *args: Any, **kwargs: Any) -> Any:
            result = client.call(method, *args, **kwargs)
            return list(result) if method in STREAMS or method == "early" else result

        return call

    def on_loop(make: Callable[[], Any]) -> Call:
        def call(method: str, *args: Any, **kwargs: Any) -> Any:
            return asyncio.run(_called(make(), method, args, kwargs))

        return call

    def collected(call: Call) -> Call:
        def called(method: str, *args: Any, **kwargs: Any) -> Any:
            try:
                return call(method, *args, **kwargs)
            finally:
                _collect()

        return called

    yield {
        "bentoml": sync(theirs),
        "bentoml async": collected(
            on_loop(lambda: bentoml.AsyncHTTPClient(served.url, server_ready_timeout=30))
        ),
        "http": sync(http),
        "grpc": sync(grpc),
        "http async": on_loop(lambda: AsyncClient(served.url)),
        "grpc async": on_loop(lambda: AsyncClient(f"grpc://{served.target}")),
    }
    http.close()
    grpc.close()
    theirs.close()
    theirs._temp_dir.cleanup()  # which it leaves to the collector
    del theirs
    _collect()


_KEPT: list[Any] = []
"""Results whose files must outlive their client: its folder goes with it."""


def _collect() -> None:
    """Lets go of the folders and connections that BentoML's client leaves to the collector."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


async def _called(client: Any, method: str, args: Any, kwargs: Any) -> Any:
    async with client:
        is_stream = method in STREAMS or method == "early"
        if is_stream:
            items = getattr(client, method)(*args, **kwargs)
            return [item async for item in _each(items)]
        result = await client.call(method, *args, **kwargs)
        return _read(result)


async def _each(items: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for item in items:
        yield item


def _read(result: Any) -> Any:
    """Files copied out of the client's folder, which is removed with the client."""
    if isinstance(result, Path):
        return Path(shutil.copy(result, tempfile.mkdtemp(dir=_KEPT[0])))
    if isinstance(result, list):
        return [_read(each) for each in result]
    if isinstance(result, dict):
        return {name: _read(each) for name, each in result.items()}
    if hasattr(result, "load") and hasattr(result, "size"):
        result.load()
    return result


@pytest.fixture(autouse=True, scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> None:
    _KEPT[:] = [tmp_path_factory.mktemp("kept")]


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_a_call_gives_what_the_table_says(
    calls: dict[str, Call], client: str, row: Row, tmp_path: Path
) -> None:
    whose = BENTOML if client.startswith("bentoml") else OURS
    if not row.is_for(whose):
        assert row.why
        return
    got = calls[client](row.method, *row.args, **row.arguments(tmp_path))
    assert_same(got, row.expected_of(whose))


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(("method", "kwargs", "status", "text"), FAILURES)
def test_a_failure_is_an_exception_with_its_status(
    calls: dict[str, Call], client: str, method: str, kwargs: dict[str, Any], status: int, text: str
) -> None:
    expected = bentoml.exceptions.BentoMLException if "bentoml" in client else MeshError
    with pytest.raises(expected) as caught:
        calls[client](method, **kwargs)
    error: Any = caught.value
    if "bentoml" in client:
        assert int(error.error_code) in (status, 500)
    elif "http" in client:
        assert error.status == status
    assert text in str(error)


@pytest.mark.parametrize("client", [each for each in CLIENTS if "bentoml" not in each])
def test_the_field_that_is_wrong_is_told_over_every_protocol(
    calls: dict[str, Call], client: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        calls[client]("whole", x="x")
    (fault,) = caught.value.violations
    assert (fault.path, fault.type) == (("x",), "int_parsing")
    assert "integer" in fault.message


def test_the_table_has_a_row_for_every_method(served: LocalMesh) -> None:
    routes = httpx.get(f"{served.url}/schema.json").json()["routes"]
    methods = {route["name"] for route in routes}
    seen = {row.method for row in ROWS} | {failure[0] for failure in FAILURES}
    # Roots whose bodies are raw have tests of their own, in test_bodies.
    assert methods - seen <= {"root_image", "root_file", "root_default"}
