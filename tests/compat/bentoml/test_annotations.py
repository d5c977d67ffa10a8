"""What BentoML's annotations say, in the mesh's words."""

from pathlib import Path
from typing import Annotated, Any, Optional, get_args

import bentoml
import numpy as np
import pandas as pd
import pytest
from bentoml.validators import ContentType, DataframeSchema, DType, Shape
from PIL.Image import Image
from pydantic import BaseModel, Field

import mesh
from mesh.compat.bentoml.annotations import translated

SHAPED = Annotated[np.ndarray, Shape((2, -1)), DType("float32")]
OURS = Annotated[np.ndarray, mesh.Shape((2, -1)), mesh.DType("float32")]


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (int, int),
        (Any, Any),
        (SHAPED, OURS),
        (list[SHAPED], list[OURS]),
        (dict[str, list[SHAPED]], dict[str, list[OURS]]),
        (Optional[SHAPED], Optional[OURS]),  # noqa: UP045 - as users write
        (Annotated[Path, ContentType("audio/*")], Annotated[Path, mesh.ContentType("audio/*")]),
        (
            Annotated[pd.DataFrame, DataframeSchema(orient="columns", columns=["a"])],
            Annotated[pd.DataFrame, mesh.DataframeSchema("columns", ["a"])],
        ),
        (Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]),
    ],
)
def test_markers_are_translated_at_any_depth(annotation: Any, expected: Any) -> None:
    found = translated(annotation)
    assert str(found) == str(expected)


def test_fields_of_descriptors_are_marked_anew() -> None:
    class Doc(bentoml.IODescriptor):
        data: SHAPED
        file: Annotated[Path, ContentType("text/plain")]
        images: list[Image]
        size: Annotated[int, Field(ge=1)] = 1

    class Holder(BaseModel):
        docs: list[Doc]

    assert translated(Holder) is Holder
    fields = Doc.model_fields
    assert fields["data"].metadata == [mesh.Shape((2, -1)), mesh.DType("float32")]
    assert fields["file"].metadata == [mesh.ContentType("text/plain")]
    assert fields["images"].annotation == list[Image]
    assert len(fields["size"].metadata) == 1
    assert get_args(Holder.model_fields["docs"].annotation) == (Doc,)
