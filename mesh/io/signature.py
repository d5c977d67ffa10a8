"""What a method's signature says, read once: inputs, context, streams, result."""

import collections.abc
import inspect
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_origin

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
    """

    parameters: tuple[Parameter, ...]
    stream: Parameter | None
    context: str | None
    result: Any
    is_async: bool
    streams_out: bool
    callable: inspect.Signature


def read_signature(
    func: Callable[..., Any],
    *,
    where: str,
    context: type | None,
    fields: Mapping[str, FieldInfo],
    local_names: Mapping[str, Any],
) -> Signature:
    """Reads the signature of the method `func`, whose first parameter is the instance.

    `where` begins every message. A parameter of type `context` gets no input, nor does one
    without annotation that is called ctx or context. `fields` replace the defaults of parameters
    by what pydantic knows of them. Raises DefinitionError.
    """
    reader = _Reader(func, where, context, local_names)
    signature = inspect.signature(func)
    if not signature.parameters:
        raise DefinitionError(f"{where} takes no self; only instance methods are called")
    _, *own = signature.parameters.values()
    inputs: list[Parameter] = []
    for parameter in own:
        read = reader.parameter(parameter, fields.get(parameter.name, parameter.default))
        if read is not None:
            inputs.append(read)
    visible = [each for each in own if each.name != reader.context_parameter]
    return Signature(
        parameters=tuple(inputs),
        stream=reader.stream,
        context=reader.context_parameter,
        result=reader.result(signature.return_annotation),
        is_async=reader.is_async,
        streams_out=reader.streams_out,
        callable=signature.replace(parameters=visible, return_annotation=inspect.Signature.empty),
    )


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
        _check_kind(parameter, where)
        origin = get_origin(annotation) or annotation
        if origin in _SYNC_STREAMS:
            raise DefinitionError(f"{where} cannot be a sync stream: annotate AsyncIterator")
        if origin in _STREAMS_IN:
            self._take_stream(name, annotation, where)
            return None
        return Parameter(name, annotation, default)

    def result(self, annotation: Any) -> Any:
        """The annotation of the result, or of each item if the method yields."""
        if annotation is inspect.Signature.empty:
            return Any
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


def _check_kind(parameter: inspect.Parameter, where: str) -> None:
    match parameter.kind:
        case inspect.Parameter.VAR_POSITIONAL:
            raise DefinitionError(f"{where}: *{parameter.name} is not supported; take a list")
        case inspect.Parameter.VAR_KEYWORD:
            raise DefinitionError(f"{where}: **{parameter.name} is not supported; take a dict")
        case inspect.Parameter.POSITIONAL_ONLY:
            raise DefinitionError(f"{where} is positional-only, but arguments travel by name")
