"""Bodies that are a mesh.v1.CallRequest."""

import pytest
from hypothesis import given, settings, strategies as st

from mesh.call import CALL
from mesh.io.arguments import encode_call
from mesh.io.types.file import File
from tests.io.bodies.rig import fault, read, splits

BODY = encode_call("scalars", {"text": "né", "number": 2**70, "anything": {"a": [1, None]}})


@settings(deadline=None)
@given(st.lists(st.integers(0, len(BODY)), max_size=12))
def test_any_split_of_the_bytes_gives_the_same_arguments(places: list[int]) -> None:
    found = read("scalars", CALL, splits(BODY, places))
    assert (found["text"], found["number"]) == ("né", 2**70)
    assert found["anything"] == {"a": [1, None]}


def test_a_message_that_is_cut_off_is_400() -> None:
    assert fault(lambda: read("scalars", CALL, BODY[:-1])) == (400, [("message_invalid", ())])


@pytest.mark.parametrize("size", [3, 300_000])
def test_files_in_a_call_arrive(size: int) -> None:
    body = encode_call("file", {"file": File(b"x" * size, "text/plain", "a.txt")})
    assert read("file", CALL, [body[:7], body[7:]])["file"] == b"x" * size
