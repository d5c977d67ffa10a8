"""What a service looks like as a .proto."""

import enum
import subprocess
import sys
import textwrap
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import cloudpickle
import numpy as np
import pandas as pd
import pytest
from annotated_types import Ge, Le
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from pydantic import BaseModel, Field

import mesh
from mesh import DType, Shape
from mesh.definition.spec import service_spec
from mesh.errors import DefinitionError
from mesh.io.rpc.contract import RpcMethod, contract
from mesh.io.rpc.descriptors import file_descriptor
from mesh.io.rpc.naming import pascal, snake, upper_snake
from mesh.io.rpc.numbers import Numbers
from mesh.io.rpc.protoc import compiled
from mesh.io.rpc.text import proto_text
from tests.contract.service import Types
from tests.gateway.services import Demo
from tests.io.rpc.services import Every

Rows = Annotated[np.ndarray, Shape((-1, 4)), DType("float32")]


class Speed(enum.Enum):
    FAST = "fast"
    VERY_SLOW = "slow"


class Options(BaseModel):
    """How it is done."""

    speed: Speed = Speed.FAST
    limit: Annotated[int, Ge(1), Le(9)] = Field(
        3, description="Most that are given.", json_schema_extra={"unit": "rows"}
    )


@mesh.service
class Classifier:
    """Says what rows are.

    A second paragraph.
    """

    @mesh.api
    def classify(self, rows: Rows, options: Options | None = None) -> list[int]:
        """The class of each row."""
        return []

    @mesh.api
    def either(self, x: int | str = Field(description="One or the other.", examples=[1])) -> None:
        return None


def test_a_service_reads_as_a_person_would_write_it() -> None:
    (file,) = service_spec(Classifier).rpc.files
    assert proto_text(file) == textwrap.dedent(
        """\
        // The gRPC API of ClassifierService.
        syntax = "proto3";

        package classifier.v1;

        import "mesh/v1/types.proto";

        option go_package = "classifier/v1;classifierv1";
        option java_multiple_files = true;

        // Says what rows are.
        //
        // A second paragraph.
        service ClassifierService {
          // The class of each row.
          rpc Classify(ClassifyRequest) returns (ClassifyResponse);
          rpc Either(EitherRequest) returns (EitherResponse);
        }

        message ClassifyRequest {
          // Shape (any, 4); elements of float32.
          mesh.v1.Tensor rows = 1;
          Options options = 2;
        }

        message ClassifyResponse {
          repeated int64 result = 1;
        }

        message EitherRequest {
          // One or the other.
          // Example: 1.
          oneof x {
            int64 x_int = 1;
            string x_str = 2;
          }
        }

        message EitherResponse {}

        // How it is done.
        message Options {
          // Default: FAST.
          Speed speed = 1;
          // Most that are given.
          // In rows; at least 1; at most 9.
          // Default: 3.
          optional int64 limit = 2;
        }

        enum Speed {
          // None was given.
          SPEED_UNSPECIFIED = 0;
          // In Python and JSON: 'fast'.
          SPEED_FAST = 1;
          // In Python and JSON: 'slow'.
          SPEED_VERY_SLOW = 2;
        }
        """
    )


@pytest.mark.parametrize("cls", [Types, Every, Demo, Classifier])
def test_protoc_takes_the_text_and_reads_in_it_what_was_meant(cls: type, tmp_path: Path) -> None:
    (file,) = service_spec(cls).rpc.files
    path = tmp_path / file.name
    path.parent.mkdir(parents=True)
    path.write_text(proto_text(file))
    found = compiled(path, [tmp_path])[-1]
    assert _without_places(found) == _without_places(file)
    assert proto_text(found) == proto_text(file), "comments included"


def _without_places(file: FileDescriptorProto) -> FileDescriptorProto:
    plain = FileDescriptorProto()
    plain.CopyFrom(file)
    plain.ClearField("source_code_info")
    _clear_json_names(plain.message_type)
    return plain


def _clear_json_names(messages: Any) -> None:
    for message in messages:
        for field in message.field:
            field.ClearField("json_name")
        _clear_json_names(message.nested_type)


