"""Errors as services raise them."""

from typing import Any

import pytest

from mesh.errors import MeshError


def test_a_code_may_be_given_by_its_name() -> None:
    assert MeshError("x", code="NOT_FOUND").status == 404
    assert repr(MeshError("x", code=5)) == "MeshError(NOT_FOUND, 'x')"


@pytest.mark.parametrize(
    "wrong",
    [
        {"code": "NOWHERE"},
        {"code": 99},
        {"retry_after": "soon"},
        {"violations": [{"field": "a"}]},
        {"http_status": "teapot"},
    ],
)
def test_an_error_that_could_not_be_told_cannot_be_made(wrong: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        MeshError("x", **wrong)
