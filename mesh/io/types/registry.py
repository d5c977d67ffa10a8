"""Which annotations name a kind, and which values have a wire value of their own.

Libraries that a service may do without are known by the names of their classes and loaded only
when such a class turns up, so that its library is there already.
"""

from functools import lru_cache
from importlib import import_module
from types import ModuleType
from typing import Any, get_args, get_origin

from typing_extensions import TypeAliasType

from mesh.io.types.kind import Kind

_HOMES = {
    ("numpy", "ndarray"): "mesh.io.types.tensor",
    ("torch", "Tensor"): "mesh.io.types.torch_tensor",
    ("tensorflow", "Tensor"): "mesh.io.types.tf_tensor",
    ("pandas", "DataFrame"): "mesh.io.types.frame",
    ("pandas", "Series"): "mesh.io.types.frame",
    ("PIL", "Image"): "mesh.io.types.image",
    ("pathlib", "PurePath"): "mesh.io.types.path",
    ("builtins", "bytes"): "mesh.io.types.binary",
    ("mesh", "File"): "mesh.io.types.file_kind",
}
"""Modules by the top-level package and the name of a class or of a base of it.

Each has `kind(annotation) -> Kind` and `wire_value(value)`, which gives an array, Table, Column,
File, str or bytes.
"""


def expanded(annotation: Any) -> Any:
    """What a generic alias with its arguments stands for; any other annotation itself.

    Such one is `NDArray[np.float32]` of NumPy 2.5 under Python 3.12.
    """
    alias = get_origin(annotation)
    if not isinstance(alias, TypeAliasType) or isinstance(alias.__value__, str):
        return annotation  # of a name in quotes only pydantic knows where to look
    return expanded(alias.__value__[get_args(annotation)])


def kind_of(annotation: Any) -> Kind | None:
    """What the annotation (without `Annotated`) says, if it names a type of a kind."""
    annotation = expanded(annotation)
    if isinstance(
        annotation, ModuleType
    ):  # `from PIL import Image`, which users take for the class
        home = _HOMES.get((annotation.__name__.partition(".")[0], "Image"))
        home = home if annotation.__name__ == "PIL.Image" else None
    else:
        cls = get_origin(annotation) or annotation
        home = _home(cls) if isinstance(cls, type) else None
    if home is None:
        return None
    found: Kind = import_module(home).kind(annotation)
    return found


def wire_value(value: Any) -> Any:
    """The wire value of a value whose class is a kind's; the value itself of any other."""
    cls: type = type(value)
    home = _home(cls)
    return value if home is None else import_module(home).wire_value(value)


def is_file_class(cls: type) -> bool:
    """Whether the wire values of the class are files."""
    return _home(cls) in _FILES


_FILES = ("mesh.io.types.image", "mesh.io.types.path", "mesh.io.types.file_kind")


@lru_cache(maxsize=4096)
def _home(cls: type) -> str | None:
    for base in cls.__mro__:
        home = _HOMES.get((base.__module__.partition(".")[0], base.__qualname__))
        if home is not None:
            return home
    return None
