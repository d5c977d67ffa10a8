"""tensorflow's tensors as parameters and results. Loaded only where tensorflow is."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf

from mesh.io.types.bfloat16 import Bfloat16
from mesh.io.types.elements import Array, element_type
from mesh.io.types.kind import Intake, Kind
from mesh.io.types.nested import Natural
from mesh.io.types.tensor import TensorType

_LISTS = TensorType(natural=Natural(np.dtype(np.int32), np.dtype(np.float32)))


@dataclass(frozen=True, slots=True)
class TfType(Kind):
    """What an annotation says about a tensor, said about its array, which is how tensors travel."""

    arrays: TensorType = _LISTS

    def marked(self, marker: object) -> "TfType":
        """This type with a `Shape` or `DType`; raises TypeError for other markers."""
        return replace(self, arrays=self.arrays.marked(marker))

    def load(
        self,
        value: Any,
        intake: Intake | None = None,  # noqa: ARG002  # no file is in it
    ) -> tf.Tensor:
        """A tensor from nested lists, a number, text, an array or a tensor.

        Lists of whole numbers become int32 and of fractions float32, as tensorflow has it. Raises
        ValueError if the value doesn't fit, as `TensorType.load` says.
        """
        if isinstance(value, tf.Tensor):
            array = self.arrays.load(wire_value(value))
            return value if array.dtype == value.dtype else _tensor(array)
        if type(value) is Bfloat16 and self.arrays.dtype is None:
            value = value.astype(element_type("bfloat16"))
        return _tensor(self.arrays.load(value))

    def check(self, value: Any) -> tf.Tensor:
        """As `load`, but precision may be lost, and whatever NumPy can see as an array is one."""
        return _tensor(self.arrays.check(wire_value(value) if _is_tensor(value) else value))

    def wire(self, value: Any) -> Array:
        """As the module's `wire_value`."""
        return wire_value(value)

    @property
    def numbers(self) -> np.dtype[Any] | None:
        """As of an array."""
        return self.arrays.numbers

    def json_schema(self) -> dict[str, Any]:
        """As an array's, by tensorflow's names."""
        schema = self.arrays.json_schema() | {"format": "tf-tensor"}
        if self.arrays.dtype is not None:  # clients look the name up in tensorflow
            schema["dtype"] = tf.as_dtype(self.arrays.dtype).name
        return schema


def kind(annotation: Any) -> TfType:
    """What `tf.Tensor` says. Raises TypeError for subclasses: what is read would not be one."""
    if annotation is not tf.Tensor:
        raise TypeError(f"{annotation!r} is not supported; annotate tf.Tensor")
    return TfType()


def wire_value(value: Any) -> Array:
    """The array of a tensor or variable; of a tensor of bytes an array of text.

    Raises ValueError for bytes that are no text in UTF-8, and for a tensor without values.
    """
    try:
        array = np.asarray(value.numpy() if _is_tensor(value) else value)
    except (AttributeError, NotImplementedError) as error:  # symbolic, inside a tf.function
        raise ValueError(f"a tensor without values has no form on the wire: {error}") from None
    if array.dtype.kind in "OS":
        return np.char.decode(array.astype(np.bytes_), "utf-8")
    return array


def _is_tensor(value: Any) -> bool:
    return isinstance(value, tf.Tensor | tf.Variable)


def _tensor(array: Array) -> tf.Tensor:
    try:
        return tf.convert_to_tensor(array)
    except (TypeError, ValueError, tf.errors.OpError) as error:
        raise ValueError(f"tensorflow takes no array of {array.dtype}: {error}") from None
