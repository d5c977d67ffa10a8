"""Serving Mesh: typed Python services on Ray, called over gRPC and HTTP.

The names below are the stable API. They are loaded when they are first used, so that processes
which define no services, such as gateways, carry neither NumPy nor pydantic.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mesh.client.async_client import AsyncClient as AsyncClient
    from mesh.client.client import Client as Client
    from mesh.client.control.client import ControlClient as ControlClient
    from mesh.definition.context import Context as Context
    from mesh.definition.decorators import service as service
    from mesh.definition.depends import depends as depends
    from mesh.definition.methods import api as api
    from mesh.errors import (
        Cancelled as Cancelled,
        Code as Code,
        ConfigError as ConfigError,
        DeadlineExceeded as DeadlineExceeded,
        DefinitionError as DefinitionError,
        FailedPrecondition as FailedPrecondition,
        Internal as Internal,
        InvalidArgument as InvalidArgument,
        MeshError as MeshError,
        NotFound as NotFound,
        Overloaded as Overloaded,
        PermissionDenied as PermissionDenied,
        TooLarge as TooLarge,
        Unauthenticated as Unauthenticated,
        Unavailable as Unavailable,
        Unimplemented as Unimplemented,
        UnsupportedMediaType as UnsupportedMediaType,
        Violation as Violation,
    )
    from mesh.io.descriptor import IODescriptor as IODescriptor
    from mesh.io.types.content_type import ContentType as ContentType
    from mesh.io.types.file import File as File
    from mesh.io.types.frame_schema import DataframeSchema as DataframeSchema
    from mesh.io.types.tensor import DType as DType, Shape as Shape

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
    "AsyncClient": "mesh.client.async_client",
    "Client": "mesh.client.client",
    "ControlClient": "mesh.client.control.client",
    "ContentType": "mesh.io.types.content_type",
    "Context": "mesh.definition.context",
    "DType": "mesh.io.types.tensor",
    "DataframeSchema": "mesh.io.types.frame_schema",
    "File": "mesh.io.types.file",
    "IODescriptor": "mesh.io.descriptor",
    "Shape": "mesh.io.types.tensor",
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
