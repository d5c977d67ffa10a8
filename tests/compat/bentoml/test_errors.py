"""BentoML's exceptions and the mesh's errors, both ways, and the bodies that clients get."""

import json
from http import HTTPStatus

import pytest
from bentoml.exceptions import (
    BadInput,
    BentoMLException,
    InvalidArgument,
    NotFound,
    ServiceUnavailable,
    StateException,
)
from pydantic import BaseModel, ValidationError

from mesh import errors
from mesh.compat.bentoml.error_body import BLOCKED, UNEXPECTED, error_body, is_own
from mesh.compat.bentoml.errors import exception, failure
from mesh.errors import Code, MeshError, Violation


class Sub(BaseModel):
    a: int


class Teapot(BentoMLException):
    error_code = HTTPStatus.IM_A_TEAPOT


@pytest.mark.parametrize(
    ("raised", "status", "code", "message"),
    [
        (BadInput("bad"), 400, Code.INVALID_ARGUMENT, "bad"),
        (NotFound("none"), 404, Code.NOT_FOUND, "none"),
        (Teapot("short"), 418, Code.UNKNOWN, "short"),
        (BentoMLException("no", error_code=HTTPStatus.FORBIDDEN), 403, Code.PERMISSION_DENIED,
         "Authorization error"),
        (ServiceUnavailable("busy"), 503, Code.UNAVAILABLE, UNEXPECTED),
        (BentoMLException("inside"), 500, Code.INTERNAL, UNEXPECTED),
    ],
)  # fmt: skip
def test_an_exception_keeps_its_status(
    raised: BentoMLException, status: int, code: Code, message: str
) -> None:
    found = failure(raised)
    assert found is not None
    assert (found.status, found.code, found.message) == (status, code, message)


def test_other_exceptions_are_faults_of_the_service() -> None:
    assert failure(ValueError("secret")) is None
    assert failure(StateException("secret")) is None


def test_a_validation_error_names_its_model_and_fields() -> None:
    with pytest.raises(ValidationError) as raised:
        Sub.model_validate({"a": "x"})
    found = failure(raised.value)
    assert found is not None
    assert found.message == "1 validation error for Sub"
    assert [each.path for each in found.violations] == [("a",)]


@pytest.mark.parametrize(
    ("error", "body"),
    [
        (MeshError("short", http_status=418), [{"error": "short"}]),
        (errors.NotFound("none"), [{"error": "none"}]),
        (
            MeshError("Authorization error", http_status=401, code=Code.UNAUTHENTICATED),
            {"error": "Authorization error"},
        ),
        (errors.Internal("a detail"), {"error": UNEXPECTED}),
        (errors.Overloaded("Too many requests", retry_after=1.0), {"error": "Too many requests"}),
        (MeshError("slowly", code=Code.RESOURCE_EXHAUSTED, http_status=429), [{"error": "slowly"}]),
        (errors.DeadlineExceeded("late"), {"error": "late"}),
        (
            errors.InvalidArgument(
                "1 validation error for Input", violations=(Violation(("x",), "missing", "M"),)
            ),
            {
                "error": "1 validation error for Input",
                "detail": [{"type": "missing", "loc": ["x"], "msg": "M"}],
            },
        ),
        (
            errors.InvalidArgument(
                "1 validation error for Input",
                violations=(Violation(("x",), "value_error", f"Value error, {BLOCKED}"),),
            ),
            [{"error": BLOCKED}],
        ),
    ],
)
def test_a_body_is_a_list_only_for_what_the_service_chose_to_raise(
    error: MeshError, body: object
) -> None:
    assert json.loads(error_body(error)) == body


def test_only_refusals_of_the_server_itself_are_its_own() -> None:
    assert is_own(errors.Overloaded("Too many requests", retry_after=1.0))
    assert is_own(errors.DeadlineExceeded("late"))
    assert not is_own(MeshError("late", code=Code.DEADLINE_EXCEEDED, http_status=504))
    assert not is_own(errors.NotFound("none"))


def test_a_caller_gets_the_class_of_the_status_with_the_body_as_its_text() -> None:
    found = exception(MeshError("bad", code=Code.INVALID_ARGUMENT, http_status=400))
    assert type(found) is InvalidArgument
    assert str(found) == '[{"error":"bad"}]'
    teapot = exception(MeshError("short", http_status=418))
    assert isinstance(teapot, BentoMLException)
    assert teapot.error_code == 418


def test_a_status_that_http_does_not_know_is_500() -> None:
    found = exception(errors.Cancelled("gone"))
    assert isinstance(found, BentoMLException)
    assert found.error_code == 500


def test_a_call_that_would_block_the_loop_is_no_fault_of_the_callee() -> None:
    assert type(exception(errors.FailedPrecondition("would block"))) is RuntimeError
