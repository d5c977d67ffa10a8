"""Clients of a mesh for Python programs."""

from mesh.client.grpc import GrpcClient

__all__ = ["GrpcClient"]
