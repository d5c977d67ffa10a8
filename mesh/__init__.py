"""Serving Mesh: typed Python services on Ray, called over gRPC and HTTP."""

__all__: list[str] = []
