"""For the tests of those who write services: `local_mesh` runs a service as it will be served."""

from mesh.testing.local import LocalMesh, local_mesh

__all__ = ["LocalMesh", "local_mesh"]
