"""Arrays as parameters and results: what an annotation promises, and checking it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, ClassVar, get_args, get_origin

import numpy as np
import orjson
from pydantic_core import to_json

from mesh.io.types import registry
from mesh.io.types.elements import (
    ALIASES,
    NAMES,
    NUMBERS,
    Array,
    Casting,
    cast,
    dtype_name,
    element_type,
    is_bfloat16,
)
from mesh.io.types.kind import Intake, Kind
from mesh.io.types.marker import Marker
from mesh.io.types.nested import NATURAL, Natural, from_lists


@dataclass(frozen=True, slots=True)
class Shape(Marker):
    """Extents of an array or tensor, outermost first; -1 is any extent.

        rows: Annotated[np.ndarray, Shape((-1, 4)), DType("float32")]

    An argument in nested or flat lists takes this shape if it has the right number of elements.
    One that arrives as an array, and every result, must have it. Raises ValueError for extents
    that are no whole numbers from -1.
    """

    extents: tuple[int, ...]

    def __init__(self, extents: Sequence[int]) -> None:
        wrong = [extent for extent in extents if not isinstance(extent, int) or extent < -1]
        if wrong:
            raise ValueError(f"Shape: {wrong[0]!r} is no extent; give whole numbers, or -1 for any")
        object.__setattr__(self, "extents", tuple(extents))


@dataclass(frozen=True, slots=True)
class DType(Marker):
    """Element type of an array or tensor.

    `bool`, `int8` to `int64`, `uint8` to `uint64`, `float16`, `bfloat16`, `float32`, `float64`,
    `complex64`, `complex128` or `str`; other names that NumPy, torch and tensorflow have for these
    are known too, where `float` and `int` are torch's, of 32 bits. An element that this type can't
    hold is an error. An argument that is an array must be of a type that loses nothing in this
    one; a result may lose precision. Raises ValueError for a name that is none.
    """

    name: str

    def __post_init__(self) -> None:
        name = ALIASES.get(self.name, self.name)
        if name not in NAMES:
            raise ValueError(f"DType: {self.name!r} is none of {', '.join(NAMES)}")
        object.__setattr__(self, "name", name)


@dataclass(frozen=True, slots=True)
class TensorType(Kind):
    """What an annotation says about an array; None means that it says nothing.

    `natural` is what lists become of whose elements nothing is said.
    """

    dtype: np.dtype[Any] | None = None
    shape: tuple[int, ...] | None = None
    natural: Natural = NATURAL

    FORMAT: ClassVar[str] = "numpy-array"

    def marked(self, marker: object) -> "TensorType":
        """This type with a `Shape` or `DType`; raises TypeError for other markers."""
        match marker:
            case Shape(extents):
                return replace(self, shape=extents)
            case DType(name):
                dtype = element_type(name)
                if self.dtype is not None and self.dtype != dtype:
                    raise TypeError(f"DType({name!r}) contradicts the array's own {self.dtype}")
                return replace(self, dtype=dtype)
        raise TypeError(f"{type(marker).__name__} says nothing about arrays")

    def load(
        self,
        value: Any,
        intake: Intake | None = None,  # noqa: ARG002  # no file is in it
    ) -> Array:
        """An array of this type from nested lists, a number, text, or an array.

        Raises ValueError if the value doesn't fit: ragged, a wrong number of elements, elements
        that the element type can't hold. An array must be of this shape and of an element type
        that loses nothing; it is not copied if it is of this one.
        """
        if isinstance(value, np.ndarray):
            return self._fit(value, "safe")
        return self._shaped(self._read(value))

    def check(self, value: Any) -> Array:
        """As `load`, but arrays may lose precision, and whatever NumPy can see as one is one."""
        if not isinstance(value, np.ndarray):
            value = registry.wire_value(value)  # another library's tensor
        if not isinstance(value, np.ndarray):
            if not hasattr(value, "__array__"):
                return self._shaped(self._read(value))
            value = _seen_as_array(value)
        if value.dtype.kind == "O":
            value = self._read(value.tolist())
        elif value.dtype.kind == "S":
            value = np.char.decode(value, "utf-8")
        return self._fit(value, "same_kind")

    def wire(self, value: Any) -> Array:
        """The array as it is; dates and times as text. Raises ValueError for other types."""
        array = np.asarray(value)
        if array.dtype.char in NUMBERS:  # nearly always, and names are slow to make
            return array
        if array.dtype.kind == "M":
            return np.datetime_as_string(array)
        if dtype_name(array.dtype) not in NAMES:
            raise ValueError(f"arrays of {array.dtype} have no form on the wire")
        return array

    @property
    def numbers(self) -> np.dtype[Any] | None:
        """The element type, if it is a floating one of NumPy's own."""
        return self.dtype if self.dtype is not None and self.dtype.kind == "f" else None

    def json_schema(self) -> dict[str, Any]:
        """A tensor of this type; `dim` is the product of the extents, -1 included."""
        schema: dict[str, Any] = {"type": "tensor", "format": self.FORMAT}
        # Clients look the name up in NumPy, which has no bfloat16.
        if self.dtype is not None and not is_bfloat16(self.dtype):
            schema["dtype"] = "str_" if self.dtype.kind == "U" else self.dtype.name
        if self.shape is not None:
            schema |= {"shape": list(self.shape), "dim": math.prod(self.shape)}
        return schema

    def _read(self, value: Any) -> Array:
        want = self.dtype
        if want is None or not is_bfloat16(want):
            return from_lists(value, want, self.natural)
        return cast(from_lists(value, np.dtype(np.float32)), want, "same_kind")

    def _shaped(self, array: Array) -> Array:
        if self.shape is None or self.has_shape(array.shape):
            return array
        try:
            return array.reshape(self.shape)
        except ValueError:  # NumPy's own sentence leaves wildcards out
            raise ValueError(
                f"cannot reshape array of size {array.size} into shape {_text(self.shape)}"
            ) from None

    def _fit(self, array: Array, casting: Casting) -> Array:
        if type(array) is not np.ndarray:
            array = np.asarray(array)
        if self.dtype is not None:
            array = cast(array, self.dtype, casting)
        if self.shape is not None and not self.has_shape(array.shape):
            raise ValueError(f"expected shape {_text(self.shape)}, not {_text(array.shape)}")
        return array

    def has_shape(self, shape: Sequence[int]) -> bool:
        """Whether arrays of that shape are meant."""
        if self.shape is None:
            return True
        if len(shape) != len(self.shape):
            return False
        # Each array passes here, and a generator would cost three times as much.
        for want, have in zip(self.shape, shape, strict=True):  # noqa: SIM110  # see above
            if want not in (have, -1):
                return False
        return True


