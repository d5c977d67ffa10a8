"""Users' own models with arrays, tensors and frames, dumped by users themselves."""

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import torch

from mesh import DType, IODescriptor


class Sample(IODescriptor):
    label: str
    data: Annotated[np.ndarray, DType("float32")]
    weights: Annotated[torch.Tensor, DType("float32")]
    frame: pd.DataFrame | None = None
    scan: Path | None = None


SAMPLE = Sample(label="l", data=np.ones(2, np.float32), weights=torch.ones(1))


def test_a_dump_has_the_values_as_they_are() -> None:
    found = SAMPLE.model_dump()
    assert found["data"] is SAMPLE.data
    assert found["weights"] is SAMPLE.weights


def test_a_dump_as_json_has_lists() -> None:
    expected = {"label": "l", "data": [1.0, 1.0], "weights": [1.0], "frame": None, "scan": None}
    assert SAMPLE.model_dump(mode="json") == expected
    assert json.loads(SAMPLE.model_dump_json()) == expected
