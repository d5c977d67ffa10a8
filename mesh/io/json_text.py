"""JSON text of wire values, and of whatever else a method may return.

Arrays become nested lists, tables what their kind says, files data URLs, bytes text or data URLs,
sets lists; numbers that are not finite stay `NaN`, `Infinity` and `-Infinity`, which JSON proper
has no form for, because Python's and BentoML's clients read them.
"""

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, Final

import numpy as np
import orjson
from pydantic import BaseModel
from pydantic_core import PydanticSerializationError, to_json, to_jsonable_python

from mesh.io.files.data_url import to_data_url
from mesh.io.types.file import File
from mesh.io.types.kind import WIRE
from mesh.io.types.plain import bytes_text
from mesh.io.types.registry import wire_value
from mesh.io.types.table import Column, Table, column_json, plain, plain_column, table_json
from mesh.io.types.tensor import tensor_json

_OPTIONS = (
    # Pydantic writes these, so that a value looks the same wherever it stands.
    orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS
)
_SELF_TOLD = (np.ndarray, Table, Column, File, bytes)
"""Types whose text has `NaN` for such a number at once."""
_ATOMS: Final = frozenset({str, int, float, bool, type(None)})


def json_text(value: Any) -> bytes:
    """The value as compact JSON. Raises TypeError or ValueError for one that has no form in JSON.

    Blocks on the disk if there are files in it that are not in memory.
    """
    if type(value) is np.ndarray:
        return tensor_json(value)
    try:
        text = orjson.dumps(value, default=_step, option=_OPTIONS)
    except TypeError:  # keys that are no text, whole numbers beyond 64 bits
        text = b"null"
    if b"null" not in text or (text != b"null" and not _has_odd_number(value)):
        return text
    # Either None or a number that is not finite, which orjson writes alike.
    return to_json(tree(value), inf_nan_mode="constants")


def spaced_json(value: Any) -> bytes:
    """The value as `json.dumps` writes it: a space behind each comma and colon, ASCII only."""
    return json.dumps(tree(value)).encode()


def _step(value: Any) -> Any:
    """One step from a value that orjson doesn't know towards those that it does."""
    if isinstance(value, np.ndarray):
        return orjson.Fragment(tensor_json(value))
    if isinstance(value, Table):
        return orjson.Fragment(table_json(value))
    if isinstance(value, Column):
        return orjson.Fragment(column_json(value))
    if isinstance(value, File):
        if value.uri:
            return value.uri
        # Nothing in a data URL needs escaping, and the text may be long.
        return orjson.Fragment(b'"%b"' % to_data_url(value).encode())
    return _simpler(value)


def tree(value: Any) -> Any:
    """The value as None, bool, int, float, str, list and dict (with text as keys) only.

    Raises TypeError or ValueError for one that has no form in JSON.
    """
    cls = type(value)
    if cls in _ATOMS:
        return value
    if cls is dict:
        return dict(zip(map(_key, value), _trees(value.values()), strict=True))
    if cls is list or cls is tuple:
        return list(_trees(value))
    if isinstance(value, np.ndarray):
        return json.loads(tensor_json(value)) if value.dtype.kind in "cOV" else value.tolist()
    if isinstance(value, File):
        return value.uri or to_data_url(value)
    if isinstance(value, Table):
        return plain(value)
    if isinstance(value, Column):
        return plain_column(value)
    simpler = _simpler(value)
    if type(simpler) is cls:
        raise TypeError(f"a {cls.__qualname__} has no form in JSON")
    return tree(simpler)


def _trees(values: Iterable[Any]) -> Iterable[Any]:
    values = list(values)
    return values if _ATOMS.issuperset(map(type, values)) else map(tree, values)


def _simpler(value: Any) -> Any:
    """A value of a simpler type for one of a type that is neither JSON's nor a wire value's."""
    match value:
        case bytes():
            return bytes_text(value)
        case bytearray() | memoryview():
            return bytes_text(bytes(value))
        case np.generic():
            return np.asarray(value) if value.dtype.kind in "cV" else value.item()
        case BaseModel():
            return value.model_dump(by_alias=True, context=WIRE)
        case Enum():
            return value.value
        case str():
            return str.__str__(value)
        case Mapping():
            return dict(value)
        case set() | frozenset() | tuple() | list():
            return list(value)
    return _foreign(value)


def _foreign(value: Any) -> Any:
    wire = wire_value(value)
    if wire is not value:
        return wire
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
    try:
        return to_jsonable_python(value, by_alias=True, inf_nan_mode="constants")
    except PydanticSerializationError:
        raise TypeError(f"a {type(value).__qualname__} has no form in JSON") from None


def _key(key: object) -> str:
    if type(key) is str:
        return key
    if isinstance(key, np.generic):
        key = key.item()
    # Pydantic has the rules for what a key becomes.
    (text,) = to_jsonable_python({key: None})
    return str(text)


def _has_odd_number(value: Any) -> bool:
    """Whether a number outside of arrays is not finite; arrays say so by themselves."""
    cls = type(value)
    if cls is float:
        return not math.isfinite(value)
    if cls is list or cls is tuple:
        return any(map(_has_odd_number, value))
    if cls is dict:
        return any(map(_has_odd_number, value.values()))
    # What other types contain is not known here: then the slower way decides.
    return not (cls in _ATOMS or isinstance(value, _SELF_TOLD))
