"""The services that are measured: the work in one service, and with one more before it."""

from typing import Annotated

import numpy as np

import mesh
from mesh import DType, Shape

Rows = Annotated[np.ndarray, Shape((-1, 4)), DType("float32")]


@mesh.service
class Double:
    """Does the work."""

    @mesh.api
    async def double(self, x: Rows) -> Rows:
        """Twice `x`."""
        return x * 2


@mesh.service
class Front:
    """Has the work done."""

    worker = mesh.depends(Double)

    @mesh.api
    async def double(self, x: Rows) -> Rows:
        """Twice `x`, as another service says."""
        doubled: np.ndarray = await self.worker.to_async.double(x)
        return doubled
