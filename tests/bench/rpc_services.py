"""The service whose typed gRPC is measured."""

from collections.abc import AsyncIterator

import numpy as np

import mesh
from tests.bench.services import Rows


@mesh.service(traffic={"max_request_bytes": "16Mi"})
class Rpc:
    """Small and large arrays, and streams."""

    @mesh.api
    async def double(self, x: Rows) -> Rows:
        """Twice `x`."""
        return x * 2

    @mesh.api
    async def echo(self, x: np.ndarray) -> np.ndarray:
        """`x` itself."""
        return x

    @mesh.api
    async def count(self, n: int) -> AsyncIterator[int]:
        """Numbers from 0."""
        for number in range(n):
            yield number
