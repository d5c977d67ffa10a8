"""The table: which call gives what, for every client alike, and where clients differ, why."""

import base64
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image

BENTOML, OURS = "bentoml", "mesh"
Make = Callable[[Path], dict[str, Any]]
"""Makes arguments, with a folder to put files in."""


@dataclass(frozen=True)
class File:
    """A file that is expected: its content, and how its name ends."""

    content: bytes
    suffix: str = ""


@dataclass(frozen=True)
class DataUrl:
    """A file that is expected inside JSON."""

    content: bytes


@dataclass(frozen=True)
class Picture:
    """An image that is expected."""

    size: tuple[int, int]
    format: str = "PNG"


@dataclass(frozen=True)
class Row:
    """`bentoml` replaces what is expected of BentoML's clients; None: they can't make the call."""

    method: str
    kwargs: Mapping[str, Any] | Make
    expected: Any
    args: tuple[Any, ...] = ()
    bentoml: Any = field(default=...)
    why: str = ""

    def arguments(self, folder: Path) -> dict[str, Any]:
        return self.kwargs(folder) if callable(self.kwargs) else dict(self.kwargs)

    def expected_of(self, client: str) -> Any:
        return self.bentoml if client == BENTOML and self.bentoml is not ... else self.expected

    def is_for(self, client: str) -> bool:
        return client != BENTOML or self.bentoml is not None

    @property
    def id(self) -> str:
        return self.method


def _file(folder: Path, name: str, content: bytes = b"hi") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def _png(folder: Path, name: str = "a.png", size: tuple[int, int] = (3, 2)) -> Path:
    path = folder / name
    Image.new("RGB", size, "red").save(path, "PNG")
    return path


FRAME = pd.DataFrame({"a": [1, 2], "b": ["q", "r"]})
PETALS = pd.DataFrame({"length": [1.5, 2.0], "width": [0.5, 1.0]})
F4 = np.array([[1, 2, 3], [4, 5, 6]], np.float32)

NOT_JSON = "their client cannot send it"
AS_JSON = "over JSON the element type is what the text says"

