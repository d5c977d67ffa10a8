"""Services behind contracts that were written by hand."""

import base64
import importlib.util
import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
from pydantic import BaseModel

import mesh
from mesh import DType
from mesh.call import TYPED
from mesh.definition.spec import service_spec
from mesh.errors import DefinitionError, InvalidArgument
from tests.io.rpc.rig import Rig

Floats = Annotated[np.ndarray, DType("float32")]


class Quality(Enum):
    LOW = "low"
    HIGH = "high"


class Detection(BaseModel):
    image: bytes
    threshold: float = 0.5
    at_most: int = 10
    quality: Quality = Quality.LOW


class Box(BaseModel):
    left: int
    area: int


class Found(BaseModel):
    boxes: list[Box]
    counts: dict[str, int]
    at: datetime


class Sample(BaseModel):
    values: list[float]


@mesh.service(proto="vision.proto", rpc_service="acme.vision.v2.Vision")
class Vision:
    @mesh.api
    def detect(self, request: Detection) -> Found:
        box = Box(left=-request.at_most, area=len(request.image))
        counts = {request.quality.value: 2}
        return Found(boxes=[box], counts=counts, at=datetime(2026, 1, 2, tzinfo=UTC))

    @mesh.api
    def embed(self, texts: list[str], scale: Floats, options: dict[str, Any]) -> Floats:
        return np.array([len(text) for text in texts], np.float32) * scale * options.get("by", 1)

    @mesh.api
    async def watch(self, every: timedelta, stop: int | str = 0) -> AsyncIterator[str]:
        yield f"{every} {stop!r}"

    @mesh.api
    async def average(self, samples: AsyncIterator[Sample]) -> Floats:
        return np.array([each.values async for each in samples], np.float32).mean(0)

    @mesh.api(name="Rename")
    def give_a_name(self, name: str) -> str:
        return name.upper()

    @mesh.api
    def unbound(self) -> int:
        return 1


VISION = Rig(Vision)


def test_a_request_is_a_model_and_the_response_another() -> None:
    image = base64.b64encode(b"12345").decode()
    assert VISION.call("detect", image=image, at_most=3, quality="QUALITY_HIGH") == {
        "boxes": [{"left": -3, "area": "5"}],
        "counts": {"high": 2},
        "at": "2026-01-02T00:00:00Z",
    }


def test_where_the_contract_has_no_presence_zero_means_the_default() -> None:
    bound = VISION.bound("detect").kwargs["request"]
    assert (bound.threshold, bound.at_most, bound.quality) == (0.5, 10, Quality.LOW)
    assert VISION.bound("detect", threshold=0.25).kwargs["request"].threshold == 0.25


def test_fields_are_parameters_and_repeated_numbers_an_array() -> None:
    scale = {"data_type": "DATA_TYPE_FLOAT32", "shape": [1], "data": "AAAAQA=="}  # 2.0
    asked = {"texts": ["a", "bcd"], "scale": scale, "options": {"by": 10}}
    assert VISION.call("embed", asked) == {"values": [20.0, 60.0]}


def test_a_oneof_is_a_union_of_parameters() -> None:
    bound = VISION.bound("watch", every="1.5s", when="dusk").kwargs
    assert bound == {"every": timedelta(seconds=1.5), "stop": "dusk"}
    assert VISION.bound("watch", every="1s", after=3).kwargs["stop"] == 3
    assert VISION.bound("watch", every="1s").kwargs["stop"] == 0
    reply: Any = VISION.response("watch", "text")
    assert reply.text == "text"


def test_the_messages_of_a_stream_are_its_items() -> None:
    average = VISION.spec.methods["average"]
    _, first = average.decode_arguments(TYPED, VISION.request("average", values=[1, 2]))
    assert first == Sample(values=[1, 2])
    again = average.decode_item(TYPED, VISION.request("average", values=[3]))
    assert again == Sample(values=[3])


def test_the_contract_s_own_names_are_served() -> None:
    rpc = VISION.spec.rpc
    assert rpc.full_name == "acme.vision.v2.Vision"
    assert rpc.rpcs["Rename"] == "Rename"
    assert VISION.call("Rename", name="x") == {"name": "X"}
    assert "unbound" not in rpc.rpcs
    assert VISION.spec.methods["unbound"].typed is None
    assert [each.name for each in rpc.files][-1] == "vision.proto"


def test_a_request_that_does_not_fit_is_refused_by_field() -> None:
    with pytest.raises(InvalidArgument) as raised:
        VISION.decoded("embed", VISION.request("embed", texts=["a"]))
    assert {each.path for each in raised.value.violations} == {("scale",), ("options",)}


Make = Callable[[], type]


def _wrong_type() -> type:
    class Wrong(Vision):
        @mesh.api(name="Rename")
        def give_a_name(self, name: int) -> str:
            return str(name)

    return Wrong


def _no_such_field() -> type:
    class Wrong(Vision):
        @mesh.api(name="Rename")
        def give_a_name(self, title: str) -> str:
            return title

    return Wrong


def _left_over() -> type:
    class Wrong(Vision):
        @mesh.api
        def embed(self, texts: list[str], scale: Floats) -> Floats:
            return scale

    return Wrong


def _not_a_stream() -> type:
    class Wrong(Vision):
        @mesh.api
        def watch(self, every: timedelta) -> str:  # type: ignore[override]  # wrong on purpose
            return ""

    return Wrong


def _wrong_enum() -> type:
    class Other(Enum):
        AWFUL = 1

    class Wrong(Vision):
        @mesh.api
        def detect(  # type: ignore[override]  # wrong on purpose
            self, image: bytes, threshold: float, at_most: int, quality: Other
        ) -> Found:
            raise ValueError

    return Wrong


