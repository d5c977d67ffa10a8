"""What a method's signature means, and which signatures there can't be."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Generator,
    Iterable,
    Iterator,
)
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
from pydantic import BaseModel, ConfigDict, DirectoryPath, Field, NewPath

from mesh.call import CALL, JSON, CallKind
from mesh.errors import DefinitionError, InvalidArgument
from mesh.io.spec import NO_ITEM, MethodSpec, method_spec
from mesh.io.types.content_type import ContentType
from mesh.io.types.tensor import DType, Shape
from mesh.v1.inference_pb2 import CallRequest


class Context:
    pass


class Owner:
    pass


def spec_of(func: Callable[..., Any], **options: Any) -> MethodSpec:
    return method_spec(
        Owner, func, name=func.__name__, route=f"/{func.__name__}", context=Context, **options
    )


def test_sync_async_and_generators_of_both_kinds():
    def value(self) -> int: ...
    async def awaited(self) -> int: ...
    def items(self) -> Iterator[int]:
        yield 1

    async def async_items(self) -> AsyncGenerator[int, None]:
        yield 1

    async def collected(self, numbers: AsyncIterator[int]) -> int: ...
    async def both(self, numbers: AsyncIterable[int]) -> AsyncIterator[int]:
        yield 1

    read = {func.__name__: spec_of(func) for func in (value, awaited, items, async_items)}
    assert {name: (spec.kind, spec.is_async) for name, spec in read.items()} == {
        "value": (CallKind.UNARY, False),
        "awaited": (CallKind.UNARY, True),
        "items": (CallKind.SERVER_STREAM, False),
        "async_items": (CallKind.SERVER_STREAM, True),
    }
    assert spec_of(collected).kind is CallKind.CLIENT_STREAM
    assert spec_of(collected).stream_parameter == "numbers"
    assert spec_of(both).kind is CallKind.BIDI_STREAM


@pytest.mark.parametrize("annotation", [Iterator[str], Generator[str, None, None], Iterable[str]])
def test_items_of_a_stream_are_encoded_one_by_one(annotation):
    def items(self):
        yield ""

    items.__annotations__ = {"return": annotation}
    encoder = spec_of(items).reply_encoder(JSON, "")
    assert (encoder.media_type, encoder.stream) == ("text/event-stream; charset=utf-8", True)
    assert encoder.encode("data: 0\n\n") == b"data: 0\n\n"
    assert spec_of(items).reply_encoder(CALL, "").stream


def test_a_generator_without_annotation_yields_anything():
    def items(self):
        yield 1

    assert spec_of(items).reply_encoder(JSON, "").encode({"a": 1}) == b'{"a":1}'


def test_the_docstring_and_the_function_are_kept():
    def value(self) -> int:
        """One.

        And more.
        """

    spec = spec_of(value, idempotent=True)
    assert (spec.doc, spec.func, spec.idempotent) == ("One.\n\nAnd more.", value, True)
    assert (spec.name, spec.route) == ("value", "/value")


def test_the_context_is_known_by_its_type_or_by_its_name():
    def typed(self, x: int, call: Context) -> int: ...
    def quoted(self, call: "Context") -> int: ...  # noqa: UP037 - quotes within quotes
    def named(self, ctx, x: int = 1) -> int: ...
    def other(self, ctx: int) -> int: ...
    def none(self, x: int) -> int: ...

    assert spec_of(typed).context_parameter == "call"
    assert spec_of(quoted).context_parameter == "call"
    assert spec_of(named).context_parameter == "ctx"
    assert spec_of(other).context_parameter is None
    assert spec_of(none).context_parameter is None
    assert spec_of(typed).decode_arguments(JSON, b'{"x":1,"call":2}')[0].kwargs == {"x": 1}
    assert spec_of(other).decode_arguments(JSON, b'{"ctx":1}')[0].kwargs == {"ctx": 1}


def test_annotations_may_name_what_is_local():
    class Local(BaseModel):
        a: int

    def value(self, x: Local, y: list["Local"] = []) -> Local: ...  # noqa: B006, UP037

    spec = spec_of(value, local_names=locals())
    assert spec.decode_arguments(JSON, b'{"x":{"a":1}}')[0].kwargs == {"x": Local(a=1), "y": []}


def test_a_wrapped_method_has_the_signature_of_what_it_wraps():
    def plain(self, x: int) -> str: ...

    @functools.wraps(plain)
    async def wrapped(*args: Any, **kwargs: Any) -> Any: ...

    spec = spec_of(wrapped)
    assert spec.is_async
    assert spec.decode_arguments(JSON, b'{"x":"1"}')[0].kwargs == {"x": 1}


def test_defaults_are_the_functions_own():
    def value(self, a, b: int = 2, *, c: list[int] = [3], d: str | None = None) -> int: ...  # noqa: B006

    spec = spec_of(value)
    assert spec.decode_arguments(JSON, b'{"a":null}')[0].kwargs == {
        "a": None,
        "b": 2,
        "c": [3],
        "d": None,
    }
    first = spec.decode_arguments(JSON, b'{"a":1}')[0].kwargs["c"]
    first.append(4)
    assert spec.decode_arguments(JSON, b'{"a":1}')[0].kwargs["c"] == [3]


def test_fields_of_pydantic_give_defaults_and_limits():
    def value(
        self,
        n: int = Field(default=3, ge=0, description="How many"),
        tags: list[str] = Field(default_factory=list),  # noqa: B008 - how pydantic spells it
        k: Annotated[int, Field(le=5)] = 1,
    ) -> int: ...

    spec = spec_of(value)
    assert spec.decode_arguments(JSON, b"")[0].kwargs == {"n": 3, "tags": [], "k": 1}
    with pytest.raises(Exception, match="2 validation error"):
        spec.decode_arguments(JSON, b'{"n":-1,"k":6}')


def test_parameters_may_have_names_that_fields_of_models_cannot():
    def value(self, copy: int, json: str, model_dump: int = 1, _private: int = 2) -> int: ...

    spec = spec_of(value)
    got = {"copy": 1, "json": "a", "model_dump": 1, "_private": 3}
    assert spec.decode_arguments(JSON, b'{"copy":1,"json":"a","_private":3}')[0].kwargs == got
    call = spec.encode_arguments((1, "a"), {"_private": 3})
    assert spec.decode_arguments(CALL, call)[0].kwargs == got
    with pytest.raises(Exception, match="validation error") as caught:
        spec.decode_arguments(JSON, b'{"copy":"a"}')
    assert [each.path for each in caught.value.violations] == [("copy",), ("json",)]


def test_arguments_are_bound_as_python_binds_them():
    def value(self, ctx, a: int, b: int = 2, *, c: int = 3) -> int: ...

    spec = spec_of(value)

    def sent(*args: Any, **kwargs: Any) -> dict[str, Any]:
        return spec.decode_arguments(CALL, spec.encode_arguments(args, kwargs))[0].kwargs

    assert sent(1) == sent(a=1) == {"a": 1, "b": 2, "c": 3}
    assert sent(1, 5, c=6) == sent(c=6, b=5, a=1) == {"a": 1, "b": 5, "c": 6}
    request = CallRequest.FromString(spec.encode_arguments((1,), {}))
    assert (request.method, list(request.arguments)) == ("value", ["a"])


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((), {}, "missing a required argument: 'a'"),
        ((1, 2, 3), {}, "too many positional arguments"),
        ((1,), {"a": 1}, "multiple values for argument 'a'"),
        ((1,), {"z": 1}, "unexpected keyword argument 'z'"),
        ((1,), {"self": 1}, "unexpected keyword argument 'self'"),
    ],
)
def test_arguments_that_python_would_refuse_are_not_sent(args, kwargs, message):
    def value(self, a: int, b: int = 2, *, c: int = 3) -> int: ...

    with pytest.raises(TypeError, match=message):
        spec_of(value).encode_arguments(args, kwargs)


def test_the_stream_is_apart_from_the_arguments():
    async def value(self, items: AsyncIterator[bytes], n: int, ctx) -> int: ...

    spec = spec_of(value)
    items = object()
    for args, kwargs in (((items, 3), {}), ((items,), {"n": 3}), ((), {"n": 3, "items": items})):
        rest, named, stream = spec.split_stream(args, kwargs)
        assert stream is items
        body = spec.encode_arguments(rest, named)
        assert spec.decode_arguments(CALL, body) == (((), {"n": 3}), NO_ITEM)
        assert spec.encode_arguments(args, kwargs) == body
    with pytest.raises(TypeError, match="missing a required argument: 'items'"):
        spec.split_stream((), {"n": 3})


def test_the_first_message_may_carry_the_first_item():
    async def value(self, items: AsyncIterator[int], n: int = 1) -> int: ...

    spec = spec_of(value)
    assert spec.decode_arguments(JSON, b'{"n":2,"items":"7"}') == (((), {"n": 2}), 7)
    assert spec.decode_arguments(JSON, b"") == (((), {"n": 1}), NO_ITEM)
    body = spec.encode_arguments((), {"n": 2}) + spec.encode_item(7)
    assert spec.decode_arguments(CALL, body) == (((), {"n": 2}), 7)
    assert spec.decode_arguments(CALL, b"") == (((), {"n": 1}), NO_ITEM)


@pytest.mark.parametrize(
    ("annotation", "json", "value"),
    [("int", b"7", 7), ("dict[str, int]", b'{"a":1}', {"a": 1}), ("bytes", b'"x"', b"x")],
)
def test_items_are_of_the_streams_type(annotation, json, value):
    async def collect(self, items) -> int: ...

    collect.__annotations__["items"] = f"AsyncIterator[{annotation}]"
    spec = spec_of(collect)
    assert spec.decode_item(JSON, json) == value
    assert spec.decode_item(CALL, spec.encode_item(value)) == value


@pytest.mark.parametrize(
    ("media_type", "accept", "form"),
    [
        (JSON, "", JSON),
        ("", "", JSON),
        ("text/plain", "*/*", JSON),
        (JSON, "*/*", JSON),
        (JSON, "text/html, application/*;q=0.8", JSON),
        (JSON, f"{CALL}, {JSON};q=0.1", CALL),
        (CALL, "", CALL),
        (f"{CALL}; v=1", "", CALL),
        (CALL, "*/*", CALL),
        (CALL, CALL, CALL),
        (CALL, JSON, JSON),
        (CALL, "text/html", CALL),
    ],
)
def test_the_reply_has_the_form_that_is_asked_for_or_that_of_the_request(media_type, accept, form):
    def value(self) -> int: ...

    assert spec_of(value).reply_encoder(media_type, accept).media_type == form


class Opaque:
    pass


class Fields(BaseModel):
    a: int
    b: str = ""


@dataclasses.dataclass
class Vague:
    path: Path
    thing: Nobody  # noqa: F821


class Holder(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    thing: Opaque


def unknown_name(self, x: Missing) -> int: ...  # noqa: F821
def unknown_type(self, x: Opaque) -> int: ...
def unknown_result(self) -> Opaque: ...
def unknown_in_model(self, x: Holder) -> int: ...
def vague(self, x: Vague) -> int: ...
def shape_of_list(self, x: Annotated[list[int], Shape((2,))]) -> int: ...
def dtype_of_union(self, x: Annotated[int | str, DType("int8")]) -> int: ...
def two_dtypes(self, x: Annotated[np.ndarray[Any, np.dtype[np.int8]], DType("float32")]): ...
def result_of_shape(self) -> Annotated[int, Shape((2,))]: ...
def content_of_number(self, x: Annotated[int, ContentType("text/plain")]) -> int: ...
def shape_of_text(self, x: Annotated[str | None, Shape((2,))]) -> int: ...
def folder(self, x: DirectoryPath) -> int: ...
def new_file(self) -> NewPath: ...
def root_and_more(self, x: int, /, y: int) -> int: ...
def two_roots(self, x: int, y: int, /) -> int: ...
def root_and_rest(self, x: int, /, *xs: int) -> int: ...
async def root_and_stream(self, x: int, /, items: AsyncIterator[int]) -> int: ...
async def root_stream(self, items: AsyncIterator[int], /) -> int: ...
def root_context(self, ctx, x: int, /) -> int: ...
def context_before_rest(self, ctx, *xs: int) -> int: ...
def named_as_rest(self, args: int, *xs: int) -> int: ...
def named_as_options(self, kwargs: int, **options: int) -> int: ...
def sync_stream(self, items: AsyncIterator[int]) -> int: ...
async def iterator(self, items: Iterator[int]) -> int: ...
async def two_streams(self, a: AsyncIterator[int], b: AsyncIterator[int]) -> int: ...
def two_contexts(self, a: Context, ctx) -> int: ...
def returns_stream(self) -> Iterator[int]: ...
async def returns_async_stream(self) -> AsyncIterator[int]: ...
def no_self() -> int: ...
def yields_value(self) -> int:
    yield 1


async def async_yields_value(self) -> int:
    yield 1


@pytest.mark.parametrize(
    ("func", "message"),
    [
        (unknown_name, "parameter 'x' cannot be read: name 'Missing' is not defined"),
        (unknown_type, "parameter 'x': Unable to generate pydantic-core schema for <class"),
        (unknown_result, "the return annotation: Unable to generate pydantic-core schema"),
        (unknown_in_model, "parameter 'x': Cannot generate a JsonSchema"),
        (vague, "parameter 'x': Vague cannot be read: name 'Nobody' is not defined"),
        (shape_of_list, "parameter 'x': Shape says nothing about list[int]"),
        (dtype_of_union, "parameter 'x': DType says nothing about str"),
        (two_dtypes, "parameter 'x': DType('float32') contradicts the array's own int8"),
        (result_of_shape, "the return annotation: Shape says nothing about int"),
        (content_of_number, "parameter 'x': ContentType says nothing about int"),
        (shape_of_text, "parameter 'x': Shape says nothing about str"),
        (folder, "parameter 'x': folders do not travel"),
        (new_file, "the return annotation: folders do not travel"),
        (root_and_more, "'x' is positional-only, so that the whole body is its value; there can"),
        (two_roots, "there can be no input 'y' beside it"),
        (root_and_rest, "there can be no input 'xs' beside it"),
        (root_and_stream, "there can be no input 'items' beside it"),
        (root_stream, "parameter 'items' is the stream, which is passed by name: put it behind"),
        (root_context, "parameter 'ctx' is the Context, which is passed by name: put it behind"),
        (context_before_rest, "parameter 'ctx' is the Context, which is passed by name: put"),
        (named_as_rest, "two inputs are called 'args'"),
        (named_as_options, "two inputs are called 'kwargs'"),
        (sync_stream, "parameter 'items' is a stream, which only an async method can read"),
        (iterator, "parameter 'items' cannot be a sync stream: annotate AsyncIterator"),
        (two_streams, "parameter 'b' is a second stream"),
        (two_contexts, "parameter 'ctx' is a second Context"),
        (returns_stream, "the return annotation is a stream, but the method does not yield"),
        (returns_async_stream, "the return annotation is a stream, but the method does not"),
        (no_self, "takes no self"),
        (yields_value, "the return annotation must be Iterator[...], because the method yields"),
        (async_yields_value, "the return annotation must be AsyncIterator[...], because"),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_a_signature_that_cannot_be_served_is_refused_by_name(func, message):
    with pytest.raises(DefinitionError) as caught:
        spec_of(func)
    assert caught.value.message.startswith(f"Owner.{func.__name__}")
    assert message in caught.value.message
    assert "\n" not in caught.value.message


def test_an_annotation_that_is_no_python_is_refused():
    def value(self, x) -> int: ...

    value.__annotations__["x"] = "list["
    with pytest.raises(DefinitionError, match=r"Owner\.value: parameter 'x' cannot be read"):
        spec_of(value)


@pytest.mark.parametrize("extents", [(-2, 3), ("a",), (1.5,)])
def test_a_shape_is_of_whole_numbers(extents):
    with pytest.raises(ValueError, match="is no extent"):
        Shape(extents)


def test_a_dtype_is_one_of_those_with_a_form_on_the_wire():
    with pytest.raises(ValueError, match="DType: 'int7' is none of bool, uint8"):
        DType("int7")


def test_the_items_of_a_starred_parameter_are_passed_by_position():
    def value(self, a: int, *rest: float, scale: int = 1, ctx) -> int: ...

    spec = spec_of(value)
    body = b'{"a":1,"args":["2.5",3],"scale":4}'
    assert spec.decode_arguments(JSON, body)[0] == ((1, 2.5, 3.0), {"scale": 4})
    call = spec.encode_arguments((1, 2.5, 3), {"scale": 4})
    assert spec.decode_arguments(CALL, call)[0] == ((1, 2.5, 3.0), {"scale": 4})
    assert spec.decode_arguments(CALL, spec.encode_arguments((1,), {}))[0] == ((1,), {"scale": 1})
    with pytest.raises(Exception, match="1 validation error for Input"):
        spec.decode_arguments(JSON, b'{"a":1}')


def test_the_items_of_a_double_starred_parameter_are_passed_by_name():
    def value(self, a: int, **options: int) -> int: ...

    spec = spec_of(value)
    body = b'{"a":1,"kwargs":{"b":"2"}}'
    assert spec.decode_arguments(JSON, body)[0] == ((), {"a": 1, "b": 2})
    call = spec.encode_arguments((1,), {"b": 2})
    assert spec.decode_arguments(CALL, call)[0] == ((), {"a": 1, "b": 2})
    with pytest.raises(Exception, match="1 validation error for Input"):
        spec.decode_arguments(JSON, b'{"a":1,"b":2}')


def test_what_is_gathered_cannot_stand_for_a_parameter():
    def value(self, a: int, ctx, **options: int) -> int: ...

    with pytest.raises(InvalidArgument, match="3 validation error for Input") as caught:
        spec_of(value).decode_arguments(JSON, b'{"a":1,"kwargs":{"a":5,"self":6,"ctx":7,"b":1}}')
    assert [(each.path, each.type) for each in caught.value.violations] == [
        (("kwargs", name), "multiple_argument_values") for name in ("a", "self", "ctx")
    ]


@pytest.mark.parametrize("media_type", [JSON, CALL])
def test_the_fields_of_an_input_spec_are_the_inputs(media_type):
    def gathered(self, ctx, **params: Any) -> Any: ...
    def named(self, b: str, a: int, more: int = 5) -> Any: ...

    for func in (gathered, named):
        spec = spec_of(func, input_spec=Fields, output_spec=Fields)
        body = spec.encode_arguments((), {"a": 1}) if media_type == CALL else b'{"a":"1"}'
        assert spec.decode_arguments(media_type, body)[0] == ((), {"a": 1, "b": ""})
        encoded = spec.reply_encoder(media_type).encode({"a": 1})
        if media_type == JSON:
            assert encoded == b'{"a":1,"b":""}'
        else:
            assert spec.decode_reply(encoded) == Fields(a=1)
        with pytest.raises(Exception, match="1 validation error for FieldsIODescriptor"):
            spec.decode_arguments(JSON, b"{}")


def test_an_input_spec_and_the_method_must_agree():
    def lacks(self, a: int) -> int: ...
    def wants(self, a: int, b: str, c: int) -> int: ...
    def root(self, a: int, /) -> int: ...
    async def stream(self, a: AsyncIterator[int], **rest: int) -> int: ...

    for func, message in (
        (lacks, "the method has no parameter 'b', a field of Fields"),
        (wants, "Fields has no field 'c'"),
        (root, "the fields of input_spec are passed by name, not to 'a'"),
        (stream, "'a' is a stream, which input_spec rules out"),
    ):
        with pytest.raises(DefinitionError, match=message):
            spec_of(func, input_spec=Fields)


def test_an_output_spec_is_what_each_item_is():
    def items(self):
        yield {"a": 1}

    spec = spec_of(items, output_spec=Fields)
    assert spec.reply_encoder(JSON).encode({"a": "1"}) == b'{"a":1,"b":""}'


def test_an_aliased_field_of_an_input_spec_has_its_alias_on_the_wire():
    class Aliased(BaseModel):
        values: list[int] = Field(alias="inputValues")

    def value(self, **params) -> int: ...

    spec = spec_of(value, input_spec=Aliased)
    assert spec.decode_arguments(JSON, b'{"inputValues":[1]}')[0].kwargs == {"values": [1]}
    call = spec.encode_arguments((), {"values": [1]})
    assert list(CallRequest.FromString(call).arguments) == ["inputValues"]
    assert spec.decode_arguments(CALL, call)[0].kwargs == {"values": [1]}
    assert list(spec.arguments.fields) == ["inputValues"]
