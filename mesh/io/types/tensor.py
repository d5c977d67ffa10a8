"""Arrays as parameters and results: what an annotation promises, and checking it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args, get_origin

import numpy as np
import orjson
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.errors import PydanticSchemaGenerationError
from pydantic_core import CoreSchema, core_schema, to_json

Array = np.ndarray[Any, np.dtype[Any]]
"""An array of any shape and element type."""

_NAMES = (
    *("bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"),
    *("float16", "float32", "float64", "complex64", "complex128", "str"),
)
_METADATA = "mesh_tensor"


def _json_schema(schema: CoreSchema, _handler: GetJsonSchemaHandler) -> dict[str, Any]:
    tensor: TensorType = schema["metadata"][_METADATA]
    return tensor.json_schema()


class _Marker:
    """Says something about an array inside `Annotated`, also in a user's own pydantic model."""

    __slots__ = ()

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        try:
            inner = handler(source)
        except PydanticSchemaGenerationError:
            inner = core_schema.any_schema()  # an array without arbitrary_types_allowed
        known = (inner.get("metadata") or {}).get(_METADATA)
        if known is None and (known := tensor_type(source)) is None:
            raise TypeError(f"{type(self).__name__} describes arrays, not {source!r}")
        return _core_schema(known.marked(self))

    __get_pydantic_json_schema__ = staticmethod(_json_schema)


@dataclass(frozen=True, slots=True)
class Shape(_Marker):
    """Extents of an array, outermost first; -1 is any extent.

    As input, nested or flat lists of the right number of elements take this shape. A tensor that
    arrives with a shape of its own must have this one.
    """

    extents: tuple[int, ...]

    def __init__(self, extents: Sequence[int]) -> None:
        wrong = [extent for extent in extents if not isinstance(extent, int) or extent < -1]
        if wrong:
            raise ValueError(f"Shape: {wrong[0]!r} is no extent; give whole numbers, or -1 for any")
        object.__setattr__(self, "extents", tuple(extents))


@dataclass(frozen=True, slots=True)
class DType(_Marker):
    """Element type of an array, by NumPy's name: `bool`, `int64`, `float32`, `str`..."""

    name: str

    def __post_init__(self) -> None:
        if self.name not in _NAMES:
            raise ValueError(f"DType: {self.name!r} is none of {', '.join(_NAMES)}")


