"""Replies that failed, as errors."""

import json

import pytest

from mesh import errors
from mesh.client.failure import of_code, of_http
from mesh.errors import Code, MeshError, Violation


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, errors.InvalidArgument),
        (401, errors.Unauthenticated),
        (403, errors.PermissionDenied),
        (404, errors.NotFound),
        (413, errors.TooLarge),
        (415, errors.UnsupportedMediaType),
        (422, errors.FailedPrecondition),
        (429, errors.Overloaded),
        (500, errors.Internal),
        (503, errors.Unavailable),
        (504, errors.DeadlineExceeded),
        (418, MeshError),
    ],
)
def test_a_status_has_its_class(status: int, expected: type[MeshError]) -> None:
    error = of_http(status, {}, b'{"error": "so"}')
    assert type(error) is expected
    assert (error.status, error.message) == (status, "so")


def test_faults_of_the_input_are_told() -> None:
    detail = [{"type": "missing", "loc": ["x", 1], "msg": "Field required", "url": "u"}]
    body = json.dumps({"error": "1 validation error for Input", "detail": detail}).encode()
    error = of_http(400, {}, body)
    assert error.violations == (Violation(("x", 1), "missing", "Field required", "u"),)


def test_a_list_of_one_error_and_plain_text_are_read() -> None:
    assert of_http(404, {}, b'[{"error": "gone"}]').message == "gone"
    assert of_http(404, {}, b"Not Found").message == "Not Found"
    assert of_http(502, {}, b"").message == "the service answered with status 502"


def test_the_pause_that_a_service_asks_for_is_told() -> None:
    assert of_http(429, {"retry-after": "3"}, b"").retry_after == 3.0
    assert of_http(429, {"retry-after": "Mon, 01 Jan"}, b"").retry_after is None


@pytest.mark.parametrize("code", Code)
def test_a_code_is_kept(code: Code) -> None:
    error = of_code(code, "so")
    assert error.code is code


def test_a_code_that_is_none_is_unknown() -> None:
    assert of_code(99, "so").code is Code.UNKNOWN
