"""One request for an inference, whatever form it came in."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mesh.errors import InvalidArgument, Violation
from mesh.io.open_inference.datatypes import BOOL, BYTES, FP64, INT64
from mesh.io.open_inference.interface import Form, Interface, TensorSpec
from mesh.io.open_inference.tensors import texts
from mesh.io.types.elements import Array
from mesh.io.value import words
from mesh.io.violations import invalid_input

SHARED_MEMORY = "shared memory is not supported: send the elements"


@dataclass(frozen=True, slots=True)
class InferRequest:
    """What a request says.

    `inputs` are arrays by name, or in a generate request values as JSON has them. `outputs` are
    the names that are asked for (None: all), `binary` tells for which of them bytes are wanted,
    `is_binary` for all others. `typed` says that elements came as typed contents.
    `ends` says that a message without outputs is to end a stream.
    """

    id: str
    inputs: Mapping[str, Any]
    outputs: tuple[str, ...] | None = None
    binary: Mapping[str, bool] = field(default_factory=dict)
    is_binary: bool = False
    typed: bool = False
    ends: bool = False

    def wants_binary(self, output: str) -> bool:
        """Whether the output's elements are wanted as bytes."""
        return self.binary.get(output, self.is_binary)


def fault(name: str, message: str, kind: str = "tensor") -> InvalidArgument:
    """The error of one tensor."""
    return invalid_input((Violation((name,) if name else (), kind, message),))


def unique(names: Iterable[str], what: str) -> None:
    """Raises InvalidArgument for a name that is there twice."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise fault(name, f"there are two {what} of this name")
        seen.add(name)


def check_names(request: InferRequest, model: Interface) -> None:
    """Raises InvalidArgument for an input or an output that the model has not."""
    for name in request.inputs:
        if name not in model.inputs:
            raise fault(name, f"there is no such input; there is {_listed(model.inputs)}")
    for name in request.outputs or ():
        if model.outputs is not None and name not in model.outputs:
            raise fault(name, f"there is no such output; there is {_listed(model.outputs)}")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def arguments_of(request: InferRequest, model: Interface) -> dict[str, Any]:
    """The inputs as Python has them. Raises InvalidArgument naming the tensor."""
    return {name: _argument(model.inputs[name], array) for name, array in request.inputs.items()}


def _argument(spec: TensorSpec, array: Array) -> Any:
    try:
        return _ARGUMENTS[spec.form](spec, array)
    except ValueError as error:
        raise fault(spec.name, str(error)) from None
    except InvalidArgument as error:
        raise invalid_input(error.within(spec.name).violations) from None


def _array(spec: TensorSpec, array: Array) -> Any:  # noqa: ARG001 - as its siblings
    if array.dtype.kind != "O":
        return array
    return words(texts(array.ravel().tolist())).reshape(array.shape)


def _scalar(spec: TensorSpec, array: Array) -> Any:
    _check_family(spec, array)
    if array.shape not in ((), (1,)):
        raise ValueError(f"one element is wanted, in shape [1], not {list(array.shape)}")
    (element,) = array.reshape(-1).tolist()
    if spec.datatype != BYTES or spec.is_binary:
        return element
    (text,) = texts((element,))
    return text


def _list(spec: TensorSpec, array: Array) -> Any:
    _check_family(spec, array)
    if array.ndim != len(spec.shape):
        raise ValueError(f"{len(spec.shape)} dimensions are wanted, not {array.ndim}")
    if spec.datatype != BYTES or spec.is_binary:
        return array.tolist()
    found = array.copy()
    found.reshape(-1)[:] = texts(array.ravel().tolist())
    return found.tolist()


_ARGUMENTS = {Form.ARRAY: _array, Form.SCALAR: _scalar, Form.LIST: _list}
_FAMILIES = {BOOL: "b", INT64: "iu", FP64: "fiu", BYTES: "O"}
"""NumPy's kinds of elements that are read as each datatype of a scalar."""


def _check_family(spec: TensorSpec, array: Array) -> None:
    if array.dtype.kind not in _FAMILIES[spec.datatype]:
        raise ValueError(f"elements of {spec.datatype} are wanted")
