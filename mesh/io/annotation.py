"""Annotations as pydantic is to see them: resolved, with arrays in the mesh's own form."""

import functools
import operator
import types
import typing
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Union, get_args, get_origin

import numpy as np
from pydantic import BaseModel

from mesh.io.array_model import with_arrays
from mesh.io.types.tensor import DType, Shape, TensorType, tensor_type


def resolve(
    annotation: Any, module_names: Mapping[str, Any], local_names: Mapping[str, Any]
) -> Any:
    """The annotation with every name in quotes, at any depth, replaced by what it names.

    Raises NameError for a name that nothing has, and whatever evaluating the text raises.
    """
    # get_type_hints is the public way to evaluate, and reads only __annotations__.
    holder = types.SimpleNamespace(__annotations__={"it": annotation})
    hints = typing.get_type_hints(holder, dict(module_names), dict(local_names), True)
    return hints["it"]


def for_input(annotation: Any) -> Any:
    """The annotation by which arguments are checked. Raises TypeError if it contradicts itself."""
    return _rewrite(annotation, TensorType())


def for_result(annotation: Any) -> Any:
    """The annotation by which results are checked: arrays may lose precision to fit it."""
    return _rewrite(annotation, TensorType(casting="same_kind"))


def _rewrite(annotation: Any, base: TensorType, markers: tuple[Any, ...] = ()) -> Any:
    """`annotation` with each array as `Annotated[np.ndarray, TensorType(...)]`.

    `markers` are the Shape and DType that stand around it.
    """
    if get_origin(annotation) is Annotated:
        inner, *metadata = get_args(annotation)
        own = tuple(each for each in metadata if isinstance(each, Shape | DType))
        rest = [each for each in metadata if each not in own]
        rewritten = _rewrite(inner, base, (*markers, *own))
        return Annotated[(rewritten, *rest)] if rest else rewritten
    said = tensor_type(annotation)
    if said is not None:
        tensor = functools.reduce(TensorType.marked, markers, said)
        return Annotated[np.ndarray, replace(tensor, casting=base.casting)]
    if get_origin(annotation) in (Union, types.UnionType):
        return _rewrite_union(annotation, base, markers)
    if markers:
        raise TypeError(f"{type(markers[0]).__name__} describes arrays, not {annotation!r}")
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return with_arrays(annotation, lambda field: _rewrite(field, base))
    return _rewrite_arguments(annotation, base)


def _rewrite_union(annotation: Any, base: TensorType, markers: tuple[Any, ...]) -> Any:
    arms = get_args(annotation)
    arrays = [arm for arm in arms if _is_array(arm)]
    if markers and not arrays:
        raise TypeError(f"{type(markers[0]).__name__} describes arrays, not {annotation!r}")
    return functools.reduce(
        operator.or_,
        [_rewrite(arm, base, markers if arm in arrays else ()) for arm in arms],
    )


def _is_array(annotation: Any) -> bool:
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return tensor_type(annotation) is not None


def _rewrite_arguments(annotation: Any, base: TensorType) -> Any:
    """A generic alias with its arguments rewritten; anything else as it is."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if not isinstance(origin, type) or not isinstance(annotation, _ALIASES):
        return annotation
    rewritten = tuple(
        each if isinstance(each, list) else _rewrite(each, base) for each in arguments
    )
    return annotation if rewritten == arguments else origin[rewritten]  # type: ignore[index]


_ALIASES = (types.GenericAlias, type(typing.List[int]))  # noqa: UP006 - the class of typing's own
