"""The inputs of a method as one value, which pydantic checks."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, create_model
from pydantic.fields import FieldInfo

from mesh.errors import DefinitionError
from mesh.io.adapter import adapter
from mesh.io.annotation import for_input
from mesh.io.binding import NO_ITEM
from mesh.io.fields import InputField, input_field
from mesh.io.models import annotation_of, is_model
from mesh.io.signature import Parameter, Signature
from mesh.io.violations import TITLE, root_title


@dataclass(frozen=True, slots=True)
class Inputs:
    """All inputs of a method as one value of pydantic's.

    `adapter` reads such a value, `fields` are the inputs by the names that callers use. The paths
    of faults in it begin with `path`, and `title` is what it is called in error messages.
    """

    adapter: TypeAdapter[Any]
    fields: tuple[InputField, ...]
    open: Callable[[Any], dict[str, Any]]
    """The inputs by parameter from such a value."""
    title: str = TITLE
    path: tuple[str, ...] = ()
    wire_names: Mapping[str, str] = field(default_factory=dict)
    """Names of inputs as callers say them, where these are not those of the parameters."""
    parts: tuple[InputField, ...] | None = None
    """The fields of a root input that is a model."""
    item: TypeAdapter[Any] | None = None
    """Of one item of the stream, which is a field of the value, but none of `fields`."""


def inputs(signature: Signature, *, where: str) -> Inputs:
    """The inputs of a method of this signature; `where` begins every message.

    Raises DefinitionError naming the parameter that cannot be an input.
    """
    if signature.model is not None:
        return _of_model(signature.model, where)
    if signature.root:
        return _of_root(signature.parameters[0], where)
    parameters = [_checked(each, where) for each in signature.parameters]
    if signature.stream is None:
        return _of_parameters(parameters, where)
    stream = _checked(signature.stream, where)
    # Where the method has it: callers go by the order of the schema's properties.
    place = list(signature.callable.parameters).index(stream.name)
    first = FieldInfo(default=NO_ITEM, json_schema_extra={"is_stream": True})
    parameters.insert(place, replace(stream, default=first))
    found = _of_parameters(parameters, where)
    return replace(
        found,
        fields=tuple(each for each in found.fields if each.name != stream.name),
        item=adapter(stream.annotation, where=_at(where, stream.name)),
    )


def _of_parameters(parameters: Sequence[Parameter], where: str) -> Inputs:
    """Each parameter is a field; some have another name there, because no field can have theirs."""
    renamed = {
        f"field_{number}": each.name
        for number, each in enumerate(parameters)
        if each.name.startswith("_") or hasattr(BaseModel, each.name)
    }

    def open_renamed(found: BaseModel) -> dict[str, Any]:
        return {renamed.get(name, name): value for name, value in found.__dict__.items()}

    return Inputs(
        _model(parameters, renamed, where),
        tuple(input_field(each.name, each.annotation) for each in parameters),
        open_renamed if renamed else _open_model,
    )


def _of_root(parameter: Parameter, where: str) -> Inputs:
    """The one parameter is all there is."""
    name, default = parameter.name, parameter.default
    checked = _checked(parameter, where).annotation
    with_default = checked
    if isinstance(default, FieldInfo):
        with_default = Annotated[checked, default]
    elif default is not inspect.Parameter.empty:
        with_default = Annotated[checked, FieldInfo(default=default)]
    return Inputs(
        adapter(with_default, where=_at(where, name)),
        (input_field(name, checked),),
        lambda value: {name: value},
        title=root_title(parameter.annotation),
        path=() if is_model(parameter.annotation) else ("root",),
        parts=_model_fields(parameter.annotation, _at(where, name))
        if is_model(parameter.annotation)
        else None,
    )


def _of_model(model: type[BaseModel], where: str) -> Inputs:
    """The fields of the user's model are the inputs."""
    at = f"{where}: input_spec"
    checked = _rewritten(model, at)
    return Inputs(
        adapter(checked, where=at),
        _model_fields(model, at),
        _open_model,
        title=root_title(model),
        wire_names=_wire_names(model),
    )


def _wire_names(model: type[BaseModel]) -> dict[str, str]:
    return {
        name: field.validation_alias
        for name, field in model.model_fields.items()
        if isinstance(field.validation_alias, str)
    }


def _model_fields(model: type[BaseModel], at: str) -> tuple[InputField, ...]:
    """The fields of the model, as inputs."""
    wire_names = _wire_names(model)
    return tuple(
        input_field(wire_names.get(name, name), _rewritten(annotation_of(field), at))
        for name, field in model.model_fields.items()
    )


def _open_model(found: BaseModel) -> dict[str, Any]:
    return found.__dict__


def _at(where: str, name: str) -> str:
    return f"{where}: parameter {name!r}"


def _checked(parameter: Parameter, where: str) -> Parameter:
    """The parameter with the annotation that its inputs are checked by."""
    at = _at(where, parameter.name)
    annotation = _rewritten(parameter.annotation, at)
    adapter(annotation, where=at)
    return replace(parameter, annotation=annotation)


def _rewritten(annotation: Any, at: str) -> Any:
    try:
        return for_input(annotation)
    except TypeError as error:
        raise DefinitionError(f"{at}: {error}") from error


def _model(
    parameters: Iterable[Parameter], renamed: Mapping[str, str], where: str
) -> TypeAdapter[BaseModel]:
    """A model of the inputs; some are `renamed`, because no field can have their names."""
    field_names = {parameter: field for field, parameter in renamed.items()}
    config = ConfigDict(
        title=TITLE,
        protected_namespaces=(),
        ser_json_inf_nan="constants",
        alias_generator=lambda field: renamed.get(field, field),
    )
    fields: dict[str, Any] = {
        field_names.get(each.name, each.name): (
            each.annotation,
            ... if each.default is inspect.Parameter.empty else each.default,
        )
        for each in parameters
    }
    return adapter(create_model(TITLE, __config__=config, **fields), where=where)