ROWS = [
    Row("text", {"x": "grüße"}, "grüße"),
    Row("text", {"x": "123"}, "123"),
    Row("text", {"x": ""}, ""),
    Row("whole", {"x": 5}, 5),
    Row("whole", {"x": 2**70}, 2**70),
    Row("real", {"x": 0.1}, 0.1),
    Row("real", {"x": float("inf")}, float("inf")),
    Row("truth", {"x": False}, False),
    Row("binary", {"x": b"\x00\xff"}, b"\x00\xff", bentoml=None, why=NOT_JSON),
    Row("nothing", {}, None),
    Row("plain_list", {"x": [1, "a", None]}, [1, "a", None]),
    Row("numbers", {"x": [1, 2]}, [1, 2]),
    Row("plain_dict", {"x": {"a": [1, {"b": 2}]}}, {"a": [1, {"b": 2}]}),
    Row("scores", {"x": {"a": 1}}, {"a": 1}),
    Row("pair", {"x": [1, "a"]}, [1, "a"]),
    Row("unique", {"x": [3, 1, 3]}, [1, 3]),
    Row("point", {"x": [1, 0.5]}, 1.5),
    Row("options", {"x": {"depth": 1, "name": "n"}}, {"depth": 1, "name": "n"}),
    Row("span", {"x": {"start": 4}}, 6),
    Row("colour", {"x": "red"}, "red"),
    Row("choice", {"x": 3}, "3"),
    Row("maybe", {"x": None}, "None"),
    Row("maybe", {}, "None"),
    Row("maybe", {"x": 3}, "3"),
    Row("either", {"x": 1}, "int"),
    Row("either", {"x": "1"}, "str"),
    Row("anything", {"x": {"a": [1, None, 2.5]}}, {"a": [1, None, 2.5]}),
    Row("anything", {"x": "text"}, "text"),
    Row("untyped", {"x": [1]}, [1]),
    Row(
        "times",
        {"at": "2026-01-02T03:04:05", "on": "2026-01-02", "hour": "03:04:05", "took": "PT90S"},
        ["2026-01-02T03:04:05", "2026-01-02", "03:04:05", "90.0"],
    ),
    Row("today", {"on": "2026-01-02"}, "2026-01-02"),
    Row(
        "identity",
        {"x": "12345678-1234-5678-1234-567812345678"},
        "12345678-1234-5678-1234-567812345678",
    ),
    Row("amount", {"x": "1.10"}, "1.10"),
    Row("link", {"x": "http://example.org/a"}, "http://example.org/a"),
    Row("secret", {"x": "hidden"}, 6),
    Row("model", {"x": {"a": 1}}, {"a": 1, "b": "x"}),
    Row(
        "nested",
        {"x": {"sub": {"a": 1}, "many": [{"a": 2}]}},
        {"sub": {"a": 1, "b": "x"}, "many": [{"a": 2, "b": "x"}]},
    ),
    Row("models", {"x": [{"a": 1}]}, [{"a": 1, "b": "x"}]),
    Row(
        "tree",
        {"x": {"value": 1, "children": [{"value": 2}]}},
        {"value": 1, "children": [{"value": 2, "children": []}]},
    ),
    Row("described", {"prompt": "p"}, "p|0.5"),
    Row("bounded", {"prompt": "12345", "temperature": 1.5, "tokens": 300}, 300),
    Row("spread", {"prompt": "p", "temperature": 1.0}, "p|1.0"),
    Row("many", {"args": [1, 2, 3]}, 6),
    Row("keywords", {"a": 1, "kwargs": {"b": 2}}, {"a": 1, "b": 2}),
    Row("array", {"x": F4}, F4, bentoml=F4.astype(np.float64), why=AS_JSON),
    Row("array", {"x": [1, 2]}, np.array([1, 2])),
    Row(
        "half",
        {"x": [0.5, 1.5]},
        np.array([0.5, 1.5], np.float16),
        bentoml=np.array([0.5, 1.5]),
        why=AS_JSON,
    ),
    Row("integers", {"x": [1, 2]}, np.array([1, 2])),
    Row("matrix", {"x": [1, 2, 3, 4, 5, 6]}, F4),
    Row("flags", {"x": [True, False]}, np.array([False, True])),
    Row("words", {"x": ["a", "bc"]}, np.array(["a", "bc"])),
    Row("tensor", {"x": torch.ones(1, 4)}, torch.full((1, 4), 2.0)),
    Row(
        "brain",
        {"x": [1.5, 2.0]},
        torch.tensor([1.5, 2.0], dtype=torch.bfloat16),
        bentoml=None,
        why="their client has no way to write bfloat16",
    ),
    Row("arrays", {"x": [[1, 2], [3]]}, [np.array([1, 2]), np.array([3])]),
    Row("frame", {"x": FRAME}, FRAME),
    Row("petals", {"x": PETALS}, PETALS),
    Row("series", {"x": [1, 2]}, pd.Series([2, 4]), bentoml=[2, 4], why="no such type there"),
    Row(
        "sample",
        {"x": {"label": "l", "data": [0.5], "weights": [1.0, 2.0]}},
        {"label": "l", "data": np.array([0.5], np.float16), "weights": torch.tensor([1.0, 2.0])},
    ),
    Row("image", lambda folder: {"x": _png(folder), "scale": 2}, Picture((6, 4))),
    Row(
        "image",
        lambda folder: {"x": Image.open(io.BytesIO(_png(folder).read_bytes()))},
        Picture((3, 2)),
    ),
    Row("image_by_module", lambda folder: {"x": _png(folder)}, "(3, 2)"),
    Row("images", lambda folder: {"x": [_png(folder), _png(folder, "b.png", (5, 1))]}, [3, 5]),
    Row("maybe_image", lambda folder: {"x": _png(folder)}, "(3, 2)"),
    Row("maybe_image", {}, "none"),
    Row("file", lambda folder: {"x": _file(folder, "t.txt"), "note": "42"}, "hi|.txt|42"),
    Row("file", lambda folder: {"x": _file(folder, "ü x.txt"), "note": "n"}, "hi|.txt|n"),
    Row("audio", lambda folder: {"x": _file(folder, "a.mp3")}, 2),
    Row(
        "files",
        lambda folder: {"x": [_file(folder, "1"), _file(folder, "2", b"two")]},
        ["hi", "two"],
    ),
    Row("maybe_file", lambda folder: {"x": _file(folder, "f.txt")}, "hi"),
    Row("maybe_file", {}, "none"),
    Row("speech", {"text": "abc"}, File(b"abc", ".mp3")),
    Row("custom", {}, File(b"\x00\x01", ".bin")),
    Row("picture", {}, b"\x89PNG..."),
    Row("page", {}, "<p>hi</p>"),
    Row(
        "several",
        {"n": 2},
        [File(b"file 0", ".txt"), File(b"file 1", ".txt")],
        bentoml=[DataUrl(b"file 0"), DataUrl(b"file 1")],
        why="their client reads several files only as JSON",
    ),
    Row(
        "mixed",
        {},
        {"file": File(b"mixed", ".txt"), "number": 3},
        bentoml={"file": DataUrl(b"mixed"), "number": 3},
        why="as above",
    ),
    Row(
        "document",
        lambda folder: {"x": {"title": "t", "scan": _file(folder, "s.txt")}},
        {"title": "t", "scan": File(b"hi", ".txt"), "preview": None},
        bentoml=None,
        why=NOT_JSON,
    ),
    Row(
        "document",
        {"x": {"title": "t", "scan": "data:text/plain;base64,aGk="}},
        {"title": "t", "scan": File(b"hi"), "preview": None},
        bentoml={"title": "t", "scan": DataUrl(b"hi"), "preview": None},
    ),
    Row(
        "album",
        {
            "x": {
                "name": "n",
                "pages": [{"title": "t", "scan": "data:,one"}, {"title": "u", "scan": "data:,two"}],
            }
        },
        ["one", "two"],
    ),
    Row("root_text", {}, "plain", args=("plain",)),
    Row("root_whole", {}, 5, args=(5,)),
    Row("root_bytes", {}, 3, args=(b"\x00ab",)),
    Row("root_list", {}, ["a", "b"], args=(["a", "b"],)),
    Row("root_model", {}, {"a": 1, "b": "x"}, args=({"a": 1},)),
    Row("root_array", {}, np.array([[1, 2], [3, 4]]), args=([[1, 2], [3, 4]],)),
    Row("root_frame", {}, FRAME, args=(FRAME,)),
    Row("count", {"n": 3}, [0, 1, 2]),
    Row("letters", {"word": "abc"}, ["a", "b", "c"]),
    Row("blobs", {"n": 2}, [b"\x00\xff", b"\x01\xff"]),
    Row("records", {"n": 2}, [{"a": 0, "b": "x"}, {"a": 1, "b": "x"}]),
    Row(
        "rows",
        {"n": 2},
        [np.zeros(2, np.float32), np.ones(2, np.float32)],
        bentoml=[np.zeros(2), np.ones(2)],
        why=AS_JSON,
    ),
    Row("status", {}, {"agent": ""}),
]
STREAMS = frozenset({"count", "letters", "blobs", "records", "rows"})
FAILURES = [
    ("fails", {"kind": "argument"}, 400, "bad arg"),
    ("fails", {"kind": "missing"}, 404, "no such thing"),
    ("fails", {"kind": "teapot"}, 418, "short and stout"),
    ("fails", {"kind": "other"}, 500, "An unexpected error has occurred"),
    ("wrong", {}, 500, ""),
    ("early", {}, 404, "early"),
    ("whole", {"x": "abc"}, 400, "1 validation error for Input"),
    ("numbers", {"x": ["q"]}, 400, "1 validation error for Input"),
    ("bounded", {"prompt": "123456", "temperature": 2, "tokens": 50}, 400, "3 validation error"),
]


