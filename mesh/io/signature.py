"""What a method's signature says, read once: inputs, context, streams, result."""

import collections.abc
import inspect
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Mapping,
    Sequence,
)
from dataclasses import dataclass
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mesh.errors import DefinitionError
from mesh.io.annotation import resolve

_STREAMS_IN = (AsyncIterator, AsyncIterable, AsyncGenerator)
_SYNC_STREAMS = (collections.abc.Iterator, collections.abc.Generator)
_STREAMS_OUT = (
    *_SYNC_STREAMS,
    *(collections.abc.Iterable, AsyncIterator, AsyncIterable, AsyncGenerator),
)
_CONTEXT_NAMES = ("ctx", "context")
ROOT: Final = "__root__"
"""The name of a parameter whose value is the whole body, though it is not positional-only."""
ARGS: Final = "args"
"""The input that `*args` is, whatever the parameter is called."""
KWARGS: Final = "kwargs"
"""The input that `**kwargs` is."""
_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument of a call. `default` is `inspect.Parameter.empty` if it must be given."""

    name: str
    annotation: Any
    default: Any = inspect.Parameter.empty


@dataclass(frozen=True, slots=True)
class Signature:
    """A method as its callers see it.

    `parameters` are the inputs except the stream; `stream` is the parameter whose items the
    caller sends one by one, with the annotation of an item; `result` is the annotation of the
    result, or of each item of it. `callable` binds what a caller passes: the inputs and the
    stream, without `self` and the context.

    With `root` the value of the one parameter is the whole body. With `model` there are no
    parameters: the inputs are the fields of this pydantic model, passed by keyword. `*args` is an
    input named ARGS, a list; `**kwargs` one named KWARGS, a dict. `names` are those of all other
    parameters, the instance and the context among them.
    """

    parameters: tuple[Parameter, ...]
    stream: Parameter | None
    context: str | None
    result: Any
    is_async: bool
    streams_out: bool
    callable: inspect.Signature
    root: bool
    model: type[BaseModel] | None
    names: tuple[str, ...]


def read_signature(
    func: Callable[..., Any],
    *,
    where: str,
    context: type | None,
    fields: Mapping[str, FieldInfo],
    local_names: Mapping[str, Any],
    input_spec: type[BaseModel] | None = None,
    output_spec: Any = None,
) -> Signature:
    """Reads the signature of the method `func`, whose first parameter is the instance.

    `where` begins every message. A parameter of type `context` gets no input, nor does one
    without annotation that is called ctx or context. `fields` replace the defaults of parameters
    by what pydantic knows of them. `input_spec` is a model whose fields are the inputs, and
    `output_spec` stands for the return annotation. Raises DefinitionError.
    """
    reader = _Reader(func, where, context, local_names)
    signature = inspect.signature(func)
    if not signature.parameters:
        raise DefinitionError(f"{where} takes no self; only instance methods are called")
    instance, *own = signature.parameters.values()
    read = [reader.parameter(each, fields.get(each.name, each.default)) for each in own]
    inputs = tuple(each for each in read if each is not None)
    names = [each.name for each in inputs]
    for name in names:
        if names.count(name) > 1:
            raise DefinitionError(f"{where}: two inputs are called {name!r}")
    visible = [each for each in own if each.name != reader.context_parameter]
    if input_spec is not None:
        visible = _of_model(input_spec, visible, reader.stream, where)
    result = signature.return_annotation if output_spec is None else output_spec
    return Signature(
        parameters=() if input_spec else inputs,
        stream=reader.stream,
        context=reader.context_parameter,
        result=reader.result(result, is_item=output_spec is not None),
        is_async=reader.is_async,
        streams_out=reader.streams_out,
        callable=signature.replace(parameters=visible, return_annotation=inspect.Signature.empty),
        root=_has_root(own, visible, reader, where),
        model=input_spec,
        names=tuple(each.name for each in (instance, *own) if each.kind in _BY_NAME),
    )


def _has_root(
    own: Sequence[inspect.Parameter],
    visible: Sequence[inspect.Parameter],
    reader: "_Reader",
    where: str,
) -> bool:
    """Whether the one input is the whole body: positional-only, or called ROOT."""
    apart = {reader.context_parameter: "the Context"}
    if reader.stream is not None:
        apart[reader.stream.name] = "the stream"
    bare = [each for each in own if each.kind is each.POSITIONAL_ONLY or each.name == ROOT]
    by_position = list(bare)
    if any(each.kind is each.VAR_POSITIONAL for each in own):
        by_position += [each for each in own if each.kind is each.POSITIONAL_OR_KEYWORD]
    for each in by_position:
        if each.name in apart:
            raise DefinitionError(
                f"{where}: parameter {each.name!r} is {apart[each.name]}, which is passed by name:"
                " put it behind"
            )
    if bare and len(visible) > 1:
        raise DefinitionError(
            f"{where}: parameter {bare[0].name!r} is {_why(bare[0])}, so that the whole body is"
            f" its value; there can be no input {visible[1].name!r} beside it"
        )
    return bool(bare)


def _why(parameter: inspect.Parameter) -> str:
    return "positional-only" if parameter.kind is parameter.POSITIONAL_ONLY else "the root"


def _of_model(
    model: type[BaseModel],
    visible: Sequence[inspect.Parameter],
    stream: Parameter | None,
    where: str,
) -> list[inspect.Parameter]:
    """The fields of the model as parameters. Raises DefinitionError if the method lacks one."""
    if stream is not None:
        raise DefinitionError(f"{where}: {stream.name!r} is a stream, which input_spec rules out")
    by_name = {each.name: each for each in visible if each.kind in _BY_NAME}
    for each in visible:
        if each.kind in (each.POSITIONAL_ONLY, each.VAR_POSITIONAL):
            raise DefinitionError(
                f"{where}: the fields of input_spec are passed by name, not to {each.name!r}"
            )
        if (
            each.kind in _BY_NAME
            and each.default is each.empty
            and (each.name not in model.model_fields)
        ):
            raise DefinitionError(f"{where}: {model.__name__} has no field {each.name!r}")
    takes_any = any(each.kind is each.VAR_KEYWORD for each in visible)
    parameters = []
    for name, field in model.model_fields.items():
        if not takes_any and name not in by_name:
            raise DefinitionError(
                f"{where}: the method has no parameter {name!r}, a field of {model.__name__}"
            )
        default = inspect.Parameter.empty if field.is_required() else None
        kind = inspect.Parameter.KEYWORD_ONLY
        parameters.append(inspect.Parameter(name, kind, default=default))
    return parameters


class _Reader:
    """Reads one signature, parameter by parameter."""

    def __init__(
        self,
        func: Callable[..., Any],
        where: str,
        context: type | None,
        local_names: Mapping[str, Any],
    ) -> None:
        self._where = where
        self._context = context
        self._module_names = getattr(inspect.unwrap(func), "__globals__", {})
        self._local_names = local_names
        self.streams_out = inspect.isgeneratorfunction(func) or inspect.isasyncgenfunction(func)
        self.is_async = inspect.iscoroutinefunction(func) or inspect.isasyncgenfunction(func)
        self.context_parameter: str | None = None
        self.stream: Parameter | None = None

    def parameter(self, parameter: inspect.Parameter, default: Any) -> Parameter | None:
        """The input that `parameter` is; None if it is the context or the stream."""
        name, where = parameter.name, f"{self._where}: parameter {parameter.name!r}"
        if parameter.annotation is inspect.Parameter.empty:
            if name in _CONTEXT_NAMES:
                self._take_context(name, where)
                return None
            annotation: Any = Any
        else:
            annotation = self._resolved(parameter.annotation, where)
        if self._context is not None and annotation is self._context:
            self._take_context(name, where)
            return None
        if parameter.kind is parameter.VAR_POSITIONAL:
            return Parameter(ARGS, list[annotation])
        if parameter.kind is parameter.VAR_KEYWORD:
            return Parameter(KWARGS, dict[str, annotation])
        origin = get_origin(annotation) or annotation
        if origin in _SYNC_STREAMS:
            raise DefinitionError(f"{where} cannot be a sync stream: annotate AsyncIterator")
        if origin in _STREAMS_IN:
            self._take_stream(name, annotation, where)
            return None
        return Parameter(name, annotation, default)

    def result(self, annotation: Any, *, is_item: bool) -> Any:
        """The annotation of the result, or of each item if the method yields.

        `is_item` says that the annotation is one of an item already.
        """
        if annotation is inspect.Signature.empty:
            return Any
        if is_item:
            return annotation
        where = f"{self._where}: the return annotation"
        resolved = self._resolved(annotation, where)
        origin = get_origin(resolved) or resolved
        if not self.streams_out:
            if origin in _STREAMS_OUT and origin is not collections.abc.Iterable:
                raise DefinitionError(f"{where} is a stream, but the method does not yield")
            return resolved
        if origin not in _STREAMS_OUT:
            kind = "AsyncIterator" if self.is_async else "Iterator"
            raise DefinitionError(f"{where} must be {kind}[...], because the method yields")
        return (get_args(resolved) or (Any,))[0]

    def _resolved(self, annotation: Any, where: str) -> Any:
        try:
            return resolve(annotation, self._module_names, self._local_names)
        except Exception as error:
            raise DefinitionError(f"{where} cannot be read: {error}") from error

    def _take_context(self, name: str, where: str) -> None:
        if self.context_parameter is not None:
            raise DefinitionError(f"{where} is a second Context; one is enough")
        self.context_parameter = name

    def _take_stream(self, name: str, annotation: Any, where: str) -> None:
        if self.stream is not None:
            raise DefinitionError(f"{where} is a second stream; a call has one at most")
        if not self.is_async:
            raise DefinitionError(f"{where} is a stream, which only an async method can read")
        self.stream = Parameter(name, (get_args(annotation) or (Any,))[0])
