"""Users' own classes with arrays and files in them are read, and come out as themselves."""

import dataclasses
import json
import typing
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FunctionType
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import pytest
import typing_extensions
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    RootModel,
    computed_field,
    field_validator,
    model_validator,
)
from pydantic.dataclasses import dataclass as pydantic_dataclass

import mesh
from mesh.call import CALL, JSON
from mesh.errors import InvalidArgument
from mesh.io.spec import MethodSpec, method_spec
from mesh.io.types.file import File
from mesh.io.types.tensor import DType, Shape

T = TypeVar("T")
Ints = npt.NDArray[np.int64]


class Shelf:
    """Keeps files in one folder; fetches nothing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, file: File) -> Path:
        kept = self._folder / f"{len(list(self._folder.iterdir()))}{file.filename}"
        kept.write_bytes(file.data)
        return kept

    def fetch(self, uri: str) -> File:
        raise ValueError(f"no network: {uri}")


def echo_of(annotation: Any) -> MethodSpec:
    def echo(self, x): ...

    echo.__annotations__ = {"x": annotation, "return": annotation}
    return method_spec(Shelf, echo, name="echo", route="/echo")


def refused(annotation: Any, value: Any) -> list[tuple[Any, str]]:
    with pytest.raises(InvalidArgument) as caught:
        echo_of(annotation).decode_arguments(JSON, json.dumps({"x": value}).encode())
    return [(each.path, each.type) for each in caught.value.violations]


class Tree(mesh.IODescriptor):
    value: Ints
    children: list["Tree"] = Field(default_factory=list)


class Left(mesh.IODescriptor):
    value: Ints
    right: "Right | None" = None


class Right(BaseModel):
    lefts: dict[str, Left] = {}


class Box(BaseModel, Generic[T]):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    content: T


class Renamed(mesh.IODescriptor):
    data: Ints = Field(alias="dataIn", description="some numbers")


class Deep(BaseModel):
    boxes: list[Box[Ints]]
    by_name: dict[str, tuple[int, Renamed]]


class Rows(RootModel[list[Tree]]):
    pass


@dataclass
class Plain:
    value: Ints
    name: str = "n"
    copy: int = 3
    more: list["Plain"] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    value: Annotated[np.ndarray, DType("int64")]
    total: int = field(init=False, default=7)


@pydantic_dataclass(config=ConfigDict(arbitrary_types_allowed=True))
class Checked:
    value: Ints
    limit: int = Field(3, ge=1, description="how many")


@dataclass
class Holder(Generic[T]):
    held: T


class Point(NamedTuple):
    value: Ints
    name: str = "p"


class Chain(NamedTuple):
    value: Ints
    rest: "list[Chain]"


class Keys(typing_extensions.TypedDict):
    value: Ints
    name: typing_extensions.NotRequired[str]
    inner: typing_extensions.NotRequired["Keys"]


class OldKeys(typing.TypedDict, total=False):
    a: typing.Required[int]
    b: list[int]


class OldArrays(typing.TypedDict):
    value: Ints


CASES: list[tuple[Any, Any, Callable[[Any], Any]]] = [
    (Tree, {"value": [1], "children": [{"value": [2], "children": []}]}, lambda x: x.children[0]),
    (Left, {"value": [1], "right": {"lefts": {"a": {"value": [2], "right": None}}}},
     lambda x: x.right.lefts["a"]),
    (Right, {"lefts": {"a": {"value": [2], "right": {"lefts": {}}}}}, lambda x: x.lefts["a"]),
    (Box[Ints], {"content": [1, 2]}, lambda x: Box(content=x).content),
    (Box[Tree], {"content": {"value": [1], "children": []}}, lambda x: x.content),
    (Deep, {"boxes": [{"content": [1]}], "by_name": {"a": [1, {"dataIn": [2]}]}},
     lambda x: x.by_name["a"][1]),
    (Rows, [{"value": [1], "children": []}], lambda x: x.root[0]),
    (Plain, {"value": [1], "name": "a", "copy": 4,
             "more": [{"value": [2], "name": "n", "copy": 3, "more": []}]}, lambda x: x.more[0]),
    (Frozen, {"value": [1]}, lambda x: x),
    (Checked, {"value": [1], "limit": 2}, lambda x: x),
    (Holder[Ints], {"held": [1]}, lambda x: x),
    (list[Holder[list[Ints]]], [{"held": [[1]]}], lambda x: x[0]),
    (Keys, {"value": [1], "inner": {"value": [2]}}, lambda x: x["inner"]),
    (OldArrays, {"value": [1]}, lambda x: x),
    (Point, [[1], "a"], lambda x: x),
    (Chain, [[1], [[[2], []]]], lambda x: x.rest[0]),
    (dict[str, Tree | None], {"b": {"value": [3], "children": []}}, lambda x: x["b"]),
    (Annotated[Tree, Field(description="a tree")], {"value": [3], "children": []}, lambda x: x),
]  # fmt: skip


def str_of(case: Any) -> str:
    """The same in all processes, which the text of a function is not."""
    return "" if isinstance(case, FunctionType) else str(case)[:40]


@pytest.mark.parametrize("media_type", [JSON, CALL])
@pytest.mark.parametrize(("annotation", "given", "pick"), CASES, ids=str_of)
def test_classes_with_arrays_come_and_go(annotation, given, pick, media_type):
    spec = echo_of(annotation)
    body = json.dumps({"x": given}).encode()
    if media_type == CALL:
        body = spec.encode_arguments((given,), {})
    value = spec.decode_arguments(media_type, body)[0].kwargs["x"]
    picked = pick(value)
    assert any(
        isinstance(each, np.ndarray) or (isinstance(each, list) and isinstance(each[0], np.ndarray))
        for each in (picked.values() if isinstance(picked, dict) else _fields(picked))
    )
    encoded = spec.reply_encoder(media_type).encode(value)
    if media_type == JSON:
        assert json.loads(encoded) == given
    else:
        again = spec.decode_reply(encoded)
        assert type(again) is type(value)
        assert repr(again) == repr(value)
    again = spec.decode_arguments(CALL, spec.encode_arguments((value,), {}))[0].kwargs["x"]
    assert repr(again) == repr(value)


def _fields(value: Any) -> list[Any]:
    if isinstance(value, np.ndarray):
        return [value]
    if isinstance(value, tuple):
        return list(value)
    if dataclasses.is_dataclass(value):
        return [getattr(value, each.name) for each in dataclasses.fields(value)]
    return list(vars(value).values())


@pytest.mark.parametrize(
    ("annotation", "given", "cls"),
    [
        (Tree, {"value": [1]}, Tree),
        (Box[Ints], {"content": [1]}, Box[Ints]),
        (Plain, {"value": [1]}, Plain),
        (Frozen, {"value": [1]}, Frozen),
        (Checked, {"value": [1]}, Checked),
        (Point, [[1]], Point),
        (Point, {"value": [1]}, Point),
        (Keys, {"value": [1]}, dict),
    ],
)
def test_what_comes_out_is_of_the_users_own_class(annotation, given, cls):
    spec = echo_of(annotation)
    value = spec.decode_arguments(JSON, json.dumps({"x": given}).encode())[0].kwargs["x"]
    assert type(value) is cls


def test_a_class_nested_in_itself_is_the_users_own_at_every_depth():
    spec = echo_of(Tree)
    body = b'{"x":{"value":[1],"children":[{"value":[2],"children":[{"value":[3]}]}]}}'
    value = spec.decode_arguments(JSON, body)[0].kwargs["x"]
    assert type(value.children[0].children[0]) is Tree
    assert value.children[0].children[0].value.tolist() == [3]


@pytest.mark.parametrize(
    ("annotation", "given", "path"),
    [
        (Tree, {"value": [1], "children": [{"value": "a"}]}, ("x", "children", 0, "value")),
        (Left, {"value": [1], "right": {"lefts": {"k": {"value": "a"}}}},
         ("x", "right", "lefts", "k", "value")),
        (Renamed, {"dataIn": ["a"]}, ("x", "dataIn")),
        (Plain, {"value": ["a"]}, ("x", "value")),
        (Checked, {"value": ["a"]}, ("x", "value")),
        (Point, [["a"]], ("x", 0)),
        (Keys, {"value": [1], "inner": {"value": ["a"]}}, ("x", "inner", "value")),
        (list[Tree | int], [{"value": ["a"]}], ("x", 0, "Tree", "value")),
        (Ints | Tree, {"value": ["a"]}, ("x", "ndarray")),
    ],
)  # fmt: skip
def test_the_path_of_a_fault_leads_through_the_users_classes(annotation, given, path):
    assert refused(annotation, given)[0][0] == path


def test_what_is_missing_or_wrong_in_a_class_is_said_as_pydantic_says_it():
    assert refused(Plain, {"name": 3}) == [
        (("x", "value"), "missing"),
        (("x", "name"), "string_type"),
    ]
    assert refused(Checked, {"value": [1], "limit": 0}) == [(("x", "limit"), "greater_than_equal")]
    assert refused(OldKeys, {"b": "q"}) == [(("x", "a"), "missing"), (("x", "b"), "list_type")]


def test_the_typed_dict_of_typing_keeps_its_keys():
    spec = echo_of(OldKeys)
    decoded = spec.decode_arguments(JSON, b'{"x":{"a":"1","other":2}}')[0]
    assert decoded.kwargs["x"] == {"a": 1}
    schema = spec.arguments.input_schema()["$defs"]["OldKeys"]
    assert (schema["required"], list(schema["properties"])) == (["a"], ["a", "b"])


class Strict(mesh.IODescriptor):
    value: Ints
    scale: int = 1
    _seen: list[int] = PrivateAttr(default_factory=list)

    @field_validator("value", mode="after")
    @classmethod
    def not_empty(cls, value: Any) -> Any:
        if not value.size:
            raise ValueError("is empty")
        return value

    @model_validator(mode="after")
    def note(self) -> "Strict":
        self._seen.append(self.scale)
        return self

    @computed_field
    @property
    def size(self) -> int:
        return int(self.value.size)

    def doubled(self) -> Any:
        return self.value * 2


def test_validators_private_and_computed_fields_of_a_model_work():
    spec = echo_of(Strict)
    value = spec.decode_arguments(JSON, b'{"x":{"value":[1,2],"scale":5}}')[0].kwargs["x"]
    assert (type(value), value._seen, value.doubled().tolist()) == (Strict, [5], [2, 4])
    assert json.loads(spec.reply_encoder(JSON).encode(value)) == {
        "value": [1, 2],
        "scale": 5,
        "size": 2,
    }
    assert refused(Strict, {"value": []}) == [(("x", "value"), "value_error")]


def test_an_instance_of_the_users_class_is_taken_as_it_is():
    value = Tree(value=np.array([1]))
    spec = echo_of(Tree)
    assert spec.arguments.load({"x": value}, None)[0].kwargs["x"] is value


def test_the_users_class_itself_stays_as_it_was():
    before = dict(Tree.model_fields)
    echo_of(Tree)
    assert Tree.model_fields == before
    with pytest.raises(ValueError, match="instance of ndarray"):
        Tree(value=[1])


def test_models_without_kinds_are_left_alone():
    class Small(BaseModel):
        a: int = 1

    spec = echo_of(Small)
    assert spec.arguments.adapter.core_schema["schema"]["fields"]["x"]["schema"]["cls"] is Small


class Cat(mesh.IODescriptor):
    kind: Literal["cat"]
    value: Ints


class Dog(BaseModel):
    kind: Literal["dog"]


class Owner(mesh.IODescriptor):
    pet: Cat | Dog = Field(discriminator="kind")


@pytest.mark.parametrize(
    ("annotation", "given", "pick"),
    [
        (Annotated[Cat | Dog, Field(discriminator="kind")], {}, lambda x: x),
        (Owner, {"pet": {}}, lambda x: x.pet),
    ],
)
def test_unions_told_apart_by_a_field(annotation, given, pick):
    spec = echo_of(annotation)
    for kind, cls in (("cat", Cat), ("dog", Dog)):
        pet = {"kind": kind, "value": [1]}
        body = json.dumps({"x": {"pet": pet} if given else pet}).encode()
        value = spec.decode_arguments(JSON, body)[0].kwargs["x"]
        assert type(pick(value)) is cls
    assert refused(annotation, {"pet": {"kind": "x"}} if given else {"kind": "x"}) == [
        (("x", "pet") if given else ("x",), "union_tag_invalid")
    ]


class Report(mesh.IODescriptor):
    file: Path
    more: list[Path] = Field(default_factory=list)
    image: Annotated[Path, mesh.ContentType("image/*")] | None = None


def test_files_in_models_are_kept_in_the_calls_folder(tmp_path):
    spec = echo_of(Report)
    found = {"x": {"file": File(b"a", filename="a.txt"), "more": [File(b"b"), "data:,c"]}}
    value = spec.arguments.load(found, Shelf(tmp_path))[0].kwargs["x"]
    assert type(value) is Report
    assert value.file.read_bytes() == b"a"
    assert [each.read_bytes() for each in value.more] == [b"b", b"c"]
    assert spec.arguments.takes_files
    assert not echo_of(Tree).arguments.takes_files


def test_a_client_cannot_name_a_file_of_the_server(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("s")
    for annotation in (Path, Path | None, list[Path], Report, Path | str):
        spec = echo_of(annotation)
        given: Any = str(secret)
        if annotation is Report:
            given = {"file": given}
        elif annotation == list[Path]:
            given = [given]
        if annotation == Path | str:
            decoded = spec.arguments.load({"x": given}, Shelf(tmp_path))[0]
            assert type(decoded.kwargs["x"]) is str
            continue
        with pytest.raises(InvalidArgument) as caught:
            spec.arguments.load({"x": given}, Shelf(tmp_path))
        assert "secret" not in str(caught.value.violations)


def test_shapes_in_a_users_model_hold():
    class Marked(mesh.IODescriptor):
        value: Annotated[np.ndarray, Shape((-1, 2)), DType("float32")]
        maybe: Annotated[np.ndarray | None, Shape((2,))] = None

    spec = echo_of(Marked)
    value = spec.decode_arguments(JSON, b'{"x":{"value":[1,2,3,4],"maybe":[1,2]}}')[0].kwargs["x"]
    assert (value.value.shape, value.value.dtype) == ((2, 2), np.float32)
    assert refused(Marked, {"value": [1, 2, 3]}) == [(("x", "value"), "value_error")]
    assert refused(Marked, {"value": [1, 2], "maybe": [1]}) == [(("x", "maybe"), "value_error")]
