"""Serving Mesh: typed Python services on Ray, called over gRPC and HTTP.

The names below are the stable API. They are loaded when they are first used, so that processes
which define no services, such as gateways, carry neither NumPy nor pydantic.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mesh.definition.context import Context as Context
    from mesh.definition.decorators import service as service
    from mesh.definition.depends import depends as depends
    from mesh.definition.methods import api as api
    from mesh.errors import (
        Cancelled as Cancelled,
    )
    from mesh.errors import (
        Code as Code,
    )
    from mesh.errors import (
        ConfigError as ConfigError,
    )
    from mesh.errors import (
        DeadlineExceeded as DeadlineExceeded,
    )
    from mesh.errors import (
        DefinitionError as DefinitionError,
    )
    from mesh.errors import (
        FailedPrecondition as FailedPrecondition,
    )
    from mesh.errors import (
        Internal as Internal,
    )
    from mesh.errors import (
        InvalidArgument as InvalidArgument,
    )
    from mesh.errors import (
        MeshError as MeshError,
    )
    from mesh.errors import (
        NotFound as NotFound,
    )
    from mesh.errors import (
        Overloaded as Overloaded,
    )
    from mesh.errors import (
        PermissionDenied as PermissionDenied,
    )
    from mesh.errors import (
        TooLarge as TooLarge,
    )
    from mesh.errors import (
        Unauthenticated as Unauthenticated,
    )
    from mesh.errors import (
        Unavailable as Unavailable,
    )
    from mesh.errors import (
        Unimplemented as Unimplemented,
    )
    from mesh.errors import (
        UnsupportedMediaType as UnsupportedMediaType,
    )
    from mesh.errors import (
        Violation as Violation,
    )
    from mesh.io.tensor import DType as DType
    from mesh.io.tensor import Shape as Shape

_ERRORS = (
    "Cancelled",
    "Code",
    "ConfigError",
    "DeadlineExceeded",
    "DefinitionError",
    "FailedPrecondition",
    "Internal",
    "InvalidArgument",
    "MeshError",
    "NotFound",
    "Overloaded",
    "PermissionDenied",
    "TooLarge",
    "Unauthenticated",
    "Unavailable",
    "Unimplemented",
    "UnsupportedMediaType",
    "Violation",
)
_HOMES = {
    "Context": "mesh.definition.context",
    "DType": "mesh.io.tensor",
    "Shape": "mesh.io.tensor",
    "api": "mesh.definition.methods",
    "depends": "mesh.definition.depends",
    "service": "mesh.definition.decorators",
    **dict.fromkeys(_ERRORS, "mesh.errors"),
}
"""The module of each public name."""

__all__ = list(_HOMES)  # a list all the same


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'mesh' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
