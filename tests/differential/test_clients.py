"""BentoML's own clients return from the mesh what they return from BentoML."""

import asyncio
import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import bentoml
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from tests.differential.cases import JPEG, PNG
from tests.differential.conftest import Side
from tests.differential.intended import CLIENT_INTENDED
from tests.differential.values import async_result, result

Call = tuple[str, str, tuple[Any, ...], dict[str, Any]]


def call(label: str, *args: Any, to: str = "", **kwargs: Any) -> Call:
    return (label, to or label, args, kwargs)


CALLS: list[Call] = [
    call("text", prompt="hi"),
    call("text_positional", "hi", to="text"),
    call("text_wrong", prompt=1, to="text"),
    call("whole", x=3),
    call("whole_wrong", x="one", to="whole"),
    call("real", x=1.5),
    call("flag", x=True),
    call("octets", x="abc"),
    call("anything", x={"a": [1, None]}),
    call("any_text", x="word"),
    call("nothing"),
    call("unannotated", x=1),
    call("optional"),
    call("optional_given", n=3, to="optional"),
    call("union", x=1),
    call("union_out", x="a"),
    call("color", x="red"),
    call("literal", x="a"),
    call("moment", x="2026-01-02T03:04:05Z"),
    call("day", x="2026-01-02"),
    call("span", x="PT90S"),
    call("identifier", x="12345678-1234-5678-1234-567812345678"),
    call("amount", x=2),
    call("constrained", prompt="a"),
    call("numbers", x=[1, 2]),
    call("table", x={"a": 1}),
    call("members", x=[1, 2]),
    call("model", m={"a": 1}),
    call("nested", m={"sub": {"a": 1}}),
    call("models", x=[{"a": 1}]),
    call("point", p={"x": 1}),
    call("wrong_output", x="abc"),
    call("several", 1, 2),
    call("keywords", a=1, b=2),
    call("spec_params", prompt="a"),
    call("spec_named", prompt="a", temperature=2),
    call("moved", x=4),
    call("root_text", "hello"),
    call("root_whole", 5),
    call("root_words", ["a", "b"]),
    call("root_model", {"a": 1}),
    call("root_array", np.array([[1, 2], [3, 4]])),
    call("array", a=np.array([[1, 2], [3, 4]])),
    call("array_floats", a=[1.5, 2], to="array"),
    call("array_nan", a=[float("nan"), 1.0], to="array"),
    call("array_shaped", a=np.ones((2, 3), "float32")),
    call("array_wrong", a=[1, 2], to="array_shaped"),
    call("array_generic", a=[1.5]),
    call("array_optional"),
    call("arrays", x=[[1], [2, 3]]),
    call("arrays_named", x={"k": [1.0]}),
    call("tensor", a=torch.ones(2, 2)),
    call("tensor_shaped", a=torch.ones(1, 4)),
    call("described", x={"data": [1, 2], "shaped": [[1, 2], [3, 4]]}),
    call("frame", df=pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})),
    call("frame_columns", df=pd.DataFrame({"a": [1], "b": [2], "c": [3]})),
    call("image", image=Path("png"), note="n"),
    call("image_echo", image=Path("png")),
    call("image_echo_jpeg", image=Path("jpeg"), to="image_echo"),
    call("image_opened", image=Image.open(io.BytesIO(PNG)), to="image_echo"),
    call("image_resized", image=Path("jpeg"), width=4),
    call("image_optional"),
    call("images", images=[Path("png"), Path("jpeg")]),
    call("file", p=Path("png"), note="42"),
    call("file_typed_wrong", p=Path("png"), to="file_typed"),
    call("files", files=[Path("png"), Path("jpeg")]),
    call("file_and_model", p=Path("png"), m={"a": 1}, n=2),
    call("file_out", text="abc"),
    call("file_out_text", text="abc"),
    call("file_out_image"),
    call("file_out_umlaut"),
    call("page", name="x"),
    call("pixels"),
    call("stream_text"),
    call("stream_none", n=0, to="stream_text"),
    call("stream_async"),
    call("stream_octets"),
    call("stream_whole"),
    call("stream_dict"),
    call("stream_array"),
    call("stream_model"),
    call("stream_early"),
    call("answered", status=202),
    call("fail_teapot", how="teapot", to="fail"),
    call("fail_missing", how="missing", to="fail"),
    call("fail_value", how="value", to="fail"),
    call("fail_unauthorized", how="unauthorized", to="fail"),
    call("added", x=1),
    call("both", text="abc"),
    call("refused", how="teapot"),
    call("batched", ["a", "b"]),
    call("unknown_argument", y=1, to="whole"),
]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Any], Any]:
    """Puts files in the place of their kinds."""
    folder = tmp_path_factory.mktemp("files")
    paths = {"png": folder / "picture.png", "jpeg": folder / "picture.jpg"}
    paths["png"].write_bytes(PNG)
    paths["jpeg"].write_bytes(JPEG)

    def put(value: Any) -> Any:
        if isinstance(value, list):
            return [put(each) for each in value]
        return paths[str(value)] if isinstance(value, Path) else value

    return put


@pytest.fixture(scope="module")
def clients(theirs: Side, ours: Side) -> Iterator[tuple[Any, Any]]:
    """The sync client of each server."""
    with ExitStack() as stack:
        both = [
            stack.enter_context(bentoml.SyncHTTPClient(side.url, timeout=60))
            for side in (theirs, ours)
        ]
        yield both[0], both[1]
        for client in both:
            client._temp_dir.cleanup()  # which the client leaves to the garbage collector


@pytest.fixture(scope="module")
def async_clients(theirs: Side, ours: Side) -> Iterator[tuple[Any, Any, Any]]:
    """A loop, and the async client of each server."""
    with asyncio.Runner() as runner:
        both = [bentoml.AsyncHTTPClient(side.url, timeout=60) for side in (theirs, ours)]
        for client in both:
            runner.run(client.__aenter__())
        yield (runner, *both)
        for client in both:
            runner.run(client.close())
            client._temp_dir.cleanup()  # which the client leaves to the garbage collector


def _check(label: str, expected: Any, found: Any) -> None:
    if label in CLIENT_INTENDED:
        assert found != expected, CLIENT_INTENDED[label]
    else:
        assert found == expected


@pytest.mark.parametrize("each", CALLS, ids=lambda each: each[0])
def test_the_sync_client_returns_the_same(
    each: Call, clients: tuple[Any, Any], files: Callable[[Any], Any]
) -> None:
    label, name, args, kwargs = each
    kwargs = {key: files(value) for key, value in kwargs.items()}
    expected, found = (result(client, name, args, kwargs) for client in clients)
    _check(label, expected, found)


@pytest.mark.parametrize("each", CALLS, ids=lambda each: each[0])
def test_the_async_client_returns_the_same(
    each: Call, async_clients: tuple[Any, Any, Any], files: Callable[[Any], Any]
) -> None:
    label, name, args, kwargs = each
    kwargs = {key: files(value) for key, value in kwargs.items()}

    runner, *both = async_clients
    expected, found = (runner.run(async_result(client, name, args, kwargs)) for client in both)
    _check(label, expected, found)


def test_every_method_is_known_to_the_client_by_its_name(clients: tuple[Any, Any]) -> None:
    theirs, ours = ({name: each.route for name, each in c.endpoints.items()} for c in clients)
    assert ours == theirs
    assert len(ours) >= 60
