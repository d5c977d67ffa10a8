"""The service of the typed-IO measures, on the mesh."""

from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd

import mesh
from mesh import DType


@mesh.service(traffic={"timeout": 120, "max_request_bytes": "300Mi"})
class Typed:
    """Gives back what it takes, so that reading and writing are all the work."""

    @mesh.api
    def array(self, x: Annotated[np.ndarray, DType("float32")], /) -> np.ndarray:
        return x

    @mesh.api
    def named_array(self, x: Annotated[np.ndarray, DType("float32")]) -> np.ndarray:
        return x

    @mesh.api
    def frame(self, x: pd.DataFrame, /) -> pd.DataFrame:
        return x

    @mesh.api
    def named_frame(self, x: pd.DataFrame) -> pd.DataFrame:
        return x

    @mesh.api
    def size(self, file: Path) -> int:
        return file.stat().st_size


@mesh.service
class Small:
    """A method with two scalars and a small array."""

    @mesh.api
    def small(
        self, a: int, b: float, x: Annotated[np.ndarray, mesh.Shape((1, 4)), DType("float32")]
    ) -> np.ndarray:
        return x * np.float32(a + b)
