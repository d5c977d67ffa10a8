"""Clients of a mesh for Python programs. Each is loaded when it is first used."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mesh.client.async_client import AsyncClient as AsyncClient
    from mesh.client.client import Client as Client
    from mesh.client.control.client import ControlClient as ControlClient
    from mesh.client.grpc import GrpcClient as GrpcClient

_HOMES = {
    "AsyncClient": "mesh.client.async_client",
    "Client": "mesh.client.client",
    "ControlClient": "mesh.client.control.client",
    "GrpcClient": "mesh.client.grpc",
}
"""The module of each public name."""

__all__ = list(_HOMES)  # a list all the same


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'mesh.client' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value