def _no_rpc() -> type:
    class Wrong:
        @mesh.api
        def detect(self, request: Detection) -> Found:
            raise ValueError

    return Wrong


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (
            _wrong_type,
            "RenameRequest.name is string, which is not what the annotation says",
        ),
        (_no_such_field, "RenameRequest has no field 'title'"),
        (_left_over, "nothing takes acme.vision.v2.EmbedRequest.options"),
        (_not_a_stream, "is server-stream, and the method unary"),
        (_wrong_enum, "has no value for Other.AWFUL"),
        (_no_rpc, "rpc acme.vision.v2.Vision.Embed has no method; call one 'embed'"),
    ],
)
def test_a_method_that_does_not_fit_its_rpc_is_an_error_where_it_is_written(
    make: Make, says: str
) -> None:
    with pytest.raises(DefinitionError) as raised:
        mesh.service(proto="vision.proto", rpc_service="acme.vision.v2.Vision")(make())
    assert says in raised.value.message


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"proto": "none.proto", "rpc_service": "a.B"}, "there is no file"),
        ({"proto": "vision.proto"}, "proto and rpc_service go together"),
        ({"rpc_service": "a.B"}, "proto and rpc_service go together"),
        ({"proto": "vision.proto", "rpc_service": "a.B"}, "has acme.vision.v2.Vision, not 'a.B'"),
        (
            {"proto": "vision.proto", "rpc_service": "a.B", "package": "a"},
            "package is what the file of proto says",
        ),
        ({"package": "Not A Package"}, "is no package of protobuf"),
    ],
)
def test_a_contract_that_is_not_there_is_an_error(options: dict[str, str], says: str) -> None:
    class Wrong(Vision):
        pass

    with pytest.raises(DefinitionError) as raised:
        mesh.service(**options)(Wrong)  # type: ignore[call-overload]  # options of one type
    assert says in raised.value.message


def test_a_broken_file_is_an_error_in_protoc_s_words(tmp_path: Path) -> None:
    module = tmp_path / "broken_contract.py"
    (tmp_path / "broken.proto").write_text('syntax = "proto3";\nmessage {}\n')
    source = "import mesh\n@mesh.service(proto='broken.proto', rpc_service='a.B')\nclass S:\n"
    module.write_text(f"{source}    @mesh.api\n    def f(self) -> int:\n        return 1\n")
    with pytest.raises(DefinitionError, match=r"broken\.proto:2"):
        _run(module)


def _run(module: Path) -> None:
    spec = importlib.util.spec_from_file_location("broken_contract", module)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules["broken_contract"] = made
    try:
        spec.loader.exec_module(made)
    finally:
        del sys.modules["broken_contract"]


def test_the_contract_goes_with_a_class_that_is_sent_by_value() -> None:
    options = vars(Vision)["__mesh_options__"]
    assert options["files"]
    assert service_spec(Vision).rpc.numbers is None


CONTRACT = """
syntax = "proto3";
package old.v1;
import "google/protobuf/wrappers.proto";
service S {
  rpc F(FRequest) returns (FResponse);
}
enum Color { RED = 0; BLUE = 4; }
message Inner { int64 a = 1; oneof b { string text = 2; int64 more = 3; } }
message FRequest {
  Color color = 1;
  optional Color other = 2;
  google.protobuf.StringValue note = 3;
  google.protobuf.DoubleValue limit = 4;
  Inner inner = 5;
}
message FResponse { google.protobuf.Int64Value result = 1; }
"""


class Color(Enum):
    RED = "r"
    BLUE = "b"


class Inner(BaseModel):
    a: int
    b: str | int | None = None


Define = Callable[[type], type]


@pytest.fixture
def old(tmp_path: Path) -> Define:
    (tmp_path / "old.proto").write_text(CONTRACT)

    def define(cls: type) -> type:
        return mesh.service(proto=str(tmp_path / "old.proto"), rpc_service="old.v1.S")(cls)

    return define


def test_an_enum_whose_0_is_a_member_has_it(old: Define) -> None:
    class S:
        @mesh.api
        def f(
            self,
            color: Color,
            inner: Inner,
            other: Color = Color.BLUE,
            note: str | None = None,
            limit: float = 0.5,
        ) -> int | None:
            return len(note) if note is not None else None

    rig = Rig(old(S))
    inner = {"a": 1}
    bound = rig.bound("f", inner=inner).kwargs
    assert (bound["color"], bound["other"]) == (Color.RED, Color.BLUE)
    assert rig.bound("f", inner=inner, other="RED").kwargs["other"] is Color.RED
    bound = rig.bound("f", inner=inner, note="", limit=0).kwargs
    assert (bound["note"], bound["limit"]) == ("", 0.0), "messages around scalars tell of zeros"
    assert rig.bound("f", inner=inner).kwargs["limit"] == 0.5
    assert rig.call("f", inner=inner, note="four") == {"result": "4"}
    assert rig.call("f", inner=inner) == {}
    assert rig.bound("f", inner={"a": 1, "more": 3}).kwargs["inner"].b == 3


def test_a_field_inside_a_request_s_message_that_nothing_takes_is_an_error(old: Define) -> None:
    class Less(BaseModel):
        a: int

    class S:
        @mesh.api
        def f(self, color: Color, other: Color, note: str, limit: float, inner: Less) -> int:
            return 1

    with pytest.raises(DefinitionError, match=r"nothing takes old\.v1\.Inner\.(text|more|b)"):
        old(S)