@dataclass(frozen=True, slots=True)
class TensorType:
    """What an annotation says about an array; None means that it says nothing.

    `casting` is what may happen to an array of another element type, in NumPy's words.
    """

    dtype: np.dtype[Any] | None = None
    shape: tuple[int, ...] | None = None
    casting: Literal["safe", "same_kind"] = "safe"

    FORMAT: ClassVar[str] = "numpy-array"

    def marked(self, marker: object) -> "TensorType":
        """This type with what `marker` adds. Raises TypeError if it contradicts."""
        match marker:
            case Shape(extents):
                return TensorType(self.dtype, extents, self.casting)
            case DType(name):
                dtype = np.dtype(name)
                if self.dtype is not None and self.dtype != dtype:
                    raise TypeError(f"DType({name!r}) contradicts the array's own {self.dtype}")
                return TensorType(dtype, self.shape, self.casting)
            case _:
                return self

    def load(self, value: Any) -> Array:
        """An array of this type from nested lists, a number, or an array.

        Raises ValueError if the value doesn't fit: ragged, a wrong number of elements, elements
        that the element type can't hold.
        """
        if isinstance(value, np.ndarray):
            return self.fit(value)
        array = _from_lists(value, self.dtype)
        if self.shape is None or self._has_shape(array.shape):
            return array
        try:
            return array.reshape(self.shape)
        except ValueError:  # NumPy's own sentence leaves wildcards out
            raise ValueError(
                f"cannot reshape array of size {array.size} into shape {_text(self.shape)}"
            ) from None

    def fit(self, array: Array) -> Array:
        """`array` itself, or cast where `casting` allows it.

        Raises ValueError for another element type or shape.
        """
        want, have = self.dtype, array.dtype
        if want is not None and have != want and not have.kind == want.kind == "U":
            if "U" in (have.kind, want.kind) or not np.can_cast(have, want, self.casting):
                raise ValueError(f"expected elements of {_name(want)}, not {_name(have)}")
            array = array.astype(want)
        if self.shape is not None and not self._has_shape(array.shape):
            raise ValueError(f"expected shape {_text(self.shape)}, not {_text(array.shape)}")
        return array

    def _has_shape(self, shape: tuple[int, ...]) -> bool:
        expected = self.shape or ()
        return len(shape) == len(expected) and all(
            want in (-1, have) for want, have in zip(expected, shape, strict=True)
        )

    def json_schema(self) -> dict[str, Any]:
        """The keywords by which clients know an array."""
        schema: dict[str, Any] = {"type": "tensor", "format": self.FORMAT}
        if self.dtype is not None:
            schema["dtype"] = _name(self.dtype)
        if self.shape is not None:
            schema |= {"shape": list(self.shape), "dim": math.prod(self.shape)}
        return schema

    def __get_pydantic_core_schema__(
        self, _source: Any, _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return _core_schema(self)

    __get_pydantic_json_schema__ = staticmethod(_json_schema)


def tensor_type(annotation: Any) -> TensorType | None:
    """What `np.ndarray`, `NDArray[np.float32]` and the like say; None for any other annotation."""
    if annotation is np.ndarray:
        return TensorType()
    if get_origin(annotation) is not np.ndarray:
        return None
    # ndarray[shape, dtype[scalar]]: the arity of the shape says nothing by contract.
    scalar = get_args(get_args(annotation)[-1] if get_args(annotation) else None)
    if not scalar or not isinstance(scalar[0], type) or not issubclass(scalar[0], np.generic):
        return TensorType()
    dtype = np.dtype(scalar[0])
    return TensorType(dtype if (dtype.name in _NAMES or dtype.kind == "U") else None)


def tensor_json(array: Array) -> bytes:
    """Nested lists; elements that are no numbers stay `NaN` and `Infinity`.

    Raises ValueError for element types that JSON can't carry.
    """
    try:
        text = orjson.dumps(array, option=orjson.OPT_SERIALIZE_NUMPY)
    except TypeError:  # strings, zero dimensions, strides, foreign byte order
        text = b"null"
    # orjson writes every number that is not finite as null, and nothing else in an array.
    return to_json(array.tolist(), inf_nan_mode="constants") if b"null" in text else text


def _core_schema(tensor: TensorType) -> CoreSchema:
    return core_schema.no_info_plain_validator_function(
        tensor.load,
        serialization=core_schema.plain_serializer_function_ser_schema(
            np.ndarray.tolist, when_used="json"
        ),
        metadata={_METADATA: tensor},
    )


def _from_lists(value: Any, dtype: np.dtype[Any] | None) -> Array:
    if value is None or isinstance(value, dict):
        raise ValueError(f"expected an array, not {'null' if value is None else 'an object'}")
    try:
        if dtype is None or dtype.kind not in "fc":
            return _exact(value, dtype)
        with np.errstate(over="raise"):
            return np.array(value, dtype)
    except OverflowError as error:
        raise ValueError(str(error)) from None
    except FloatingPointError:
        raise ValueError(f"a number is out of bounds for {dtype}") from None
    except TypeError:
        raise ValueError("an element is no number") from None


def _exact(value: Any, dtype: np.dtype[Any] | None) -> Array:
    """An array whose elements are exactly those of `value`, which NumPy would round or parse."""
    natural = np.array(value)
    kind = natural.dtype.kind
    if kind == "O":
        raise ValueError("an element is no number of at most 64 bits, no boolean and no text")
    if dtype is None or natural.dtype == dtype or (kind == dtype.kind == "U"):
        return natural
    if (kind == "U") != (dtype.kind == "U") and dtype.kind in "bU":
        raise ValueError(f"expected elements of {_name(dtype)}, not {_name(natural.dtype)}")
    if dtype.kind in "iu" and kind in "fU":
        numbers = natural.astype(np.float64)
        if (np.isfinite(numbers) & (numbers != np.trunc(numbers))).any():
            raise ValueError(f"a number with a fraction does not fit {dtype}")
    return np.array(value, dtype)


def _name(dtype: np.dtype[Any]) -> str:
    return "str" if dtype.kind == "U" else dtype.name


def _text(shape: tuple[int, ...]) -> str:
    return "(" + ",".join(map(str, shape)) + ")"