@pytest.mark.parametrize(
    ("name", "in_snake", "in_pascal", "in_upper"),
    [
        ("max_tokens", "max_tokens", "MaxTokens", "MAX_TOKENS"),
        ("maxTokens", "max_tokens", "MaxTokens", "MAX_TOKENS"),
        ("HTTPServer", "http_server", "HTTPServer", "HTTP_SERVER"),
        ("_private", "private", "Private", "PRIVATE"),
        ("__root__", "root", "Root", "ROOT"),
        ("x2y", "x2y", "X2y", "X2Y"),
        ("2nd", "x_2nd", "X2nd", "2ND"),
        ("Box[int]", "box_int", "BoxInt", "BOX_INT"),
    ],
)
def test_names_take_protobuf_s_forms(
    name: str, in_snake: str, in_pascal: str, in_upper: str
) -> None:
    assert (snake(name), pascal(name), upper_snake(name)) == (in_snake, in_pascal, in_upper)


def test_two_things_of_one_name_get_two() -> None:
    @mesh.service
    class Crowded:
        class ShowRequest(BaseModel):
            a: int

        @mesh.api
        def show(self, aB: int, a_b: int, x: ShowRequest) -> Options:  # noqa: N803  # on purpose
            raise ValueError

        @mesh.api
        def Show(self) -> int:  # noqa: N802  # on purpose
            return 1

    text = proto_text(service_spec(Crowded).rpc.files[0])
    assert "rpc Show(ShowRequest) returns" in text
    assert "rpc Show2(Show2Request) returns" in text
    assert "int64 a_b = 1;\n  int64 a_b2 = 2;\n  CrowdedShowRequest x = 3;" in text


def test_the_service_s_package_may_be_its_own() -> None:
    @mesh.service(package="acme.vision.v2")
    class Vision:
        @mesh.api
        def see(self) -> int:
            return 1

    rpc = service_spec(Vision).rpc
    assert rpc.full_name == "acme.vision.v2.VisionService"
    assert rpc.files[0].name == "acme/vision/v2/vision.proto"


