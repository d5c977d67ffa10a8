"""Errors as HTTP bodies and gRPC trailers, whatever is in them."""

import json
from urllib.parse import unquote

import pytest
from hypothesis import given, strategies as st

from gateway.errors import grpc_trailers, http_body, http_headers
from mesh.errors import HTTP_STATUS, Code, InvalidArgument, MeshError, NotFound, Violation


@given(st.text())
def test_any_text_survives_the_percent_encoding_of_grpc(text: str) -> None:
    trailers = dict(grpc_trailers(MeshError(text)))
    raw = trailers.get(b"grpc-message", b"")
    assert all(0x20 <= byte <= 0x7E for byte in raw)
    assert unquote(raw.decode("ascii")) == text


@pytest.mark.parametrize("code", Code)
def test_every_code_has_its_number_in_grpc_and_a_status_in_http(code: Code) -> None:
    error = MeshError("why", code=code)
    assert dict(grpc_trailers(error))[b"grpc-status"] == str(code.value).encode()
    assert 400 <= HTTP_STATUS[code] < 600


def test_violations_are_in_the_body_and_in_the_message() -> None:
    error = InvalidArgument(
        "2 validation error for Input",
        violations=(
            Violation(("m", 1, "a"), "missing", "Field required", "https://x/missing"),
            Violation((), "json_invalid", "Invalid JSON"),
        ),
    )
    media_type, body = http_body(error)
    assert media_type == b"application/json"
    assert json.loads(body) == {
        "error": "2 validation error for Input",
        "detail": [
            {
                "type": "missing",
                "loc": ["m", 1, "a"],
                "msg": "Field required",
                "url": "https://x/missing",
            },
            {"type": "json_invalid", "loc": [], "msg": "Invalid JSON"},
        ],
    }
    message = dict(grpc_trailers(error))[b"grpc-message"]
    text = "2 validation error for Input: m.1.a: Field required; body: Invalid JSON"
    assert message == text.encode()


def test_a_path_that_leads_nowhere_is_plain_text() -> None:
    assert http_body(NotFound("Not Found")) == (b"text/plain; charset=utf-8", b"Not Found")
    assert http_body(NotFound("no such thing"))[0] == b"application/json"


@pytest.mark.parametrize(("seconds", "told"), [(0.0, b"1"), (0.4, b"1"), (2.0, b"2")])
def test_advice_to_retry_is_a_second_at_least(seconds: float, told: bytes) -> None:
    error = MeshError(retry_after=seconds)
    assert http_headers(error) == [(b"retry-after", told)]


@given(st.text())
def test_any_text_is_a_json_body(text: str) -> None:
    if text in ("Not Found", "Method Not Allowed"):
        return
    assert json.loads(http_body(MeshError(text))[1]) == {"error": text}
