"""Serving Mesh: typed Python services on Ray, called over gRPC and HTTP."""

# Two decorators have the names of packages beside this file. A package takes its name when it is
# first imported, so it has to come before the decorator, or it would take the name away later.
from mesh import api as _api
from mesh import service as _service
from mesh.errors import (
    Cancelled,
    Code,
    ConfigError,
    DeadlineExceeded,
    DefinitionError,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    MeshError,
    NotFound,
    Overloaded,
    PermissionDenied,
    TooLarge,
    Unauthenticated,
    Unavailable,
    Unimplemented,
    UnsupportedMediaType,
    Violation,
)
from mesh.io.tensor import DType, Shape
from mesh.service.context import Context
from mesh.service.decorators import service
from mesh.service.depends import depends
from mesh.service.methods import api

__all__ = [  # noqa: RUF022 - grouped by what a reader looks for
    # Definitions
    "Context",
    "DType",
    "Shape",
    "api",
    "depends",
    "service",
    # Errors
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
]

del _api, _service
