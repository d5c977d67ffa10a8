"""Arrays of NumPy's usual floats for methods that take smaller ones."""

import json

import numpy as np
import pytest

from mesh.client.description import ServiceDescription
from mesh.client.outgoing import outgoing
from mesh.definition.spec import service_spec
from mesh.io.documents.schema import service_schema
from tests.contract.service import Types

DOCUMENT = service_schema("Types", "", service_spec(Types).methods.values())
METHODS = ServiceDescription.of_json(json.dumps(DOCUMENT).encode()).methods


def test_numbers_that_nobody_gave_a_type_take_that_of_the_parameter() -> None:
    assert outgoing(np.ones((2, 3)), "x", METHODS["matrix"]).dtype == np.float32
    assert outgoing(np.ones(2), "x", METHODS["half"]).dtype == np.float16


@pytest.mark.parametrize(
    ("method", "value"),
    [("matrix", np.full((2, 3), 1e39)), ("integers", np.ones(2)), ("array", np.ones(2))],
)
def test_what_has_no_place_there_stays_what_it_is(method: str, value: np.ndarray) -> None:
    assert outgoing(value, "x", METHODS[method]) is value
