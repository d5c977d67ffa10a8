"""Clients of a mesh for Python programs."""

from mesh.client.async_client import AsyncClient
from mesh.client.client import Client
from mesh.client.grpc import GrpcClient

__all__ = ["AsyncClient", "Client", "GrpcClient"]