def _file(cls: type, known: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
    spec = service_spec(cls)
    methods = [RpcMethod(m.name, m.kind, m.signature, m.doc) for m in spec.methods.values()]
    made = contract(spec.name, spec.doc, methods, "p.v1", Numbers(known))
    return proto_text(file_descriptor(made)), made.numbers.plain()


def test_a_parameter_in_the_middle_moves_no_number() -> None:
    @mesh.service(name="S")
    class Before:
        @mesh.api
        def f(self, a: int, c: Speed) -> int:
            return 1

    @mesh.service(name="S")
    class After:
        @mesh.api
        def f(self, a: int, b: int, c: Speed) -> int:
            return 1

        @mesh.api
        def e(self, x: str) -> int:
            return 1

    @mesh.service(name="S")
    class Later:
        @mesh.api
        def f(self, b: int, c: Speed) -> int:
            return 1

    _, known = _file(Before)
    text, known = _file(After, known)
    assert "int64 a = 1;\n  int64 b = 3;\n  Speed c = 2;" in text
    text, _ = _file(Later, known)
    assert 'reserved 1;\n  reserved "a";\n  int64 b = 3;\n  Speed c = 2;' in text


def test_the_lock_beside_the_module_goes_with_the_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "locked_service.py").write_text(
        "import mesh\n@mesh.service\nclass Locked:\n    @mesh.api\n"
        "    def f(self, b: int, a: int) -> int:\n        return a\n"
    )
    (tmp_path / "locked_service.proto.lock").write_text(
        '{"services": {"Locked": {"FRequest": {"fields": {"a": 5}, "reserved": {"9": "z"}}}}}'
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    import locked_service  # type: ignore[import-not-found]  # written above

    expected = 'reserved 9;\n  reserved "z";\n  int64 b = 10;\n  int64 a = 5;'
    assert expected in proto_text(service_spec(locked_service.Locked).rpc.files[0])
    cloudpickle.register_pickle_by_value(locked_service)
    (tmp_path / "sent").write_bytes(cloudpickle.dumps(locked_service.Locked))
    program = (
        "import pickle, sys; from mesh.definition.spec import service_spec; "
        "from mesh.io.rpc.text import proto_text; cls = pickle.load(open(sys.argv[1], 'rb')); "
        "print(proto_text(service_spec(cls).rpc.files[0]))"
    )
    command = [sys.executable, "-c", program, tmp_path / "sent"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert expected in done.stdout, "where there is neither module nor lock"


def test_unions_with_arrays_of_one_kind_are_one_message() -> None:
    @mesh.service
    class Arrays:
        @mesh.api
        def back(self, values: list[Rows | int]) -> list[Rows | int]:
            return values

    names = [each.short for each in service_spec(Arrays).rpc.contract.messages]
    assert [name for name in names if "Or" in name] == ["TensorOrInt64"]


def test_names_that_clash_in_protobuf_only_are_told_apart() -> None:
    class Color(enum.Enum):
        RED_X = 1

    class ColorRed(enum.Enum):
        X = 1

    @mesh.service
    class Clashing:
        @mesh.api
        def f(self, x1: int, x_1: int, a: Color, b: ColorRed) -> int:
            return 1

    rpc = service_spec(Clashing).rpc
    rpc.prepare()
    text = proto_text(rpc.files[0])
    assert "int64 x1 = 1;" in text
    assert "int64 x_12 = 2;" in text
    assert "COLOR_RED_X = 1;" in text
    assert "COLOR_RED_X2 = 1;" in text


def test_a_default_that_is_no_json_is_not_shown() -> None:
    frame = pd.DataFrame({"a": [1]})

    @mesh.service
    class Framed:
        @mesh.api
        def f(self, x: pd.DataFrame = frame) -> int:
            return len(x)

    assert "Default" not in proto_text(service_spec(Framed).rpc.files[0])


@pytest.mark.parametrize("package", ["acme.mesh.v1", "acme.google.v1", "mesh.app.v1"])
def test_a_package_that_hides_another_s_name_is_no_trouble(package: str, tmp_path: Path) -> None:
    @mesh.service(package=package)
    class Hiding:
        @mesh.api
        def f(self, x: Rows, y: datetime) -> Rows:
            return x

    (file,) = service_spec(Hiding).rpc.files
    path = tmp_path / file.name
    path.parent.mkdir(parents=True)
    path.write_text(proto_text(file))
    assert _without_places(compiled(path, [tmp_path])[-1]) == _without_places(file)


HAND = """
syntax = "proto2";
package hand;
message M {
  optional int32 a = 1 [default = 7];
  optional string b = 2 [default = "x\\"y", deprecated = true];
  repeated int32 c = 3 [packed = true];
  required bool d = 4 [json_name = "other"];
  reserved 10 to 20, 1000 to max;
  message N { optional E e = 1 [default = TWO]; }
  enum E { option allow_alias = true; ONE = 1; TWO = 2; DUE = 2 [deprecated = true]; }
}
service S { rpc F(M) returns (stream M) { option deprecated = true; } }
"""


def test_the_text_of_a_contract_by_hand_says_all_that_the_contract_says(tmp_path: Path) -> None:
    source = tmp_path / "hand.proto"
    source.write_text(HAND)
    (first,) = compiled(source, [tmp_path])
    again = tmp_path / "again" / "hand.proto"
    again.parent.mkdir()
    again.write_text(proto_text(first))
    (second,) = compiled(again, [again.parent])
    for each in (first, second):
        each.ClearField("source_code_info")
    assert first == second


def test_what_must_be_given_is_known_where_a_message_tells() -> None:
    @mesh.service
    class Asking:
        @mesh.api
        def f(
            self,
            a: int,
            b: Rows,
            c: Speed,
            d: int | str,
            e: list[int],
            g: Options | None = None,
            h: Speed = Speed.FAST,
            i: list[int] = [],  # noqa: B006  # never changed
        ) -> int:
            return 1

    required = service_spec(Asking).rpc.contract.required
    inputs = {each.rpartition(".")[2] for each in required if ".FRequest." in each}
    assert inputs == {"b", "c", "d_int", "d_str"}


def test_rpcs_stand_in_the_order_of_the_class() -> None:
    @mesh.service
    class Ordered:
        @mesh.api
        def zebra(self) -> int:
            return 1

        @mesh.api
        def ape(self) -> int:
            return 1

    assert [rpc.name for rpc in service_spec(Ordered).rpc.contract.rpcs] == ["Zebra", "Ape"]


@pytest.mark.parametrize("package", ["google.protobuf", "grpc.health.v1", "mesh.v1", "inference"])
def test_packages_of_the_mesh_and_of_grpc_are_not_for_services(package: str) -> None:
    class Taken:
        @mesh.api
        def f(self) -> int:
            return 1

    with pytest.raises(DefinitionError, match="is not for services"):
        mesh.service(package=package)(Taken)


@pytest.mark.parametrize("option", ["package", "lock", "proto", "rpc_service"])
def test_options_about_grpc_are_texts(option: str) -> None:
    class Wrong:
        @mesh.api
        def f(self) -> int:
            return 1

    with pytest.raises(DefinitionError, match=f"Wrong: {option} is a text, not 5"):
        mesh.service(**{option: 5})(Wrong)  # type: ignore[call-overload]  # wrong on purpose
