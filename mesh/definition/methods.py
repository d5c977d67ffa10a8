"""`@api`: marks the functions of a class that can be called from outside."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, overload

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from mesh.errors import DefinitionError

F = TypeVar("F", bound=Callable[..., Any])

_MARK = "__mesh_api__"


@dataclass(frozen=True, slots=True)
class ApiOptions:
    """What the decorator of a method said. Empty `name` and `route` mean the usual ones.

    `fields` are the parameters whose default is a pydantic Field. `input_spec` is a model whose
    fields are the inputs, `output_spec` one that the result, or each item of it, is.
    """

    name: str = ""
    route: str = ""
    idempotent: bool = False
    fields: Mapping[str, FieldInfo] = field(default_factory=dict)
    input_spec: type[BaseModel] | None = None
    output_spec: type[BaseModel] | None = None


@overload
def api(func: F, /) -> F: ...


@overload
def api(
    *,
    name: str = ...,
    route: str = ...,
    idempotent: bool = ...,
    input_spec: type[BaseModel] | None = ...,
    output_spec: type[BaseModel] | None = ...,
) -> Callable[[F], F]: ...


def api(
    func: F | None = None,
    /,
    *,
    name: str = "",
    route: str = "",
    idempotent: bool = False,
    input_spec: type[BaseModel] | None = None,
    output_spec: type[BaseModel] | None = None,
) -> F | Callable[[F], F]:
    """Marks a method of a service as callable from outside.

        @mesh.api
        async def classify(self, rows: Rows) -> list[int]: ...

    Annotations say what the inputs and the result are; a parameter annotated `mesh.Context` is the
    call itself, one with a default `pydantic.Field(...)` has its description and constraints.
    Works on plain and async methods and on generators of both kinds, whose items are a stream;
    the function itself stays callable as it is.

    `name` is what callers say (default: the method's name), `route` the HTTP path (default: `/`
    and the name). `idempotent` says that a call may be repeated if it is not known whether it ran.
    `input_spec` is a pydantic model whose fields are the inputs, passed to the method by name;
    `output_spec` one that stands for the return annotation. Raises DefinitionError for what is no
    function or no model; the service's decorator raises it for annotations that have no meaning.
    """
    _check_model("input_spec", input_spec)
    _check_model("output_spec", output_spec)

    def mark(func: F) -> F:
        if not inspect.isfunction(func):
            raise DefinitionError(f"{func!r}: @mesh.api goes on an instance method of a class")
        fields = _take_fields(func)
        options = ApiOptions(name, route, idempotent, fields, input_spec, output_spec)
        setattr(func, _MARK, options)
        return func

    return mark if func is None else mark(func)


def api_options(func: object) -> ApiOptions | None:
    """What `@api` said about a function; None if it is no method of a service."""
    options = getattr(func, _MARK, None) if inspect.isfunction(func) else None
    return options if isinstance(options, ApiOptions) else None


def _check_model(option: str, value: object) -> None:
    if value is not None and not (isinstance(value, type) and issubclass(value, BaseModel)):
        raise DefinitionError(f"@mesh.api({option}=...) takes a pydantic model, not {value!r}")


def _take_fields(func: Callable[..., Any]) -> dict[str, FieldInfo]:
    """Moves the Fields out of the function's defaults, so that plain calls get plain values."""
    plain = inspect.unwrap(func)
    parameters = inspect.signature(plain).parameters.values()
    fields = {each.name: each.default for each in parameters if isinstance(each.default, FieldInfo)}
    if fields:
        plain.__defaults__ = tuple(map(_plain, plain.__defaults__ or ())) or None
        named = plain.__kwdefaults__ or {}
        plain.__kwdefaults__ = {key: _plain(value) for key, value in named.items()}
    return fields


def _plain(default: Any) -> Any:
    """The value that a Field stands for; the Field itself if it stands for none."""
    if not isinstance(default, FieldInfo):
        return default
    value = default.get_default(call_default_factory=True, validated_data={})
    return default if value is PydanticUndefined else value
