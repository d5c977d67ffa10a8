"""What becomes of each type of result: media type, header fields, body."""

import enum
import io
import json
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Optional, Union
from uuid import UUID

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from PIL import Image
from pydantic import BaseModel, SecretStr

from mesh.call import CALL, JSON
from mesh.errors import Internal, UnsupportedMediaType
from mesh.io.files.folder import Folder
from mesh.io.files.intake import CallIntake
from mesh.io.media import ARROW, NPY
from mesh.io.replies.body import ReplyBody
from mesh.io.replies.encoder import Style
from mesh.io.spec import MethodSpec, method_spec
from mesh.io.types.content_type import ContentType
from mesh.io.types.file import File
from mesh.io.types.tensor import Shape

TEXT = "text/plain; charset=utf-8"


class Sub(BaseModel):
    a: float
    b: str | None = None


class Color(enum.Enum):
    RED = "red"


class Pair(NamedTuple):
    left: int
    right: str


class Page(BaseModel):
    model_config = {"arbitrary_types_allowed": True}

    image: Image.Image
    n: int = 1


def spec_of(annotation: Any) -> MethodSpec:
    def give(self): ...

    give.__annotations__ = {"return": annotation}
    return method_spec(Sub, give, name="give", route="/give")


def reply(annotation: Any, value: Any, accept: str = "", style: Style | None = None) -> ReplyBody:
    """The reply as a replica sends it."""
    result = spec_of(annotation).result
    encoder = (result if style is None else result.styled(style)).encoder(JSON, accept)
    if encoder.varies(value):
        assert encoder.body is not None
        return encoder.body(value)
    data = encoder.encode(value)
    return ReplyBody(encoder.media_type, (data,), len(data))


def sent(body: ReplyBody) -> bytes:
    data = b"".join(body.pieces())
    assert body.size == len(data)
    return data


@pytest.mark.parametrize(
    ("annotation", "value", "media_type", "text"),
    [
        (str, "aé", TEXT, "aé"),
        (bytes, b"a", TEXT, "a"),
        (Annotated[str, ContentType("text/html")], "<b>", "text/html; charset=utf-8", "<b>"),
        (Annotated[str, ContentType("image/svg+xml")], "<s>", "image/svg+xml", "<s>"),
        (Annotated[bytes, ContentType("image/png")], b"x", "image/png", "x"),
        (Annotated[bytes, ContentType("image/*")], b"x", "application/octet-stream", "x"),
        (int, 1, JSON, "1"),
        (int, 10**30, JSON, str(10**30)),
        (float, float("nan"), JSON, "NaN"),
        (bool, True, JSON, "true"),
        (None, None, JSON, "null"),
        (list, [1, None], JSON, "[1,null]"),
        (tuple[int, str], (1, "a"), JSON, '[1,"a"]'),
        (Pair, Pair(1, "a"), JSON, '[1,"a"]'),
        (Any, "a", JSON, '"a"'),
        (dict, {"a": b"b"}, JSON, '{"a":"b"}'),
        (dict[str, bytes], {"a": b"\xff"}, JSON,
         '{"a":"data:application/octet-stream;base64,/w=="}'),
        (Union[int, str], "a", JSON, '"a"'),  # noqa: UP007 - the old spelling is a case of its own
        (Optional[str], "a", JSON, '"a"'),  # noqa: UP045 - as above
        (Sub, Sub(a=1, b="x"), JSON, '{"a":1.0,"b":"x"}'),
        (Sub, {"a": "1"}, JSON, '{"a":1.0,"b":null}'),
        (Sub, Sub(a=float("inf")), JSON, '{"a":Infinity,"b":null}'),
        (list[Sub], [Sub(a=1)], JSON, '[{"a":1.0,"b":null}]'),
        (Color, Color.RED, TEXT, "red"),
        (Color, "red", TEXT, "red"),
        (list[Color], [Color.RED], JSON, '["red"]'),
        (Literal["a", "b"], "a", TEXT, "a"),
        (Literal["a", 1], "a", JSON, '"a"'),
        (date, date(2026, 3, 1), TEXT, "2026-03-01"),
        (timedelta, timedelta(seconds=90), TEXT, "PT1M30S"),
        (UUID, UUID(int=1), TEXT, "00000000-0000-0000-0000-000000000001"),
        (Decimal, Decimal("1.50"), TEXT, "1.50"),
        (SecretStr, SecretStr("x"), TEXT, "**********"),
        (torch.Tensor, torch.tensor([1.5, float("nan")]), JSON, "[1.5,NaN]"),
        (dict[str, np.ndarray], {"a": np.array([1])}, JSON, '{"a":[1]}'),
        (pd.DataFrame, pd.DataFrame({"a": [1]}), JSON, '[{"a":1}]'),
        (pd.Series, pd.Series([1, 2]), JSON, "[1,2]"),
        (Any, {"t": torch.ones(1), "s": pd.Series([1])}, JSON, '{"t":[1.0],"s":[1]}'),
    ],
)  # fmt: skip
def test_natural_forms(annotation, value, media_type, text):
    body = reply(annotation, value)
    assert (body.media_type, sent(body).decode()) == (media_type, text)
    assert body.metadata == ()
    # Who accepts everything, or only what there is not, gets the same.
    assert sent(reply(annotation, value, "*/*")).decode() == text
    assert sent(reply(annotation, value, f"text/csv, {NPY};q=0")).decode() == text