def assert_same(got: Any, expected: Any) -> None:
    """Equal in value and in type, at any depth."""
    match expected:
        case File():
            assert isinstance(got, Path), got
            assert got.read_bytes() == expected.content
            assert not expected.suffix or got.suffix == expected.suffix
        case DataUrl():
            assert isinstance(got, str), got
            assert got.startswith("data:")
            assert base64.b64decode(got.partition(";base64,")[2]) == expected.content
        case Picture():
            assert isinstance(got, Image.Image), got
            assert (got.size, got.format) == (expected.size, expected.format)
        case np.ndarray():
            assert isinstance(got, np.ndarray), got
            assert (got.dtype, got.shape) == (expected.dtype, expected.shape)
            assert np.array_equal(got, expected)
        case torch.Tensor():
            assert isinstance(got, torch.Tensor), got
            assert got.dtype == expected.dtype
            assert torch.equal(got, expected)
        case pd.DataFrame():
            pd.testing.assert_frame_equal(got, expected)
        case pd.Series():
            pd.testing.assert_series_equal(got, expected)
        case list():
            assert isinstance(got, list), got
            assert len(got) == len(expected)
            for one, other in zip(got, expected, strict=True):
                assert_same(one, other)
        case dict():
            assert isinstance(got, dict), got
            assert got.keys() == expected.keys()
            for name, value in expected.items():
                assert_same(got[name], value)
        case _:
            assert type(got) is type(expected), got
            assert got == expected
