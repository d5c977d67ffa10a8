"""torch's tensors as parameters and results. Loaded only where torch is."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from mesh.io.types.bfloat16 import Bfloat16
from mesh.io.types.elements import Array, is_bfloat16
from mesh.io.types.kind import Intake, Kind
from mesh.io.types.nested import Natural
from mesh.io.types.tensor import DType, Shape, TensorType

_LISTS = TensorType(natural=Natural(fractions=np.dtype(np.float32)))


@dataclass(frozen=True, slots=True)
class TorchType(Kind):
    """What an annotation says about a tensor; a `dtype` of None means that it says nothing.

    `arrays` is what is said about the array of the same numbers, which is how tensors travel. Of
    a tensor of bfloat16 it is one of float32.
    """

    dtype: torch.dtype | None = None
    arrays: TensorType = _LISTS

    def marked(self, marker: object) -> "TorchType":
        """This type with a `Shape` or `DType`; raises TypeError for others, and for text."""
        match marker:
            case Shape():
                return replace(self, arrays=self.arrays.marked(marker))
            case DType("str"):
                raise TypeError('DType("str"): torch has no tensors of text')
            case DType(name):
                dtype: torch.dtype = getattr(torch, name)
                if self.dtype not in (None, dtype):
                    raise TypeError(f"DType({name!r}) contradicts the tensor's own {self.dtype}")
                numbers = np.dtype("float32" if dtype is torch.bfloat16 else name)
                return TorchType(dtype, replace(self.arrays, dtype=numbers))
        raise TypeError(f"{type(marker).__name__} says nothing about tensors")

    def load(
        self,
        value: Any,
        intake: Intake | None = None,  # noqa: ARG002  # no file is in it
    ) -> torch.Tensor:
        """A tensor from nested lists, a number, an array or a tensor.

        It shares its memory only with an array that is writable and contiguous. Lists of
        fractions become float32, as torch has it. Raises ValueError if the value doesn't fit, as
        `TensorType.load` says.
        """
        if isinstance(value, torch.Tensor):
            if self._fits(value):
                return value
            value = _array(value)
        return self._tensor(self.arrays.load(value), value)

    def check(self, value: Any) -> torch.Tensor:
        """As `load`, but precision may be lost, and whatever NumPy can see as an array is one."""
        if isinstance(value, torch.Tensor):
            if self._fits(value):
                return value
            value = _array(value)
        return self._tensor(self.arrays.check(value), value)

    def wire(self, value: Any) -> Array:
        """As the module's `wire_value`."""
        return wire_value(value)

    @property
    def numbers(self) -> np.dtype[Any] | None:
        """As of an array."""
        return self.arrays.numbers

    def json_schema(self) -> dict[str, Any]:
        """As an array's, by torch's names."""
        schema = self.arrays.json_schema() | {"format": "torch-tensor"}
        if self.dtype is torch.bfloat16:
            schema["dtype"] = "bfloat16"
        return schema

    def _fits(self, tensor: torch.Tensor) -> bool:
        return self.dtype in (None, tensor.dtype) and self.arrays.has_shape(tensor.shape)

    def _tensor(self, array: Array, given: Any) -> torch.Tensor:
        """The tensor of an array that fits, which was made from what was given."""
        if array.dtype.kind == "U":
            raise ValueError("expected numbers or booleans, not text")
        dtype = self.dtype
        if is_bfloat16(array.dtype) or (dtype is None and type(given) is Bfloat16):
            dtype, array = torch.bfloat16, array.astype(np.float32)
        # Writing to what torch has would else write to a message's bytes.
        own = np.require(array, np.dtype(array.dtype.name), ["C", "W"])
        tensor = torch.from_numpy(own)
        return _narrowed(tensor) if dtype is torch.bfloat16 else tensor


def kind(annotation: Any) -> TorchType:
    """What `torch.Tensor` says. Raises TypeError for subclasses: what is read would not be one."""
    if annotation is not torch.Tensor:
        raise TypeError(f"{annotation!r} is not supported; annotate torch.Tensor")
    return TorchType()


def wire_value(value: Any) -> Array:
    """The array of a tensor, in the tensor's own memory where that is in order.

    Raises ValueError for a tensor that NumPy has no form for.
    """
    return _array(value) if isinstance(value, torch.Tensor) else np.asarray(value)


def _array(tensor: torch.Tensor) -> Array:
    try:
        plain = tensor.detach().cpu().resolve_conj().resolve_neg()
        if plain.layout is not torch.strided:
            plain = plain.to_dense()
        if plain.dtype is torch.bfloat16:
            return plain.to(torch.float32).numpy().view(Bfloat16)
        return plain.contiguous().numpy()
    except (TypeError, RuntimeError, NotImplementedError) as error:  # quantized, without storage
        raise ValueError(f"a tensor of {tensor.dtype} has no form on the wire: {error}") from None


def _narrowed(tensor: torch.Tensor) -> torch.Tensor:
    narrow = tensor.to(torch.bfloat16)
    if (narrow.isinf() & tensor.isfinite()).any():
        raise ValueError("a number is out of bounds for bfloat16")
    return narrow