@pytest.mark.parametrize(
    ("annotation", "value", "text"),
    [
        (list, [1, {"a": None}], b'[1, {"a": null}]'),
        (Any, {"a": np.array([1.5])}, b'{"a": [1.5]}'),
        (np.ndarray, np.array([0.1], np.float32), b"[0.10000000149011612]"),
        (list[Sub], [Sub(a=1)], b'[{"a": 1.0, "b": null}]'),
        (dict, {"é": 1e16}, b'{"\\u00e9": 1e+16}'),
        (Sub, Sub(a=1), b'{"a":1.0,"b":null}'),
        (str, "a, b: c", b"a, b: c"),
    ],
)
def test_spaced_json_is_for_what_is_no_model(annotation, value, text):
    assert sent(reply(annotation, value, style=Style(spaced=True))) == text


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "out.mp3"
    path.write_bytes(b"abc")
    return path


def test_a_path_is_the_file(path: Path):
    body = reply(Path, path)
    fields = dict(body.metadata)
    assert (body.media_type, body.size, body.parts) == ("audio/mpeg", 3, (path,))
    assert fields["content-disposition"] == 'attachment; filename="out.mp3"'
    assert fields["accept-ranges"] == "bytes"
    assert {"etag", "last-modified"} < set(fields)
    assert "content-length" not in fields  # which is the size
    assert sent(body) == b"abc"


def test_the_annotation_beats_the_guess(path: Path):
    assert reply(Annotated[Path, ContentType("custom/type")], path).media_type == "custom/type"
    assert reply(Annotated[Path, ContentType("audio/*")], path).media_type == "audio/mpeg"
    unknown = path.rename(path.with_name("out.unheard-of"))
    assert reply(Path, unknown).media_type == "application/octet-stream"


@pytest.mark.parametrize("annotation", [Any, File, File | None])
def test_a_file_is_sent_as_it_says(annotation, path: Path):
    body = reply(annotation, File(b"abc", "text/csv", "a.csv"))
    assert (body.media_type, sent(body)) == ("text/csv", b"abc")
    assert body.metadata == (("content-disposition", 'attachment; filename="a.csv"'),)
    body = reply(annotation, File(path=path, media_type="a/b"))
    assert (body.media_type, body.parts) == ("a/b", (path,))
    assert sent(reply(annotation, File(uri="https://host/a"))) == b'"https://host/a"'
    spec = spec_of(annotation)
    found = spec.decode_reply(spec.reply_encoder(CALL).encode(File(b"abc", "a/b", "c")))
    assert found == File(b"abc", "a/b", "c")


def test_an_image_is_shown_and_has_its_own_format():
    image = Image.new("RGB", (2, 3))
    body = reply(Image.Image, image)
    assert (body.media_type, body.metadata) == ("image/png", ())
    assert Image.open(io.BytesIO(sent(body))).size == (2, 3)
    body = reply(Annotated[Image.Image, ContentType("image/jpeg")], image)
    assert body.media_type == "image/jpeg"


@pytest.mark.parametrize("annotation", [Optional[Path], Path | int, Any])  # noqa: UP045 - a case
def test_where_there_may_be_a_file_the_value_decides(annotation, path: Path):
    body = reply(annotation, path)
    assert (body.media_type, sent(body)) == ("audio/mpeg", b"abc")
    other = 1 if annotation == Path | int else None
    assert reply(annotation, other).media_type == JSON


def test_several_files_are_data_urls_in_json(path: Path):
    url = "data:audio/mpeg;name=out.mp3;base64,YWJj"
    assert json.loads(sent(reply(list[Path], [path, path]))) == [url, url]
    assert json.loads(sent(reply(tuple[int, Path], (1, path)))) == [1, url]
    found = json.loads(sent(reply(Page, Page(image=Image.new("L", (1, 1))))))
    assert found["image"].startswith("data:image/png;base64,")
    assert found["n"] == 1


