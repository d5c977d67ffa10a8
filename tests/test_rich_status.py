"""The details of failed gRPC calls, to the wire and back."""

import pytest
from google.protobuf.any_pb2 import Any
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from hypothesis import given, strategies as st

from mesh.errors import InvalidArgument, Overloaded, Violation
from mesh.rich_status import decode, encode, field_of, path_of

PATHS = st.lists(st.text(max_size=8) | st.integers(-(2**60), 2**60), max_size=5).map(tuple)


@pytest.mark.parametrize(
    ("path", "field"),
    [
        (("rows", 0, "x"), "rows[0].x"),
        ((), ""),
        ((0, 1, "x"), "[0][1].x"),
        (("sizes", "a b"), 'sizes["a b"]'),
        (("sizes", 'a"]'), 'sizes["a\\"]"]'),
        (("größe", "", "7"), 'größe[""]["7"]'),
    ],
)
def test_a_path_is_written_as_google_apis_write_it(path: tuple[str | int, ...], field: str) -> None:
    assert field_of(path) == field
    assert path_of(field) == path


@given(PATHS)
def test_any_path_comes_back(path: tuple[str | int, ...]) -> None:
    assert path_of(field_of(path)) == path


@given(st.text())
def test_any_other_text_is_some_path(field: str) -> None:
    assert isinstance(path_of(field), tuple)


def test_a_path_that_others_write_is_one_name() -> None:
    assert path_of("rows[*].x") == ("rows[*].x",)
    assert path_of(f"[{'9' * 5000}]") == (f"[{'9' * 5000}]",)


@given(PATHS, st.text(max_size=20), st.floats(0, 1e9))
def test_faults_and_the_time_to_wait_come_back(
    path: tuple[str | int, ...], text: str, wait: float
) -> None:
    faults = (Violation(path, "int_parsing", text),)
    details = encode(InvalidArgument("so", violations=faults, retry_after=wait), "so")
    found, seconds = decode(details)
    assert found == faults
    assert seconds == pytest.approx(wait, abs=1e-6)


def test_overload_says_when_to_come_back_and_nothing_else() -> None:
    assert decode(encode(Overloaded("full", retry_after=1.0), "full")) == ((), 1.0)
    assert encode(Overloaded("full"), "full") == b""


@given(st.binary(max_size=100))
def test_bytes_that_are_no_details_say_nothing_that_was_not_said(details: bytes) -> None:
    violations, wait = decode(details)
    assert isinstance(violations, tuple)
    assert wait is None or wait > -1e20


def test_details_of_other_types_are_passed_over_and_broken_ones_say_nothing() -> None:
    other = Any()
    other.Pack(ErrorInfo(reason="X"))
    assert decode(Status(details=[other]).SerializeToString()) == ((), None)
    broken = Any(type_url="type.googleapis.com/google.rpc.BadRequest", value=b"\xff")
    assert decode(Status(details=[broken]).SerializeToString()) == ((), None)
