"""What a method returned, as named tensors."""

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, NamedTuple

import numpy as np

from mesh.io.open_inference.datatypes import BF16, BYTES, NUMBERS, bits_of, datatype_of
from mesh.io.open_inference.interface import RESULT, Form, Interface, TensorSpec
from mesh.io.open_inference.tensors import flat
from mesh.io.types.bfloat16 import Bfloat16
from mesh.io.types.elements import Array
from mesh.io.types.file import File
from mesh.io.types.nested import from_lists
from mesh.io.types.plain import plain_value


class Output(NamedTuple):
    """One tensor of a response; the array is as `tensors` has arrays."""

    name: str
    datatype: str
    array: Array


def values_of(wire: Any, model: Interface) -> dict[str, Any]:
    """The outputs by name in a result's wire value, without those that are None.

    What a model computes beyond its fields is no output.
    """
    if model.is_single:
        found = {RESULT: wire}
    elif isinstance(wire, Mapping):
        known = model.outputs if model.outputs is not None else wire
        found = {name: wire[name] for name in known if name in wire}
    elif isinstance(wire, list | tuple):  # of a NamedTuple
        found = dict(zip(model.outputs or (), wire, strict=True))
    else:
        raise TypeError(f"a {type(wire).__qualname__} has no fields")
    return {name: value for name, value in found.items() if value is not None}


def outputs_of(wire: Any, model: Interface, wanted: Iterable[str] | None) -> list[Output]:
    """The tensors of a result that are wanted (None: all), in the order of the wish.

    Raises ValueError or TypeError for a value that is no tensor.
    """
    values = values_of(wire, model)
    names = values if wanted is None else [name for name in wanted if name in values]
    return [_output(name, values[name], (model.outputs or {}).get(name)) for name in names]


def _output(name: str, value: Any, spec: TensorSpec | None) -> Output:
    array = _array(value, spec)
    datatype = BF16 if bits_of(array) is not None else datatype_of(_plain(array).dtype)
    if datatype is None:
        raise ValueError(f"{name}: arrays of {array.dtype} have no datatype")
    return Output(name, datatype, array)


def _plain(array: Array) -> Array:
    return np.asarray(array) if isinstance(array, Bfloat16) else array


def _array(value: Any, spec: TensorSpec | None) -> Array:
    if isinstance(value, np.ndarray):
        if value.dtype.kind == "U":
            return _words(value.shape, value.ravel().tolist())
        return value
    if isinstance(value, np.generic):
        return np.asarray(value).reshape(1)
    if spec is not None and spec.datatype != BYTES:
        array = from_lists(_bare(value), NUMBERS[spec.datatype])
        empty = spec.form is Form.LIST and not array.size
        return array.reshape(array.shape or (1,)) if not empty else _empty(array, spec)
    shape, elements = flat(_bare(value))
    if elements and not isinstance(elements[0], str | bytes | File):
        array = from_lists(_bare(value), None)
        return array.reshape(array.shape or (1,))
    return _words(shape or (1,), elements)


def _empty(array: Array, spec: TensorSpec) -> Array:
    """An array without elements, of as many dimensions as the lists have."""
    rest = len(spec.shape) - array.ndim
    return array.reshape((*array.shape, *(0,) * rest)) if rest > 0 else array


def _bare(value: Any) -> Any:
    """Lists of plain values for sequences of members of enumerations and the like."""
    if isinstance(value, list | tuple):
        return [_bare(each) for each in value]
    return value.value if isinstance(value, Enum) else value


def _words(shape: tuple[int, ...], elements: list[Any]) -> Array:
    found: Array = np.empty(len(elements), object)
    found[:] = [_bytes(each) for each in elements]
    return found.reshape(shape)


def _bytes(element: Any) -> bytes:
    match element:
        case bytes():
            return element
        case str():
            return element.encode()
        case File():
            return element.read()
    return str(plain_value(element)).encode()
