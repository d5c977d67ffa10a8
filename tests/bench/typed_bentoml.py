"""The same service on BentoML."""

from typing import Annotated

import bentoml
import numpy as np
import pandas as pd
from bentoml.validators import DType


@bentoml.service(traffic={"timeout": 120})
class Typed:
    """Gives back what it takes."""

    @bentoml.api
    def named_array(self, x: Annotated[np.ndarray, DType("float32")]) -> np.ndarray:
        return x

    @bentoml.api
    def named_frame(self, x: pd.DataFrame) -> pd.DataFrame:
        return x
