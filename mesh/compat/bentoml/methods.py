"""The `@bentoml.api` methods of a service as methods of the mesh."""

import asyncio
import functools
import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import bentoml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mesh.compat.bentoml.annotations import translated
from mesh.edge import PAGE, SAMPLES
from mesh.errors import DefinitionError
from mesh.io.arguments import Arguments
from mesh.io.replies.encoder import Style
from mesh.io.spec import MethodSpec, method_spec
from mesh.observe.samples import collect, dump

_ROOT = "root"
_STYLE = Style(spaced=True, framed=False, charset=True)


def method(service: Any, attribute: str, api: Any, prefix: str) -> MethodSpec:
    """The method that BentoML's `api` is, at its route below `prefix`. Raises DefinitionError."""
    where = f"{service.inner.__qualname__}.{attribute}"
    read = _Signature(api, where)
    made = method_spec(
        service.inner,
        read.callable,
        name=api.name,
        attribute=attribute,
        route=prefix + api.route,
        context=bentoml.Context,
        fields=read.fields,
        input_spec=read.input_spec,
        output_spec=read.output_spec,
    )
    return replace(
        made,
        func=_as_called(api.func, read.star),
        arguments=_lenient(made.arguments),
        result=made.result.styled(_STYLE),
    )


def _lenient(arguments: Arguments) -> Arguments:
    """The arguments as BentoML reads them of forms: every field is JSON if it can be, else text."""
    if arguments.parts is None:
        return arguments
    parts = {
        name: replace(each, is_text=False, is_lenient=True)
        for name, each in arguments.parts.items()
    }
    return replace(arguments, parts=parts)


def probe(service: Any, name: str) -> MethodSpec:
    """A method without inputs that answers whether the service is well; no client reaches it."""
    func = _apart(inspect.getattr_static(service.inner, name))

    async def truth(self: Any) -> bool:
        return bool(await func(self))

    return method_spec(service.inner, truth, name=name, route="")


def samples(service: Any) -> MethodSpec:
    """A method that gives the metrics of the user's code in this process; no client reaches it."""

    async def collected(self: Any) -> str:  # noqa: ARG001 - called as a method
        return await asyncio.to_thread(lambda: dump(collect()))

    return method_spec(service.inner, collected, name=SAMPLES, route="")


def page(service: Any) -> MethodSpec:
    """The service's own `__metrics__`: a page of metrics for another; no client reaches it."""
    func = _apart(inspect.getattr_static(service.inner, PAGE))

    async def edited(self: Any, text: str, /) -> str:
        found: str = await func(self, text)
        return found

    return method_spec(service.inner, edited, name=PAGE, route="")


def _apart(func: Callable[..., Any]) -> Callable[..., Any]:
    """The function as a coroutine function: methods may hold all the threads of the service."""
    if inspect.iscoroutinefunction(func):
        return func

    async def wait(*args: Any) -> Any:
        return await asyncio.to_thread(func, *args)

    return wait


def _as_called(func: Callable[..., Any], star: str | None) -> Callable[..., Any]:
    """The function as BentoML calls it: `*args` get one list, which is their only item."""
    if star is None:
        return func

    @functools.wraps(func)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        return func(self, list(args), **kwargs)

    return call


class _Signature:
    """What BentoML reads of a method, as a function that the mesh reads in its place."""

    def __init__(self, api: Any, where: str) -> None:
        self._where = where
        func = api.func
        signature = inspect.signature(func)
        names = getattr(inspect.unwrap(func), "__globals__", {})
        parameters = [
            self._parameter(each, names, is_context=each.name == api.ctx_param)
            for each in signature.parameters.values()
        ]
        self.star = next(
            (each.name for each in parameters if each.kind is each.VAR_POSITIONAL), None
        )
        self.fields = {
            each.name: each.default for each in parameters if isinstance(each.default, FieldInfo)
        }
        result = self._translated(signature.return_annotation, names, "the return annotation")
        self.callable = _stand_in(
            func, signature.replace(parameters=parameters, return_annotation=result)
        )
        self.input_spec = self._model(api.input_spec) if _is_explicit(api, parameters) else None
        self.output_spec = (
            self._model(api.output_spec) if _ROOT not in api.output_spec.model_fields else None
        )

    def _parameter(
        self, parameter: inspect.Parameter, names: Mapping[str, Any], *, is_context: bool
    ) -> inspect.Parameter:
        if is_context:
            return parameter.replace(annotation=bentoml.Context)
        annotation = self._translated(parameter.annotation, names, f"parameter {parameter.name!r}")
        if annotation is parameter.empty and parameter.name in ("ctx", "context"):
            annotation = Any
        return parameter.replace(annotation=annotation)

    def _translated(self, annotation: Any, names: Mapping[str, Any], part: str) -> Any:
        if annotation is inspect.Parameter.empty:
            return annotation
        try:
            holder = type("_", (), {"__annotations__": {"it": annotation}})
            found = typing.get_type_hints(holder, dict(names), {}, include_extras=True)["it"]
            return translated(found)
        except Exception as error:
            raise DefinitionError(f"{self._where}: {part} cannot be read: {error}") from error

    def _model(self, spec: type[BaseModel]) -> type[BaseModel]:
        """The user's own model, of which BentoML may have made one with another base."""
        if spec.__name__.endswith("IODescriptor") and len(spec.__bases__) > 1:
            spec = spec.__bases__[-1]
        found: type[BaseModel] = translated(spec)
        return found


def _is_explicit(api: Any, parameters: list[inspect.Parameter]) -> bool:
    """Whether the user said `input_spec=`; else BentoML made the model of the parameters."""
    spec = api.input_spec
    own = [each for each in parameters[1:] if each.name != api.ctx_param]
    if any(each.kind is each.POSITIONAL_ONLY for each in own):
        return False
    stars: dict[Any, str] = {
        inspect.Parameter.VAR_POSITIONAL: "args",
        inspect.Parameter.VAR_KEYWORD: "kwargs",
    }
    names = [stars.get(each.kind, each.name) for each in own]
    return bool(spec.__name__ != "Input" or list(spec.model_fields) != names)


def _stand_in(func: Callable[..., Any], signature: inspect.Signature) -> Callable[..., Any]:
    """A function of the same kind with this signature, which is read and never called."""
    if inspect.isasyncgenfunction(func):

        async def async_items(*_: Any, **__: Any) -> Any:
            yield None

        made: Any = async_items
    elif inspect.iscoroutinefunction(func):

        async def coroutine(*_: Any, **__: Any) -> Any:
            return None

        made = coroutine
    elif inspect.isgeneratorfunction(func):

        def items(*_: Any, **__: Any) -> Any:
            yield None

        made = items
    else:

        def plain(*_: Any, **__: Any) -> Any:
            return None

        made = plain
    made.__signature__ = signature
    made.__doc__ = func.__doc__
    made.__name__ = getattr(func, "__name__", "")
    return made  # type: ignore[no-any-return]  # one of the four above
