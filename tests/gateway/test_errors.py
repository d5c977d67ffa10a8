"""Errors as HTTP bodies and gRPC trailers, whatever is in them."""

import json
from base64 import b64decode
from urllib.parse import unquote

import pytest
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from hypothesis import given, strategies as st

from gateway.errors import grpc_trailers, http_body, http_headers, sentence
from mesh import rich_status
from mesh.errors import HTTP_STATUS, Code, InvalidArgument, MeshError, NotFound, Violation


@given(st.text(max_size=150))
def test_any_text_survives_the_percent_encoding_of_grpc(text: str) -> None:
    trailers = dict(grpc_trailers(MeshError(text)))
    raw = trailers.get(b"grpc-message", b"")
    assert all(0x20 <= byte <= 0x7E for byte in raw)
    assert unquote(raw.decode("ascii")) == text


def test_a_sentence_is_cut_before_it_is_encoded() -> None:
    assert sentence(NotFound("é" * 10_000)) == "é" * 4096 + "…"
    assert sentence(NotFound("é" * 4096)) == "é" * 4096
    faults = tuple(Violation((number,), "x", "y" * 1000) for number in range(20))
    assert len(sentence(InvalidArgument("no", violations=faults))) == 4097


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


CHARS = st.characters()  # halves of surrogate pairs among them
VIOLATIONS = st.builds(
    Violation,
    st.lists(st.text(CHARS, max_size=50) | st.integers(0, 99), max_size=5).map(tuple),
    st.text(CHARS, max_size=30),
    st.text(CHARS, max_size=500),
)


@given(st.text(CHARS, max_size=5000), st.lists(VIOLATIONS, max_size=50), st.floats(0, 1e12))
def test_trailers_of_any_error_are_ascii_and_fit_into_a_clients_metadata(
    text: str, violations: list[Violation], wait: float
) -> None:
    error = InvalidArgument(text, violations=tuple(violations), retry_after=wait)
    trailers = grpc_trailers(error)
    assert sum(len(name) + len(value) + 32 for name, value in trailers) < 8192
    assert all(0x20 <= byte <= 0x7E for _, value in trailers for byte in value)


def test_details_say_the_message_the_fields_and_the_time_to_wait() -> None:
    error = InvalidArgument(
        "1 validation error for Input",
        violations=(Violation(("rows", 0, "x"), "missing", "Field required", "https://x"),),
        retry_after=2.5,
    )
    trailers = dict(grpc_trailers(error))
    details = trailers[b"grpc-status-details-bin"]
    assert not details.endswith(b"=")
    status = Status.FromString(b64decode(details + b"=="))
    assert (status.code, status.message) == (3, unquote(trailers[b"grpc-message"].decode()))
    request, info = BadRequest(), RetryInfo()
    assert status.details[0].Unpack(request)
    assert status.details[1].Unpack(info)
    (fault,) = request.field_violations
    assert (fault.field, fault.description, fault.reason) == (
        "rows[0].x",
        "Field required",
        "MISSING",
    )
    assert info.retry_delay.ToMilliseconds() == 2500


def test_an_error_without_faults_or_advice_has_no_details() -> None:
    assert b"grpc-status-details-bin" not in dict(grpc_trailers(NotFound("no")))


def test_of_many_faults_those_that_fit_are_told() -> None:
    faults = tuple(Violation(("rows", n), "missing", "Field required") for n in range(1000))
    trailers = dict(grpc_trailers(InvalidArgument("1000 faults", violations=faults)))
    assert trailers[b"grpc-message"].endswith(b"and 980 more")
    violations, _ = rich_status.decode(b64decode(trailers[b"grpc-status-details-bin"] + b"=="))
    assert violations == faults[: len(violations)]
    assert len(violations) > 10