def kind(annotation: Any) -> TensorType:
    """What `np.ndarray`, `NDArray[np.float32]` and the like say.

    Raises TypeError for subclasses: what is read would not be one.
    """
    if annotation is np.ndarray:
        return _ANY
    if get_origin(annotation) is not np.ndarray:
        raise TypeError(f"{annotation!r} is not supported; annotate np.ndarray")
    # ndarray[shape, dtype[scalar]]: the arity of the shape says nothing by contract.
    scalar = get_args(get_args(annotation)[-1])
    if not scalar or not isinstance(scalar[0], type) or not issubclass(scalar[0], np.generic):
        return _ANY
    try:
        dtype = np.dtype(scalar[0])
    except TypeError:  # np.floating and the like, which are no element type
        return _ANY
    return TensorType(dtype if dtype_name(dtype) in NAMES else None)


def wire_value(value: Any) -> Array:
    """The array itself, or the plain array of a subclass. Raises ValueError if it has no form."""
    return _ANY.wire(value)


def tensor_json(array: Array) -> bytes:
    """Nested lists; elements that are no numbers stay `NaN` and `Infinity`.

    Raises ValueError for element types that JSON can't carry.
    """
    try:
        text = orjson.dumps(array, option=orjson.OPT_SERIALIZE_NUMPY)
    except TypeError:  # another order in memory, a subclass, text, complex numbers, no dimensions
        ordered = _ordered(array)
        if ordered is None:
            return to_json(array.tolist(), inf_nan_mode="constants")
        return tensor_json(ordered)
    # orjson writes every number that is not finite as null, and nothing else in an array.
    return _with_odd_numbers(text, array) if b"null" in text else text


def _with_odd_numbers(text: bytes, array: Array) -> bytes:
    """`text` with the numbers of the array that are not finite for its nulls, in order."""
    odd = array[~np.isfinite(array)]
    names = np.where(np.isnan(odd), b"NaN", np.where(odd > 0, b"Infinity", b"-Infinity"))
    first, *rest = text.split(b"null")
    pairs = zip(names.tolist(), rest, strict=True)
    return b"".join((first, *chain.from_iterable(pairs)))


def _ordered(array: Array) -> Array | None:
    """The array as orjson takes it, bfloat16 as float32; None if there is no more to be done."""
    dtype = array.dtype.newbyteorder("=")
    if is_bfloat16(dtype):
        dtype = np.dtype(np.float32)
    is_plain = type(array) is np.ndarray and array.dtype == dtype and array.flags.c_contiguous
    return None if is_plain or dtype.kind not in "fiub" else np.asarray(array, dtype, order="C")


def _seen_as_array(value: Any) -> Array:
    try:
        return np.asarray(value)
    except Exception as error:  # noqa: BLE001  # any library's code runs in there
        raise ValueError(f"a {type(value).__qualname__} is no array: {error}") from None


def _text(shape: Sequence[int]) -> str:
    return "(" + ",".join(map(str, shape)) + ")"


_ANY = TensorType()