@pytest.mark.parametrize("subtype", ["mixed", "form-data"])
def test_several_files_are_parts_for_who_accepts_those(subtype, path: Path):
    body = reply(list[Path], [path, path], f"multipart/{subtype}")
    assert body.media_type.startswith(f"multipart/{subtype}; boundary=")
    assert sent(body).count(b"\r\n\r\nabc\r\n") == 2
    assert reply(list[Path], [], f"multipart/{subtype}").media_type == JSON


@pytest.mark.parametrize(
    ("annotation", "value"),
    [(np.ndarray, np.eye(2)), (torch.Tensor, torch.eye(2)), (Any, np.eye(2))],
)
def test_an_array_is_a_file_of_numpy_for_who_accepts_that(annotation, value):
    body = reply(annotation, value, f"{NPY}, application/json;q=0.9")
    assert body.media_type == NPY
    np.testing.assert_array_equal(np.load(io.BytesIO(sent(body)), allow_pickle=False), np.eye(2))
    assert reply(int, 1, NPY).media_type == JSON
    assert reply(np.ndarray, np.eye(2), f"{NPY};q=0.1, application/json").media_type == JSON


@pytest.mark.parametrize(
    ("annotation", "value"),
    [(pd.DataFrame, pd.DataFrame({"a": [1, 2]})), (pd.Series, pd.Series([1, 2], name="a"))],
)
def test_a_frame_is_an_arrow_stream_for_who_accepts_that(annotation, value):
    body = reply(annotation, value, ARROW)
    assert body.media_type == ARROW
    assert pa.ipc.open_stream(sent(body)).read_all().to_pydict() == {"a": [1, 2]}


@pytest.mark.parametrize(
    ("annotation", "value", "reason"),
    [
        (int, "abc", "give: .*valid integer"),
        (Sub, {"b": "x"}, "a: Field required"),
        (list[Sub], [{"a": 1}, {"a": "x"}], r"1\.a: .*valid number"),
        (Annotated[np.ndarray, Shape((2,))], np.ones(3), "shape"),
        (Path, "/nowhere/at/all", "no file"),
        (Image.Image, b"x", "must be an image"),
        (Page, {"image": 1}, "image: .*must be an image"),
        (Any, object(), "object"),
    ],
)
@pytest.mark.parametrize("accept", ["", CALL, NPY])
def test_a_result_that_does_not_fit_is_the_services_fault(annotation, value, reason, accept):
    with pytest.raises(Internal, match=reason):
        reply(annotation, value, accept)


def test_a_caller_in_the_mesh_gets_files_in_its_own_folder(path: Path):
    spec, folder = spec_of(dict[str, Path | Image.Image | None]), Folder()
    value = {"p": path, "none": None}
    found = spec.decode_reply(spec.reply_encoder(CALL).encode(value), CallIntake(folder))
    assert found["none"] is None
    assert found["p"].parent == folder.path
    assert found["p"].name.endswith("out.mp3")
    assert found["p"].read_bytes() == b"abc"
    folder.remove()
    with pytest.raises(Internal, match="not fit"):
        spec.decode_reply(spec.reply_encoder(CALL).encode(value))


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (torch.Tensor, torch.eye(2)),
        (pd.DataFrame, pd.DataFrame({"a": [1.5, None], "b": ["x", "y"]})),
        (Image.Image, Image.new("L", (2, 2), 7)),
        (list[np.ndarray], [np.arange(3)]),
    ],
)
def test_a_caller_in_the_mesh_gets_the_types_of_the_annotation(annotation, value):
    spec = spec_of(annotation)
    found = spec.decode_reply(spec.reply_encoder(CALL).encode(value))
    assert type(found) is type(value) or isinstance(found, Image.Image)
    assert sent(reply(annotation, found)) == sent(reply(annotation, value))


def test_encoders_are_kept_for_an_accept_header():
    spec = spec_of(np.ndarray)
    assert spec.reply_encoder(JSON, NPY) is spec.reply_encoder(JSON, NPY)
    form = "multipart/form-data; boundary="
    assert spec.reply_encoder(form + "1", NPY) is spec.reply_encoder(form + "2", NPY)
    for number in range(200):
        spec.reply_encoder(JSON, f"{NPY};q=0.{number + 1}")
    with pytest.raises(UnsupportedMediaType):
        spec.reply_encoder("application/vnd.bentoml+pickle", "")
